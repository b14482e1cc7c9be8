"""What one endpoint is believed to have cached, least recently used first."""

from collections import OrderedDict
from dataclasses import dataclass, field

STEP = 2  # between two stamps; what is odd in between says that a server has confirmed it
EXACT = -1  # the stamp of a block that the server itself reports
ROOM_MIN_RATIO = 0.125  # however often it disappoints, an endpoint is believed to hold this much
REGAIN_RATIO = 0.02  # of the room lost to disappointments comes back with each fulfilled belief


@dataclass(slots=True, eq=False)
class Holding:
    """The blocks of one endpoint in the order in which it would evict them.

    Written by the `PrefixIndex` that owns it.

    bit       of the endpoint in masks
    blocks    hash -> stamp of its last use, oldest first; of one prompt the tail is older
    answers   of those that are ends of prompts: how many blocks the answer behind it takes
    capacity  how many blocks the server has; None if it does not say
    trust     the share of `capacity` that it was seen to hold, 0..1
    """

    address: str
    bit: int
    blocks: "OrderedDict[int, int]" = field(default_factory=OrderedDict[int, int])
    answers: dict[int, float] = field(default_factory=dict[int, float])
    answers_sum: float = 0.0
    capacity: float | None = None
    trust: float = 1.0

    @property
    def used(self) -> float:
        """How many blocks it is believed to hold, answers included."""
        return len(self.blocks) - len(self.answers) + self.answers_sum

    @property
    def room(self) -> float:
        """How many blocks it can hold; infinite if nobody knows."""
        return float("inf") if self.capacity is None else self.capacity * self.trust

    def answered(self, key: int, blocks: float) -> None:
        """Note that behind the end *key* of a prompt an answer takes *blocks*."""
        self.answers_sum += blocks - self.answers.get(key, 0.0)
        self.answers[key] = blocks

    def drop(self, key: int) -> None:
        """Forget *key*, which must be there."""
        del self.blocks[key]
        if key in self.answers:
            self.answers_sum -= self.answers.pop(key)

    def oldest(self) -> int | None:
        """Return what the server would evict first, but for what it reports itself; else None.

        What it reports itself leaves when it reports that, so it is moved out of the way.
        """
        for _ in range(len(self.blocks)):
            key, stamp = next(iter(self.blocks.items()))
            if stamp != EXACT:
                return key
            self.blocks.move_to_end(key)
        return None

    def disappointed(self) -> None:
        """Believe in no more room than what is left now: the server had evicted the rest."""
        if self.capacity:
            self.trust = max(ROOM_MIN_RATIO, min(self.trust, self.used / self.capacity))

    def fulfilled(self) -> None:
        """Believe in a little more room again."""
        self.trust = min(1.0, self.trust + REGAIN_RATIO)
