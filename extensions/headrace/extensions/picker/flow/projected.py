"""A pool as it will be seen once scrapes have counted what was sent to it since the last ones."""

from msgspec.structs import replace

from headrace.extensions.picker.snapshot import Endpoint, PoolState, sums

# Of the KV cache, for a request of which nothing is known: servers hold about a hundred at once.
SHARE_MIN = 1 / 128


def projected(pool: PoolState, departed: int) -> PoolState:
    """Return *pool* with our requests that no scrape has seen, and *departed* more.

    They may come to run or to wait: each counts as both, so that either condition sees them.
    """
    endpoints = [_with(e, e.queue - e.waiting_scraped) for e in pool.endpoints]
    if departed:
        ready = [p for p, e in enumerate(endpoints) if e.ready]
        if ready:
            least = min(ready, key=lambda p: (endpoints[p].waiting_scraped, endpoints[p].running))
            e = _with(endpoints[least], departed)
            endpoints[least] = replace(e, in_flight=e.in_flight + departed)
    counted = tuple(endpoints)
    return PoolState(pool.name, counted, pool.roster, pool.version, sums(counted))


def _with(e: Endpoint, more: int) -> Endpoint:
    """Return *e* with *more* requests; each takes as much memory as those that run there do."""
    if more <= 0:
        return e
    share = max(SHARE_MIN, e.kv_cache / max(1, e.running))
    return replace(
        e,
        waiting_scraped=e.waiting_scraped + more,
        queue=e.waiting_scraped + more,
        running=e.running + more,
        kv_cache=min(1.0, e.kv_cache + more * share),
    )
