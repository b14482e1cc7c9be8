"""Cut a file into its blocks, so that a mistake in one leaves the others readable.

This is a scanner, not a parser: it knows strings, comments, brackets and the words
that open a block, and nothing of what is inside.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from headrace.dsl.source import Source, Span
from headrace.dsl.syntax.later import LATER_BLOCKS

BLOCKS = frozenset(
    (
        "import", "override", "pool", "model", "objective", "class", "filter", "scorer", "cost",
        "let", "profile", "overload", "guard", "safety", "trace", "trust", "stage", "chain", "test",
    )
)  # fmt: skip
OPENERS = BLOCKS | LATER_BLOCKS.keys() | {"sched"}
_UNCLOSED_MAX = 20
CLOSING = {"{": "}", "[": "]", "(": ")"}

_TOKEN = re.compile(
    r"[rR]\"{3}(?:\"{0,2}[^\"])*\"{3}|\"{3}(?:\"{0,2}(?:[^\"\\]|\\.))*\"{3}|"
    r"[rR]'{3}(?:'{0,2}[^'])*'{3}|'{3}(?:'{0,2}(?:[^'\\]|\\.))*'{3}|"
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

    @property
    def extent(self) -> Span:
        """Its text without the space and the comments behind it."""
        ends = [t.end() for t in tokens(self.span.text, 0) if t.group() != "\n"]
        return self.span.inner(0, ends[-1] if ends else 0)


def split(source: Source) -> list[Block]:
    """Return the blocks of *source*, in order; text before the first one is a block too.

    A block whose bracket is never closed ends where a line begins with the start of
    another block.
    """
    blocks: list[Block] = []
    begin = int(source.text.startswith("\ufeff"))  # some editors' mark of UTF-8
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

    open: "Brackets" = field(default_factory=lambda: Brackets())
    before: str = ""
    new_line: bool = True
    column_0: bool = True


def _starts(text: str, begin: int) -> tuple[list[int], int]:
    """Return where blocks start from *begin* on, and how many brackets are open at the end."""
    starts: list[int] = []
    scan = _Scan()
    for token in tokens(text, begin):
        word = token.group()
        if word == "\n":
            scan.new_line = True
            continue
        scan.column_0 = token.start() == 0 or text[token.start() - 1] == "\n"
        if not starts or (not scan.open.stack and _opens(text, token, scan)):
            starts.append(token.start())
        scan.open.take(word, token.start())
        scan.before, scan.new_line = word, False
    return starts, len(scan.open.stack)


def unclosed(text: str) -> tuple[int, str] | None:
    """Return the place and the sign of the outermost bracket in *text* that is never closed."""
    open_ = Brackets()
    for token in tokens(text, 0):
        open_.take(token.group(), token.start())
    return open_.stack[0] if open_.stack else None


@dataclass(slots=True)
class Brackets:
    """The brackets that are open, outermost first, and how deep it went. Written by one scan."""

    stack: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    deepest: int = 0
    _braces: int = 0

    def take(self, word: str, at: int) -> None:
        """Take one token; a stray bracket closes nothing, a brace what is open inside it too."""
        if word in CLOSING:
            self.stack.append((at, word))
            self._braces += word == "{"
            self.deepest = max(self.deepest, len(self.stack))
        elif word == "}" and self._braces:
            while self.stack.pop()[1] != "{":
                pass
            self._braces -= 1
        elif self.stack and word != "}" and CLOSING[self.stack[-1][1]] == word:
            self.stack.pop()


def tokens(text: str, begin: int) -> Iterator[re.Match[str]]:
    """Yield the words, strings, signs and line ends of *text* from *begin* on; no comments."""
    return (t for t in _TOKEN.finditer(text, begin) if not t.group().startswith("#"))


def comments(text: str) -> Iterator[re.Match[str]]:
    """Yield the comments of *text*, each from its `#` to the end of its line."""
    return (t for t in _TOKEN.finditer(text) if t.group().startswith("#"))


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
