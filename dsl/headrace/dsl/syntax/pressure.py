"""The statements of an `overload` as written; `declarations` names them too."""

from dataclasses import dataclass, field

from headrace.dsl.source import Span
from headrace.dsl.syntax.tree import Number, Word, Written


@dataclass(frozen=True, slots=True)
class ShedRule:
    """`shed [any] when EXPR [with chance EXPR] [with STATUS "message"] [retry after DURATION]`."""

    when: Written
    span: Span = field(repr=False)
    any: bool = False
    status: Number | None = None
    message: Word | None = None
    retry_after: Number | None = None
    chance: Written | None = None


@dataclass(frozen=True, slots=True)
class QueueRule:
    """`queue [strictly] by EXPR [fair [in tokens] by EXPR, EXPR] [soonest deadline first]`.

    And then `for up to DURATION [, at most N] [, at most SIZE]`.
    """

    by: Written
    wait: Number
    span: Span = field(repr=False)
    fair: tuple[Written, ...] = ()
    length: Number | None = None
    size: Number | None = None
    strictly: bool = False
    in_tokens: bool = False
    soonest: bool = False
