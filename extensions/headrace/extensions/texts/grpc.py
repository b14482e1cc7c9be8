"""vLLM's gRPC API, as far as it is read: the few fields that say what is asked.

Source: vllm/grpc/vllm_engine.proto of vLLM. Its messages are read from the wire form, as
protobuf's encoding guide has it, so that a field which is unknown here is passed by.
"""

from collections.abc import Iterator

from msgspec import Struct

from headrace.extensions.apis import Api
from headrace.extensions.texts.values import Passage, Said, Unreadable

FRAME_BYTES = 5  # a flag, and the length of the message in four bytes
VARINT_BITS_MAX = 70
IDS_MAX = 1 << 20
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}


class Asked(Struct, frozen=True):
    """What a Generate or an Embed asks for. *text* is None for a prompt of token ids.

    What text a client says that its ids stand for is not here: no server reads it.
    """

    text: str | None = None
    ids: tuple[int, ...] = ()
    max_tokens: int | None = None
    stream: bool = False

    def __repr__(self) -> str:
        return f"Asked({len(self.ids)} ids)"


def asked(api: Api, body: bytes) -> Asked:
    """Return what *body*, one frame of gRPC, asks for.

    Raises:
        Unreadable: it is compressed, cut off, more than one frame, or no such message.
    """
    text: str | None = None
    ids: tuple[int, ...] = ()
    max_tokens, stream = None, False
    for number, value in _fields(message(body)):
        if number == 2 and isinstance(value, bytes):
            text, ids = None, _tokenized(value)
        elif api is Api.GRPC_GENERATE and number == 3 and isinstance(value, bytes):
            text, ids = _text(value), ()
        elif api is Api.GRPC_GENERATE and number == 4 and isinstance(value, bytes):
            max_tokens = _number(value, 8)
        elif api is Api.GRPC_GENERATE and number == 5:
            stream = bool(value)
    return Asked(text, ids, max_tokens, stream)


def passages(api: Api, body: bytes) -> tuple[Passage, ...]:
    """Return the readable text of *body*. It cannot be replaced: its path is empty.

    Raises:
        Unreadable: as `asked`.
    """
    text = asked(api, body).text
    return () if text is None else (Passage("user", Said.PROSE, text, (), 0, False),)


def message(body: bytes) -> bytes:
    """Return the one message in *body*.

    Raises:
        Unreadable: it is compressed, cut off, or not alone.
    """
    if len(body) < FRAME_BYTES:
        raise Unreadable("it is shorter than the head of a gRPC message")
    if body[0] != 0:
        raise Unreadable("its gRPC message is compressed")
    if int.from_bytes(body[1:FRAME_BYTES]) != len(body) - FRAME_BYTES:
        raise Unreadable("its gRPC message has another length than it says")
    return body[FRAME_BYTES:]


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field, in order."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind, value = tag & 7, b""
        if kind == _VARINT:
            number, at = _varint(data, at)
            yield tag >> 3, number
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in _WIDTHS:
            size = _WIDTHS[kind]
        else:
            raise Unreadable("its gRPC message is malformed")
        value, at = data[at : at + size], at + size
        if at > len(data):
            raise Unreadable("its gRPC message is cut off")
        yield tag >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while shift < VARINT_BITS_MAX:
        if at >= len(data):
            raise Unreadable("its gRPC message is cut off")
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
    raise Unreadable("its gRPC message is malformed")


def _tokenized(data: bytes) -> tuple[int, ...]:
    """Return the ids of a TokenizedInput, packed or not."""
    ids: list[int] = []
    for number, value in _fields(data):
        if number == 2 and isinstance(value, int):
            ids.append(value)
        elif number == 2 and isinstance(value, bytes):
            at = 0
            while at < len(value) and len(ids) <= IDS_MAX:
                one, at = _varint(value, at)
                ids.append(one)
        if len(ids) > IDS_MAX:
            raise Unreadable(f"it has more than {IDS_MAX} token ids")
    return tuple(ids)


def _number(data: bytes, wanted: int) -> int | None:
    found = [value for number, value in _fields(data) if number == wanted]
    return found[-1] if found and isinstance(found[-1], int) else None


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("a text in its gRPC message is no UTF-8") from error
