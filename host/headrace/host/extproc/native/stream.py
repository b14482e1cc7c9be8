"""One HTTP/2 stream: its windows, and what it still has to send."""

from collections import deque
from typing import Protocol


class Call(Protocol):
    """What goes on in a stream, above HTTP/2."""

    def data(self, payload: bytes) -> None:
        """Take the content of one DATA frame."""
        ...

    def ended(self) -> None:
        """Note that the peer sends no more."""
        ...

    def gone(self) -> None:
        """Note that the stream is dead: nothing can be sent any more."""
        ...

    def expel(self, message: str) -> None:
        """End with UNAVAILABLE: the host must go."""
        ...


class Stream:
    """The state of one stream. Mutable; written by its Connection and Sender.

    receive_window  what the peer may still send
    owed            what it has sent and not been given back yet
    send_window     what we may still send; negative after the peer has lowered its setting
    remote_closed   the peer has sent END_STREAM
    length_left     of the content-length; None if it told none
    heard           the peer has sent some data
    answered        we have sent something
    head, queue, rest, trailers  what is to be sent, in this order: a field block, whole
                    messages, what is left of a message cut in two, the last field block
    finished        nothing follows: trailers are queued, or the stream is dead
    call            what goes on in it; None before it is known and after it is over
    """

    __slots__ = (
        "answered",
        "call",
        "finished",
        "head",
        "heard",
        "id",
        "in_line",
        "length_left",
        "owed",
        "queue",
        "queued_bytes",
        "receive_window",
        "remote_closed",
        "rest",
        "send_window",
        "trailers",
    )

    def __init__(self, stream_id: int, receive_window: int, send_window: int) -> None:
        self.id = stream_id
        self.receive_window = receive_window
        self.send_window = send_window
        self.owed = 0
        self.remote_closed = False
        self.length_left: int | None = None
        self.heard = False
        self.answered = False
        self.head = b""
        self.queue: deque[bytes] = deque()
        self.queued_bytes = 0
        self.rest: memoryview | None = None
        self.trailers: bytes | None = None
        self.in_line = False
        self.finished = False
        self.call: Call | None = None

    @property
    def has_output(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self.queue or self.rest is not None or self.head or self.trailers is not None)
