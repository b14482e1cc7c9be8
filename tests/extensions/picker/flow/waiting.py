"""Requests that wait, and pools that have room or not, made by hand."""

from headrace.extensions.picker.flow.control import FlowControl
from headrace.extensions.picker.flow.waiter import Lane, Waiter
from headrace.extensions.picker.snapshot import Endpoint, PoolState, pool_state

LANE = Lane("queue", length_max=1_000, bytes_max=1 << 30, uniform=True)


def full(pool: PoolState, now_s: float) -> bool:
    """Return whether the pool has more than one request of its own waiting."""
    return pool.queue > 0.0


def room(places: int) -> PoolState:
    """Return a pool that is not `full` until *places* more requests were sent to it."""
    endpoint = Endpoint("a", "a", ready=True, waiting_scraped=1 - places, queue=1 - places)
    return pool_state("p", [endpoint])


def waiter(
    rank: float = 0.0, *, lane: Lane = LANE, expires_s: float = 1e9, **more: object
) -> Waiter:
    """Return a request that waits while the pool is `full`."""
    return Waiter(lane, rank, expires_s, full, **more)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def enter(flow: FlowControl, *waiters: Waiter, now_s: float = 0.0) -> None:
    """Let all of *waiters* enter."""
    for each in waiters:
        assert flow.enter(each, now_s) is None


def serve(flow: FlowControl, count: int, now_s: float = 0.0) -> list[Waiter]:
    """Let *count* be served, one after the other, and return them in that order."""
    found: list[Waiter] = []
    for _ in range(count):
        before = set(map(id, found))
        served = list(flow)
        if not flow.pump(room(1), now_s):
            break
        found += [w for w in served if w.turned is not None and id(w) not in before]
        flow.leave(found[-1])
    return found
