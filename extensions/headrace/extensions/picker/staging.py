"""Which rule of a profile is evaluated when: the split by binding time.

SCRAPED  reads the endpoint's own facts, and is evaluated when these change
ASKED    also reads what few requests differ in (`INPUTS`): evaluated once per such value
MATCHED  also reads the prefix match, and little else matters where there is none
LIVE     everything else: evaluated for every request

A total adds its terms up in this order, not in the written one, so that the first part of
the sum can be kept from request to request, and comes out the same to the last bit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum

from headrace.dsl.program import (
    Combine,
    EndpointFilter,
    Pick,
    Profile,
    RatioColumn,
    Rule,
    RuleFault,
    Scorer,
)
from headrace.dsl.vocabulary import VARIABLES
from headrace.extensions.picker.freshness import AGE, thresholds_s
from headrace.extensions.picker.snapshot import Endpoint

FACTS = frozenset(f"endpoint.{name}" for name in (*Endpoint.__struct_fields__, "metric"))
FIXED = frozenset({"pool.name", "pool.size"})
# What our own picks change.
COUNTED = frozenset(
    f"endpoint.{name}"
    for name in (
        "queue", "in_flight", "tokens_in_flight", "uncached_tokens_in_flight", "decoding",
    )
)  # fmt: skip
# What the cost model says: it looks at the request, the time, and all that is open.
OUTLOOK = frozenset(v.name for v in VARIABLES if v.hoisted == "request.work")
INPUTS = frozenset({"adapter", "method", "model", "priority", "stream"})
MODEL = {"name": "asked.name", "priority": "asked.priority", "objective": "asked.objective_s"}
# Vocabulary name -> where the value stands in `RequestValues`.
ASKED_FOR = {f"request.{name}": name for name in INPUTS} | {
    f"model.{name}": attribute for name, attribute in MODEL.items()
}
HINTS = ("fairness_id", "session", "ttl", "slo_ttft", "slo_tpot")
MATCH = "endpoint.prefix_match"
PREFIX = frozenset({MATCH, "request.prefix"})
SESSION, COLD = "endpoint.session_match", "endpoint.cold_order"
MEDIA = "endpoint.media_match"
PEER = frozenset({"endpoint.peer_labels", "endpoint.peer_zone"})
BONDS = frozenset({SESSION, COLD, MEDIA}) | PEER
WATCHED = OUTLOOK | {"endpoint.uncached_tokens_in_flight", "endpoint.decoding"}
# What a decision keeps of a request only if a rule reads it, by the names that rules read.
SELDOM = {
    "request.headers": "headers",
    **dict.fromkeys(PREFIX, "prefix"),
    "now": "now",
    **{f"model.{name}": "asked" for name in MODEL},
    **{f"request.{name}": "hints" for name in HINTS},
    **dict.fromkeys(OUTLOOK, "work"),
    **dict.fromkeys(BONDS, "bonds"),
}
INFINITE = float("inf")


class Binding(IntEnum):
    """When the value of a rule is known; the module says what each means."""

    SCRAPED = 0
    ASKED = 1
    MATCHED = 2
    LIVE = 3


def binding_of(rule: Rule) -> Binding:
    """Return when the values of *rule* are known; in doubt, for every request."""
    beyond = rule.reads - FACTS - FIXED
    if not beyond or (beyond <= {AGE} and thresholds_s(rule.text) is not None):
        return Binding.SCRAPED
    if beyond <= ASKED_FOR.keys():
        return Binding.ASKED
    return Binding.MATCHED if beyond <= {MATCH} else Binding.LIVE


class Keep(Enum):
    """What a kept number is for."""

    TERM = "term"
    UNMATCHED = "unmatched"  # a term, as it is where the prompt is not cached
    TIE = "tie"


@dataclass(frozen=True, slots=True)
class Weighing:
    """A term of the total: a scorer in [0, 1] or, if *cost*, seconds. *place*: as written."""

    place: int
    weight: float
    rule: Rule
    column: RatioColumn
    cost: bool
    binding: Binding

    def value(self, raw: float | RuleFault) -> float:
        """Return what *raw* counts as: the worst if the rule failed, else within the range."""
        if isinstance(raw, RuleFault) or raw != raw:
            return INFINITE if self.cost else 0.0
        if self.cost:
            return INFINITE if raw == -INFINITE else float(raw)
        return min(1.0, max(0.0, float(raw)))

    def values(self, raw: Sequence[float | RuleFault]) -> list[float]:
        """Return what each of *raw* counts as."""
        if self.cost:
            return [
                v if type(v) is float and -INFINITE < v <= INFINITE else self.value(v) for v in raw
            ]
        return [v if type(v) is float and 0.0 <= v <= 1.0 else self.value(v) for v in raw]


@dataclass(frozen=True, slots=True)
class Number:
    """A number that a table keeps per endpoint."""

    rule: Rule
    column: RatioColumn
    values: Callable[[Sequence[float | RuleFault]], list[float]]
    keep: Keep


@dataclass(frozen=True, slots=True)
class Filtering:
    """A filter of a profile. *prefer*: it is skipped where it would leave nothing."""

    filter: EndpointFilter
    prefer: bool


@dataclass(frozen=True, slots=True)
class Split:
    """What a table keeps of a profile's rules, and what is left to do for each request.

    filters          those whose verdicts are kept
    numbers          those that are kept; the tie value, if it is, comes last
    steps            all filters in their order: the place among *filters*, or -1 for a live one
    added            of the kept terms: their places among *numbers* and their weights
    added_unmatched  of the rest, as it is where the prompt is not cached; empty unless *sparse*
    rest             the other terms in the order of addition
    sparse           whether the rest matters only where the prompt is cached
    live_ties        the `ties by` that is not kept
    combine          of what is no sum, all terms are in *rest*, in the order written
    """

    filters: tuple[EndpointFilter, ...]
    numbers: tuple[Number, ...]
    steps: tuple[tuple[int, Filtering], ...]
    added: tuple[tuple[int, float], ...]
    added_unmatched: tuple[tuple[int, float], ...]
    rest: tuple[Weighing, ...]
    sparse: bool
    ties_kept: bool
    live_ties: Scorer | None
    ages_s: tuple[float, ...]
    still: bool
    combine: Combine = Combine.SUM


@dataclass(frozen=True, slots=True)
class Staged:
    """A profile, made ready to decide by.

    weighings  the terms in the order in which they are added up
    inputs     what of a request the ASKED rules look at
    wide       keeps SCRAPED and ASKED rules, for one value of the inputs
    narrow     keeps SCRAPED rules only
    least      whether the lowest total wins
    reads      which of the values of `SELDOM` any rule reads
    """

    profile: Profile
    weighings: tuple[Weighing, ...]
    inputs: tuple[str, ...]
    wide: Split
    narrow: Split
    least: bool
    reads: frozenset[str]


def stage(profile: Profile) -> Staged:
    """Return *profile* with every rule's binding time."""
    rules = rules_of(profile)
    reads = frozenset[str]().union(*(r.reads for r in rules))
    asked = (r.reads for r in rules if binding_of(r) is Binding.ASKED)
    inputs = frozenset[str]().union(*asked) & ASKED_FOR.keys()
    return Staged(
        profile,
        weighings(profile),
        tuple(sorted(ASKED_FOR[name] for name in inputs)),
        _split(profile, Binding.ASKED),
        _split(profile, Binding.SCRAPED),
        profile.pick is Pick.LEAST or bool(profile.costs),
        frozenset(SELDOM[name] for name in reads & SELDOM.keys()),
    )


