"""Choose an endpoint by a profile: filters, scores, pick. Pure, and reproducible to the bit.

Nothing depends on the order of the endpoints: equal scores are told apart by the
profile's `ties by`, then by a hash of request, endpoint and seed.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from xxhash import xxh3_64_intdigest

from headrace.dsl.program import Pick, Profile, RequestValues, RuleFault, Term
from headrace.extensions.picker.decision import Attempt, Column, Decision, Fault, How, Kind, Step
from headrace.extensions.picker.snapshot import Endpoint, PoolState
from headrace.extensions.picker.subset import Subset

DESTINATIONS_MAX = 3  # the chosen endpoint and two fallbacks
HASHES = 2.0**64
INFINITE = float("inf")


class Question(Struct, frozen=True):
    """What to decide by.

    profiles  those that an `else profile` may name
    subset    the proxy's hint; None if it gave none
    epoch     of the snapshot that *pool* is from
    faults    of conditions evaluated before, to be kept in the record
    """

    pool: PoolState
    request: RequestValues
    profile: Profile
    profiles: Mapping[str, Profile]
    now_s: float
    seed: int = 0
    subset: Subset | None = None
    epoch: int = 0
    faults: tuple[Fault, ...] = ()


class _Scoring(Struct, frozen=True):
    """The endpoints that passed, with what the scorers said of them."""

    passed: Sequence[Endpoint]
    columns: tuple[Column, ...]
    totals: Sequence[float]


def decide(question: Question) -> Decision:
    """Return the decision; it has chosen None only if no eligible endpoint is ready."""
    attempts: list[Attempt] = []
    profile = question.profile
    tried = {profile.name}
    while True:
        steps, passed = _filter(profile, question)
        attempts.append(Attempt(profile.name, steps))
        if passed:
            return _scored(question, profile, tuple(attempts), passed)
        following = question.profiles.get(profile.otherwise or "")
        if following is None or following.name in tried:
            return _last_resort(question, profile, tuple(attempts))
        profile = following
        tried.add(profile.name)


def least(question: Question, how: How) -> Decision:
    """Decide without the policy: least in flight among the ready, or among all if none is."""
    eligible = _eligible(question)
    ready = [e for e in eligible if e.ready] or eligible
    order = sorted(ready, key=lambda e: (e.in_flight, e.queue, _chance(question, e.address)))
    return _decision(question, question.profile, how if order else How.NONE, order)


def _filter(profile: Profile, question: Question) -> tuple[tuple[Step, ...], Sequence[Endpoint]]:
    """Return what each filter said, and the endpoints that passed them all."""
    kept: Sequence[Endpoint] = question.pool.endpoints
    steps: list[Step] = []
    if question.subset is not None:
        step = Step(Kind.SUBSET, kept, [question.subset.has(e.address) for e in kept])
        kept = _keep(step)
        steps.append(step)
    ready = [e.ready for e in kept]
    if not all(ready):
        step = Step(Kind.READY, kept, ready, relaxed=True not in ready)
        kept = _keep(step)
        steps.append(step)
    for rule in profile.require:
        column = rule.column(kept, question.request, question.pool, question.now_s)
        step = Step(Kind.REQUIRE, kept, column, rule.rule)
        kept = _keep(step)
        steps.append(step)
    for rule in profile.prefer:
        column = rule.column(kept, question.request, question.pool, question.now_s)
        step = Step(Kind.PREFER, kept, column, rule.rule, relaxed=True not in column)
        kept = _keep(step)
        steps.append(step)
    return tuple(steps), kept


def _keep(step: Step) -> Sequence[Endpoint]:
    given, column = step.given, step.column
    if step.relaxed or column.count(True) == len(given):
        return given
    return [e for e, verdict in zip(given, column, strict=True) if verdict is True]


def _score(profile: Profile, passed: Sequence[Endpoint], question: Question) -> _Scoring:
    """Return what the scorers say of the endpoints that passed."""
    totals = [0.0] * len(passed)
    columns: list[Column] = []
    for term in profile.terms:
        column = _scores(term, passed, question)
        weight = term.weight
        if columns:
            totals = [t + weight * s for t, s in zip(totals, column.scores, strict=True)]
        else:
            totals = [weight * s for s in column.scores]
        columns.append(column)
    return _Scoring(passed, tuple(columns), totals)


def _order(profile: Profile, scoring: _Scoring, question: Question) -> Sequence[int]:
    """Return places, the chosen one first, then the fallbacks in their order."""
    match profile.pick:
        case Pick.MAX:
            return _best(profile, scoring, question, DESTINATIONS_MAX)
        case Pick.WEIGHTED:
            return _drawn(profile, scoring, question)
        case Pick.RANDOM:
            chances = _chances(question, scoring.passed)
            return sorted(range(len(chances)), key=chances.__getitem__)


def _scores(term: Term, passed: Sequence[Endpoint], question: Question) -> Column:
    raw = term.scorer.column(passed, question.request, question.pool, question.now_s)
    scores = [v if type(v) is float and 0.0 <= v <= 1.0 else _into_range(v) for v in raw]
    return Column(term.scorer.rule, term.weight, raw, scores)


def _into_range(value: float | RuleFault) -> float:
    """Return the score of a value that is none: a fault and NaN are 0, the rest is clamped."""
    if isinstance(value, RuleFault) or value != value:
        return 0.0
    return min(1.0, max(0.0, float(value)))


def _best(profile: Profile, scoring: _Scoring, question: Question, count: int) -> list[int]:
    """Return places by falling total, ties resolved for at least the first *count*."""
    totals = scoring.totals
    order = sorted(range(len(totals)), key=totals.__getitem__, reverse=True)
    done = 0
    while done < min(count, len(order)):
        tied = totals.count(totals[order[done]])
        if tied > 1:
            order[done : done + tied] = _resolved(
                profile, scoring, question, order[done : done + tied]
            )
        done += tied
    return order


def _resolved(
    profile: Profile, scoring: _Scoring, question: Question, tied: Sequence[int]
) -> list[int]:
    """Return the *tied* places by the profile's `ties by`, lower first, then by hash."""
    endpoints = [scoring.passed[i] for i in tied]
    keys = list(zip(_chances(question, endpoints), tied, strict=True))
    if profile.ties is not None:
        raw = profile.ties.column(endpoints, question.request, question.pool, question.now_s)
        values = [INFINITE if isinstance(v, RuleFault) or v != v else v for v in raw]
        if values.count(values[0]) < len(values):
            return [place for _, (_, place) in sorted(zip(values, keys, strict=True))]
    return [place for _, place in sorted(keys)]


