"""Field sections of requests: decompressed, and checked by RFC 9113 section 8."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from hpack import Decoder
from hpack.exceptions import HPACKError, OversizedHeaderListError

from headrace.host.extproc.native.faults import ConnectionFault, Refusal
from headrace.host.extproc.native.frames import ErrorCode

Field = tuple[bytes, bytes]

REMEMBERED_MAX = 64
REMEMBERED_BYTES_MAX = 1024
FIELD_OVERHEAD_BYTES = 32  # RFC 7541 section 4.1
LENGTH_DIGITS_MAX = 18

_BAD_NAME = re.compile(rb"[\x00-\x20A-Z\x7f-\xff:]")
_BAD_VALUE = re.compile(rb"[\x00\n\r]|\A[ \t]|[ \t]\Z")
_PSEUDO = frozenset((b":method", b":scheme", b":authority", b":path"))
_OF_THE_CONNECTION = frozenset(
    (b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade")
)


class MalformedFields(Exception):
    """A field section that no request may have: a fault of its stream."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The field section that a request begins with.

    fields         all but the pseudo-headers; of several with one name, the last
    size_bytes     as SETTINGS_MAX_HEADER_LIST_SIZE counts
    malformed      what is wrong with it; empty if it is sound
    """

    method: bytes = b""
    path: bytes = b""
    fields: Mapping[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    content_length: int | None = None
    size_bytes: int = 0
    malformed: str = ""


class FieldReader:
    """Decompresses the field blocks of one connection. Mutable: HPACK has a table.

    A block that neither changed the table nor came after a change means the same again, so
    it is looked up: Envoy begins most of its streams with the same octets.
    """

    __slots__ = ("_decoder", "_heads")

    def __init__(self, list_bytes_max: int) -> None:
        self._decoder = Decoder(list_bytes_max)
        self._heads: dict[bytes, RequestHead] = {}

    @property
    def remembered(self) -> int:
        """How many blocks can be looked up now."""
        return len(self._heads)

    def request(self, block: bytes) -> RequestHead:
        """Return the head in *block*.

        Raises:
            ConnectionFault: it cannot be decompressed, or is far too large.
        """
        head = self._heads.get(block)
        if head is None:
            fields, same_table = self._decode(block)
            head = _checked(fields)
            if same_table and len(block) <= REMEMBERED_BYTES_MAX:
                if len(self._heads) >= REMEMBERED_MAX:
                    self._heads.clear()
                self._heads[block] = head
        return head

    def trailers(self, block: bytes) -> str:
        """Return what is wrong with the trailers in *block*, or nothing.

        Raises:
            ConnectionFault: it cannot be decompressed, or is far too large.
        """
        fields, _ = self._decode(block)
        try:
            for name, value in fields:
                _check_field(name, value)
        except MalformedFields as fault:
            return str(fault)
        return ""

    def _decode(self, block: bytes) -> tuple[Sequence[Field], bool]:
        decoder = self._decoder
        table = decoder.header_table
        before = (table.maxsize, len(table.dynamic_entries), _newest(table.dynamic_entries))
        try:
            fields = cast("Sequence[Field]", decoder.decode(block, raw=True))
        except OversizedHeaderListError as error:
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM, "field section too large", Refusal.HEADERS
            ) from error
        except (HPACKError, IndexError) as error:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, "broken field block") from error
        after = (table.maxsize, len(table.dynamic_entries), _newest(table.dynamic_entries))
        same = before[:2] == after[:2] and before[2] is after[2]
        if not same:
            self._heads.clear()
        return fields, same


def _newest(entries: Sequence[Field]) -> Field | None:
    # Every insertion makes a new tuple, so its identity tells whether there was one.
    return entries[0] if entries else None


def _checked(fields: Sequence[Field]) -> RequestHead:
    size_bytes = sum(len(n) + len(v) + FIELD_OVERHEAD_BYTES for n, v in fields)
    try:
        pseudo, rest = _split(fields)
        _check_target(pseudo, rest)
        length = _content_length([v for n, v in fields if n == b"content-length"])
    except MalformedFields as fault:
        return RequestHead(size_bytes=size_bytes, malformed=str(fault))
    return RequestHead(pseudo[b":method"], pseudo.get(b":path", b""), rest, length, size_bytes)


def _split(fields: Sequence[Field]) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """Return the pseudo-headers and the others (section 8.3: the former come first, once each)."""
    pseudo: dict[bytes, bytes] = {}
    rest: dict[bytes, bytes] = {}
    for name, value in fields:
        if not name.startswith(b":"):
            _check_field(name, value)
            rest[name] = value
            continue
        if rest:
            raise MalformedFields("pseudo-header after a header")
        if name not in _PSEUDO or name in pseudo:
            raise MalformedFields("unknown or repeated pseudo-header")
        if _BAD_VALUE.search(value):
            raise MalformedFields("forbidden octet in a pseudo-header")
        pseudo[name] = value
    return pseudo, rest


def _check_field(name: bytes, value: bytes) -> None:
    """Refuse what section 8.2 forbids."""
    if not name or _BAD_NAME.search(name):
        raise MalformedFields("forbidden octet in a header's name")
    if _BAD_VALUE.search(value):
        raise MalformedFields("forbidden octet in a header's value")
    if name in _OF_THE_CONNECTION or (name == b"te" and value.lower() != b"trailers"):
        raise MalformedFields("header of a connection")


def _check_target(pseudo: Mapping[bytes, bytes], rest: Mapping[bytes, bytes]) -> None:
    """Refuse a request that does not say, or says twice, what it is for (section 8.3.1)."""
    method, path = pseudo.get(b":method"), pseudo.get(b":path")
    if not method:
        raise MalformedFields("no :method")
    if method == b"CONNECT":  # section 8.5
        if b":scheme" in pseudo or path is not None or not pseudo.get(b":authority"):
            raise MalformedFields("CONNECT is for an authority only")
    elif not pseudo.get(b":scheme") or not path:
        raise MalformedFields("no :scheme or no :path")
    elif not path.startswith(b"/") and not (path == b"*" and method == b"OPTIONS"):
        raise MalformedFields("a :path that is none")
    authority, host = pseudo.get(b":authority"), rest.get(b"host")
    if authority is not None and host is not None and host != authority:
        raise MalformedFields("host is not :authority")


def _content_length(values: Sequence[bytes]) -> int | None:
    if not values:
        return None
    first = values[0]
    if any(value != first for value in values) or not first.isdigit():
        raise MalformedFields("content-length is no number")
    if len(first) > LENGTH_DIGITS_MAX:
        raise MalformedFields("content-length is out of range")
    return int(first)
