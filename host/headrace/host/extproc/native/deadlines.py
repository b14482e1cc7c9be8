"""The deadlines of calls (`grpc-timeout`), the earliest first."""

import re
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Protocol

SWEPT_ABOVE = 1024
_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNIT_S = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


class Mortal(Protocol):
    """What ends at its deadline."""

    def expire(self) -> None:
        """Note that the deadline has passed."""
        ...


class Deadline:
    """One deadline. Mutable: whoever ends before it takes itself out, so that nothing keeps it."""

    __slots__ = ("_of",)

    def __init__(self, of: Mortal) -> None:
        self._of: Mortal | None = of

    @property
    def lifted(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._of is None

    def lift(self) -> None:
        """Let it pass without effect."""
        self._of = None

    def expire(self) -> None:
        """Tell whose deadline it is, if it still is somebody's."""
        of, self._of = self._of, None
        if of is not None:
            of.expire()


class Deadlines:
    """A heap of deadlines. Mutable. Those that were lifted are swept out in bulk."""

    __slots__ = ("_heap", "_order", "_sweep_at")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Deadline]] = []
        self._order = count()
        self._sweep_at = SWEPT_ABOVE

    def __len__(self) -> int:
        """Return how many are kept, those that were lifted included."""
        return len(self._heap)

    @property
    def next_s(self) -> float | None:
        """When the earliest deadline is."""
        heap = self._heap
        while heap and heap[0][2].lifted:
            heappop(heap)
        return heap[0][0] if heap else None

    def add(self, due_s: float, of: Mortal) -> Deadline:
        """Return a new deadline, which ends *of* at *due_s* unless it is lifted."""
        deadline = Deadline(of)
        heappush(self._heap, (due_s, next(self._order), deadline))
        if len(self._heap) > self._sweep_at:
            self._heap = [entry for entry in self._heap if not entry[2].lifted]
            heapify(self._heap)
            self._sweep_at = max(SWEPT_ABOVE, 2 * len(self._heap))
        return deadline

    def expire(self, now_s: float) -> None:
        """End all that are due."""
        while self._heap and self._heap[0][0] <= now_s:
            heappop(self._heap)[2].expire()


def timeout_s(value: bytes) -> float | None:
    """Return a `grpc-timeout` in seconds; None if *value* is none."""
    match = _TIMEOUT.fullmatch(value)
    return None if match is None else int(match[1]) * _UNIT_S[match[2]]
