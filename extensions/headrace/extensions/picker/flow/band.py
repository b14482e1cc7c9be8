"""Those of equal rank: keys take turns, by the service that each has had.

Every key has a tag, the service that it has had so far; the least served goes next. A key
that comes anew begins where the others are: it can neither save up turns nor shed a debt.
Source: Goyal, Vin, Cheng, "Start-time fair queueing", SIGCOMM 1996: over any time in which two
keys both wait, their service differs by at most one request of each.
"""

from collections import OrderedDict

from headrace.extensions.picker.flow.heap import Heap
from headrace.extensions.picker.flow.waiter import Waiter

RESTING_MAX = 1024  # keys that do not wait and whose service is still remembered


class _Flow:
    """The requests of one key. *entry* tells its place in the band's heap from older ones."""

    __slots__ = ("count", "entry", "key", "tag", "waiters")

    def __init__(self, key: str, tag: float) -> None:
        self.key = key
        self.tag = tag
        self.count = 0
        self.entry: _Entry | None = None
        self.waiters: Heap[Waiter] = Heap()


class _Entry:
    """A place of a flow in the heap, as long as *flow* says so."""

    __slots__ = ("flow",)

    def __init__(self, flow: _Flow) -> None:
        self.flow = flow
        flow.entry = self

    @property
    def alive(self) -> bool:
        return self.flow.entry is self


class Band:
    """All that wait at one rank. Mutable; written by its `Bands`.

    strict  as the last who entered asks
    """

    __slots__ = ("_flows", "_heap", "_numbers", "_resting", "_virtual", "count", "rank", "strict")

    def __init__(self, rank: float) -> None:
        self.rank = rank
        self.strict = False
        self.count = 0
        self._virtual = 0.0
        self._numbers = 0
        self._flows: dict[str, _Flow] = {}
        self._heap: Heap[_Entry] = Heap()
        self._resting: OrderedDict[str, float] = OrderedDict()

    def add(self, waiter: Waiter) -> None:
        """Let *waiter* wait here."""
        self.count += 1
        self.strict = waiter.lane.strict
        flow = self._flows.get(waiter.key)
        if flow is None:
            tag = max(self._virtual, self._resting.pop(waiter.key, 0.0))
            flow = self._flows[waiter.key] = _Flow(waiter.key, tag)
            self._place(flow)
        flow.count += 1
        flow.waiters.push(waiter.order, waiter.number, waiter)

    def heads(self, count: int) -> list[Waiter]:
        """Return who may go next: the first of each of at most *count* keys, in order."""
        firsts = [entry.flow.waiters.first() for entry in self._heap.firsts(count)]
        return [waiter for waiter in firsts if waiter is not None]

    def serve(self, waiter: Waiter) -> None:
        """Take out *waiter*, which has died by being served, and note the service of its key."""
        flow = self._flows[waiter.key]
        self._virtual = max(self._virtual, flow.tag)
        flow.tag += waiter.cost
        self._place(flow)  # its old place is dead by that
        self._heap.died()
        self._less(flow)

    def remove(self, waiter: Waiter) -> None:
        """Take out *waiter*, which has died otherwise."""
        self._less(self._flows[waiter.key])

    def _place(self, flow: _Flow) -> None:
        self._numbers += 1
        self._heap.push(flow.tag, self._numbers, _Entry(flow))

    def _less(self, flow: _Flow) -> None:
        self.count -= 1
        flow.count -= 1
        flow.waiters.died()
        if flow.count:
            return
        flow.entry = None
        self._heap.died()
        del self._flows[flow.key]
        self._rest(flow)

    def _rest(self, flow: _Flow) -> None:
        """Remember the service of a key that has nobody waiting, while it is ahead of others."""
        if flow.tag > self._virtual:
            self._resting[flow.key] = flow.tag
        while self._resting:
            oldest = next(iter(self._resting))
            if self._resting[oldest] > self._virtual and len(self._resting) <= RESTING_MAX:
                return
            del self._resting[oldest]
