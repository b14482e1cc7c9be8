"""What is linted: one policy as written, as checked and as compiled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from headrace.dsl.cel.typed import Typed
from headrace.dsl.checks.names import Names
from headrace.dsl.checks.rules import Rules
from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.program import Program
from headrace.dsl.source import Span
from headrace.dsl.syntax import declarations as said
from headrace.dsl.syntax.tree import Written

B = TypeVar("B", bound=said.Block)
_Place = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Subject:
    """One policy. A block that could not be read is missing from *blocks* and *program*."""

    blocks: Sequence[said.Block | said.Unreadable]
    names: Names
    rules: Rules
    program: Program
    _typed: dict[_Place, Typed] = field(default_factory=dict[_Place, Typed])

    def __post_init__(self) -> None:
        for rule in self.program.rules:
            if rule.typed is not None:
                self._typed[_place(rule.span)] = rule.typed

    @property
    def problems(self) -> Problems:
        """Where findings go."""
        return self.names.problems

    def of(self, kind: type[B]) -> Iterator[B]:
        """Yield the blocks of that kind in order."""
        return (block for block in self.blocks if isinstance(block, kind))

    def typed(self, written: Written) -> Typed | None:
        """Return *written* as it was checked; None if it was rejected."""
        return self._typed.get(_place(written.span))


def _place(span: Span) -> _Place:
    return span.source.name, span.start, span.end
