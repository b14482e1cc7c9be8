"""The parts of pools and models as written; see `declarations` for the blocks themselves."""

from dataclasses import dataclass, field

from headrace.dsl.source import Span
from headrace.dsl.syntax.tree import Number, Word


@dataclass(frozen=True, slots=True)
class EndpointSaid:
    """`endpoint "ADDRESS" { name N  zone Z  role R  labels a = "b" }`."""

    address: Word
    span: Span = field(repr=False)
    name: Word | None = None
    zone: Word | None = None
    role: Word | None = None
    labels: tuple[tuple[Word, Word], ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """One target of a route; *share* is None where none is written."""

    pool: Word
    share: Number | None
    rewrite: Word | None


@dataclass(frozen=True, slots=True)
class LatencySaid:
    """`objective METRIC p95 < 400ms`."""

    metric: Word
    quantile: Number
    below: Number
