"""How long a policy may keep a request, while Envoy sees nothing of it."""

from headrace.dsl.program import Program


def longest_wait_s(program: Program) -> float:
    """Return how long a request may wait at most: for an endpoint, then for its turn; 0 if never.

    Outside FULL_DUPLEX_STREAMED Envoy's own timer ends it before.
    """
    return max(
        (pool.wait_s + _queue_s(program, name) for name, pool in program.pools.items()), default=0.0
    )


def _queue_s(program: Program, pool: str) -> float:
    """Return the longest wait of the queues that requests to *pool* can get into."""
    queues = (
        overload.queue
        for overload in program.overloads
        if overload.queue is not None and (not overload.pools or pool in overload.pools)
    )
    return max((queue.wait_s_max for queue in queues), default=0.0)
