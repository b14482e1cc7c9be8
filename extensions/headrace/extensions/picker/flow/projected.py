"""A pool as it will be seen once scrapes have counted what was sent to it since the last ones."""

from msgspec.structs import replace

from headrace.extensions.picker.snapshot import Endpoint, PoolState

# Of the KV cache, for a request of which nothing is known: servers hold about a hundred at once.
SHARE_MIN = 1 / 128


def projected(pool: PoolState, departed: int) -> PoolState:
    """Return *pool* with our requests that no scrape has seen, and *departed* more.

    They may come to run or to wait: each counts as both, so that either condition sees them.
    Those that are over since a scrape counted them count no more: else old figures would
    keep everybody waiting before idle servers.
    """
    endpoints, total = list(pool.endpoints), pool.sums
    for place, e in enumerate(pool.endpoints):
        if e.queue > e.waiting_scraped or e.left:
            endpoints[place] = _with(e, e.queue - e.waiting_scraped, e.left)
            total = total.changed(e, endpoints[place])
    ready = [place for place, e in enumerate(endpoints) if e.ready] if departed else []
    if ready:
        least = min(ready, key=lambda p: (endpoints[p].waiting_scraped, endpoints[p].running))
        before = endpoints[least]
        after = _with(before, departed)
        # Their prompts are taken to be as long as those that are there.
        tokens = departed * before.tokens_in_flight // max(1, before.in_flight)
        endpoints[least] = replace(
            after,
            in_flight=after.in_flight + departed,
            tokens_in_flight=after.tokens_in_flight + tokens,
        )
        total = total.changed(before, endpoints[least])
    return PoolState(pool.name, tuple(endpoints), pool.roster, pool.version, total)


def _with(e: Endpoint, more: int, left: int = 0) -> Endpoint:
    """Return *e* with *more* requests and without *left*, whose places those that wait take.

    Each takes as much memory as those that run there do.
    """
    share = max(SHARE_MIN, e.kv_cache / max(1, e.running))
    freed = max(0, left - e.waiting_scraped)
    waiting = max(0, e.waiting_scraped + more - left)
    return replace(
        e,
        waiting_scraped=waiting,
        queue=waiting,
        running=max(0, e.running + more - freed),
        kv_cache=min(1.0, max(0.0, e.kv_cache + (more - freed) * share)),
    )
