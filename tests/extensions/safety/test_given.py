"""The provider of tests: what it was told to say, of one direction or of both."""

import pytest

from headrace.dsl.guarding import Guard, Provision
from headrace.dsl.source import Source, Span
from headrace.extensions.call import Text
from headrace.extensions.safety.contract import Asked, Direction, Hit, Kind, Trouble, Verdict
from headrace.extensions.safety.given import FAILS, FINDS, given, instead

SPAN = Span(Source("p.sched", "guard g { }"), 0, 7)
GUARD = Guard("g", SPAN, ask=Provision("nemo", "http://nemo:8000"))
TEXTS = (Text("user", "one"), Text("user", "two"))


def said(direction: Direction, **says: list[tuple[str, str]]) -> object:
    return given(instead(GUARD, says)).screen(Asked(direction, TEXTS))


def test_it_finds_what_it_is_told_in_every_text() -> None:
    found = said(Direction.PROMPT, prompt=[(FINDS, "toxic"), (FINDS, "threat")])

    assert found == Verdict((Hit("toxic", 0), Hit("threat", 0), Hit("toxic", 1), Hit("threat", 1)))


@pytest.mark.parametrize("direction", Direction)
def test_of_the_other_direction_and_without_a_word_it_finds_nothing(direction: Direction) -> None:
    other = {"prompt": "response", "response": "prompt"}[direction.value]

    assert said(direction, **{other: [(FINDS, "toxic")]}) == Verdict()
    assert said(direction) == Verdict()


@pytest.mark.parametrize(("how", "kind"), [("error", Kind.ERROR), ("timeout", Kind.TIMEOUT)])
def test_it_fails_as_it_is_told(how: str, kind: Kind) -> None:
    assert said(Direction.PROMPT, prompt=[(FAILS, how)]) == Trouble(kind, "given in the test")


def test_it_looks_at_a_part_only_if_it_is_told_to() -> None:
    assert said(Direction.RESPONSE, response=[(FAILS, "partial")]) == Verdict(
        partial="given in the test"
    )
