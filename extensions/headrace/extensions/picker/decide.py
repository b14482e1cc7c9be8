"""Choose an endpoint by a profile: filters, totals, pick. Pure, and reproducible to the bit."""

from collections.abc import Sequence

from headrace.dsl.program import Profile
from headrace.extensions.picker.decision import Decision, How, Record
from headrace.extensions.picker.plans import Plans
from headrace.extensions.picker.rank import DESTINATIONS_MAX, Question, lots, rank
from headrace.extensions.picker.record import Capture
from headrace.extensions.picker.table import Key
from headrace.extensions.picker.values import Seen

__all__ = ["DESTINATIONS_MAX", "Question", "decide", "least"]
NOTHING: frozenset[str] = frozenset()


def decide(question: Question, plans: Plans | None = None) -> Decision:
    """Return the decision; it has chosen None only if no eligible endpoint is ready.

    With *plans* that were used before, it costs what has changed since; the result is the same.
    """
    plans = Plans() if plans is None else plans
    profile, pool, request = question.profile, question.pool, question.request
    reads, faulty = NOTHING, False
    tried = {profile.name}
    while True:
        staged, table = plans.find(profile, pool, request, question.now_s)
        ranked = rank(table, staged, question)
        reads = reads | staged.reads if reads else staged.reads
        faulty = faulty or ranked.faulty
        if ranked.keys:
            seen = Seen.of(request, reads)
            return _scored(question, profile, ranked.keys, _capture(question, seen), faulty)
        following = question.profiles.get(profile.otherwise or "")
        if following is None or following.name in tried:
            seen = Seen.of(request, reads)
            return _last_resort(question, profile, _capture(question, seen), faulty)
        profile = following
        tried.add(profile.name)


def least(question: Question, how: How) -> Decision:
    """Decide without the policy: least in flight among the ready, or among all if none is."""
    eligible = _eligible(question)
    endpoints = question.pool.endpoints
    ready = [p for p in eligible if endpoints[p].ready] or eligible
    drawn = lots(question, ready)
    order = sorted(
        (endpoints[p].in_flight, endpoints[p].queue, lot, endpoints[p].address)
        for p, lot in zip(ready, drawn, strict=True)
    )
    addresses = [address for *_, address in order]
    return _decision(question, question.profile, how if order else How.NONE, addresses)


def _scored(
    question: Question, profile: Profile, keys: Sequence[Key], evidence: Capture, faulty: bool
) -> Decision:
    """Return the decision that *keys*, the destinations, stand for."""
    addresses = question.pool.roster.addresses
    chosen, *fallbacks = [addresses[key[2]] for key in keys]
    margin = keys[1][0] - keys[0][0] if fallbacks else None
    if margin != margin:  # two infinite costs are equally bad
        margin = 0.0
    request = question.request
    return Decision(
        request.id,
        request.model,
        request.priority,
        question.pool.name,
        profile.name,
        How.SCORED,
        chosen,
        tuple(fallbacks),
        fallbacks[0] if fallbacks else None,
        margin,
        profile.pick,
        question.seed,
        question.epoch,
        question.now_s,
        question.pool.endpoints,
        evidence,
        faulty,
        question.faults,
    )


def _capture(question: Question, seen: Seen) -> Capture:
    """Return what the decision looked at; *seen* is the request as far as rules read it."""
    return Capture(
        question.pool, seen, question.profile, question.profiles, question.now_s, question.subset
    )


def _last_resort(question: Question, profile: Profile, evidence: Capture, faulty: bool) -> Decision:
    """Take the least queue among the ready: better slow than refused."""
    endpoints = question.pool.endpoints
    ready = [p for p in _eligible(question) if endpoints[p].ready]
    drawn = lots(question, ready)
    order = sorted(
        (endpoints[p].queue, endpoints[p].in_flight, lot, endpoints[p].address)
        for p, lot in zip(ready, drawn, strict=True)
    )
    how = How.LAST_RESORT if order else How.NONE
    addresses = [address for *_, address in order]
    return _decision(question, profile, how, addresses, evidence, faulty)


def _decision(
    question: Question,
    profile: Profile,
    how: How,
    order: Sequence[str],
    evidence: Record | Capture | None = None,
    faulty: bool = False,
) -> Decision:
    """Return a decision that no total led to."""
    destinations = tuple(order[:DESTINATIONS_MAX])
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
        evidence=evidence or Record(),
        faulty=faulty,
        faults_before=question.faults,
    )


def _eligible(question: Question) -> list[int]:
    """Return the places of the endpoints that the proxy's hint, if any, allows."""
    subset, addresses = question.subset, question.pool.roster.addresses
    return [p for p, a in enumerate(addresses) if subset is None or subset.has(a)]