def weighings(profile: Profile) -> tuple[Weighing, ...]:
    """Return the terms of *profile* in the order in which they are added up; else as written."""
    scores = [(t.weight, t.scorer.rule, t.scorer.column, False) for t in profile.terms]
    costs = [(t.weight, t.cost.rule, t.cost.column, True) for t in profile.costs]
    written = [Weighing(i, *t, binding_of(t[1])) for i, t in enumerate([*scores, *costs])]
    if profile.combine is not Combine.SUM:
        return tuple(written)
    return tuple(sorted(written, key=lambda weighing: weighing.binding))


def rules_of(profile: Profile) -> list[Rule]:
    """Return every rule of *profile* that looks at endpoints."""
    rules = [f.rule for f in (*profile.require, *profile.prefer)]
    rules += [t.scorer.rule for t in profile.terms]
    rules += [t.cost.rule for t in profile.costs]
    return rules + ([profile.ties.rule] if profile.ties else [])


def tie_values(raw: Sequence[float | RuleFault]) -> list[float]:
    """Return what to compare of the values of `ties by`: one that failed comes last."""
    return [INFINITE if isinstance(v, RuleFault) or v != v else v for v in raw]


def _split(profile: Profile, limit: Binding) -> Split:
    """Return the split that keeps rules up to the binding time *limit*."""
    filters: list[EndpointFilter] = []
    steps: list[tuple[int, Filtering]] = []
    for prefer, group in ((False, profile.require), (True, profile.prefer)):
        for each in group:
            kept = binding_of(each.rule) <= limit
            steps.append((len(filters) if kept else -1, Filtering(each, prefer)))
            filters += [each] if kept else []
    whole = profile.combine is not Combine.SUM
    terms = [t for t in weighings(profile) if t.binding <= limit and not whole]
    rest = tuple(t for t in weighings(profile) if t.binding > limit or whole)
    sparse = not whole and all(t.binding is Binding.MATCHED for t in rest)
    numbers = [Number(t.rule, t.column, t.values, Keep.TERM) for t in terms]
    if sparse:
        numbers += [Number(t.rule, t.column, t.values, Keep.UNMATCHED) for t in rest]
    ties = profile.ties
    ties_kept = ties is not None and binding_of(ties.rule) <= limit
    if ties is not None and ties_kept:
        numbers.append(Number(ties.rule, ties.column, tie_values, Keep.TIE))
    n = len(terms)
    return Split(
        tuple(filters),
        tuple(numbers),
        tuple(steps),
        tuple((i, t.weight) for i, t in enumerate(terms)),
        tuple((n + i, t.weight) for i, t in enumerate(rest)) if sparse else (),
        rest,
        sparse,
        ties_kept,
        None if ties_kept else ties,
        _ages_s([f.rule for f in filters] + [number.rule for number in numbers]),
        len(filters) == len(steps),
        profile.combine,
    )


def _ages_s(rules: Sequence[Rule]) -> tuple[float, ...]:
    """Return the ages at which any of the *rules* may change its mind, lowest first."""
    ages = (thresholds_s(rule.text) or () for rule in rules if AGE in rule.reads)
    return tuple(sorted({age for each in ages for age in each}))
