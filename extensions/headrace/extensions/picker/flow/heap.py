"""A heap whose members may die while they are in it; the dead are dropped as they surface."""

import heapq
from typing import Generic, Protocol, TypeVar

SLACK = 16  # so many dead may stay, however few live


class Member(Protocol):
    """What a heap holds."""

    @property
    def alive(self) -> bool:
        """Whether it still counts."""
        ...


M = TypeVar("M", bound=Member)


class Heap(Generic[M]):
    """Members by a number, the lowest first. Keeps at most twice what lives, and some."""

    __slots__ = ("_dead", "_entries")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, M]] = []
        self._dead = 0

    def __len__(self) -> int:
        """Return how many entries are kept, the dead included."""
        return len(self._entries)

    def push(self, by: float, number: int, member: M) -> None:
        """Add *member*; of equal *by* the lower *number* is first, and no number comes twice."""
        heapq.heappush(self._entries, (by, number, member))

    def first(self) -> M | None:
        """Return the first that lives."""
        entries = self._entries
        while entries and not entries[0][2].alive:
            heapq.heappop(entries)
            self._dead -= 1
        return entries[0][2] if entries else None

    def by(self) -> float | None:
        """Return the number of the first that lives."""
        return None if self.first() is None else self._entries[0][0]

    def pop(self) -> M | None:
        """Take the first that lives out."""
        return None if self.first() is None else heapq.heappop(self._entries)[2]

    def firsts(self, count: int) -> list[M]:
        """Return the first *count* that live, in order."""
        taken: list[tuple[float, int, M]] = []
        while len(taken) < count and self.first() is not None:
            taken.append(heapq.heappop(self._entries))
        for entry in taken:
            heapq.heappush(self._entries, entry)
        return [member for _, _, member in taken]

    def died(self) -> None:
        """Note that a member has died in here."""
        self._dead += 1
        if self._dead > SLACK + len(self._entries) // 2:
            self._entries = [entry for entry in self._entries if entry[2].alive]
            heapq.heapify(self._entries)
            self._dead = 0
