"""Field blocks that we send. They touch no table of HPACK, so that each is a constant.

Literals without indexing (RFC 7541 section 6.2.2) and indices of the static table only. The
first block of a connection must begin with NO_TABLE, which says so; thereby no setting of
the peer can ask for an update later (RFC 9113 section 4.3.1).
"""

from collections.abc import Sequence

NO_TABLE = b"\x20"  # dynamic table size update to 0
CODES = {
    "OK": 0,
    "CANCELLED": 1,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "DATA_LOSS": 15,
    "UNAUTHENTICATED": 16,
}
MESSAGE_CHARS_MAX = 1024
IDENTITY_ONLY = (("grpc-accept-encoding", "identity"),)

_STATUS_NAME, _CONTENT_TYPE_NAME = 8, 31  # of the static table
_STATUS_200 = b"\x88"


def literal(name: str | int, value: str) -> bytes:
    """Return one field; *name* is a text or an index of the static table."""
    if isinstance(name, int):
        start = _integer(name, 4)
    else:
        start = b"\x00" + _integer(len(name), 7) + name.encode("ascii")
    return start + _integer(len(value), 7) + value.encode("ascii")


def _integer(value: int, prefix_bits: int) -> bytes:
    """Return *value* in an octet whose upper bits are 0, and more if needed (section 5.1)."""
    full = (1 << prefix_bits) - 1
    if value < full:
        return bytes((value,))
    octets = [full]
    value -= full
    while value >= 0x80:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*octets, value))


HEAD = _STATUS_200 + literal(_CONTENT_TYPE_NAME, "application/grpc")
OK_TRAILERS = literal("grpc-status", "0")


def trailers(code: str, message: str = "") -> bytes:
    """Return the last field block of a stream that ends with *code*."""
    block = literal("grpc-status", str(CODES[code]))
    return block + literal("grpc-message", percent(message)) if message else block


def trailers_only(
    code: str, message: str, extra: Sequence[tuple[str, str]] = (), http_status: int = 200
) -> bytes:
    """Return the one field block of a stream that is answered with nothing but *code*."""
    head = HEAD
    if http_status != 200:
        head = literal(_STATUS_NAME, str(http_status)) + HEAD[len(_STATUS_200) :]
    return head + trailers(code, message) + b"".join(literal(n, v) for n, v in extra)


def http_only(status: int, extra: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return the one field block of an answer to what is no gRPC request."""
    return literal(_STATUS_NAME, str(status)) + b"".join(literal(n, v) for n, v in extra)


def percent(message: str) -> str:
    """Return *message* percent-encoded, as gRPC over HTTP/2 wants `grpc-message`, and bounded."""
    octets = message[:MESSAGE_CHARS_MAX].strip().encode("utf-8", "replace")
    return "".join(chr(o) if 0x20 <= o <= 0x7E and o != 0x25 else f"%{o:02X}" for o in octets)
