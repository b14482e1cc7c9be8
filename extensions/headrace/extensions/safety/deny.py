"""The provider of deny lists: words and phrases, in any case and any script.

A phrase and a text are compared in their folded forms, see `fold`: full-width letters,
ligatures and composed accents are the same as plain ones, and accents count. Where a phrase
has a space the text may have any white space. What begins or ends with a letter or a digit
does so at the edge of a word, except in the scripts that put no spaces between words.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from headrace.extensions.safety.contract import Asked, Found, Verdict
from headrace.extensions.safety.expression import Expression, expression
from headrace.extensions.safety.flat import UNSPACED, is_unspaced
from headrace.extensions.safety.fold import Folder
from headrace.extensions.safety.local import LOOK_BACK, REACH, verdict

WHAT = "denied"
AUTOMATON_BYTES = 8 << 20, 256 << 20  # least and most, which thousands of phrases take
PHRASE_BYTES = 32 << 10
SPACES_MAX = 16  # a phrase with more white space at one place is another one
UNSEEN_MAX = 64  # characters that nobody sees, in one phrase
_SPACES = f"[\\t-\\r\\x1c-\\x20]{{1,{SPACES_MAX}}}"
_SPACE_RUN = re.compile("[\t-\r\x1c-\x20]+")
_ASCII_START = re.compile(r"\b\w|[^\w\s]", re.ASCII)
_UNSPACED = "".join(f"\\x{{{low:x}}}-\\x{{{high:x}}}" for low, high in UNSPACED)
_EDGE = f"[^\\p{{L}}\\p{{M}}\\p{{N}}_]|[{_UNSPACED}]"


@dataclass(frozen=True, slots=True)
class Group:
    """The phrases that have the same edges: whether their ends must be edges of words."""

    expression: Expression = field(repr=False)
    left: bool
    right: bool


@dataclass(frozen=True, slots=True)
class DenyList:
    """Finds any of its phrases, the longest at each place."""

    phrases: tuple[str, ...] = field(repr=False)  # folded, sorted
    groups: tuple[Group, ...] = field(repr=False)
    folder: Folder = field(repr=False)
    firsts: frozenset[str] = field(repr=False)
    spaces_max: int
    width_max: int
    name: str = "deny"
    reach = REACH

    def screen(self, asked: Asked) -> Verdict:
        """Return where phrases are in the texts; not which."""
        return verdict(self, asked)

    def found(self, text: str, start: int = 0) -> tuple[Found, ...]:
        """Return where phrases are in *text*."""
        folded = self.folder.folded(text)
        data = folded.encode(errors="replace")
        first = max(0, start - LOOK_BACK)  # what is there tells whether a word begins at *start*
        if first and not text.isascii():
            first = len(self.folder.folded(text[:first]).encode(errors="replace"))
        spans = [span for group in self.groups for span in _spans(group, data, first)]
        if spans and not text.isascii():
            places = self.folder.places(text)
            spans = [
                (bisect_right(places, begin) - 1, bisect_left(places, end))
                for begin, end in _chars(data, spans)
            ]
        return tuple(
            Found(WHAT, begin, end, begin)
            for begin, end in sorted(spans)
            if begin >= start and end - begin <= self.width_max
        )

    def partial_start(self, text: str, overlap: int = 64) -> int:
        """Return the first character of what could be the beginning of a phrase."""
        skipped = max(0, len(text) - self.width_max - LOOK_BACK)
        tail = text[skipped:]
        folded = self.folder.folded(tail)
        last_words = folded.rsplit(None, self.spaces_max + 1)
        first = len(last_words[0]) if len(last_words) > self.spaces_max + 1 else 0
        for at in _word_starts(folded, first):
            if folded[at] in self.firsts:
                beginning = _SPACE_RUN.sub(" ", folded[at:])
                place = bisect_left(self.phrases, beginning)
                if self.phrases[place : place + 1] and self.phrases[place].startswith(beginning):
                    return skipped + (at if tail.isascii() else self._source(tail, at))
        return len(text)

    def _source(self, text: str, at: int) -> int:
        return bisect_right(self.folder.places(text), at) - 1


def deny_list(phrases: Iterable[str]) -> DenyList:
    """Return the provider that objects to *phrases*.

    Raises:
        ValueError: none of them has a character that can be seen.
    """
    folder = Folder()
    folded = {" ".join(folder.folded(phrase).split()) for phrase in phrases} - {""}
    if not folded:
        raise ValueError("a deny list needs a phrase that can be seen")
    of_edges: dict[tuple[bool, bool], list[str]] = {}
    for phrase in sorted(folded, reverse=True):  # what begins like another comes after it
        edges = (_is_inner(phrase[0]), _is_inner(phrase[-1]))
        of_edges.setdefault(edges, []).append(phrase)
    return DenyList(
        tuple(sorted(folded)),
        tuple(_group(some, *edges) for edges, some in of_edges.items()),
        folder,
        frozenset(phrase[0] for phrase in folded),
        max(phrase.count(" ") for phrase in folded),
        max(len(one) + one.count(" ") * (SPACES_MAX - 1) for one in folded) + UNSEEN_MAX,
    )


def _group(phrases: list[str], left: bool, right: bool) -> Group:
    """Compile *phrases*: of two at one place the first counts."""
    any_of = "|".join(_SPACES.join(map(_quoted, phrase.split(" "))) for phrase in phrases)
    before = f"(?:\\A|{_EDGE})" if left else ""
    after = f"(?:\\z|{_EDGE})" if right else ""
    least, most = AUTOMATON_BYTES
    size = min(most, least + PHRASE_BYTES * len(phrases))
    return Group(expression(f"{before}(?:{any_of}){after}", size), left, right)


def _quoted(text: str) -> str:
    return "".join(char if char.isalnum() else f"\\x{{{ord(char):x}}}" for char in text)


def _spans(group: Group, data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Yield where phrases of *group* are in *data*, without the edges that were seen with them."""
    while place := group.expression.search(data, start):
        begin, end = place.span()
        found = data[begin:end].decode()
        if group.left and not _is_inner(found[0]):
            begin += len(found[0].encode())
        if group.right and not _is_inner(found[-1]):
            end -= len(found[-1].encode())
        yield begin, end
        start = end


def _chars(data: bytes, spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return *spans* of the UTF-8 *data* in characters."""
    found: dict[int, int] = {}
    bytes_read = chars_read = 0
    for at in sorted({at for span in spans for at in span}):
        chars_read += len(data[bytes_read:at].decode())
        found[at], bytes_read = chars_read, at
    return [(found[begin], found[end]) for begin, end in spans]


def _word_starts(folded: str, first: int) -> Iterator[int]:
    """Yield where in *folded*, from *first* on, a phrase may begin."""
    if folded.isascii():
        yield from (place.start() for place in _ASCII_START.finditer(folded, first))
        return
    is_in_word = first > 0 and _is_inner(folded[first - 1])
    for at, char in enumerate(folded[first:], first):
        was_in_word, is_in_word = is_in_word, _is_inner(char)
        if not (was_in_word and is_in_word):
            yield at


def _is_inner(char: str) -> bool:
    """Return whether *char* is of a word of a script that puts spaces between words."""
    if char.isascii():
        return char.isalnum() or char == "_"
    return unicodedata.category(char)[0] in "LMN" and not is_unspaced(char)
