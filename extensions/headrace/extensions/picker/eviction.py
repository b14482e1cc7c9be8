"""Requests that run and may be ended for more urgent ones. Pure: time comes as `now_s`.

Only a request of negative priority for which an `evict` holds may be ended, and only by one
whose priority is not negative, while the overload's condition holds: the least urgent first,
of equals the one that came last, as it has done least. Source of the order and of the
bounds: llm-d-router, priority-then-time-eviction-order-policy and its flow controller.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from headrace.dsl.program import Overload, When
from headrace.extensions.picker.pressure import LOWEST, RETRY_S, Arrival
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Effect, Reject

AT_ONCE_MAX = 2  # requests that one arrival may end
REST_S = 0.75  # until a server has given back the room, which no figure shows before
MESSAGE = "ended to make room for more urgent requests, retry later"


@dataclass(slots=True, eq=False)
class Stay:
    """One request that runs and may be ended. Written by its `Stays`, and by who performs.

    since_s  when it was picked
    ended    why it is to end; None while it may stay
    tell     called when that is known
    """

    priority: int
    since_s: float
    ended: Reject | None = None
    tell: Callable[[Reject], None] | None = field(default=None, repr=False)

    def end(self, reject: Reject) -> None:
        """Let it end with *reject*."""
        self.ended = reject
        if self.tell is not None:
            self.tell(reject)


@dataclass(frozen=True, slots=True)
class Evicted(Effect[Reject]):
    """Wait until *stay* is to end, which most never are."""

    stay: Stay = field(repr=False)


@dataclass(slots=True)
class Stays:
    """Those of one pool that may be ended. Written from the event loop's thread only."""

    _open: dict[int, Stay] = field(default_factory=dict[int, Stay], repr=False)
    _last: int = 0
    _ended_s: float = LOWEST

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._open)

    def enter(self, priority: int, now_s: float) -> tuple[int, Stay]:
        """Note a request that is picked now; return it, and what to `leave` by."""
        self._last += 1
        stay = self._open[self._last] = Stay(priority, now_s)
        return self._last, stay

    def leave(self, number: int) -> None:
        """Forget a request that is over; twice is no fault."""
        self._open.pop(number, None)

    def evict(self, now_s: float, retry_after_s: float = RETRY_S) -> int:
        """End up to `AT_ONCE_MAX` of them, unless some were within `REST_S`; return how many."""
        if not self._open or now_s - self._ended_s < REST_S:
            return 0
        order = sorted(self._open.items(), key=lambda item: (item[1].priority, -item[1].since_s))
        for number, stay in order[:AT_ONCE_MAX]:
            del self._open[number]
            stay.end(Reject(Reason.EVICTED, MESSAGE, retry_after_s=retry_after_s))
        self._ended_s = now_s
        return min(AT_ONCE_MAX, len(order))


def may_be_ended(overloads: Iterable[Overload], arrival: Arrival) -> bool:
    """Return whether the request of *arrival* may be ended once it runs."""
    return arrival.values.priority < 0 and any(
        _holds(overload.evict, arrival) for overload in _of(overloads, arrival) if overload.evict
    )


def relieve(overloads: Iterable[Overload], arrival: Arrival, stays: Stays) -> int:
    """End what runs in the pool for the request of *arrival*, if it is urgent and the pool full."""
    if arrival.values.priority < 0 or not len(stays):
        return 0
    if not any(_holds(o.when, arrival) for o in _of(overloads, arrival) if o.evict):
        return 0
    flow = arrival.flow
    retry_s = flow.retry_after_s(LOWEST, RETRY_S) if flow is not None and len(flow) else RETRY_S
    return stays.evict(arrival.now_s, retry_s)


def _of(overloads: Iterable[Overload], arrival: Arrival) -> Iterable[Overload]:
    return (o for o in overloads if not o.pools or arrival.pool.name in o.pools)


def _holds(when: When, arrival: Arrival) -> bool:
    """Return whether *when* is true; one that fails ends nobody's request."""
    return when.test(arrival.values, arrival.pool, arrival.now_s) is True
