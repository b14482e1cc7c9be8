"""What is taken to be true of a server whose measurements are stale.

From `stale after` to `dead after` an endpoint stays in service, and what it last reported is
moved towards the worst, in a straight line: its queue to one more than the longest of its
pool, its KV cache to full. So a server that nobody can see into gets less the longer that
lasts, and a pool that nobody can see into goes on as evenly as it can. Source: our own rule;
a queue and a cache of which nothing is known are more likely to be worse than better, as
servers that are too busy to answer are those that are busy.

The means of a pool are of what was reported: stale measurements are no overload.
"""

import math

from msgspec.structs import replace

from headrace.dsl.serving import Pool
from headrace.extensions.picker.snapshot import NEVER_S, Endpoint


def staleness(age_s: float, pool: Pool) -> float:
    """Return how far measurements of *age_s* are from fresh, 0, to worthless, 1."""
    past_s = age_s - pool.stale_after_s
    if past_s <= 0.0:
        return 0.0
    span_s = pool.dead_after_s - pool.stale_after_s
    return 1.0 if span_s <= 0.0 else min(1.0, past_s / span_s)


def drifted(endpoint: Endpoint, pool: Pool, longest: int, now_s: float) -> Endpoint:
    """Return *endpoint* with what its measurements are taken to be by *now_s*.

    longest  of the queues that the endpoints of *pool* report
    """
    lacking, scraped_s = endpoint.lacking, endpoint.scraped_at_s
    if scraped_s == NEVER_S:
        return endpoint
    queue_s = lacking.get("queue", scraped_s)
    kv_s = lacking.get("kv_cache", scraped_s)
    share = staleness(now_s - queue_s, pool) if queue_s > NEVER_S else 0.0
    queue_drift = math.ceil(share * max(0, longest + 1 - endpoint.waiting_scraped))
    reported = endpoint.kv_reported
    # A server that never tells how full its cache is has no figure that could be worse.
    share = staleness(now_s - kv_s, pool) if kv_s > NEVER_S else 0.0
    kv_drift = share * (1.0 - reported)
    if (queue_drift, kv_drift) == (endpoint.queue_drift, endpoint.kv_drift):
        return endpoint
    return replace(
        endpoint,
        queue=endpoint.queue - endpoint.queue_drift + queue_drift,
        queue_drift=queue_drift,
        kv_cache=min(1.0, reported + kv_drift),
        kv_drift=min(kv_drift, 1.0 - reported),
    )
