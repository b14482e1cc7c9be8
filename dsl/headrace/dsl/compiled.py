"""Compiled expressions: a function, and the place in the policy that it is from."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from headrace.dsl.source import Span
from headrace.dsl.values import (
    Afterwards,
    BoolColumn,
    Condition,
    NumberOf,
    RatioColumn,
    TextOf,
)

if TYPE_CHECKING:
    from headrace.dsl.cel.typed import Typed


@dataclass(frozen=True, slots=True)
class Rule:
    """A named expression and where it stands.

    reads  vocabulary names, e.g. `endpoint.queue`
    stage  when its value is known: ``static`` at load, ``scrape`` as soon as the endpoints are,
           ``request`` with each request
    typed  the checked expression, for who shows the values of its parts
    """

    name: str
    span: Span = field(repr=False)
    reads: frozenset[str] = frozenset()
    stage: Literal["static", "scrape", "request"] = "static"
    typed: "Typed | None" = field(default=None, repr=False, compare=False)

    @property
    def text(self) -> str:
        """The expression as written."""
        return self.span.text


@dataclass(frozen=True, slots=True)
class When:
    """A condition on a request, and on a pool where the statement allows it. A fault is false."""

    rule: Rule
    test: Condition = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class EndpointFilter:
    """Keep the endpoints for which the column is true. A fault excludes the endpoint."""

    rule: Rule
    column: BoolColumn = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Scorer:
    """One value per endpoint, meant to be in [0, 1]; the picker clamps. A fault scores 0."""

    rule: Rule
    column: RatioColumn = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds per endpoint; less is better. An endpoint whose cost faults is picked last."""

    rule: Rule
    column: RatioColumn = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A number for a request, and for a pool where the statement allows it."""

    rule: Rule
    value: NumberOf = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A text for a request, e.g. a fairness key. A fault counts as the empty text."""

    rule: Rule
    value: TextOf = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class After:
    """A bool, number or text over what was decided and answered, for `trace` and `test`."""

    rule: Rule
    value: Afterwards = field(repr=False, compare=False)
