"""The words of a text with what lies between them: comments, line ends, and the space to print."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import lark

from headrace.dsl.syntax.grammar import Start, Tree, parser

_COMMENT = re.compile(r"#[^\n]*")
_OPENING, _CLOSING = frozenset(("LPAR", "LSQB", "LBRACE")), frozenset(("RPAR", "RSQB", "RBRACE"))
# After these a dot or a bracket belongs to what stands before.
_OPERANDS = frozenset(
    (
        "IDENT", "QUOTED", "STRING", "OCTETS", "INT", "UINT", "FLOAT", "PERCENT", "DURATION",
        "SIZE", "TRUE", "FALSE", "NULL", *_CLOSING,
    )
)  # fmt: skip
_LOGIC = {"||": "||", "&&": "&&"}


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment and how many line ends are between it and what stands before."""

    text: str
    newlines: int


@dataclass(frozen=True, slots=True)
class Word:
    """One token.

    newlines  line ends between it and what stands before, a comment or a word
    comments  those between the word before and this one
    space     what is printed before it if it follows the word before on a line
    depth     how many brackets it is in; a bracket is outside itself
    split     the chain that it is a link of: ``? : || && + ,``; empty if of none
    """

    kind: str
    text: str
    start: int = field(compare=False)
    newlines: int = field(default=0, compare=False)
    comments: tuple[Comment, ...] = field(default=(), compare=False)
    space: str = field(default=" ", compare=False)
    depth: int = field(default=0, compare=False)
    split: str = field(default="", compare=False)

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self.text)


def read(text: str, start: Start) -> tuple[list[Word], Tree]:
    """Return the words and the tree of *text*, which fits the grammar."""
    # Lark types what is interactive loosely.
    interactive = parser().parse_interactive(text, start=start)  # pyright: ignore
    found = list(cast(Iterable[lark.Token], interactive.iter_parse()))  # pyright: ignore
    finish = cast(Callable[[lark.Token], Tree], interactive.feed_eof)  # pyright: ignore
    tree = finish(found[-1])
    return _marked([Word(t.type, str(t), t.start_pos or 0) for t in found]), tree


def between(text: str, begin: int, end: int) -> tuple[tuple[Comment, ...], int]:
    """Return the comments from *begin* to *end*, and the line ends behind the last of them."""
    comments: list[Comment] = []
    at = begin
    for found in _COMMENT.finditer(text, begin, end):
        comments.append(Comment(found.group().rstrip(), text.count("\n", at, found.start())))
        at = found.end()
    return tuple(comments), text.count("\n", at, end)


def flat(words: Sequence[Word]) -> str:
    """Return *words* on one line."""
    first, *rest = words
    return first.text + "".join(word.space + word.text for word in rest)


@dataclass(slots=True)
class _Open:
    """A bracket that is open, or the outside. Written by `_marked` only."""

    kind: str = ""
    questions: int = 0


def _marked(words: Sequence[Word]) -> list[Word]:
    """Return *words* with their spaces, depths and chains."""
    found: list[Word] = []
    open_ = [_Open()]
    for i, word in enumerate(words):
        before = found[-1] if found else None
        if word.kind in _CLOSING and len(open_) > 1:
            open_.pop()
        split = _split(word, before, open_[-1])
        after = words[i + 1].kind if i + 1 < len(words) else ""
        space = _space(before, word, split, after) if before else ""
        found.append(replace(word, split=split, space=space, depth=len(open_) - 1))
        if word.kind in _OPENING:
            open_.append(_Open(word.kind))
    return found


def _split(word: Word, before: Word | None, open_: _Open) -> str:
    match word.kind:
        case "QMARK":
            if before is None or before.kind not in _OPERANDS:
                return ""
            open_.questions += 1
            return "?"
        case "COLON":
            if not open_.questions:  # of a map or a type
                return ""
            open_.questions -= 1
            return ":"
        case "ADDOP" | "PLUS":
            return "+"
        case "COMMA":
            return ","
        case _:
            return _LOGIC.get(word.text, "")


def _space(before: Word, word: Word, split: str, after: str) -> str:
    """Return what is printed between *before* and *word*."""
    tight_after = before.kind in ("LPAR", "LSQB", "DOT", "BANG", "MINUS") or (
        before.kind == "QMARK" and not before.split
    )
    if tight_after or word.kind in ("RPAR", "RSQB", "COMMA"):
        return ""
    if word.kind in ("LSQB", "DOT", "LPAR"):
        calls = ("IDENT",) if word.kind == "LPAR" else _OPERANDS
        return "" if before.kind in calls else " "
    if word.kind == "COLON" and not split:
        return ""
    if word.kind == "LESSTHAN" and after != "DURATION":
        return ""
    if word.kind == "MORETHAN" or (before.kind == "LESSTHAN" and word.kind == "IDENT"):
        return ""
    if before.kind == "LBRACE" and word.kind == "RBRACE":
        return ""
    return "  " if word.kind == "TIES" else " "
