"""The queue of one pool: in comes who must wait, out goes each exactly once.

Who is served has *departed*, and counts here until it is counted at its endpoint: what keeps
others waiting is asked of a pool that has all of them already, so that a burst which has
waited is not let go at once.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from headrace.extensions.picker.flow.bands import Bands
from headrace.extensions.picker.flow.drain import DrainRate
from headrace.extensions.picker.flow.heap import Heap
from headrace.extensions.picker.flow.projected import projected
from headrace.extensions.picker.flow.waiter import How, Turned, Waiter
from headrace.extensions.picker.snapshot import PoolState

WAITING_MAX = 100_000
BYTES_MAX = 4 << 30
DEPARTED_MAX = 16  # on their way to an endpoint at once
TRIES_MAX = 16  # of those that could be next, who are asked whether there is room for them
RETRY_MAX_S = 300.0

NO_POOL = PoolState("")
Noted = Callable[[str, How, float], None]


@dataclass(slots=True)
class _Crowd:
    """How many of one lane wait, and with how much."""

    count: int = 0
    size_bytes: int = 0


@dataclass(slots=True)
class FlowControl:
    """Who waits for one pool. Written from one thread; times never go back.

    outcomes  how many have left, or were refused, by how
    wake      called when a place among the departed has become free
    noted     called with pool, how and seconds, once for each that leaves or is refused
    """

    pool: str
    outcomes: Counter[How] = field(default_factory=Counter[How])
    wake: Callable[[], None] | None = field(default=None, repr=False)
    noted: Noted | None = field(default=None, repr=False)
    size_bytes: int = 0
    _bands: Bands = field(default_factory=Bands, repr=False)
    _expiry: Heap[Waiter] = field(default_factory=Heap[Waiter], repr=False)
    _crowds: dict[str, _Crowd] = field(default_factory=dict[str, _Crowd], repr=False)
    _departed: set[int] = field(default_factory=set[int], repr=False)
    _rate: DrainRate = field(default_factory=DrainRate, repr=False)
    _projected: tuple[PoolState, int, PoolState] = (NO_POOL, -1, NO_POOL)
    _last_number: int = 0
    _now_s: float = 0.0
    _draining: bool = False

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._bands)

    def __iter__(self) -> Iterator[Waiter]:
        """Yield all that wait, who came first first."""
        return iter(self._bands)

    @property
    def departed(self) -> int:
        """How many are served and not yet counted at an endpoint."""
        return len(self._departed)

    @property
    def rate_per_s(self) -> float:
        """How many are served per second while somebody waits; 0 if that is not known."""
        return self._rate.per_s

    @property
    def due_s(self) -> float | None:
        """When the next one has waited for too long; None if nobody waits."""
        return self._expiry.by()

    def enter(self, waiter: Waiter, now_s: float) -> Turned | None:
        """Let *waiter* wait, if there is a place; else return why not. It enters once only."""
        assert waiter.number == 0, "a request enters once"
        self._pass(now_s)
        self._last_number += 1
        waiter.number, waiter.entered_s = self._last_number, now_s
        how = self._refusal(waiter)
        if how is not None:
            return self._turn(waiter, how)
        crowd = self._crowds.setdefault(waiter.lane.name, _Crowd())
        crowd.count += 1
        crowd.size_bytes += waiter.size_bytes
        self.size_bytes += waiter.size_bytes
        self._bands.add(waiter)
        self._expiry.push(waiter.expires_s, waiter.number, waiter)
        return None

    def pump(self, pool: PoolState, now_s: float) -> int:
        """Expire who has waited for too long, then serve all that *pool* has room for."""
        self.expire(now_s)
        served = 0
        while len(self._departed) < DEPARTED_MAX and len(self._bands):
            waiter = self._next(self.projected(pool), now_s)
            if waiter is None:
                break
            self._rate.left()
            self._departed.add(waiter.number)
            self._leave(waiter, How.SERVED)
            served += 1
        return served

    def projected(self, pool: PoolState) -> PoolState:
        """Return *pool* with all that was sent there and no scrape has seen."""
        of, departed, seen = self._projected
        if of is not pool or departed != len(self._departed):
            departed = len(self._departed)
            seen = projected(pool, departed)
            self._projected = pool, departed, seen
        return seen

    def expire(self, now_s: float) -> None:
        """Turn away who has waited for too long."""
        self._pass(now_s)
        while (due_s := self._expiry.by()) is not None and due_s <= now_s:
            waiter = self._expiry.pop()
            assert waiter is not None, "the heap has just named its first"
            self._leave(waiter, waiter.lane.late, in_heap=False)

    def leave(self, waiter: Waiter, now_s: float | None = None) -> None:
        """Forget *waiter*: it is counted at its endpoint, or has left. Twice is no fault."""
        if now_s is not None:
            self._pass(now_s)
        if waiter.number in self._departed:
            self._departed.discard(waiter.number)
            if self.wake is not None and len(self._bands):
                self.wake()
        elif waiter.number and waiter.alive:
            self._leave(waiter, How.GONE)

    def drain(self, now_s: float) -> None:
        """Turn everybody away, and whoever comes from now on."""
        self._pass(now_s)
        self._draining = True
        for waiter in list(self._bands):
            self._leave(waiter, How.DRAINING)

    def retry_after_s(self, rank: float, otherwise_s: float) -> float:
        """Return in how many whole seconds those who wait at *rank* or above will be served.

        At the speed that the queue moves with; while that is not known, *otherwise_s*.
        """
        rate = self._rate.per_s
        seconds = self._bands.ahead_of(rank) / rate if rate > 0.0 else otherwise_s
        return float(min(RETRY_MAX_S, max(1, math.ceil(seconds))))

    def ahead_of(self, rank: float) -> int:
        """Return how many wait at *rank* or above."""
        return self._bands.ahead_of(rank)

    def _refusal(self, waiter: Waiter) -> How | None:
        if self._draining:
            return How.DRAINING
        lane, size = waiter.lane, waiter.size_bytes
        crowd = self._crowds.get(lane.name, _Crowd())
        fits = crowd.count < lane.length_max and crowd.size_bytes + size <= lane.bytes_max
        total = len(self._bands) < WAITING_MAX and self.size_bytes + size <= BYTES_MAX
        return None if fits and total else How.FULL

    def _next(self, pool: PoolState, now_s: float) -> Waiter | None:
        """Return whose turn it is among those for whom there is room."""
        shut: set[str] = set()
        for waiter in self._bands.candidates(TRIES_MAX):
            if waiter.lane.name in shut:
                continue
            if not waiter.blocked(pool, now_s):
                return waiter
            if waiter.lane.uniform:
                shut.add(waiter.lane.name)
        return None

    def _leave(self, waiter: Waiter, how: How, *, in_heap: bool = True) -> None:
        crowd = self._crowds[waiter.lane.name]
        crowd.count -= 1
        crowd.size_bytes -= waiter.size_bytes
        if not crowd.count:
            del self._crowds[waiter.lane.name]
        self.size_bytes -= waiter.size_bytes
        # First the end of the wait: what heaps hold must be dead before they are told.
        turned = self._turn(waiter, how)
        self._bands.remove(waiter, served=how is How.SERVED)
        if in_heap:
            self._expiry.died()
        if waiter.tell is not None:
            waiter.tell(turned)

    def _turn(self, waiter: Waiter, how: How) -> Turned:
        now_s, retry_s = self._now_s, None
        if how in (How.FULL, How.EXPIRED) and waiter.lane.late is How.EXPIRED:
            retry_s = self.retry_after_s(waiter.rank, waiter.expires_s - waiter.entered_s)
        waited_s = now_s - waiter.entered_s
        waiter.turned = turned = Turned(how, now_s, waited_s, retry_s)
        self.outcomes[how] += 1
        if self.noted is not None:
            self.noted(self.pool, how, waited_s)
        return turned

    def _pass(self, now_s: float) -> None:
        """Let the time go on to *now_s*."""
        if len(self._bands):
            self._rate.passed(now_s - self._now_s)
        self._now_s = max(self._now_s, now_s)
