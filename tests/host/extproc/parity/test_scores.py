"""The scores of all candidates, told to the proxy where the operator wants it."""

from typing import cast

import pytest

from tests.host.extproc.parity.house import POLICY, House, chat, pods, sets, told

SCORES = "x-gateway-destination-endpoint-scores"
LOADED = pods((0, 0.1), (5, 0.5), (9, 0.5))
SCORERS = POLICY[POLICY.index("scorer room") : POLICY.index("profile")]
MINIMIZING = POLICY.replace(SCORERS, "").replace(
    "score 2 * idle + 2 * room + 3 * prefix + 4 * loaded\n  pick  max", "minimize wait"
)
COSTS = MINIMIZING.replace(
    "profile", "cost wait = endpoint.queue == 0 ? 0s : endpoint.queue == 5 ? 5s : 9s\nprofile", 1
)


def test_every_candidate_has_its_score_also_those_that_were_not_taken() -> None:
    first, _ = House(LOADED, emit_scores=True).say(chat("my-model"), 2)
    scores = cast("dict[str, float]", told(first)[SCORES])

    assert scores == {
        "192.168.1.1:8000": pytest.approx(2 * 1.0 + 2 * 0.9),
        "192.168.1.2:8000": pytest.approx(2 / 6 + 2 * 0.5),
        "192.168.1.3:8000": pytest.approx(2 / 10 + 2 * 0.5),
    }
    assert list(sets(first)["x-gateway-destination-endpoint"].split(",")) == sorted(
        scores, key=lambda address: -scores[address]
    )


def test_of_costs_the_least_has_the_highest_score() -> None:
    first, _ = House(LOADED, COSTS, emit_scores=True).say(chat("my-model"), 2)

    assert told(first)[SCORES] == {
        "192.168.1.1:8000": 1.0,
        "192.168.1.2:8000": pytest.approx(1 / 6),
        "192.168.1.3:8000": pytest.approx(1 / 10),
    }


def test_nothing_of_it_is_told_unasked() -> None:
    first, _ = House(LOADED).say(chat("my-model"), 2)

    assert list(told(first)) == ["x-gateway-destination-endpoint"]
