"""Format one file."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from headrace.dsl.format.layout import Layout
from headrace.dsl.format.nodes import Node, node_of
from headrace.dsl.format.rows import Row, printed
from headrace.dsl.format.words import Word, between, read
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import Diagnostic, Problems
from headrace.dsl.source import Source, Span
from headrace.dsl.syntax import blocks
from headrace.dsl.syntax.grammar import Misfit, Start, Tree, parse
from headrace.dsl.syntax.reading import CHARS_MAX, read_source

_OF_SYNTAX = "S1"


def format_source(source: Source) -> str | tuple[Diagnostic, ...]:
    """Return *source* formatted, or why it cannot be: the errors of syntax in it.

    Its lines end with a line feed. Formatting what is formatted changes nothing.
    """
    wrong = _wrong(source)
    if wrong:
        return wrong
    text = source.text
    layout = Layout()
    at = 0
    for block in blocks.split(source):
        start: Start = "header" if block.keyword == "sched" else "item"
        found, tree = read(block.span.text, start)
        words = _placed(found, text, block.span.start, at)
        at = words[-1].end
        layout.comments(words[0], 0)
        _block(words, tree, start, layout, text)
    end = Word("", "", len(text), 0, between(text, at, len(text))[0])
    layout.comments(end, 0)
    return printed(layout.rows)


def _wrong(source: Source) -> tuple[Diagnostic, ...]:
    problems = Problems()
    if len(source.text) > CHARS_MAX:
        help_ = "split it into several files"
        message = f"a policy has at most {CHARS_MAX // 1024} KiB of text"
        problems.add("S111", Span(source, 0, 0), message, "", help_)
    else:
        read_source(source, problems)
    found = problems.sorted([source.name])
    return tuple(d for d in found if d.level is Level.ERROR and d.code.startswith(_OF_SYNTAX))


def _placed(words: Sequence[Word], text: str, begin: int, at: int) -> list[Word]:
    """Return *words* with what is between them and what stands before them from *at* on.

    Their places, counted from *begin*, become places in *text*.
    """
    found: list[Word] = []
    for word in words:
        start = begin + word.start
        comments, newlines = between(text, at, start)
        found.append(replace(word, start=start, newlines=newlines, comments=comments))
        at = found[-1].end
    return found


def _block(words: list[Word], tree: Tree, start: Start, layout: Layout, text: str) -> None:
    """Add the block of *words*; as it is written if formatting it would change what it says."""
    mark, fresh = len(layout.rows), layout.fresh
    if start == "header":
        layout.node(Node("header", tuple(words), ()), 0)
        return
    # The tree counts from the start of its block.
    layout.node(node_of(tree, [replace(w, start=w.start - words[0].start) for w in words]), 0)
    if not _says(layout.rows[mark:], words):
        del layout.rows[mark:]
        layout.fresh = fresh
        layout.verbatim(text[words[0].start : words[-1].end], words[0].newlines)


def _says(rows: Sequence[Row], words: Sequence[Word]) -> bool:
    """Return whether *rows* are the text of *words*."""
    made = "\n".join(_texts(rows))
    return not isinstance(parse(made, "item"), Misfit) and read(made, "item")[0] == list(words)


def _texts(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        yield f"{row.text()}  {row.comment}"
