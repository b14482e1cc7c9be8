"""What a decision means, written down without any staging: evaluate, filter, add up, sort."""

import math
from collections.abc import Sequence

from msgspec.structs import replace
from xxhash import xxh3_64_intdigest

from headrace.dsl.program import Combine, CostTerm, Pick, Profile, Rule, RuleFault, Term
from headrace.extensions.picker.decide import DESTINATIONS_MAX, Question
from headrace.extensions.picker.decision import (
    Attempt,
    Column,
    Decision,
    How,
    Kind,
    Record,
    Step,
)
from headrace.extensions.picker.snapshot import Endpoint

INPUTS = {f"request.{name}" for name in ("adapter", "method", "model", "priority", "stream")} | {
    f"model.{name}" for name in ("name", "priority", "objective")
}
LIVE = ("pool.queue", "pool.kv_cache", "pool.running", "pool.ready")
ASKS = ("request.", "model.", "now", "pool.max.", "pool.min.", "pool.p90.", "candidates.")


def turn(rule: Rule) -> int:
    """Return when a term is added: by what the endpoint says, few requests, the match, the rest."""
    asks = {r for r in rule.reads if r.startswith(ASKS) or r in LIVE}
    matches = "endpoint.prefix_match" in rule.reads
    ages = "endpoint.age" in rule.reads
    if not asks and not matches:
        return 0 if not ages or "endpoint.age <" in rule.text else 3
    if asks <= INPUTS and not matches and not ages:
        return 1
    return 2 if matches and not asks and not ages else 3


def decide(question: Question) -> Decision:
    """Return the decision, evaluated the plain way."""
    attempts: list[Attempt] = []
    profile: Profile | None = question.profile
    last = question.profile
    while profile is not None and profile.name not in [a.profile for a in attempts]:
        last = profile
        steps, passed = filtered(profile, question)
        attempts.append(Attempt(profile.name, steps))
        if passed:
            return scored(question, profile, tuple(attempts), passed)
        profile = question.profiles.get(profile.otherwise or "")
    eligible = [e for e in question.pool.endpoints if e.ready]
    if question.subset is not None:
        eligible = [e for e in eligible if question.subset.has(e.address)]
    order = sorted(eligible, key=lambda e: (e.queue, e.in_flight, lot(question, e)))
    how = How.LAST_RESORT if order else How.NONE
    return made(question, last, how, order, None, Record(tuple(attempts)))


def filtered(profile: Profile, q: Question) -> tuple[tuple[Step, ...], Sequence[Endpoint]]:
    kept: Sequence[Endpoint] = q.pool.endpoints
    steps: list[Step] = []

    def take(step: Step) -> None:
        nonlocal kept
        steps.append(step)
        if not step.relaxed:
            kept = [e for e, v in zip(kept, step.column, strict=True) if v is True]

    if q.subset is not None:
        take(Step(Kind.SUBSET, kept, [q.subset.has(e.address) for e in kept]))
    if not all(e.ready for e in kept):
        ready = [e.ready for e in kept]
        take(Step(Kind.READY, kept, ready, relaxed=not any(ready)))
    for rule in profile.require:
        column = rule.column(kept, q.request, q.pool, q.now_s)
        take(Step(Kind.REQUIRE, kept, column, rule.rule))
    for rule in profile.prefer:
        column = rule.column(kept, q.request, q.pool, q.now_s)
        take(Step(Kind.PREFER, kept, column, rule.rule, relaxed=True not in column))
    return tuple(steps), kept


def counted(value: float | RuleFault, cost: bool) -> float:
    if isinstance(value, RuleFault) or math.isnan(value) or (cost and value == -math.inf):
        return math.inf if cost else 0.0
    return value if cost else min(1.0, max(0.0, value))


def column_of(term: Term | CostTerm, passed: Sequence[Endpoint], q: Question) -> Column:
    rule = term.scorer if isinstance(term, Term) else term.cost
    cost = isinstance(term, CostTerm)
    raw = rule.column(passed, q.request, q.pool, q.now_s)
    return Column(rule.rule, term.weight, raw, [counted(v, cost) for v in raw], cost)


