"""All ranks of one queue, and whose turn it is among them.

Two turns in three are the highest rank's; of those that are left, two in three are the
next one's, and so on for `SHARED` ranks; what is left goes to whom the longest wait is in.
So the urgent get much more, and nobody waits for ever. A strict rank gives no turns away:
while somebody waits at one, nobody goes from a lower one, even if there is room for him alone.
"""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator

from headrace.extensions.picker.flow.band import Band
from headrace.extensions.picker.flow.waiter import Waiter

SHARED = 3
BANDS_MAX = 1024  # a rank beyond these joins the next lower one


class Bands:
    """Who waits, by rank. Mutable; written by its `FlowControl`."""

    __slots__ = ("_bands", "_by_age", "_ranks", "_stricts", "_turn")

    def __init__(self) -> None:
        self._ranks: list[float] = []  # ascending
        self._bands: dict[float, Band] = {}
        self._by_age: OrderedDict[int, tuple[Waiter, Band]] = OrderedDict()
        self._turn = 0
        self._stricts = 0  # how many of those who wait asked for a strict order

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._by_age)

    def __iter__(self) -> Iterator[Waiter]:
        """Yield all that wait, who came first first."""
        for waiter, _ in self._by_age.values():
            yield waiter

    def add(self, waiter: Waiter) -> None:
        """Let *waiter*, whose number is the highest so far, wait."""
        band = self._band(waiter.rank)
        band.add(waiter)
        self._by_age[waiter.number] = waiter, band
        self._stricts += waiter.lane.strict

    def remove(self, waiter: Waiter, *, served: bool) -> None:
        """Take out *waiter*, which waits no more."""
        _, band = self._by_age.pop(waiter.number)
        self._stricts -= waiter.lane.strict
        if served:
            band.serve(waiter)
            self._turn += 1
        else:
            band.remove(waiter)
        if not band.count:
            del self._bands[band.rank]
            del self._ranks[bisect_left(self._ranks, band.rank)]

    def ahead_of(self, rank: float) -> int:
        """Return how many wait at *rank* or above."""
        return sum(self._bands[r].count for r in self._ranks[bisect_left(self._ranks, rank) :])

    def candidates(self, count: int) -> Iterator[Waiter]:
        """Yield who may go now, in order, at most *count*: next is who is not blocked."""
        for band in self._in_order():
            heads = band.heads(count)
            yield from heads
            count -= len(heads)
            if count <= 0:
                return

    def _in_order(self) -> Iterator[Band]:
        if not self._ranks:
            return
        chosen, lowest = self._whose_turn(), self._lowest_open()
        if chosen.rank >= lowest:
            yield chosen
        for rank in reversed(self._ranks):
            if rank < lowest:
                return
            if rank != chosen.rank:
                yield self._bands[rank]

    def _lowest_open(self) -> float:
        """Return the lowest rank from which somebody may go: that of the highest strict one."""
        if not self._stricts:
            return self._ranks[0]
        strict = (rank for rank in reversed(self._ranks) if self._bands[rank].strict)
        return next(strict, self._ranks[0])

    def _whose_turn(self) -> Band:
        """Return the band whose turn it is."""
        highest = self._bands[self._ranks[-1]]
        place, turn = 0, self._turn + 1
        while not highest.strict and place < SHARED and turn % 3 == 0:
            turn //= 3
            place += 1
        if place < min(SHARED, len(self._ranks)):
            return self._bands[self._ranks[-1 - place]]
        if len(self._ranks) <= SHARED:
            return self._bands[self._ranks[0]]
        return next(iter(self._by_age.values()))[1]

    def _band(self, rank: float) -> Band:
        """Return the band of *rank*; if there are too many, the next lower that there is."""
        band = self._bands.get(rank)
        if band is None and len(self._ranks) >= BANDS_MAX:
            band = self._bands[self._ranks[max(0, bisect_right(self._ranks, rank) - 1)]]
        if band is None:
            band = self._bands[rank] = Band(rank)
            self._ranks.insert(bisect_left(self._ranks, rank), rank)
        return band
