"""How the texts of bodies are read and changed: what the guards need to know of the APIs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import msgspec

from headrace.extensions.call import Api
from headrace.extensions.safety.escapes import unescaped
from headrace.extensions.texts.doubled import is_doubled
from headrace.extensions.texts.names import is_plain
from headrace.extensions.texts.values import Channel, Passage, Path, Piece, Said, Unreadable

DEPTH_MAX = 64  # as of request bodies
ANSWER = "assistant"


@dataclass(frozen=True, slots=True)
class Reads:
    """Reads texts. Each raises `texts.values.Unreadable` for what is not of that API.

    request  the passages of a request body        answer   those of a whole answer
    pieces   of the data of one event
    spliced  a body, or the data of an event, with other JSON values at some paths
    stripped  a body or the data of an event, without what repeats its texts unseen
    """

    request: Callable[[Api, bytes], tuple[Passage, ...]]
    answer: Callable[[Api, bytes], tuple[Passage, ...]]
    pieces: Callable[[Api, bytes], tuple[Piece, ...]]
    spliced: Callable[[bytes, Mapping[Path, bytes]], bytes]
    stripped: Callable[[bytes], bytes]


def any_passages(body: bytes) -> tuple[Passage, ...]:
    """Return every string in *body*, of an API that is not known; not JSON: all of it as a text.

    Raises:
        Unreadable: it is no UTF-8, or has a name twice in an object.
    """
    return tuple(
        Passage(ANSWER, Said.PROSE, text, path or (), whole=path is not None)
        for path, text in _strings(body)
    )


def any_pieces(data: bytes) -> tuple[Piece, ...]:
    """Return every string in the data of an event of an API that is not known.

    Raises:
        Unreadable: as `any_passages`.
    """
    channel = Channel(Said.PROSE)
    return tuple(Piece(channel, text, path or ()) for path, text in _strings(data))


def _strings(body: bytes) -> Iterator[tuple[Path | None, str]]:
    """Yield each string and where it stands; None: *body* is no JSON, and is the text itself."""
    text = _text(body)
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        yield None, text
        if "\\" in text:  # several lines of JSON, perhaps, or half of one
            yield None, unescaped(text).text
        return
    if is_doubled(body, value):
        raise Unreadable("a name stands twice in one object")
    yield from _of(value, ())


def _text(body: bytes) -> str:
    """Return *body* as text. Clients guess at UTF-16 by its zeros, whatever they are told."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("it is no UTF-8") from error
    if "\0" in text:
        raise Unreadable("it has zero bytes")
    return text


def _of(value: object, path: Path) -> Iterator[tuple[Path | None, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict) and len(path) < DEPTH_MAX:
        for name, inner in cast("dict[str, object]", value).items():
            if not is_plain(name):
                yield None, name
            yield from _of(inner, (*path, name))
    elif isinstance(value, list) and len(path) < DEPTH_MAX:
        for at, inner in enumerate(cast("list[object]", value)):
            yield from _of(inner, (*path, at))
    elif isinstance(value, dict | list):
        yield None, msgspec.json.encode(value).decode()
