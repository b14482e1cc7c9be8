"""The sending half of a connection: what waits, in what order, and how much the windows allow.

Knows nothing of what is received. Bytes are handed out by `take`, once per turn of the loop.
"""

from collections import deque

from headrace.host.extproc.native.blocks import NO_TABLE
from headrace.host.extproc.native.faults import ConnectionFault
from headrace.host.extproc.native.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES_DEFAULT,
    FRAME_HEAD,
    HEADERS,
    MESSAGE_HEAD,
    PREFIX,
    WINDOW_DEFAULT,
    WINDOW_MAX,
    ErrorCode,
    frame,
    rst_stream,
)
from headrace.host.extproc.native.stream import Stream

TURN_BYTES = 256 * 1024  # handed out at once, so that one stream does not hold up the others
FRAME_BYTES_CHOSEN = 64 * 1024  # larger frames save nothing and hold up other streams
PREFIX_BYTES = 5


class Sender:
    """Everything a connection has to send. Mutable; written by its Connection.

    window          what the peer lets us send on all streams together
    frame_bytes_max  of one DATA frame
    queued_bytes    of messages not handed out
    control_bytes   of control frames not handed out
    stalled         streams that have data and no window, and since when they had none
    done            streams that ended with the last `take`; whoever reads it empties it
    """

    __slots__ = (
        "_line",
        "_pieces",
        "_primed",
        "_starved",
        "control_bytes",
        "done",
        "frame_bytes_max",
        "queued_bytes",
        "stalled",
        "window",
    )

    def __init__(self) -> None:
        self.window = WINDOW_DEFAULT
        self.frame_bytes_max = FRAME_BYTES_DEFAULT
        self.queued_bytes = 0
        self.control_bytes = 0
        self.stalled: dict[Stream, float] = {}
        self.done: list[Stream] = []
        self._pieces: list[bytes | memoryview] = []
        self._line: deque[Stream] = deque()  # streams with something that may go out
        self._starved: deque[Stream] = deque()  # streams that wait for the connection's window
        self._primed = False

    @property
    def wants_turn(self) -> bool:
        """Whether `take` would return something."""
        return bool(self._pieces or self._line or (self._starved and self.window > 0))

    def control(self, octets: bytes) -> None:
        """Send a control frame, ahead of all data."""
        self._pieces.append(octets)
        self.control_bytes += len(octets)

    def head(self, stream: Stream, block: bytes) -> None:
        """Begin the answer of *stream*."""
        stream.head = block
        stream.answered = True
        self.wake(stream)

    def message(self, stream: Stream, message: bytes) -> None:
        """Send one gRPC message after what *stream* has to send already."""
        stream.queue.append(message)
        size = len(message) + PREFIX_BYTES
        stream.queued_bytes += size
        self.queued_bytes += size
        if not stream.in_line:
            stream.in_line = True
            self._line.append(stream)

    def finish(self, stream: Stream, trailers: bytes) -> None:
        """End *stream* with *trailers* after what it has to send."""
        stream.trailers = trailers
        stream.finished = stream.answered = True
        self.wake(stream)

    def drop(self, stream: Stream) -> None:
        """Forget all that *stream* has to send: it is dead."""
        stream.finished = True
        self.queued_bytes -= stream.queued_bytes
        stream.queued_bytes = 0
        stream.queue.clear()
        stream.head, stream.rest, stream.trailers = b"", None, None
        self.stalled.pop(stream, None)

    def wake(self, stream: Stream) -> None:
        """See to *stream* in the next turn, if it is not in a line already."""
        if not stream.in_line:
            stream.in_line = True
            self._line.append(stream)

    def widen(self, stream: Stream, increment: int) -> bool:
        """Give *stream* more window; return whether that is possible."""
        stream.send_window += increment
        if stream.send_window > WINDOW_MAX:
            return False
        if stream.has_output and stream.send_window > 0:
            self.wake(stream)
        return True

    def widen_all(self, increment: int) -> None:
        """Give the connection more window.

        Raises:
            ConnectionFault: that is more than a window can be.
        """
        self.window += increment
        if self.window > WINDOW_MAX:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "connection window over the limit")

    def take(self, now_s: float) -> bytes:
        """Return what to send now; in this turn not much more than TURN_BYTES of it."""
        pieces, self._pieces = self._pieces, []
        self.control_bytes = 0
        room, line, starved = TURN_BYTES, self._line, self._starved
        while room > 0:
            if starved and self.window > 0:
                stream = starved.popleft()
            elif line:
                stream = line.popleft()
            else:
                break
            stream.in_line = False
            room -= self._write(stream, pieces, room, now_s)
        return b"".join(pieces)

    def _write(
        self, stream: Stream, pieces: list[bytes | memoryview], room: int, now_s: float
    ) -> int:
        """Append the frames that *stream* may send to *pieces*; return their size."""
        before = stream.queued_bytes
        if stream.head:
            pieces.append(self._field_frame(stream.id, stream.head, END_HEADERS))
            stream.head = b""
        queue, sent = stream.queue, 0
        while queue or stream.rest is not None:
            sent = before - stream.queued_bytes
            if sent >= room:
                self.wake(stream)
                return sent
            if not self._write_data(stream, pieces):
                self._park(stream, now_s, progress=sent > 0)
                return sent
        if self.stalled:
            self.stalled.pop(stream, None)
        if stream.trailers is not None:
            self._write_trailers(stream, stream.trailers, pieces)
        return before - stream.queued_bytes

    def _write_data(self, stream: Stream, pieces: list[bytes | memoryview]) -> bool:
        """Append one DATA frame; return False if no window is open."""
        room = min(self.window, stream.send_window, self.frame_bytes_max)
        if stream.rest is None:
            message = stream.queue.popleft()
            size = len(message) + PREFIX_BYTES
            if size <= room:
                pieces.append(
                    MESSAGE_HEAD.pack(size >> 16, size & 0xFFFF, DATA, 0, stream.id, 0, size - 5)
                )
                pieces.append(message)
                self._spent(stream, size)
                return True
            stream.rest = memoryview(PREFIX.pack(0, len(message)) + message)
        if room <= 0:
            return False
        rest = stream.rest
        size = min(room, len(rest))
        pieces.append(FRAME_HEAD.pack(size >> 16, size & 0xFFFF, DATA, 0, stream.id))
        pieces.append(rest[:size])
        stream.rest = rest[size:] if size < len(rest) else None
        self._spent(stream, size)
        return True

    def _spent(self, stream: Stream, size: int) -> None:
        self.window -= size
        stream.send_window -= size
        stream.queued_bytes -= size
        self.queued_bytes -= size

    def _park(self, stream: Stream, now_s: float, *, progress: bool) -> None:
        """Let *stream* wait for a window: the connection's in line, its own aside."""
        if progress or stream not in self.stalled:
            self.stalled[stream] = now_s
        if self.window <= 0 and stream.send_window > 0:
            stream.in_line = True
            self._starved.append(stream)

    def _write_trailers(
        self, stream: Stream, block: bytes, pieces: list[bytes | memoryview]
    ) -> None:
        pieces.append(self._field_frame(stream.id, block, END_HEADERS | END_STREAM))
        stream.trailers = None
        if not stream.remote_closed:  # section 8.1: the peer need not send the rest
            pieces.append(rst_stream(stream.id, ErrorCode.NO_ERROR))
        self.done.append(stream)

    def _field_frame(self, stream_id: int, block: bytes, flags: int) -> bytes:
        if not self._primed:
            self._primed = True
            block = NO_TABLE + block
        return frame(HEADERS, flags, stream_id, block)
