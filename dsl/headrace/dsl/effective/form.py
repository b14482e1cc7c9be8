"""A flattened policy: blocks of lines, each with where it comes from and what it says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headrace.dsl.format.words import flat, read
from headrace.dsl.source import Span
from headrace.dsl.syntax.tree import Number, Word, Written

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a line says: of what, how it is compared, and how it is written."""

    label: str
    value: str
    shown: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line inside a block. *origin*: ``file:line``, or ``default`` if nobody wrote it."""

    text: str
    origin: str
    facts: tuple[Fact, ...] = ()
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Section:
    """One block.

    names  what it defines; an unnamed block has none
    head   its first line, without the brace
    lines  what is in its braces; None if it has none
    """

    kind: str
    names: tuple[str, ...]
    head: Line
    lines: tuple[Line, ...] | None = None

    @property
    def facts(self) -> Mapping[str, Fact]:
        """Everything it says, by label."""
        lines = (self.head, *(self.lines or ()))
        return {fact.label: fact for line in lines for fact in line.facts}


def origin(span: Span) -> str:
    """Return where *span* begins, as ``file:line``."""
    return f"{span.source.name}:{span.source.line_column(span.start)[0]}"


def expr(written: Written) -> str:
    """Return an expression on one line, without its comments."""
    return flat(read(written.span.text, "expr")[0])


def said(label: str, value: object, shown: str) -> tuple[Fact, ...]:
    """Return the one fact of a line."""
    return (Fact(label, repr(value), shown),)


def expressed(label: str, written: Written) -> tuple[Fact, ...]:
    """Return the fact that is an expression; it compares by its tree, which has no places."""
    return (Fact(label, repr(written.expr), expr(written)),)


def number(label: str, verb: str, value: Number, span: Span) -> Line:
    """Return the line of a statement that says a number."""
    text = value.span.text
    return Line(f"{verb} {text}", origin(span), said(label, float(value.value), text))


def raw(words: Iterable[Word], separator: str = ", ") -> str:
    """Return *words* as they are written, quotes and all."""
    return separator.join(word.span.text for word in words)


def seconds(value_s: float) -> str:
    """Return a duration as the language writes it."""
    return f"{value_s:g}s" if value_s >= 1 else f"{value_s * 1000:g}ms"
