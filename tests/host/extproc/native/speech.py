"""What a client says in HTTP/2, as octets, and what a server said to it."""

from collections.abc import Iterable, Iterator
from struct import unpack_from
from typing import NamedTuple, cast

from hpack import Decoder
from msgspec.structs import astuple

from headrace.host.extproc.native import frames as f
from headrace.host.extproc.native.blocks import literal
from headrace.host.extproc.native.connection import Connection
from headrace.host.extproc.native.events import Event
from headrace.host.extproc.native.limits import Bounds
from headrace.host.extproc.native.router import METHODS, Method

PROCESS = next(path for path, method in METHODS.items() if method is Method.PROCESS).decode()
REQUEST = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", PROCESS),
    (":authority", "host"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
)
SETTINGS = f.settings(())
SETTINGS_ACK = f.frame(f.SETTINGS, f.ACK, 0)
HELLO = f.PREFACE + SETTINGS


def block(fields: Iterable[tuple[str, str]] = REQUEST) -> bytes:
    """Return a field block without any state."""
    return b"".join(literal(name, value) for name, value in fields)


def headers(
    stream_id: int, flags: int = f.END_HEADERS, octets: bytes | None = None, end: bool = False
) -> bytes:
    """Return a HEADERS frame, of a sound request if nothing else is said."""
    flags |= f.END_STREAM if end else 0
    return f.frame(f.HEADERS, flags, stream_id, block() if octets is None else octets)


def data(stream_id: int, octets: bytes = b"", end: bool = False) -> bytes:
    """Return a DATA frame."""
    return f.frame(f.DATA, f.END_STREAM if end else 0, stream_id, octets)


def message(octets: bytes) -> bytes:
    """Return a gRPC message."""
    return f.PREFIX.pack(0, len(octets)) + octets


def padded(kind: int, stream_id: int, octets: bytes, pad: int, flags: int = 0) -> bytes:
    """Return a frame with padding."""
    payload = bytes((pad,)) + octets + bytes(pad)
    return f.frame(kind, flags | f.PADDED, stream_id, payload)


class Said(NamedTuple):
    """One frame of the server."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes

    @property
    def code(self) -> f.ErrorCode:
        """The error code of a RST_STREAM or GOAWAY."""
        at = 4 if self.kind == f.GOAWAY else 0
        return f.ErrorCode(f.number_at(self.payload, at))


def said(octets: bytes) -> list[Said]:
    """Return the frames of *octets*, all of them whole."""
    return list(_cut(octets))


def _cut(octets: bytes) -> Iterator[Said]:
    at = 0
    while at < len(octets):
        upper, lower, kind, flags, stream_id = unpack_from(">BHBBI", octets, at)
        at += f.FRAME_HEAD_BYTES
        end = at + (upper << 16 | lower)
        assert end <= len(octets), "a frame was cut"
        yield Said(kind, flags, stream_id, octets[at:end])
        at = end


def fields_of(decoder: Decoder, frame: Said) -> dict[str, str]:
    """Return the fields of a HEADERS frame, by a decoder of the whole connection."""
    found = cast("Iterable[tuple[str, str]]", decoder.decode(frame.payload))
    return {name: value for name, value in found}  # noqa: C416 - the pairs are tuples of a kind


def greeted(bounds: Bounds | None = None, now_s: float = 0.0) -> Connection:
    """Return a connection past the greeting, with nothing left to send."""
    connection = Connection(bounds or Bounds(), now_s)
    assert connection.receive(HELLO + SETTINGS_ACK, now_s) == []
    connection.take(now_s)
    return connection


def spoken(event: Event) -> tuple[object, ...]:
    """Return *event* with its stream by number: comparable between connections."""
    return (
        type(event).__name__,
        *(part if not hasattr(part, "id") else getattr(part, "id", 0) for part in astuple(event)),
    )
