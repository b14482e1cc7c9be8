"""Requests of gRPC as a client writes them: heads as field lists, messages with their prefix."""

from dataclasses import dataclass

from headrace.host.extproc.grpcio import SERVICE
from tests.conformance.fields import Field, block
from tests.conformance.frames import Frame, Kind
from tests.host.extproc.wire import body, head

PATH = f"/{SERVICE}/Process"
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"
REQUEST: tuple[Field, ...] = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", PATH),
    (":authority", "headrace.test"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
)


def request(*more: Field, **changed: str | None) -> bytes:
    """Return the block of a call to ext_proc with *more* fields at its end.

    changed  by name without the colon, ``-`` as ``_``; None leaves the field out
    """
    fields: list[Field] = []
    for name, value in REQUEST:
        key = str(name).lstrip(":").replace("-", "_")
        new = changed.get(key, value)
        if new is not None:
            fields.append((name, new))
    return block(*fields, *more)


def chain(name: str) -> bytes:
    """Return the block of a call that asks for the chain *name*: see the target's script."""
    return request(("x-headrace-chain", name))


def message(payload: bytes, compressed: int = 0, length: int | None = None) -> bytes:
    """Return *payload* with gRPC's prefix of five octets. *length* if it is to lie."""
    size = len(payload) if length is None else length
    return bytes([compressed]) + size.to_bytes(4, "big") + payload


HEAD = message(head().SerializeToString())
LAST = message(body(b"", end_of_stream=True).SerializeToString())


def chunk(size_bytes: int, end_of_stream: bool = False) -> bytes:
    """Return the message of a request body chunk; the echo sends as much back."""
    return message(body(bytes(size_bytes), end_of_stream).SerializeToString())


@dataclass(frozen=True, slots=True)
class Answer:
    """What came on one stream, in order.

    frames  everything seen on the stream
    """

    frames: tuple[Frame, ...]

    @property
    def blocks(self) -> list[dict[str, str]]:
        """The header blocks."""
        return [dict(f.fields) for f in self.frames if f.kind == Kind.HEADERS]

    @property
    def status(self) -> str:
        """The HTTP status; empty if no head came."""
        return self.blocks[0][":status"] if self.blocks else ""

    @property
    def grpc_status(self) -> str:
        """The gRPC status; empty if none came."""
        return self.blocks[-1].get("grpc-status", "") if self.blocks else ""

    @property
    def body(self) -> bytes:
        """The octets of all DATA. The host never pads; the referee sees to that."""
        return b"".join(f.payload for f in self.frames if f.kind == Kind.DATA)

    @property
    def messages(self) -> list[bytes]:
        """The complete gRPC messages of the body."""
        found: list[bytes] = []
        data = self.body
        while len(data) >= 5:
            size = int.from_bytes(data[1:5], "big")
            if len(data) < 5 + size:
                break
            assert data[0] == 0, "a compressed message was never asked for"
            found.append(data[5 : 5 + size])
            data = data[5 + size :]
        return found

    @property
    def reset_code(self) -> int | None:
        """The code of the RST_STREAM that ended it; None if it ended otherwise."""
        return next((f.code for f in self.frames if f.kind == Kind.RST_STREAM), None)

    @property
    def complete(self) -> bool:
        """Whether END_STREAM came."""
        return any(f.ends_stream for f in self.frames)
