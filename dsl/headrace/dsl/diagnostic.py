"""What the compiler tells a policy author, and how it is printed."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from headrace.dsl.codes import Level, level_of
from headrace.dsl.source import Span

SHOWN_MAX = 100  # nobody reads more, and a hostile file must not make more
_LINE_CHARS_MAX = 160
_BEFORE_CHARS = 60


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that a problem involves, such as the first of two definitions."""

    span: Span
    label: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem, in the author's words and at the author's text.

    code     stable for ever; `headrace.dsl.codes` has one entry per code
    message  what is wrong: one line, lower case, no full stop
    label    what is wrong with exactly the spanned text
    help     what to do about it; empty if we do not know
    related  other places involved
    """

    code: str
    level: Level
    message: str
    span: Span
    label: str = ""
    help: str = ""
    related: tuple[Related, ...] = ()


class PolicyError(Exception):
    """A policy was rejected. Holds every problem found, file by file, in source order."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        assert diagnostics
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(render(d) for d in self.diagnostics))


@dataclass(slots=True)
class Problems:
    """Collects diagnostics while one policy is compiled. Written by that compilation only."""

    found: list[Diagnostic] = field(default_factory=list[Diagnostic])

    def add(
        self,
        code: str,
        span: Span,
        message: str,
        label: str = "",
        help: str = "",
        related: tuple[Related, ...] = (),
        level: Level | None = None,
    ) -> None:
        """Note one problem; its level is that of its code unless *level* is given."""
        chosen = level or level_of(code)
        self.found.append(Diagnostic(code, chosen, message, span, label, help, related))

    def sorted(self, source_names: Sequence[str]) -> tuple[Diagnostic, ...]:
        """Return what was found, by file and position, at most SHOWN_MAX and a count of the rest.

        Errors come before warnings when not all can be shown.
        """
        order = {name: i for i, name in enumerate(source_names)}
        kept = self.found
        if len(kept) > SHOWN_MAX:
            kept = sorted(kept, key=lambda d: d.level is not Level.ERROR)[:SHOWN_MAX]
        shown = sorted(
            dict.fromkeys(kept),
            key=lambda d: (order.get(d.span.source.name, -1), d.span.start, d.span.end, d.code),
        )
        more = len(self.found) - len(kept)
        if more:
            last = shown[-1]
            shown.append(Diagnostic("S112", last.level, f"{more} more problems", last.span))
        return tuple(shown)


def render(diagnostic: Diagnostic) -> str:
    """Return the diagnostic as the CLI prints it: each place with a caret line, then the help."""
    places = [diagnostic.span, *(r.span for r in diagnostic.related)]
    width = max(len(str(s.source.line_column(s.start)[0])) for s in places)
    rows = [f"{diagnostic.level.value}[{diagnostic.code}]: {_printable(diagnostic.message)}"]
    rows += _snippet(diagnostic.span, "^", diagnostic.label, "-->", width)
    for other in diagnostic.related:
        rows += _snippet(other.span, "-", other.label, ":::", width)
    if diagnostic.help:
        rows.append(f"{' ' * width} = help: {_printable(diagnostic.help)}")
    return "\n".join(rows)


def as_json(diagnostic: Diagnostic) -> dict[str, object]:
    """Return the diagnostic as plain data, for `--format json`. Lines and columns count from 1."""
    return {
        "code": diagnostic.code,
        "level": diagnostic.level.value,
        "message": diagnostic.message,
        "label": diagnostic.label,
        "help": diagnostic.help,
        **_place(diagnostic.span),
        "related": [{"label": r.label, **_place(r.span)} for r in diagnostic.related],
    }


def _place(span: Span) -> dict[str, object]:
    line, column = span.source.line_column(span.start)
    end_line, end_column = span.source.line_column(span.end)
    return {
        "file": span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }


def _snippet(span: Span, mark: str, label: str, arrow: str, width: int) -> list[str]:
    number, column = span.source.line_column(span.start)
    text = span.source.line(number)
    start, end = column - 1, min(len(text), column - 1 + span.end - span.start)
    cut = max(0, start - _BEFORE_CHARS) if len(text) > _LINE_CHARS_MAX else 0
    shown = text[cut : cut + _LINE_CHARS_MAX]
    before, marked = (
        _printable(text[cut:start]),
        _printable(text[start : min(end, cut + len(shown))]),
    )
    gutter, carets = " " * width, mark * max(1, _columns(marked))
    return [
        f"{gutter}{arrow} {_printable(span.source.name)}:{number}:{column}",
        f"{gutter} |",
        f"{number:>{width}} | {_printable(shown)}".rstrip(),
        f"{gutter} | {_blank(before)}{carets} {_printable(label)}".rstrip(),
    ]


def _blank(text: str) -> str:
    return " " * _columns(text)


def _columns(text: str) -> int:
    """Return how many terminal columns *text* takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _printable(text: str) -> str:
    """Return *text* safe for a terminal: a policy must not be able to move the cursor."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        " " if c == "\t" else c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text
    )
