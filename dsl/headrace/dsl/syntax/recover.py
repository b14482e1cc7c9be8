"""Read a block on after a mistake in it, so that every mistake is told at once.

A mistake that we know is written over by what was meant; else the statement it is in is
blanked. Both keep the length, so that every place in what is read is a place in the file.
Problems that touch such text only follow from the mistake, and are not told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.syntax.blocks import CLOSING, Block, Brackets, tokens
from headrace.dsl.syntax.forms import HEADS, is_keyword, settings
from headrace.dsl.syntax.grammar import Misfit, Tree, parse
from headrace.dsl.syntax.misfits import explain
from headrace.dsl.syntax.place import Edit

# Behind these words and signs an operand or a name follows, never a statement.
_GO_ON = frozenset(
    ("else", "by", "to", "of", "from", "with", "extends", "also", "for", "top", *"=,+-*/<>!&|?:.(")
)
_CLOSERS = frozenset(CLOSING.values())
MISTAKES_MAX = 20  # in one block; who has more wants to see these first
_CHARS_MAX = 400_000  # read again in all, of one block
_FOUND_MAX = 200  # problems after which no further block is read
_DEPTH_MAX = 1000  # brackets inside each other; nobody writes a tenth of it
_TOKENS_MAX = 20_000  # of one block: half a second to read


def read_block(block: Block, problems: Problems) -> Tree | None:
    """Return what fits the grammar of *block*, after adding every mistake in it.

    A block of which a part could not be read is noted as partial.
    """
    if len(problems.found) > _FOUND_MAX or _is_bomb(block, problems):
        return None
    parsed = parse(block.span.text, "item")
    if not isinstance(parsed, Misfit):
        return parsed
    return _Reader(block, problems, block.span.text).read()


def _is_bomb(block: Block, problems: Problems) -> bool:
    """Return whether *block* is too deep or too long to be read, after adding that."""
    brackets = Brackets()
    for count, token in enumerate(tokens(block.span.text, 0), 1):
        brackets.take(token.group(), token.start())
        if brackets.deepest > _DEPTH_MAX or count > _TOKENS_MAX:
            span = block.span.inner(token.start(), token.end())
            deep = count <= _TOKENS_MAX
            message = "this is nested too deeply" if deep else "this block is too long"
            label = f"more than {_DEPTH_MAX} brackets" if deep else f"over {_TOKENS_MAX} words"
            problems.add("S110", span, message, label, "divide it, or name its parts with `let`")
            return True
    return False


@dataclass(slots=True)
class _Reader:
    """Reads one block again and again. Written while that block is read.

    text     as long as the block's; what could not be read is written over
    skipped   the last statement that was blanked
    headless  whether the head is not the author's, so that the tree means nothing
    """

    block: Block
    problems: Problems
    text: str
    skipped: tuple[int, int] = (-1, -1)
    headless: bool = False
    lines: "_Lines" = field(init=False)

    def __post_init__(self) -> None:
        self.lines = _Lines.of(self.block)

    def read(self) -> Tree | None:
        """Return the tree that is left when every mistake is written over, if it means a thing."""
        rounds = min(MISTAKES_MAX, _CHARS_MAX // (len(self.text) + 1))
        for _ in range(max(1, rounds)):
            parsed = parse(self.text, "item")
            if not isinstance(parsed, Misfit):
                return None if self.headless else parsed
            if not self._go_on(parsed) or len(self.problems.found) > _FOUND_MAX:
                break
        return None

    def _go_on(self, misfit: Misfit) -> bool:
        """Add what is wrong at *misfit* and write it over; return whether that went."""
        if misfit.at == self.skipped[1] and self.lines.is_ours(misfit.at):
            # No statement began there after all.
            return self._blank(*self.lines.statement(self.skipped[0], misfit.at + 1))
        mistake = explain(self.block, self.text, misfit, self.problems)
        if not mistake.edits:
            return self._skip(misfit)
        before = self.text
        for edit in mistake.edits:
            self._write(edit)
        if mistake.lost:
            self.problems.partial.append(self.block.span)
        return self.text != before

    def _skip(self, misfit: Misfit) -> bool:
        between = "RBRACE" in misfit.expected
        if misfit.at < self.lines.body:
            return self._replace_head()
        if misfit.at > self.lines.close:
            return self._blank(misfit.at, len(self.text))
        if not settings(self.lines.keyword) and between:
            return self._blank(*self.lines.token(misfit.at))
        inside = between and self.lines.is_inside(misfit.at)
        between = between and not inside
        start = misfit.at if between else self.lines.begin(misfit.at)
        return self._blank(*self.lines.statement(start, misfit.at + between))

    def _blank(self, start: int, end: int) -> bool:
        blanked = "".join(c if c == "\n" else " " for c in self.text[start:end])
        if blanked == self.text[start:end]:
            return False
        self.skipped = (start, end)
        self.problems.partial.append(self.block.span)
        self._write(Edit(start, blanked))
        return True

    def _replace_head(self) -> bool:
        """Put the shortest head there is in place of one beyond reading."""
        head, brace = HEADS.get(self.lines.keyword), self.lines.body - 1
        if head is None or not len(head) <= brace < len(self.text) - 1:
            return False
        if self.text.startswith(head):
            return False
        self.headless = True
        self._write(Edit(0, head.ljust(brace)))
        return True

    def _write(self, edit: Edit) -> None:
        edit = Edit(edit.start, edit.text[: len(self.text) - edit.start])
        self.text = self.text[: edit.start] + edit.text + self.text[edit.end :]
        self.problems.guessed.append(self.block.span.inner(edit.start, edit.end))


@dataclass(frozen=True, slots=True)
class _Lines:
    """Where the statements of a block begin, as far as its words and brackets tell.

    body    just behind the brace that opens the block's body; its length if it has none
    close   the brace that closes it
    starts  of statements, in order
    words   every token and where it is
    """

    keyword: str
    body: int
    close: int
    starts: Sequence[int]
    words: Sequence[tuple[int, str]]

    @classmethod
    def of(cls, block: Block) -> "_Lines":
        """Return those of *block*."""
        found = [(t.start(), t.group()) for t in tokens(block.span.text, 0)]
        words = [(at, word) for at, word in found if word != "\n"]
        second = words[1][1] if len(words) > 1 else ""
        keyword = second if block.keyword == "override" else block.keyword
        size = len(block.span.text)
        body, close = _body(words, size)
        starts = _starts(found, body, close, frozenset(settings(keyword)))
        return cls(keyword, body, close, starts, words)

    def begin(self, at: int) -> int:
        """Return where the statement that is open at *at* begins."""
        return max((s for s in self.starts if s < at), default=self.body)

    def statement(self, start: int, after: int) -> tuple[int, int]:
        """Return the statement from *start* on that ends at or behind *after*."""
        return start, min((s for s in self.starts if s >= after), default=max(self.close, after))

    def is_inside(self, at: int) -> bool:
        """Return whether *at* is in brackets of the statement that is open there."""
        begin = self.begin(at)
        words = [word for a, word in self.words if begin <= a < at]
        return sum(w in CLOSING for w in words) > sum(w in _CLOSERS for w in words)

    def token(self, at: int) -> tuple[int, int]:
        """Return the token at *at*."""
        found = ((a, a + len(word)) for a, word in self.words if a <= at < a + len(word))
        return next(found, (at, at + 1))

    def is_ours(self, at: int) -> bool:
        """Return whether the word at *at* is one of the language: an author's is no keyword."""
        return any(a == at and is_keyword(word) for a, word in self.words)


