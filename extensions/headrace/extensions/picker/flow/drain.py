"""How fast a queue moves, learnt from who has left it lately."""

import math

MEMORY_S = 10.0  # of the time in which somebody waited, what is older counts less and less


class DrainRate:
    """Departures per second of waiting, the recent ones counting most. Written by its owner."""

    __slots__ = ("_gone", "_seen_s")

    def __init__(self) -> None:
        self._gone = 0.0  # departures, and
        self._seen_s = 0.0  # seconds that they were counted in, both faded alike

    @property
    def per_s(self) -> float:
        """The rate; 0 while nothing is known."""
        return self._gone / self._seen_s if self._seen_s > 0.0 else 0.0

    def passed(self, seconds: float) -> None:
        """Note that somebody waited for *seconds* more."""
        if seconds <= 0.0:
            return
        kept = math.exp(-seconds / MEMORY_S)
        self._gone *= kept
        self._seen_s = self._seen_s * kept + MEMORY_S * (1.0 - kept)

    def left(self) -> None:
        """Note that one was served."""
        self._gone += 1.0
