"""How the texts of bodies are read and changed: what the guards need to know of the APIs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import msgspec

from headrace.extensions.call import Api
from headrace.extensions.texts.values import Channel, Passage, Path, Piece, Said

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
    """Return every string in *body*, of an API that is not known; not JSON: all of it as a text."""
    return tuple(
        Passage(ANSWER, Said.PROSE, text, path or (), whole=path is not None)
        for path, text in _strings(body)
    )


def any_pieces(data: bytes) -> tuple[Piece, ...]:
    """Return every string in the data of an event of an API that is not known."""
    channel = Channel(Said.PROSE)
    return tuple(Piece(channel, text, path or ()) for path, text in _strings(data))


def _strings(body: bytes) -> Iterator[tuple[Path | None, str]]:
    """Yield each string and where it stands; None: *body* is no JSON, and is the text itself."""
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        yield None, body.decode("utf-8", "replace")
        return
    yield from _of(value, ())


def _of(value: object, path: Path) -> Iterator[tuple[Path | None, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict) and len(path) < DEPTH_MAX:
        for name, inner in cast("dict[str, object]", value).items():
            yield from _of(inner, (*path, name))
    elif isinstance(value, list) and len(path) < DEPTH_MAX:
        for at, inner in enumerate(cast("list[object]", value)):
            yield from _of(inner, (*path, at))
    elif isinstance(value, dict | list):
        yield None, msgspec.json.encode(value).decode()
