"""What is known of an endpoint after its server, or a policy, has told something. Pure."""

from collections.abc import Mapping

from msgspec.structs import replace

from headrace.dsl.serving import Member, Pool
from headrace.extensions.picker.snapshot import NO_METRICS, Endpoint, ServerFacts

ADAPTERS_MAX = 64  # as the language bounds `endpoint.adapters` and `.adapters_waiting`


def scraped(old: Endpoint, facts: ServerFacts, pool: Pool, now_s: float) -> Endpoint:
    """Return *old* with what a scrape told, its counts aside; *pool* bounds its adapters."""
    declared = pool.adapters_max
    adapters = facts.adapters[:ADAPTERS_MAX]
    awaited = facts.adapters_waiting[:ADAPTERS_MAX]
    adapters_max = declared if facts.adapters_max is None else facts.adapters_max
    if declared is not None and adapters_max is not None:
        adapters_max = min(declared, adapters_max)
    return replace(
        old,
        ready=True,
        scraped_at_s=now_s,
        answered_s=max(old.answered_s, now_s),
        waiting_scraped=old.waiting_scraped if facts.waiting is None else facts.waiting,
        running=old.running if facts.running is None else facts.running,
        kv_cache=old.kv_reported if facts.kv_cache is None else facts.kv_cache,
        gpu=old.gpu if pool.gpu else facts.gpu,
        adapters=adapters,
        adapters_waiting=awaited,
        adapter_slots=max(0, (adapters_max or 0) - len(adapters) - len(awaited)),
        block_size=facts.block_size or old.block_size,
        num_blocks=facts.num_blocks or old.num_blocks,
        started_s=facts.started_s or old.started_s,
        failures=0,
        error="; ".join(facts.problems),
        metrics=facts.metrics,
        queue_drift=0,
        kv_drift=0.0,
        lacking=_lacking(old, facts),
        progress=old.progress if facts.progress is None else facts.progress,
    )


def capacity(endpoint: Endpoint) -> int | None:
    """Return how many tokens the KV cache of *endpoint* holds, if it says so."""
    if endpoint.num_blocks is None or endpoint.block_size is None:
        return None
    return endpoint.num_blocks * endpoint.block_size


def described(endpoint: Endpoint, member: Member) -> Endpoint:
    """Return *endpoint* as it is declared."""
    said = (member.name, member.zone, member.role, dict(member.labels))
    if said == (endpoint.name, endpoint.zone, endpoint.role, dict(endpoint.labels)):
        return endpoint
    return replace(
        endpoint,
        name=member.name,
        zone=member.zone,
        role=member.role,
        labels=member.label_map,
    )


def is_restarted(old: Endpoint, facts: ServerFacts) -> bool:
    """Return whether the server has begun anew: another start, or a counter that went back."""
    if old.started_s is not None and facts.started_s is not None:
        return old.started_s != facts.started_s
    before, now = old.progress, facts.progress
    return before is not None and now is not None and now < before


def with_listed(facts: ServerFacts, listed: tuple[str, ...]) -> ServerFacts:
    """Return *facts* with the adapters *listed* elsewhere, if the metrics tell of none at all."""
    told = facts.adapters or facts.adapters_waiting or facts.adapters_max is not None
    if told or not listed:
        return facts
    return replace(facts, adapters=listed)


def _lacking(old: Endpoint, facts: ServerFacts) -> Mapping[str, float]:
    """Return which values *facts* lack, and when they were last read."""
    if facts.waiting is not None and facts.running is not None and facts.kv_cache is not None:
        return NO_METRICS
    told = {"queue": facts.waiting, "running": facts.running, "kv_cache": facts.kv_cache}
    absent = [name for name, value in told.items() if value is None]
    return {name: old.lacking.get(name, old.scraped_at_s) for name in absent}
