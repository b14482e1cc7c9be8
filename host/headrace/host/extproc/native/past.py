"""How recent streams ended: it decides what a late frame on one of them means."""

from enum import Enum

REMEMBERED_MAX = 4096


class End(Enum):
    """How a stream ended. After our reset, the peer may have sent anything before it knew."""

    BOTH = "both sides sent END_STREAM"
    RESET_BY_US = "we reset it"
    RESET_BY_PEER = "the peer reset it"


class Past:
    """Remembers the ends of the most recent streams. Mutable."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends: dict[int, End] = {}

    def note(self, stream_id: int, end: End) -> None:
        """Remember the *end* of a stream; the oldest is forgotten."""
        ends = self._ends
        ends[stream_id] = end
        if len(ends) > REMEMBERED_MAX:
            del ends[next(iter(ends))]

    def of(self, stream_id: int) -> End | None:
        """Return how the stream ended; None if it never was, or long ago."""
        return self._ends.get(stream_id)
