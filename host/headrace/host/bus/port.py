"""What carries messages between hosts, as the bus sees it."""

from collections.abc import Callable
from typing import Protocol

Hear = Callable[[bytes], None]


class Lacking(Exception):
    """A way to carry messages is asked for that is not installed. The message says the cure."""


class Channel(Protocol):
    """One way to all others that have it, too. May lose, repeat and reorder; never blocks."""

    @property
    def name(self) -> str:
        """A fixed word, for metrics."""
        ...

    @property
    def up(self) -> bool:
        """Whether messages are carried, as far as is known."""
        ...

    async def start(self, hear: Hear) -> None:
        """Begin; *hear* takes every message, from the event loop's thread."""
        ...

    def send(self, message: bytes) -> int:
        """Hand over *message*; return to how many receivers it could not go: it is dropped."""
        ...

    async def stop(self) -> None:
        """Carry what was handed over, if that is quick, and end."""
        ...


class BusCounts(Protocol):
    """Counts what becomes of messages."""

    def state_message(self, channel: str, result: str, count: int = 1) -> None:
        """Count messages by the way they went and a fixed word for what became of them."""
        ...
