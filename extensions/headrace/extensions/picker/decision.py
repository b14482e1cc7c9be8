"""The record of one pick: every endpoint, every rule's say, every number.

Made on the hot path, so it keeps what was seen, not what every rule said of it: that is
worked out, exactly as it was, when a trace, `explain` or a log looks at it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from msgspec import Struct
from msgspec.structs import force_setattr

from headrace.dsl.program import Combine, Pick, Rule, RuleFault
from headrace.extensions.picker.combine import part
from headrace.extensions.picker.snapshot import Endpoint
from headrace.extensions.stage import Json


class How(Enum):
    """Which road led to the endpoint."""

    SCORED = "scored"  # it passed the filters and won the scoring
    LAST_RESORT = "last-resort"  # no endpoint passed any profile: least queue among the ready
    FALLBACK = "fallback"  # the picker itself failed: least in flight among the ready
    NONE = "none"  # there was none to take


class Kind(Enum):
    """What kind of filter a step is."""

    SUBSET = "subset"  # the proxy's hint: these endpoints and no others
    READY = "ready"  # built in: an endpoint that does not answer scrapes is the last to be asked
    REQUIRE = "require"
    PREFER = "prefer"


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that failed on these values. *endpoint* is empty for a condition on the request."""

    rule: str
    kind: str
    endpoint: str = ""


class Step(Struct, frozen=True):
    """One filter and what it said of the endpoints *given* to it, in their order.

    rule     None for the built-in ones
    relaxed  it would have left nothing, so it was skipped
    """

    kind: Kind
    given: Sequence[Endpoint]
    column: Sequence[bool | RuleFault]
    rule: Rule | None = None
    relaxed: bool = False

    @property
    def name(self) -> str:
        return self.rule.name if self.rule else self.kind.value

    def dropped(self) -> Iterator[Endpoint]:
        """Yield the endpoints this step took out of the running."""
        if not self.relaxed:
            for endpoint, verdict in zip(self.given, self.column, strict=True):
                if verdict is not True:
                    yield endpoint


class Attempt(Struct, frozen=True):
    """The filters of one profile, in the order they were asked."""

    profile: str
    steps: tuple[Step, ...]


class Column(Struct, frozen=True):
    """What one scorer, or one cost, said of the endpoints that passed, in their order.

    raw     as the rule returned it
    scores  of a scorer, brought into [0, 1]; a fault and NaN are 0. Of a cost, its seconds;
            a fault and NaN are infinite
    cost    whether less is better
    combine  what *weight* is: of a SUM the weight, of a PRODUCT the power, of TIERS the tolerance
    """

    rule: Rule
    weight: float
    raw: Sequence[float | RuleFault]
    scores: Sequence[float]
    cost: bool = False
    combine: Combine = Combine.SUM

    @property
    def head(self) -> str:
        """Its name and what it counts for, as short as it can be written."""
        name, weight = self.rule.name, f"{self.weight:g}"
        match self.combine:
            case Combine.PRODUCT:
                return name if self.weight == 1.0 else f"{name}^{weight}"
            case Combine.TIERS:
                return name if not self.weight else f"{name} within {self.weight * 100:g}%"
            case Combine.SUM:
                return f"{weight}*{name}"

    def part(self, score: float) -> float:
        """Return what *score* contributes; in tiers, that is itself."""
        match self.combine:
            case Combine.PRODUCT:
                return part(self.weight, score)
            case Combine.TIERS:
                return score
            case Combine.SUM:
                return self.weight * score

    def clamped(self) -> int:
        """Return how many values of a scorer lay outside [0, 1]."""
        if self.cost:
            return 0
        numbers = [v for v in self.raw if not isinstance(v, RuleFault)]
        return sum(1 for v in numbers if v < 0.0 or v > 1.0)


@dataclass(frozen=True, slots=True)
class Cell:
    """One scorer's say on one endpoint. *weighted* is weight times score, or score to a power."""

    scorer: str
    raw: float | RuleFault
    score: float
    weighted: float


