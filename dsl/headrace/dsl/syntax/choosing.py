"""What a profile says of how to choose, as written; the blocks are in `declarations`."""

from dataclasses import dataclass, field

from headrace.dsl.source import Span
from headrace.dsl.syntax.tree import Number, Word, Written


@dataclass(frozen=True, slots=True)
class Names:
    """The list of a `require` or `prefer`; with *also* it adds to what is inherited."""

    words: tuple[Word, ...]
    also: bool


@dataclass(frozen=True, slots=True)
class Weighted:
    """One term; *weight* is None where none is written.

    Of a `score` or `minimize` it is the weight, of a `multiply` the power, of a `rank by` how
    much worse than the best still counts as equal, 0..1.
    """

    weight: Number | None
    rule: Word


@dataclass(frozen=True, slots=True)
class Picked:
    """`pick HOW [of top N] [ties by EXPR]`."""

    how: str
    span: Span = field(repr=False)
    top: Number | None = None
    ties: Written | None = None


@dataclass(frozen=True, slots=True)
class BesideSaid:
    """`also pick ROLE by profile NAME [when EXPR]`."""

    role: Word
    profile: Word
    span: Span = field(repr=False)
    when: Written | None = None


@dataclass(frozen=True, slots=True)
class RefuseSaid:
    """`refuse when EXPR [with STATUS "message"]`."""

    when: Written
    span: Span = field(repr=False)
    status: Number | None = None
    message: Word | None = None
