"""How well the picker predicts what replicas have cached, measured as `make bench` does."""

from dataclasses import replace

import pytest
from bench.multiturn import TALKS, accuracy

WITHOUT, WITH = 8.0, 2.0  # points of 100, of all prompt tokens


@pytest.mark.parametrize("name", TALKS)
def test_predicted_and_true_hits_differ_by_less_than_agreed(name: str) -> None:
    talk = replace(TALKS[name], conversations=50)
    blind, told = accuracy(talk, events=False), accuracy(talk, events=True)

    assert blind.points < WITHOUT, blind
    assert told.points < WITH, told
    assert told.matching.unmatched <= told.answers * 0.02
    assert 0.5 < told.true < 0.95
    assert told.error < 0.02


def test_events_tell_what_others_evict_and_nothing_else_does() -> None:
    talk = replace(TALKS["conversations, half of them not by us"], conversations=80, foreign=0.8)
    blind, told = accuracy(talk, events=False), accuracy(talk, events=True)

    assert told.points < WITH
    assert told.error < blind.error / 2
