"""HTTP/2 frames: their numbers, and those a server writes, as bytes (RFC 9113 sections 4, 6, 7)."""

from enum import IntEnum
from struct import Struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEAD = Struct(">BHBBI")  # length in 24 bits, type, flags, stream
FRAME_HEAD_BYTES = 9
MESSAGE_HEAD = Struct(">BHBBIBI")  # a DATA frame's head, then that of the gRPC message in it
PREFIX = Struct(">BI")  # of a gRPC message: compressed or not, length

DATA = 0x0
HEADERS = 0x1
PRIORITY = 0x2
RST_STREAM = 0x3
SETTINGS = 0x4
PUSH_PROMISE = 0x5
PING = 0x6
GOAWAY = 0x7
WINDOW_UPDATE = 0x8
CONTINUATION = 0x9

END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20

STREAM_MASK = WINDOW_MAX = 0x7FFF_FFFF
FRAME_BYTES_DEFAULT = 16_384
FRAME_BYTES_MAX = 16_777_215
WINDOW_DEFAULT = 65_535

INITIAL_WINDOW_SIZE = 0x4
MAX_CONCURRENT_STREAMS = 0x3
MAX_HEADER_LIST_SIZE = 0x6

_SETTING = Struct(">HI")
_NUMBER = Struct(">I")
_TWO_NUMBERS = Struct(">II")
_NUMBER_FRAME = Struct(">BHBBII")  # a frame whose payload is one number


class ErrorCode(IntEnum):
    """Why a stream or a connection ends (RFC 9113 section 7)."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    ENHANCE_YOUR_CALM = 0xB


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    size = len(payload)
    return FRAME_HEAD.pack(size >> 16, size & 0xFFFF, kind, flags, stream_id) + payload


def settings(pairs: tuple[tuple[int, int], ...]) -> bytes:
    """Return a SETTINGS frame of *pairs*, identifier and value."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*pair) for pair in pairs))


def window_update(stream_id: int, increment: int) -> bytes:
    """Return a WINDOW_UPDATE; stream 0 is the connection."""
    return _NUMBER_FRAME.pack(0, 4, WINDOW_UPDATE, 0, stream_id, increment)


def rst_stream(stream_id: int, code: int) -> bytes:
    """Return a RST_STREAM."""
    return _NUMBER_FRAME.pack(0, 4, RST_STREAM, 0, stream_id, code)


def goaway(last_stream_id: int, code: int, text: str = "") -> bytes:
    """Return a GOAWAY with *text* for whoever reads a capture of the connection."""
    payload = _TWO_NUMBERS.pack(last_stream_id, code) + text.encode("ascii", "replace")
    return frame(GOAWAY, 0, 0, payload)


def number_at(data: bytes, at: int) -> int:
    """Return the 32 bits of *data* at *at*."""
    return int(_NUMBER.unpack_from(data, at)[0])


def setting_pairs(payload: bytes) -> list[tuple[int, int]]:
    """Return what a SETTINGS payload, a multiple of six octets, says."""
    return list(_SETTING.iter_unpack(payload))
