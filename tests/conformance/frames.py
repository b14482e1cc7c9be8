"""HTTP/2 frames by hand: built well or badly, and taken apart. RFC 9113, sections 4 and 6."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_BYTES = 9
FRAME_BYTES_MIN_MAX = 16_384  # the smallest SETTINGS_MAX_FRAME_SIZE there is
FRAME_BYTES_MAX_MAX = 16_777_215
WINDOW_START_BYTES = 65_535
WINDOW_BYTES_MAX = 2**31 - 1
STREAM_MAX = 2**31 - 1


class Kind(IntEnum):
    """Frame types."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Flag(IntFlag):
    """Frame flags; ACK and END_STREAM share a bit."""

    NONE = 0
    END_STREAM = 0x1
    ACK = 0x1
    END_HEADERS = 0x4
    PADDED = 0x8
    PRIORITY = 0x20


class Code(IntEnum):
    """Error codes, section 7."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class Setting(IntEnum):
    """Settings, section 6.5.2."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it came. *fields*: of a HEADERS whose block is complete, decoded."""

    kind: int
    flags: int
    stream: int
    payload: bytes = field(repr=False)
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def ends_stream(self) -> bool:
        """Whether the sender's side of the stream is over."""
        return self.kind in (Kind.DATA, Kind.HEADERS) and bool(self.flags & Flag.END_STREAM)

    @property
    def code(self) -> int:
        """The error code of an RST_STREAM or GOAWAY."""
        return uint32(self.payload, 4 if self.kind == Kind.GOAWAY else 0)

    @property
    def last_stream(self) -> int:
        """The last stream that a GOAWAY says was looked at."""
        return uint32(self.payload, 0) & STREAM_MAX

    @property
    def acknowledges(self) -> bool:
        """Whether this is the ACK of a PING or SETTINGS."""
        return self.kind in (Kind.PING, Kind.SETTINGS) and bool(self.flags & Flag.ACK)


def uint32(payload: bytes, offset: int) -> int:
    """Return the big-endian number of four octets at *offset*."""
    value: int = struct.unpack_from(">I", payload, offset)[0]
    return value


def frame(
    kind: int, stream: int, payload: bytes = b"", flags: int = 0, length: int | None = None
) -> bytes:
    """Return any frame. *length* if it is to lie about the payload."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def split(data: bytes) -> tuple[Frame, int] | None:
    """Return the first frame of *data* and its size in octets; None if it is incomplete."""
    if len(data) < HEADER_BYTES:
        return None
    size = int.from_bytes(data[:3], "big")
    if len(data) < HEADER_BYTES + size:
        return None
    kind, flags, stream = struct.unpack_from(">BBI", data, 3)
    payload = bytes(data[HEADER_BYTES : HEADER_BYTES + size])
    return Frame(kind, flags, stream & STREAM_MAX, payload), HEADER_BYTES + size


def padded(payload: bytes, pad_bytes: int) -> bytes:
    """Return *payload* with its padding, for a frame with the PADDED flag."""
    return bytes([pad_bytes]) + payload + bytes(pad_bytes)


def data(stream: int, payload: bytes = b"", end: bool = False, pad_bytes: int = -1) -> bytes:
    """Return DATA, padded if *pad_bytes* is not negative."""
    flags = Flag.END_STREAM if end else Flag.NONE
    if pad_bytes < 0:
        return frame(Kind.DATA, stream, payload, flags)
    return frame(Kind.DATA, stream, padded(payload, pad_bytes), flags | Flag.PADDED)


def headers(
    stream: int, block: bytes, end: bool = False, done: bool = True, flags: int = 0
) -> bytes:
    """Return HEADERS. *done*: the block is complete."""
    flags |= Flag.END_STREAM if end else 0
    return frame(Kind.HEADERS, stream, block, flags | (Flag.END_HEADERS if done else 0))


def continuation(stream: int, block: bytes, done: bool = True) -> bytes:
    """Return CONTINUATION. *done*: the block is complete."""
    return frame(Kind.CONTINUATION, stream, block, Flag.END_HEADERS if done else 0)


def dependency(on: int = 0, weight: int = 16, exclusive: bool = False) -> bytes:
    """Return the five octets of a priority."""
    return struct.pack(">IB", on | (0x80000000 if exclusive else 0), weight - 1)


def priority(stream: int, on: int = 0, weight: int = 16, exclusive: bool = False) -> bytes:
    """Return PRIORITY."""
    return frame(Kind.PRIORITY, stream, dependency(on, weight, exclusive))


def reset(stream: int, code: int = Code.CANCEL) -> bytes:
    """Return RST_STREAM."""
    return frame(Kind.RST_STREAM, stream, struct.pack(">I", code))


def settings(values: Mapping[int, int] | None = None, ack: bool = False) -> bytes:
    """Return SETTINGS."""
    pairs = (struct.pack(">HI", name, value) for name, value in (values or {}).items())
    return frame(Kind.SETTINGS, 0, b"".join(pairs), Flag.ACK if ack else 0)


def ping(payload: bytes = b"headrace", ack: bool = False) -> bytes:
    """Return PING."""
    return frame(Kind.PING, 0, payload, Flag.ACK if ack else 0)


def goaway(last_stream: int = 0, code: int = Code.NO_ERROR, debug: bytes = b"") -> bytes:
    """Return GOAWAY."""
    return frame(Kind.GOAWAY, 0, struct.pack(">II", last_stream, code) + debug)


def window_update(stream: int, increment_bytes: int) -> bytes:
    """Return WINDOW_UPDATE."""
    return frame(Kind.WINDOW_UPDATE, stream, struct.pack(">I", increment_bytes))