def _body(words: Sequence[tuple[int, str]], size: int) -> tuple[int, int]:
    """Return where the last outermost pair of braces opens (behind it) and closes."""
    depth, opened, body, close = 0, size, size, size
    for at, word in words:
        if word in CLOSING:
            if depth == 0 and word == "{":
                opened, body, close = at + 1, at + 1, size
            depth += 1
        elif word in _CLOSERS:
            depth = max(0, depth - 1)
            if depth == 0 and word == "}" and body == opened:
                close = min(close, at)
    return body, close


def _starts(
    found: Sequence[tuple[int, str]], body: int, close: int, firsts: frozenset[str]
) -> list[int]:
    """Return where statements may begin in the body: at its settings, at words on a new line."""
    starts: list[int] = []
    depth, before, new_line = 0, "", True
    for at, word in found:
        if not body <= at < close:
            continue
        if word == "\n":
            new_line = True
            continue
        ours = word in firsts and (new_line or before not in _GO_ON)
        other = new_line and before not in _GO_ON and (word[0].isalpha() or not firsts)
        if depth == 0 and (ours or other):
            starts.append(at)
        if word in CLOSING:
            depth += 1
        elif word in _CLOSERS:
            depth = max(0, depth - 1)
        before, new_line = word, False
    return starts
