"""How places of a text are drawn: the line, marks under it, and a label beside each mark."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from headrace.dsl.secret_forms import veiled
from headrace.dsl.source import Source, Span

_LINE_CHARS_MAX = 160
_BEFORE_CHARS = 60


class Role(Enum):
    """What a piece of a printed diagnostic is, for those that print in colour."""

    ERROR = "error"
    WARNING = "warning"
    OTHER = "other place"
    FRAME = "frame"
    HELP = "help"
    MESSAGE = "message"


Paint = Callable[[Role, str], str]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place to be marked with *sign* under it, and what to say about it."""

    span: Span
    label: str
    sign: str
    role: Role


def plain(role: Role, text: str) -> str:
    """Return *text* as it is: the paint of a terminal without colours."""
    return text


def draw(marks: Sequence[Mark], opening: Span | None, width: int, paint: Paint) -> list[str]:
    """Return the lines that show *marks*, the first of them the place of the problem.

    Marks on the line of the first are drawn below that line together. *opening* is shown
    above it where it stands on an earlier line: it says what block one is in.
    """
    first, *others = marks
    beside = [m for m in others if _line(m.span) == _line(first.span) and _apart(m, marks)]
    rows = _picture([first, *beside], opening, "-->", width, paint)
    for other in others:
        if other not in beside:
            rows += _picture([other], None, ":::", width, paint)
    return rows


def gutter_width(spans: Iterable[Span]) -> int:
    """Return how many digits the largest line number of *spans* has."""
    return max(len(str(span.source.line_column(span.start)[0])) for span in spans)


def printable(text: str) -> str:
    """Return *text* safe for a terminal: a policy must not be able to move the cursor."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        " " if c == "\t" else c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def _line(span: Span) -> tuple[int, int]:
    return id(span.source), span.source.line_column(span.start)[0]


def _apart(mark: Mark, marks: Sequence[Mark]) -> bool:
    """Return whether *mark* overlaps none of the others, so that both can be seen."""
    span = mark.span
    return all(
        m is mark or m.span.end <= span.start or span.end <= m.span.start
        for m in marks
        if m.span.source is span.source
    )


def _picture(
    marks: Sequence[Mark], opening: Span | None, arrow: str, width: int, paint: Paint
) -> list[str]:
    span = marks[0].span
    number, column = span.source.line_column(span.start)
    text = _shown(span.source).line(number)
    cut = max(0, column - 1 - _BEFORE_CHARS) if len(text) > _LINE_CHARS_MAX else 0
    shown = text[cut : cut + _LINE_CHARS_MAX]
    gutter = " " * width
    bar = f"{gutter} {paint(Role.FRAME, '|')}"
    head = f"{gutter}{paint(Role.FRAME, arrow)} {printable(span.source.name)}:{number}:{column}"
    rows = [head, bar, *_opening(opening, number, width, paint)]
    rows.append(f"{paint(Role.FRAME, f'{number:>{width}} |')} {printable(shown)}".rstrip())
    rows += [f"{bar} {row}".rstrip() for row in _underline(marks, cut, shown, paint)]
    return rows


def _shown(source: Source) -> Source:
    """Return *source* as it may be printed, and logged: no secret of it is shown."""
    return Source(source.name, veiled(source.text))


def _opening(opening: Span | None, number: int, width: int, paint: Paint) -> list[str]:
    """Return the line that opens the block, if it is not the line *number* itself."""
    if opening is None:
        return []
    at = opening.source.line_column(opening.start)[0]
    if at >= number:
        return []
    text = printable(_shown(opening.source).line(at)[:_LINE_CHARS_MAX])
    rows = [f"{paint(Role.FRAME, f'{at:>{width}} |')} {text}".rstrip()]
    return rows if at + 1 == number else [*rows, paint(Role.FRAME, "." * max(3, width))]


def _underline(marks: Sequence[Mark], cut: int, shown: str, paint: Paint) -> list[str]:
    """Return the row of marks, the rightmost's label beside it, and the other labels below."""
    placed = [(*_extent(mark.span, cut, shown), mark) for mark in marks]
    placed.sort(key=lambda each: each[0])
    row, at = "", 0
    for start, columns, mark in placed:
        row += " " * (start - at) + paint(mark.role, mark.sign * columns)
        at = start + columns
    start, columns, last = placed[-1]
    label, *more = _prose(last.label)
    rows = [f"{row} {paint(last.role, label)}".rstrip()]
    rows += [" " * (start + columns + 1) + paint(last.role, text) for text in more]
    for start, _, mark in reversed(placed[:-1]):
        rows += [" " * start + paint(mark.role, text) for text in _prose(mark.label) if text]
    return rows


def _prose(label: str) -> list[str]:
    return [printable(line) for line in label.split("\n")]


def _extent(span: Span, cut: int, shown: str) -> tuple[int, int]:
    """Return the column where the mark of *span* begins, and how many it takes."""
    column = span.source.line_column(span.start)[1]
    start = column - 1 - cut
    end = min(len(shown), start + span.end - span.start)
    marked = printable(shown[start:end])
    return _columns(printable(shown[:start])), max(1, _columns(marked))


def _columns(text: str) -> int:
    """Return how many terminal columns *text* takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
