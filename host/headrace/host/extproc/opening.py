"""What the wire needs of an exchange: a way to open one, and to drive it."""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from headrace.extensions.stage import Reject
from headrace.host.exchange.part import Modes, Part
from headrace.host.exchange.reply import Output


class NotYet(Exception):
    """There is nothing to decide by yet: another host has to be asked. The message says why."""


class Opening(Struct, frozen=True):
    """How a stream begins.

    modes        the body modes in force, if the peer told them
    chain        the chain that the peer asks for
    traceparent  of the gRPC call; empty if it had none
    first        the first part; it is fed to the exchange after this
    listener     the name of the listener that the stream came in by
    """

    modes: Modes | None = None
    chain: str = "default"
    traceparent: str = ""
    first: Part | None = None
    listener: str = ""


class Exchange(Protocol):
    """One exchange, as the wire drives it. Times are monotonic seconds (`time.monotonic`).

    Every call but `end` returns what is to be sent and performed, in order.
    """

    @property
    def closed(self) -> bool:
        """Whether nothing is owed: the stream may end with OK and no byte is lost by it."""
        ...

    def receive(self, part: Part, now_s: float) -> list[Output]:
        """Take the next part."""
        ...

    def resume(self, ticket: int, reply: object, now_s: float) -> list[Output]:
        """Take the *reply* to the effect *ticket*."""
        ...

    def refuse(self, ticket: int, error: str, now_s: float) -> list[Output]:
        """Take the failure of the effect *ticket*; *error* holds no user text."""
        ...

    def interrupt(self, ticket: int, reject: Reject, now_s: float) -> list[Output]:
        """End by *reject*, which the effect watched under *ticket* came to, if it is not over."""
        ...

    def deadline(self) -> float | None:
        """Return when `expire` must be called; None if nothing is waited for."""
        ...

    def expire(self, now_s: float) -> list[Output]:
        """Note that the deadline has passed."""
        ...

    def end(self, termination: str, now_s: float) -> list[Output]:
        """Note the end of the stream. Called once; what it returns is not looked at.

        termination  ``complete`` if the peer closed the stream, ``client-gone`` if it broke
                     it off (which Envoy also does to streams that are complete),
                     ``processor-abort`` or ``bug``
        """
        ...


Factory = Callable[[Opening, float], Exchange]  # may raise NotYet
