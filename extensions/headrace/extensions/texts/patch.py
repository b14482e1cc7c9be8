"""Change single values of a JSON body: all other bytes stay as they are, white space included.

A path leads to what a decoder would find there: of a name that an object has twice, the last.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from headrace.extensions.texts.values import Path, Unreadable

# Possessive, so that no text makes them go back: time is linear in the body.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TEXT = re.compile(_STRING, re.DOTALL)
_MARK = re.compile(_STRING + rb"|[\[\]{}]", re.DOTALL)
_PLAIN = re.compile(rb"[-+.0-9A-Za-z]++")
_BLANK = re.compile(rb"[ \t\r\n]*+")

Tree = dict[str | int, "Tree | bytes"]
Span = tuple[int, int]


def patched(body: bytes, texts: Mapping[Path, str]) -> bytes:
    """Return *body* with the value at each path replaced by a string.

    *body* is JSON that a strict decoder has accepted.

    Raises:
        Unreadable: a path leads nowhere.
        UnicodeEncodeError: a text has half of a surrogate pair, which UTF-8 cannot have.
    """
    if not texts:
        return body
    return spliced(body, {path: msgspec.json.encode(text) for path, text in texts.items()})


def spliced(body: bytes, values: Mapping[Path, bytes]) -> bytes:
    """Return *body* with the value at each path replaced by a JSON value as it is.

    Of two paths of which one leads into the other, the shorter counts.

    Raises:
        Unreadable: a path leads nowhere.
    """
    cuts: list[tuple[int, int, bytes]] = []
    _find(body, _after_blank(body, 0), _tree(values), cuts)
    pieces: list[bytes] = []
    done = 0
    for start, end, value in sorted(cuts):
        pieces += (body[done:start], value)
        done = end
    pieces.append(body[done:])
    return b"".join(pieces)


def with_model(body: bytes, model: str) -> bytes:
    """Return *body*, a JSON object, with its top-level `model` replaced, or put first.

    Raises:
        Unreadable: *body* is no JSON object.
    """
    value = msgspec.json.encode(model)
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise Unreadable("the body is no JSON object") from error
    if "model" not in fields:
        at = body.index(b"{") + 1
        comma = b"," if fields else b""
        return b"".join((body[:at], b'"model":', value, comma, body[at:]))
    old = bytes(fields["model"])
    # The usual case: its bytes stand in the body once, so there is nothing to look for.
    if body.count(old) == 1:
        return body.replace(old, value)
    return spliced(body, {("model",): value})


def event_with(raw: bytes, data: bytes) -> bytes:
    """Return the event *raw* of an event stream with its data lines replaced by *data*.

    Its other lines, its line ends and its blank line stay.
    """
    lines = raw.splitlines(keepends=True)
    kept: list[bytes] = []
    told = False
    for line in lines:
        if not line.startswith(b"data:") and line.rstrip(b"\r\n") != b"data":
            kept.append(line)
        elif not told:
            told = True
            end = line[len(line.rstrip(b"\r\n")) :] or b"\n"
            kept += [b"data: " + piece + end for piece in data.split(b"\n")]
    return b"".join(kept)


def _tree(values: Mapping[Path, bytes]) -> Tree:
    root: Tree = {}
    for path in sorted(values, key=len):
        node = root
        for step in path[:-1]:
            below = node.setdefault(step, {})
            if isinstance(below, bytes):
                break
            node = below
        else:
            if not path:
                raise Unreadable("the path to the value is empty")
            node[path[-1]] = values[path]
    return root


def _find(body: bytes, at: int, tree: Tree, cuts: list[tuple[int, int, bytes]]) -> None:
    """Add to *cuts* where the values of *tree* stand, below the value that begins at *at*."""
    opening = body[at : at + 1]
    spans: dict[str | int, Span] = {}
    if opening == b"{":
        spans = _fields(body, at, tree)
    elif opening == b"[":
        spans = {n: span for n, span in enumerate(_elements(body, at)) if n in tree}
    for step, below in tree.items():
        span = spans.get(step)
        if span is None:
            raise Unreadable(f"the body has no value at `{step}`")
        if isinstance(below, bytes):
            cuts.append((*span, below))
        else:
            _find(body, span[0], below, cuts)


def _fields(body: bytes, at: int, wanted: Tree) -> dict[str | int, Span]:
    """Return where the *wanted* fields of the object at *at* are; of two of a name, the last."""
    found: dict[str | int, Span] = {}
    at = _after_blank(body, at + 1)
    while body[at : at + 1] == b'"':
        key_end = _end(body, at)
        name: str = msgspec.json.decode(body[at:key_end])
        start = _after_blank(body, _after_blank(body, key_end) + 1)
        end = _end(body, start)
        if name in wanted:
            found[name] = (start, end)
        at = _next(body, end)
    return found


def _elements(body: bytes, at: int) -> Iterator[Span]:
    """Yield where each element of the list at *at* begins and ends."""
    at = _after_blank(body, at + 1)
    while body[at : at + 1] not in (b"]", b""):
        end = _end(body, at)
        yield at, end
        at = _next(body, end)


def _next(body: bytes, at: int) -> int:
    """Return where what follows the value that ends at *at* begins, a comma passed by."""
    at = _after_blank(body, at)
    return _after_blank(body, at + 1) if body[at : at + 1] == b"," else at


def _after_blank(body: bytes, at: int) -> int:
    found = _BLANK.match(body, at)
    assert found is not None, "it matches nothing too"
    return found.end()


def _end(body: bytes, at: int) -> int:
    """Return where the value that begins at *at* ends."""
    opening = body[at : at + 1]
    if opening in (b"{", b"["):
        return _closed(body, at)
    found = (_TEXT if opening == b'"' else _PLAIN).match(body, at)
    if found is None:
        raise Unreadable(f"the body is malformed JSON at offset {at}")
    return found.end()


def _closed(body: bytes, at: int) -> int:
    """Return where the object or list that begins at *at* ends: without recursion."""
    depth = 0
    for mark in _MARK.finditer(body, at):
        first = body[mark.start()]
        if first in b"[{":
            depth += 1
        elif first in b"]}":
            depth -= 1
            if depth == 0:
                return mark.end()
    raise Unreadable(f"the body is malformed JSON: what begins at offset {at} has no end")
