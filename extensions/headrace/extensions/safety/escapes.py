"""Source text of JSON as what it means: with its escapes resolved, and each place known.

For texts that are JSON inside a string, such as the arguments of a tool's call, whole or a
window of a stream. Nothing is parsed, so it need not be valid: an escape becomes its character,
all else is itself.
"""

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import pairwise
from json import dumps

_HEX = "[0-9A-Fa-f]"
_HIGH, _LOW = f"\\\\u[dD][89abAB]{_HEX}{{2}}", f"\\\\u[dD][c-fC-F]{_HEX}{{2}}"
_ESCAPE = re.compile(f"{_HIGH}{_LOW}|\\\\u{_HEX}{{4}}|\\\\[^u]", re.DOTALL)
_FIRST_HALF = re.compile(_HIGH)
_UNFINISHED = re.compile(f"\\\\(?:u{_HEX}{{0,3}})?\\Z")
_QUOTE = re.compile(r'\\.|(")', re.DOTALL)
_BARE_END = re.compile(r"[\s\"\[\]{},:]|\Z")
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Unescaped:
    """The *text* that a source means. Places in the two differ behind an escape.

    open_from  where in the source an escape begins that may go on; its length if none does
    """

    text: str = field(repr=False)
    open_from: int
    _texts: tuple[int, ...] = field(default=(0,), repr=False)  # in the text: behind each escape;
    _sources: tuple[int, ...] = field(default=(0,), repr=False)  # and the same in the source

    def source(self, at: int) -> int:
        """Return where in the source the character *at* of the text begins."""
        nearest = bisect_right(self._texts, at) - 1
        return self._sources[nearest] + at - self._texts[nearest]

    def clear(self, at: int) -> int:
        """Return *at*, a place in the source, or the end of the escape that it is inside of."""
        begins, ends = self._escape(at)
        return ends if begins < at else at

    def begin(self, at: int) -> int:
        """Return *at*, a place in the source, or where the escape begins that it is inside of."""
        return min(at, self._escape(at)[0])

    def _escape(self, at: int) -> tuple[int, int]:
        """Return where the first escape that ends behind *at* begins and ends; else *at* twice."""
        following = bisect_right(self._sources, at)
        if following == len(self._sources):
            return at, at
        return self.source(self._texts[following] - 1), self._sources[following]


def unescaped(source: str) -> Unescaped:
    """Return what *source* means. Of half a surrogate pair nothing is known: it is U+FFFD."""
    if "\\" not in source:
        return Unescaped(source, len(source))
    parts: list[str] = []
    texts, sources = [0], [0]
    size = read = half = 0
    for place in _ESCAPE.finditer(source):
        parts += (source[read : place.start()], _character(place[0]))
        size += place.start() - read + 1
        read = place.end()
        half = place.start() if _FIRST_HALF.fullmatch(place[0]) else read
        texts.append(size)
        sources.append(read)
    parts.append(source[read:])
    rest = _UNFINISHED.search(source, read)
    open_from = rest.start() if rest else len(source)
    if open_from == read:
        open_from = half
    return Unescaped("".join(parts), open_from, tuple(texts), tuple(sources))


def escaped(text: str) -> str:
    """Return *text* as it stands between the quotes of a JSON string."""
    return dumps(text, ensure_ascii=False)[1:-1]


class Quotes:
    """Where the strings of a source of JSON begin and end."""

    __slots__ = ("_places", "_source")

    def __init__(self, source: str) -> None:
        self._source = source
        self._places = [place.start() for place in _QUOTE.finditer(source) if place[1]]

    def spans(self, start: int, end: int) -> list[tuple[int, int, bool]]:
        """Return what [start, end) of the source is of: parts of strings, or one bare value.

        Each with whether it is bare; that is then the whole of the value. What is between
        strings is left out.
        """
        first, last = bisect_left(self._places, start), bisect_left(self._places, end)
        if first == last and first % 2 == 0:
            return [self._bare(start, end)]
        edges = [start - 1, *self._places[first:last], end]
        inside = first % 2 == 1
        spans: list[tuple[int, int, bool]] = []
        for before, after in pairwise(edges):
            if inside and before + 1 < after:
                spans.append((before + 1, after, False))
            inside = not inside
        return spans

    def _bare(self, start: int, end: int) -> tuple[int, int, bool]:
        while start > 0 and not _BARE_END.match(self._source[start - 1]):
            start -= 1
        place = _BARE_END.search(self._source, end)
        return start, place.start() if place else len(self._source), True


def _character(escape: str) -> str:
    if escape[1] != "u":
        return _SHORT.get(escape[1], escape[1])
    code = int(escape[2:6], 16)
    if len(escape) > 6:
        low = int(escape[8:], 16)
        return chr(0x10000 + ((code - 0xD800) << 10) + low - 0xDC00)
    return "\N{REPLACEMENT CHARACTER}" if 0xD800 <= code < 0xE000 else chr(code)
