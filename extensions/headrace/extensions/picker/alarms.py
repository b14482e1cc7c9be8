"""When endpoints come to an age at which a rule may change its mind."""

from bisect import bisect_right
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from headrace.extensions.picker.snapshot import Endpoint

# Time is told apart no finer than this: about an age that a rule compares with, the rule is
# evaluated for every request, as rounding may let it turn a little early or late.
MARGIN_S = 1e-5
NEVER_S = float("inf")


class Alarms:
    """Per endpoint the next time to look at it again. Written by its table only.

    The heap has a live entry per endpoint that will age, and a bounded number of dead ones.
    """

    __slots__ = ("_ages_s", "_heap", "_until_s")

    def __init__(
        self, ages_s: Sequence[float], endpoints: Sequence[Endpoint], now_s: float
    ) -> None:
        self._ages_s = ages_s
        self._until_s = [self._next_s(e, now_s) for e in endpoints] if ages_s else []
        self._heap: list[tuple[float, int]] = []
        self._tidy()

    def __bool__(self) -> bool:
        """Return whether time matters at all."""
        return bool(self._ages_s)

    def __len__(self) -> int:
        """Return how many entries are held, dead ones included."""
        return len(self._heap)

    def due(self, now_s: float) -> list[int]:
        """Return the places to be evaluated again at *now_s*; then `set` each of them."""
        heap, until_s = self._heap, self._until_s
        places: list[int] = []
        while heap and heap[0][0] <= now_s:
            at_s, place = heappop(heap)
            if until_s[place] == at_s:
                until_s[place] = NEVER_S  # a second entry for the same time is dead
                places.append(place)
        return places

    def set(self, place: int, endpoint: Endpoint, now_s: float) -> None:
        """Ring again when *endpoint*, at *place*, comes to its next age."""
        if not self._ages_s:
            return
        at_s = self._next_s(endpoint, now_s)
        if at_s != self._until_s[place]:
            self._until_s[place] = at_s
            if at_s < NEVER_S:
                heappush(self._heap, (at_s, place))
            if len(self._heap) > 16 + 4 * len(self._until_s):
                self._tidy()

    def _tidy(self) -> None:
        """Drop the dead entries."""
        self._heap = [(at_s, p) for p, at_s in enumerate(self._until_s) if at_s < NEVER_S]
        heapify(self._heap)

    def _next_s(self, endpoint: Endpoint, now_s: float) -> float:
        """Return until when nothing changes by time alone; *now_s* if that is not certain."""
        age_s = now_s - endpoint.scraped_at_s
        ages_s = self._ages_s
        passed = bisect_right(ages_s, age_s)
        if passed and age_s - ages_s[passed - 1] <= MARGIN_S:
            return now_s
        if passed == len(ages_s):
            return NEVER_S
        return max(now_s, endpoint.scraped_at_s + ages_s[passed] - MARGIN_S)
