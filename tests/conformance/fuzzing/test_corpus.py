"""What the fuzzer has found to be worth keeping: every promise holds for it."""

import pytest

from tests.conformance.fuzzing.promises import ANSWERS, CORPUS, CUTS, GREETED, seeds, try_input

INPUTS = sorted(CORPUS.iterdir())


@pytest.mark.parametrize("begins", "0123456789abcdef")
def test_no_input_of_the_corpus_breaks_a_promise(begins: str) -> None:
    for path in INPUTS:
        if path.name.startswith(begins):
            print(path.name)  # the last one is the one that failed
            try_input(path.read_bytes())


@pytest.mark.parametrize("cut", range(len(CUTS)))
@pytest.mark.parametrize("answers", [0, ANSWERS], ids=["mute", "answers"])
def test_the_tables_break_no_promise_however_they_are_cut(cut: int, answers: int) -> None:
    plan = bytes([GREETED | answers | cut])

    for seed in seeds():
        try_input(plan + seed[1:])


def test_the_corpus_is_small() -> None:
    assert len(INPUTS) >= 100
    assert sum(path.stat().st_size for path in INPUTS) < 200_000
