"""Cut a file into its blocks, so that a mistake in one leaves the others readable.

This is a scanner, not a parser: it knows strings, comments, brackets and the words
that open a block, and nothing of what is inside.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from headrace.dsl.later import LATER_BLOCKS
from headrace.dsl.source import Source, Span

BLOCKS = frozenset(
    (
        "pool", "model", "class", "filter", "scorer", "let", "profile", "overload", "guard",
        "trust", "chain",
    )
)  # fmt: skip
OPENERS = BLOCKS | LATER_BLOCKS.keys() | {"sched"}
_UNCLOSED_MAX = 20

_TOKEN = re.compile(
    r"""\#[^\n]*|r"[^"\n]*"?|r'[^'\n]*'?|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?"""
    r"""|[A-Za-z_][\w-]*|[{}()\[\]]|\n|[^\s]"""
)
_WORD = re.compile(r"[A-Za-z_][\w-]*")
_NO_OPENER = re.compile(r"\s*[.(\[=,?:+*/%&|<>!)\-]")  # what follows says: this is an operand
_TAKES_NAME = OPENERS | {"extends", "for", "from", "by", "when", "else", "to"}
_OPERATORS = frozenset("=+-*/%<>!&|?:,.([")
_UNKNOWN = re.compile(r"""[ \t]+[\w"'-][^\s{]*[ \t]*(?:=(?!=)|\{|when\b|extends\b)|[ \t]*\{""")
_COLUMN_0 = re.compile(
    rf"""^(?:{"|".join(sorted(OPENERS))})[ \t]+(?:\{{|["'\w][^\n{{]*(?:\{{|=(?!=)|\bwhen\b))""",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its opening word and its text, up to where the next one begins.

    closed  whether every bracket in it is closed
    """

    keyword: str
    span: Span
    closed: bool = True

    @property
    def known(self) -> bool:
        """Whether the opening word opens a block of this edition."""
        return self.keyword in BLOCKS


def split(source: Source) -> list[Block]:
    """Return the blocks of *source*, in order; text before the first one is a block too.

    A block whose bracket is never closed ends where a line begins with the start of
    another block.
    """
    blocks: list[Block] = []
    begin = 0
    for _ in range(_UNCLOSED_MAX):
        starts, depth = _starts(source.text, begin)
        if not starts:
            break
        again = _COLUMN_0.search(source.text, starts[-1] + 1) if depth else None
        end = again.start() if again else len(source.text)
        spans = zip(starts, [*starts[1:], end], strict=True)
        blocks += [_block(source, at, to) for at, to in spans]
        if depth:
            blocks[-1] = Block(blocks[-1].keyword, blocks[-1].span, closed=False)
        if again is None:
            break
        begin = end
    return blocks


def _block(source: Source, start: int, end: int) -> Block:
    word = _WORD.match(source.text, start)
    return Block(word.group() if word else "", Span(source, start, end))


@dataclass(slots=True)
class _Scan:
    """Where the scanner is. Written by `_starts` only."""

    depth: int = 0
    before: str = ""
    new_line: bool = True
    column_0: bool = True


def _starts(text: str, begin: int) -> tuple[list[int], int]:
    """Return where blocks start from *begin* on, and how many brackets are open at the end."""
    starts: list[int] = []
    scan = _Scan()
    for token in _tokens(text, begin):
        word = token.group()
        if word == "\n":
            scan.new_line = True
            continue
        scan.column_0 = token.start() == 0 or text[token.start() - 1] == "\n"
        if not starts or (scan.depth == 0 and _opens(text, token, scan)):
            starts.append(token.start())
        if word in "{[(":
            scan.depth += 1
        elif word in "}])":
            scan.depth = max(0, scan.depth - 1)
        scan.before, scan.new_line = word, False
    return starts, scan.depth


def _tokens(text: str, begin: int) -> Iterator[re.Match[str]]:
    return (t for t in _TOKEN.finditer(text, begin) if not t.group().startswith("#"))


def _opens(text: str, token: re.Match[str], scan: _Scan) -> bool:
    """Return whether the word *token*, outside all brackets, begins a block."""
    word = token.group()
    if not (word[0].isalpha() and word[0].isascii()) or word[-1] in "\"'":
        return False
    if word not in OPENERS:
        after_block = scan.before == "}" and word != "in"
        return after_block or (scan.column_0 and _UNKNOWN.match(text, token.end()) is not None)
    if _NO_OPENER.match(text, token.end()):
        return scan.column_0 and scan.before == "}"
    if scan.before == "}" or scan.column_0:
        return True
    return scan.before not in _TAKES_NAME and scan.before not in _OPERATORS
