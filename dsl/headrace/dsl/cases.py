"""The `test` blocks of a policy: what is given, what is asked, what must come out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from headrace.dsl.compiled import After
from headrace.dsl.source import Span

Given = bool | int | float | str | None | tuple["Given", ...] | Mapping[str, "Given"]


@dataclass(frozen=True, slots=True)
class GivenEndpoint:
    """An endpoint of a test. *values*: field of `endpoint.*` -> value in base units."""

    name: str
    values: Mapping[str, Given]
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class GivenPool:
    """The endpoints that a pool has in a test, instead of those it has in the policy."""

    pool: str
    endpoints: tuple[GivenEndpoint, ...]
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class GivenGuard:
    """What the provider of a guard says in a test, instead of being asked.

    finds      the categories of its findings; none: it finds nothing
    fails      ``error``, ``timeout`` or ``partial``; empty: it does not
    direction  ``prompt`` or ``response``; empty: both
    """

    guard: str
    span: Span = field(repr=False)
    finds: tuple[str, ...] = ()
    fails: str = ""
    direction: str = ""


@dataclass(frozen=True, slots=True)
class TestCase:
    """One request under given circumstances, and what must hold after it is decided.

    A `test` block gives one case for each `when request` and each row of its table.

    name     the block's, and for more than one case its number and the row: ``a shed #2 (job=x)``
    request  field of `request.*` -> value, e.g. ``{"model": "chat", "headers": {...}}``
    row      column of the table -> value
    guards   what providers say; one that is not given finds nothing
    answer   the text that the model answers with; None: the usual one
    """

    __test__ = False  # for pytest: this is no test of ours

    name: str
    span: Span = field(repr=False)
    pools: tuple[GivenPool, ...] = ()
    request: Mapping[str, Given] = field(default_factory=dict[str, Given])
    expects: tuple[After, ...] = ()
    row: Mapping[str, Given] = field(default_factory=dict[str, Given])
    guards: tuple[GivenGuard, ...] = ()
    answer: str | None = None
