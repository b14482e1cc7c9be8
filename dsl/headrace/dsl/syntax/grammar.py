"""The parser: the text of one block in, a Lark tree or a Misfit out."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Literal, cast

import lark
from lark.exceptions import UnexpectedInput
from lark.lark import PostLex
from lark.lexer import PatternRE, TerminalDef
from lark.parsers.lalr_interactive_parser import InteractiveParser

from headrace.dsl.syntax import table

Tree = lark.Tree[lark.Token]
Start = Literal["header", "item", "expr", "cel"]
STARTS: tuple[Start, ...] = ("header", "item", "expr")
_KEPT_CHARS_MAX = 4096  # of a block that is kept: the tree of a huge one is not worth its memory


@dataclass(frozen=True, slots=True)
class Misfit:
    """Where a text stops fitting the grammar, and the terminals that would have fitted.

    at  offset in the text; its length if the text ends too early
    """

    at: int
    expected: frozenset[str]


class _Glued(Exception):
    """Two words without a space between them, such as `5m` or `priority10`."""

    def __init__(self, at: int) -> None:
        self.at = at


class _Spacing(PostLex):
    """Refuse words that touch: a keyword must not be the beginning of a longer word."""

    always_accept = ()

    def process(self, stream: Iterator[lark.Token]) -> Iterator[lark.Token]:
        """Yield the tokens of *stream* as they are."""
        end, wordy = -1, False
        for token in stream:
            if wordy and token.start_pos == end and _wordy(token[0]):
                raise _Glued(end)
            end, wordy = token.end_pos or 0, _wordy(token[-1])
            yield token


def _wordy(character: str) -> bool:
    return character.isalnum() or character == "_"


def grammar_text() -> str:
    """Return the grammar of the language, as Lark reads it."""
    return resources.files("headrace.dsl.syntax").joinpath("sched.lark").read_text(encoding="utf-8")


@functools.cache
def parser() -> lark.Lark:
    """Return the parser, from its tables if they are of this grammar."""
    grammar = grammar_text()
    return table.load(grammar, _Spacing()) or built(grammar)


def built(grammar: str) -> lark.Lark:
    """Return a parser made from *grammar*, which takes a quarter of a second."""
    return lark.Lark(
        grammar,
        parser="lalr",
        lexer="contextual",
        start=list(STARTS),
        propagate_positions=True,
        postlex=_Spacing(),
    )


@functools.cache
def cel_parser() -> lark.Lark:
    """Return the parser of plain CEL: the same grammar without what policies add to it."""
    return lark.Lark(
        grammar_text(),
        parser="lalr",
        lexer="contextual",
        start=["expr"],
        propagate_positions=True,
        postlex=_Spacing(),
        edit_terminals=_plain_terminal,
    )


_NEVER = r"[^\s\S]"
_PLAIN = {
    "PERCENT": _NEVER,
    "SHARE": _NEVER,
    "DURATION": _NEVER,
    "SIZE": _NEVER,
    "FLOAT": r"\d*\.\d+([eE][+-]?\d+)?|\d+[eE][+-]?\d+",
    "UINT": r"(0x[0-9a-fA-F]+|\d+)[uU]",
    "INT": r"0x[0-9a-fA-F]+|\d+",
    "COMMENT": r"//[^\n]*",
}


def _plain_terminal(terminal: TerminalDef) -> None:
    if terminal.name in _PLAIN:
        terminal.pattern = PatternRE(_PLAIN[terminal.name])


def _parser(start: Start) -> tuple[lark.Lark, str]:
    return (cel_parser(), "expr") if start == "cel" else (parser(), start)


def parse(text: str, start: Start) -> Tree | Misfit:
    """Return the tree of *text*, or where it stops fitting.

    The tree of a text read before is given again: an editor checks a whole policy at each
    key, and one block of it is new. Nobody writes to a tree.
    """
    return _kept(text, start) if len(text) <= _KEPT_CHARS_MAX else _read(text, start)


def forget() -> None:
    """Let go of the trees that are kept: who compiles once has no use for them."""
    _kept.cache_clear()


@functools.lru_cache(maxsize=512)
def _kept(text: str, start: Start) -> Tree | Misfit:
    return _read(text, start)


def _read(text: str, start: Start) -> Tree | Misfit:
    try:
        return _parse(text, start)
    except _Glued as glued:
        return Misfit(glued.at, frozenset())
    except UnexpectedInput as error:
        at = _where(error, text)
        return Misfit(at, fitting(text[:at], start))


def _parse(text: str, start: Start) -> Tree:
    # The type of `parse` covers byte strings too, which Lark leaves untyped.
    chosen, start_rule = _parser(start)
    parse_text = cast(Callable[..., Tree], chosen.parse)  # pyright: ignore[reportUnknownMemberType]
    return parse_text(text, start=start_rule)


def _where(error: UnexpectedInput, text: str) -> int:
    token: object = getattr(error, "token", None)
    if isinstance(token, lark.Token) and token.type == "$END":
        return token.end_pos or 0  # of the last real token
    at: object = getattr(error, "pos_in_stream", None)
    return min(at, len(text)) if isinstance(at, int) else 0


def fitting(before: str, start: Start) -> frozenset[str]:
    """Return the terminals that may follow *before*.

    It is parsed once more, because the parser has already reduced by the time it
    meets the token it cannot use, and then knows less.
    """
    # As above.
    chosen, start_rule = _parser(start)
    begin = cast(
        Callable[..., InteractiveParser],
        chosen.parse_interactive,  # pyright: ignore[reportUnknownMemberType]
    )
    interactive = begin(before, start=start_rule)
    try:
        interactive.exhaust_lexer()
    except (_Glued, UnexpectedInput):
        return frozenset()
    # Lark has no types here.
    accepts = cast(Callable[[], set[str]], interactive.accepts)
    return frozenset(accepts())