@dataclass(frozen=True, slots=True)
class Row:
    """All that was said of one endpoint.

    dropped_by  the filter that took it out; empty if it passed them all
    total       None if it was not scored
    rank        0 for the chosen one, then the fallbacks; None for the rest
    """

    endpoint: Endpoint
    age_s: float
    dropped_by: str
    total: float | None
    cells: tuple[Cell, ...]
    rank: int | None


class Record(Struct, frozen=True):
    """What every rule said.

    attempts  profile after profile, as `else profile` led on; the last one decided
    scored    the endpoints that passed; `totals` and every column's scores are in this order
    totals    weighted sums of scores, the highest of which wins, or of costs, the lowest
    """

    attempts: tuple[Attempt, ...] = ()
    scored: tuple[Endpoint, ...] = ()
    columns: tuple[Column, ...] = ()
    totals: Sequence[float] = ()


class Evidence(Protocol):
    """What a decision saw, from which its record can be made again."""

    def record(self) -> Record:
        """Evaluate every rule on what was seen."""
        ...


NOTHING_SAID = Record()


class Decision(Struct, frozen=True):
    """The chosen endpoint and everything that led to it.

    fallbacks   where to go if the chosen one cannot be reached, best first
    runner_up   the best of the rest, and by what *margin* it lost
    epoch       of the snapshot that was looked at
    endpoints   the whole pool, in its order
    faulty      whether `faults` may have any beside *faults_before*
    faults_before  of conditions evaluated on the way here, e.g. of an overload rule
    beside         by role, who was picked beside the chosen one; see `beside`
    """

    request_id: str
    model: str
    priority: int
    pool: str
    profile: str
    how: How
    chosen: str | None
    fallbacks: tuple[str, ...]
    runner_up: str | None
    margin: float | None
    pick: Pick
    seed: int
    epoch: int
    now_s: float
    endpoints: tuple[Endpoint, ...]
    evidence: Record | Evidence = NOTHING_SAID
    faulty: bool = False
    faults_before: tuple[Fault, ...] = ()
    beside: "tuple[tuple[str, Decision], ...]" = ()

    def __repr__(self) -> str:
        return f"Decision({self.request_id}, {self.pool}, {self.how.value}, {self.chosen})"

    @property
    def record(self) -> Record:
        """What every rule said; worked out when first asked for."""
        known = self.evidence
        if not isinstance(known, Record):
            known = known.record()
            force_setattr(self, "evidence", known)
        return known

    @property
    def least(self) -> bool:
        """Whether totals are costs, of which less is better."""
        return self.pick is Pick.LEAST or any(c.cost for c in self.columns)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The filters, profile after profile; see `Record`."""
        return self.record.attempts

    @property
    def scored(self) -> tuple[Endpoint, ...]:
        """The endpoints that passed the filters."""
        return self.record.scored

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the scorers or costs said of them."""
        return self.record.columns

    @property
    def totals(self) -> Sequence[float]:
        """The weighted sums, per endpoint that passed."""
        return self.record.totals

    @property
    def destinations(self) -> tuple[str, ...]:
        """The chosen endpoint, then the fallbacks."""
        return () if self.chosen is None else (self.chosen, *self.fallbacks)

    @property
    def relaxed(self) -> tuple[str, ...]:
        """The `prefer` filters that would have left nothing, and so were skipped."""
        return tuple(s.name for s in self._steps() if s.relaxed)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Every rule that failed, in the order they were evaluated."""
        if not self.faulty:
            return self.faults_before
        return (*self.faults_before, *self._filter_faults(), *self._score_faults())

    @property
    def clamped(self) -> dict[str, int]:
        """Scorer -> how many of its values lay outside [0, 1]."""
        counts = {c.rule.name: c.clamped() for c in self.columns}
        return {name: count for name, count in counts.items() if count}

    def rows(self) -> tuple[Row, ...]:
        """Return one row per endpoint of the pool: the destinations, then the rest by total."""
        dropped = {e.address: s.name for s in self._steps() for e in s.dropped()}
        places = {e.address: i for i, e in enumerate(self.scored)}
        ranks = {address: i for i, address in enumerate(self.destinations)}
        rows = [
            Row(
                e,
                e.age_s(self.now_s),
                dropped.get(e.address, ""),
                None if e.address not in places else self.totals[places[e.address]],
                () if e.address not in places else self._cells(places[e.address]),
                ranks.get(e.address),
            )
            for e in self.endpoints
        ]
        sign = 1.0 if self.least else -1.0
        return tuple(sorted(rows, key=lambda row: _place(row, sign)))

    def as_json(self) -> dict[str, Json]:
        """Return the whole record as a JSON value, for a log, a trace or a page."""
        return {
            "request": self.request_id,
            "model": self.model,
            "priority": self.priority,
            "pool": self.pool,
            "profile": self.profile,
            "how": self.how.value,
            "chosen": self.chosen,
            "fallbacks": list(self.fallbacks),
            "runner_up": self.runner_up,
            "margin": self.margin,
            "pick": self.pick.value,
            "seed": self.seed,
            "epoch": self.epoch,
            "profiles_tried": [a.profile for a in self.attempts],
            "rules": self._rules(),
            "relaxed": list(self.relaxed),
            "clamped": self.clamped,
            "faults": [
                {"rule": f.rule, "kind": f.kind, "endpoint": f.endpoint} for f in self.faults
            ],
            "endpoints": [_row_json(r) for r in self.rows()],
            **({"beside": {r: d.as_json() for r, d in self.beside}} if self.beside else {}),
        }

    def _steps(self) -> tuple[Step, ...]:
        return self.attempts[-1].steps if self.attempts else ()

    def _cells(self, place: int) -> tuple[Cell, ...]:
        return tuple(
            Cell(c.rule.name, c.raw[place], c.scores[place], c.part(c.scores[place]))
            for c in self.columns
        )

    def _rules(self) -> list[Json]:
        filters = [(s.kind.value, s.rule, None) for a in self.attempts for s in a.steps]
        scorers = [("cost" if c.cost else "score", c.rule, c.weight) for c in self.columns]
        return [
            {"name": r.name, "as": kind, "weight": weight, "text": r.text, "line": line_of(r)}
            for kind, r, weight in [*filters, *scorers]
            if r is not None
        ]

    def _filter_faults(self) -> Iterator[Fault]:
        for step in (s for a in self.attempts for s in a.steps):
            for endpoint, verdict in zip(step.given, step.column, strict=True):
                if isinstance(verdict, RuleFault):
                    yield Fault(step.name, verdict.kind, endpoint.address)

    def _score_faults(self) -> Iterator[Fault]:
        for column in self.columns:
            for endpoint, raw in zip(self.scored, column.raw, strict=True):
                if isinstance(raw, RuleFault):
                    yield Fault(column.rule.name, raw.kind, endpoint.address)
                elif raw != raw:
                    yield Fault(column.rule.name, "nan", endpoint.address)


def line_of(rule: Rule) -> str:
    """Return where *rule* stands, as ``file:line``."""
    source = rule.span.source
    return f"{source.name}:{source.line_column(rule.span.start)[0]}"


def _place(row: Row, sign: float) -> tuple[int, int, float]:
    """Sort destinations by rank, then scored ones by *sign* times total, then dropped ones."""
    if row.rank is not None:
        return (0, row.rank, 0.0)
    return (2, 0, 0.0) if row.total is None else (1, 0, sign * row.total)


def _row_json(row: Row) -> dict[str, Json]:
    e = row.endpoint
    return {
        "endpoint": e.address,
        "name": e.name,
        "rank": row.rank,
        "dropped_by": row.dropped_by,
        "total": row.total,
        "scores": {
            c.scorer: {
                "raw": f"fault: {c.raw.kind}" if isinstance(c.raw, RuleFault) else c.raw,
                "score": c.score,
                "weighted": c.weighted,
            }
            for c in row.cells
        },
        "ready": e.ready,
        "metrics_age_s": row.age_s if e.scraped_at_s > float("-inf") else None,
        "queue": e.queue,
        "running": e.running,
        "in_flight": e.in_flight,
        "kv_cache": e.kv_cache,
        "error": e.error,
    }