def scored(
    q: Question, profile: Profile, attempts: tuple[Attempt, ...], passed: Sequence[Endpoint]
) -> Decision:
    columns = [column_of(term, passed, q) for term in (*profile.terms, *profile.costs)]
    totals = [0.0] * len(passed)
    for column in sorted(columns, key=lambda c: turn(c.rule)):
        for i, value in enumerate(column.scores):
            totals[i] += column.weight * value
    if profile.combine is not Combine.SUM:
        columns = [replace(c, combine=profile.combine) for c in columns]
        totals = [product(columns, i) for i in range(len(passed))]
        if profile.combine is Combine.TIERS:
            totals = standing(columns, list(range(len(passed))))
    record = Record(attempts, tuple(passed), tuple(columns), totals)
    if profile.pick is Pick.RANDOM:
        order = sorted(range(len(passed)), key=lambda i: lot(q, passed[i]))
    else:
        sign = 1.0 if profile.costs or profile.pick is Pick.LEAST else -1.0
        ties = tie_values(profile, passed, q)
        order = sorted(
            range(len(passed)), key=lambda i: (sign * totals[i], ties[i], lot(q, passed[i]))
        )
        if profile.pick in (Pick.WEIGHTED, Pick.RANDOM_TOP):
            weights = totals if profile.pick is Pick.WEIGHTED else [1.0] * len(totals)
            order = drawn(order, weights, profile.pick_top, q)
        if profile.pick is Pick.BEST:
            by_lot = sorted(order, key=lambda i: lot(q, passed[i]))
            first = by_lot[: profile.pick_top]
            order = [*(i for i in order if i in first), *by_lot[profile.pick_top :]]
    first, *rest = order
    margin = None
    if rest:
        better, worse = totals[first], totals[rest[0]]
        less = bool(profile.costs) or profile.pick is Pick.LEAST
        margin = worse - better if less else better - worse
        margin = 0.0 if math.isnan(margin) else margin
    return made(q, profile, How.SCORED, [passed[i] for i in order], margin, record)


def product(columns: Sequence[Column], place: int) -> float:
    total = 1.0
    for column in columns:
        score = column.scores[place]
        total *= score if column.weight == 1.0 else score**column.weight
    return total


def standing(columns: Sequence[Column], places: list[int]) -> list[float]:
    """Return how many groups of equals are behind each, found group by group from the best."""

    def groups(among: list[int], tier: int) -> list[list[int]]:
        if tier == len(columns) or not among:
            return [among] if among else []
        column = columns[tier]
        best = max(column.scores[i] for i in among)
        near = [i for i in among if column.scores[i] >= best - column.weight - 1e-9]
        rest = [i for i in among if i not in near]
        return [*groups(near, tier + 1), *groups(rest, tier)]

    found = groups(places, 0)
    return [float(len(found) - 1 - next(n for n, g in enumerate(found) if i in g)) for i in places]


def tie_values(profile: Profile, passed: Sequence[Endpoint], q: Question) -> list[float]:
    if profile.ties is None:
        return [0.0] * len(passed)
    raw = profile.ties.column(passed, q.request, q.pool, q.now_s)
    return [math.inf if isinstance(v, RuleFault) or math.isnan(v) else v for v in raw]


def drawn(order: list[int], totals: list[float], top: int, q: Question) -> list[int]:
    best = order[: max(1, top)]
    weights = [totals[i] for i in best]
    weights = weights if sum(weights) else [1.0] * len(best)
    left = share(f"{q.request.id}\x1fdraw", q.seed) * sum(weights)
    for place, weight in zip(best, weights, strict=True):
        if left < weight or place == best[-1]:
            return [place, *[i for i in order if i != place]]
        left -= weight
    raise AssertionError(best)


def made(
    q: Question,
    profile: Profile,
    how: How,
    order: Sequence[Endpoint],
    margin: float | None,
    record: Record,
) -> Decision:
    to = tuple(e.address for e in order[:DESTINATIONS_MAX])
    return Decision(
        request_id=q.request.id,
        model=q.request.model,
        priority=q.request.priority,
        pool=q.pool.name,
        profile=profile.name,
        how=how,
        chosen=to[0] if to else None,
        fallbacks=to[1:],
        runner_up=to[1] if len(to) > 1 else None,
        margin=margin,
        pick=profile.pick,
        seed=q.seed,
        epoch=q.epoch,
        now_s=q.now_s,
        endpoints=q.pool.endpoints,
        evidence=record,
        faulty=True,
        faults_before=q.faults,
    )


def share(text: str, seed: int = 0) -> float:
    return (xxh3_64_intdigest(text.encode(), seed) >> 11) / 2.0**53


def lot(q: Question, e: Endpoint) -> tuple[float, str]:
    spread = 2.0**20 * (1.0 + share(f"{q.request.id}\x1f", q.seed))
    return (share(e.address) * spread % 1.0, e.address)
