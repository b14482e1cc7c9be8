"""Octets to frames: the preface, frame heads, padding, and field blocks cut in pieces.

Checks all that can be checked of a frame by itself. What a frame means is the Connection's.
"""

from msgspec import Struct

from headrace.host.extproc.native.faults import (
    ConnectionFault,
    Refusal,
    protocol_error,
    size_error,
)
from headrace.host.extproc.native.frames import (
    CONTINUATION,
    END_HEADERS,
    FRAME_BYTES_DEFAULT,
    FRAME_HEAD,
    FRAME_HEAD_BYTES,
    PADDED,
    PREFACE,
    PRIORITY,
    SETTINGS,
    STREAM_MASK,
    WITH_PRIORITY,
    ErrorCode,
    number_at,
)

PRIORITY_BYTES = 5


class Frame(Struct, gc=False):
    """A frame: its payload is ``data[at:end]``. A Struct, as every read makes some."""

    kind: int
    flags: int
    stream_id: int
    data: bytes
    at: int
    end: int

    @property
    def payload(self) -> bytes:
        """The payload, copied."""
        return self.data[self.at : self.end]


class FrameCutter:
    """Cuts the octets of a connection into frames. Mutable: it keeps what is incomplete.

    greeted  the preface has come
    """

    __slots__ = ("_at", "_data", "_greeting", "greeted")

    def __init__(self) -> None:
        self.greeted = False
        self._greeting = True  # the first frame has not come
        self._data = b""
        self._at = 0

    def feed(self, data: bytes) -> int:
        """Take the next octets of the peer, once all frames before them are read.

        Returns where the last frame ends if it is there to its end.
        """
        rest = self._data[self._at :]
        self._data = rest + data if rest else data
        self._at = 0
        return len(self._data)

    def next(self) -> Frame | None:
        """Return the next frame, if all of it is there.

        Raises:
            ConnectionFault: no preface, a frame too large, or no SETTINGS first.
        """
        data, at = self._data, self._at
        if not self.greeted:
            if not self._greet(data):
                return None
            at = self._at
        if len(data) - at < FRAME_HEAD_BYTES:
            return None
        upper, lower, kind, flags, stream_id = FRAME_HEAD.unpack_from(data, at)
        size = upper << 16 | lower
        if self._greeting:
            self._check_first(kind, flags)
        if size > FRAME_BYTES_DEFAULT:
            raise size_error("frame larger than SETTINGS_MAX_FRAME_SIZE")
        at += FRAME_HEAD_BYTES
        end = at + size
        if end > len(data):
            return None
        self._at = end
        return Frame(kind, flags, stream_id & STREAM_MASK, data, at, end)

    def _greet(self, data: bytes) -> bool:
        if not PREFACE.startswith(data[: len(PREFACE)]):
            raise ConnectionFault(
                ErrorCode.PROTOCOL_ERROR, "this port speaks HTTP/2 only", Refusal.NOT_HTTP2
            )
        if len(data) < len(PREFACE):
            return False
        self.greeted = True
        self._at = len(PREFACE)
        return True

    def _check_first(self, kind: int, flags: int) -> None:
        if kind != SETTINGS or flags & 1:
            raise protocol_error("the first frame is no SETTINGS")
        self._greeting = False


def unpad(frame: Frame) -> tuple[int, int]:
    """Return where the content of *frame* begins and ends, without padding (section 6.1).

    Raises:
        ConnectionFault: the padding is longer than the payload.
    """
    at, end = frame.at, frame.end
    if frame.flags & PADDED:
        if at == end:
            raise size_error("no room for the length of the padding")
        at, end = at + 1, end - frame.data[at]
        if at > end:
            raise protocol_error("more padding than payload")
    return at, end


class FieldBlock:
    """A field block on its way: HEADERS, then CONTINUATION until END_HEADERS. Mutable.

    flags    of the HEADERS frame
    depends  the stream that the priority in it names; None without one
    """

    __slots__ = ("_count", "_pieces", "_size", "depends", "flags", "stream_id")

    def __init__(self, frame: Frame) -> None:
        at, end = unpad(frame)
        self.depends: int | None = None
        if frame.flags & WITH_PRIORITY:
            if end - at < PRIORITY_BYTES:
                raise size_error("no room for the priority")
            self.depends = number_at(frame.data, at) & STREAM_MASK
            at += PRIORITY_BYTES
        self.stream_id = frame.stream_id
        self.flags = frame.flags
        self._pieces = [frame.data[at:end]]
        self._size = end - at
        self._count = 0

    @property
    def complete(self) -> bool:
        """Whether the HEADERS frame was all of it."""
        return bool(self.flags & END_HEADERS)

    @property
    def octets(self) -> bytes:
        """The block, as far as it has come."""
        return b"".join(self._pieces)

    def proceed(self, frame: Frame, count_max: int, size_max: int) -> bool:
        """Take the next frame, which must be a CONTINUATION; return whether it is the last.

        Raises:
            ConnectionFault: it is another frame, or there are too many.
        """
        if frame.kind != CONTINUATION or frame.stream_id != self.stream_id:
            raise protocol_error("a field block was interrupted")
        self._count += 1
        self._size += frame.end - frame.at
        self._pieces.append(frame.payload)
        if self._count > count_max:
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM, "too many CONTINUATIONs", Refusal.CONTINUATIONS
            )
        if self._size > size_max:
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM, "field block too large", Refusal.HEADERS
            )
        return bool(frame.flags & END_HEADERS)


def priority_dependency(frame: Frame) -> int | None:
    """Return the stream that a PRIORITY frame names; None if the frame has a wrong size."""
    assert frame.kind == PRIORITY, frame.kind
    if frame.end - frame.at != PRIORITY_BYTES:
        return None
    return number_at(frame.data, frame.at) & STREAM_MASK
