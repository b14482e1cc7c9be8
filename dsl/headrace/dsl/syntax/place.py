"""The word at which a block stops fitting the grammar, and what may be said about it."""

import re
from dataclasses import dataclass

from headrace.dsl.problems.diagnostic import Applicability, Fix
from headrace.dsl.source import Span
from headrace.dsl.syntax.blocks import Block
from headrace.dsl.syntax.grammar import Misfit, Start, fitting

_RUN = re.compile(r"[\w.]+")
_WORD = re.compile(r"[\w-]+|\S")
_BEFORE_CHARS = 200


@dataclass(frozen=True, slots=True)
class Place:
    """Where *text*, which is a block or stands for one, stops fitting.

    text   as long as the block's own; mistakes reported before are already written over
    start  of the word, counted from the start of the block
    word   what stands there; empty at the end of the block
    """

    block: Block
    text: str
    start: int
    word: str
    misfit: Misfit

    @property
    def end(self) -> int:
        """Where the word ends."""
        return self.start + len(self.word)

    @property
    def span(self) -> Span:
        """The word in its source."""
        return self.inner(self.start, self.end)

    @property
    def expected(self) -> frozenset[str]:
        """The terminals that would have fitted."""
        return self.misfit.expected

    @property
    def before(self) -> str:
        """What stands before the word, of this block and not too far away."""
        return self.text[max(0, self.start - _BEFORE_CHARS) : self.start]

    @property
    def line_after(self) -> str:
        """What stands from the word to the end of its line."""
        return self.text[self.start :].partition("\n")[0].rstrip()

    def inner(self, start: int, end: int) -> Span:
        """Return the span of these characters of the block."""
        return self.block.span.inner(start, min(end, len(self.text)))


@dataclass(frozen=True, slots=True)
class Edit:
    """Write *text* over the characters ``start <= i < start + len(text)`` of a block."""

    start: int
    text: str

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong at a place, and how to read on as if it were right.

    span    the characters that are wrong, counted from the start of the block
    cure    the text that belongs there, and how sure we are of it
    at      where *cure* belongs, if that is not all of *span*
    edits   what to write over the block to read on; of the same length, so that places stay
    lost    whether a part of the block goes with them
    """

    code: str
    span: tuple[int, int]
    message: str
    label: str = ""
    help: str = ""
    cure: tuple[str, Applicability] | None = None
    edits: tuple[Edit, ...] = ()
    at: tuple[int, int] | None = None
    lost: bool = False

    def fix(self, place: Place) -> Fix | None:
        """Return the cure as an edit of the source."""
        where = self.at or self.span
        return Fix(place.inner(*where), *self.cure) if self.cure is not None else None


def place_of(block: Block, text: str, misfit: Misfit, start: Start) -> Place:
    """Return the word at which *text* stops fitting, all of it if only its end does not fit."""
    at = misfit.at
    while 0 < at < len(text) and is_word(text[at]) and is_word(text[at - 1]):
        at -= 1
    digits = re.compile(r"[\d_]+\.$").search(text, max(0, at - 40), at)
    if digits and text[at : at + 1].isalnum():
        at = digits.start()
    run = _RUN.match(text, at) if text[at : at + 1].isdigit() else _WORD.match(text, at)
    if at < misfit.at:
        misfit = Misfit(at, fitting(text[:at], start))
    return Place(block, text, at, text[at : run.end()] if run else "", misfit)


def is_word(character: str) -> bool:
    """Return whether *character* may be part of a word."""
    return character.isalnum() or character == "_"


def padded(text: str, length: int) -> str:
    """Return *text* filled up with spaces to *length*."""
    assert len(text) <= length, (text, length)
    return text.ljust(length)
