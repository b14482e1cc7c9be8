"""A provider that says what it was told to say, and asks nobody: for tests of policies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from headrace.dsl.guarding import Guard, Provision
from headrace.extensions.safety.contract import (
    CLEAR,
    Asked,
    Hit,
    Judged,
    Kind,
    Reach,
    Trouble,
    Verdict,
)

NAME = "given"
FINDS, FAILS = "finds", "fails"
_KINDS = {"error": Kind.ERROR, "timeout": Kind.TIMEOUT}
_WHY = "given in the test"


@dataclass(frozen=True, slots=True)
class Given:
    """Says the same of all texts of one direction. *says*: direction -> what it says.

    It is not local: it is treated as the provider that it stands in for, which judges windows.
    """

    says: Mapping[str, Judged]
    name: str = NAME
    reach: Reach = Reach(locates=True)  # noqa: RUF009 - a value that nobody changes

    def screen(self, asked: Asked) -> Judged:
        """Return what is given: a finding is about the whole of every text."""
        said = self.says.get(asked.direction.value, CLEAR)
        if isinstance(said, Trouble) or not said.hits:
            return said
        places = range(len(asked.texts))
        return Verdict(tuple(Hit(hit.what, at) for at in places for hit in said.hits))


def instead(guard: Guard, says: Mapping[str, Sequence[tuple[str, str]]]) -> Guard:
    """Return *guard* with this provider in the place of its own.

    says  direction -> what it finds, as pairs of FINDS and a category, or of FAILS and how
    """
    assert guard.ask is not None, "a guard that asks nobody is not told what to find"
    settings = {direction: tuple(pairs) for direction, pairs in says.items()}
    return replace(guard, ask=Provision(NAME, settings=settings))


def given(guard: Guard) -> Given:
    """Return the provider that the `ask` of *guard*, as `instead` made it, describes."""
    assert guard.ask is not None
    assert guard.ask.provider == NAME, guard.ask.provider
    return Given({d: _said(pairs) for d, pairs in guard.ask.settings.items()})


def _said(pairs: Sequence[tuple[str | float, str]]) -> Judged:
    how = next((word for verb, word in pairs if verb == FAILS), "")
    if how in _KINDS:
        return Trouble(_KINDS[how], _WHY)
    if how:
        return Verdict(partial=_WHY)
    return Verdict(tuple(Hit(word) for verb, word in pairs if verb == FINDS))