def _drawn(profile: Profile, scoring: _Scoring, question: Question) -> list[int]:
    """Return the order with one of the best `pick_top` in front, drawn by its total."""
    order = _best(profile, scoring, question, max(profile.pick_top, DESTINATIONS_MAX))
    top = order[: max(1, profile.pick_top)]
    weights = [scoring.totals[i] for i in top]
    if not sum(weights):
        weights = [1.0] * len(top)
    left = _chance(question, "") / HASHES * sum(weights)
    drawn = top[-1]
    for place, weight in zip(top, weights, strict=True):
        if left < weight:
            drawn = place
            break
        left -= weight
    return [drawn, *[i for i in order if i != drawn]]


def _scored(
    question: Question,
    profile: Profile,
    attempts: tuple[Attempt, ...],
    passed: Sequence[Endpoint],
) -> Decision:
    scoring = _score(profile, passed, question)
    order, totals, request = _order(profile, scoring, question), scoring.totals, question.request
    first, *fallbacks = order[:DESTINATIONS_MAX]
    second = fallbacks[0] if fallbacks else None
    return Decision(
        request_id=request.id,
        model=request.model,
        priority=request.priority,
        pool=question.pool.name,
        profile=profile.name,
        how=How.SCORED,
        chosen=passed[first].address,
        fallbacks=tuple([passed[i].address for i in fallbacks]),
        runner_up=None if second is None else passed[second].address,
        margin=None if second is None else totals[first] - totals[second],
        pick=profile.pick,
        seed=question.seed,
        epoch=question.epoch,
        now_s=question.now_s,
        endpoints=question.pool.endpoints,
        attempts=attempts,
        scored=tuple(passed),
        columns=scoring.columns,
        totals=totals,
        faults_before=question.faults,
    )


def _last_resort(question: Question, profile: Profile, attempts: tuple[Attempt, ...]) -> Decision:
    """Take the least queue among the ready: better slow than refused."""
    ready = [e for e in _eligible(question) if e.ready]
    order = sorted(ready, key=lambda e: (e.queue, e.in_flight, _chance(question, e.address)))
    how = How.LAST_RESORT if order else How.NONE
    return _decision(question, profile, how, order, attempts)


def _decision(
    question: Question,
    profile: Profile,
    how: How,
    order: Sequence[Endpoint],
    attempts: tuple[Attempt, ...] = (),
) -> Decision:
    """Return a decision that no score led to."""
    destinations = tuple(e.address for e in order[:DESTINATIONS_MAX])
    return Decision(
        request_id=question.request.id,
        model=question.request.model,
        priority=question.request.priority,
        pool=question.pool.name,
        profile=profile.name,
        how=how,
        chosen=destinations[0] if destinations else None,
        fallbacks=destinations[1:],
        runner_up=destinations[1] if len(destinations) > 1 else None,
        margin=None,
        pick=profile.pick,
        seed=question.seed,
        epoch=question.epoch,
        now_s=question.now_s,
        endpoints=question.pool.endpoints,
        attempts=attempts,
        faults_before=question.faults,
    )


def _eligible(question: Question) -> list[Endpoint]:
    subset = question.subset
    return [e for e in question.pool.endpoints if subset is None or subset.has(e.address)]


def _chances(question: Question, endpoints: Sequence[Endpoint]) -> list[int]:
    """Return per endpoint 64 bits that depend on request, endpoint and seed, on nothing else."""
    request, seed = f"{question.request.id}\x1f", question.seed
    return [xxh3_64_intdigest((request + e.address).encode(), seed) for e in endpoints]


def _chance(question: Question, address: str) -> int:
    """Return the chance of one endpoint, or with no *address* that of the request itself."""
    return xxh3_64_intdigest(f"{question.request.id}\x1f{address}".encode(), question.seed)
