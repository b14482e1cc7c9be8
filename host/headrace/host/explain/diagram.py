"""The value diagram: an expression, and the values of its parts hanging under them."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from headrace.dsl.cel.typed import Op, Typed
from headrace.dsl.program import RuleFault
from headrace.dsl.source import Span
from headrace.host.explain.parts import Part
from headrace.host.explain.wording import shown

WIDTH = 100
BAR = "│"


class Hanging(msgspec.Struct, frozen=True):
    """A value and the place in the text that it hangs from, in characters."""

    at: int
    value: str


class Diagram(msgspec.Struct, frozen=True):
    """An expression on one line and what its parts came to; ready to be drawn or sent.

    value  of the whole
    fault  whether that is an error
    """

    text: str
    value: str = ""
    hanging: tuple[Hanging, ...] = ()
    fault: bool = False


def diagram(span: Span, parts: Sequence[Part], whole: Typed, value: object) -> Diagram:
    """Return the diagram of the expression at *span*; of *whole* the value is *value*.

    A part that stands where another does is left out if it says the same.
    """
    text, places = _one_line(span)
    hanging: dict[tuple[int, str], Hanging] = {}
    for part in parts:
        at = places[_anchor(part.typed) - span.start]
        said = shown(part.value, part.typed.type)
        hanging.setdefault((at, said), Hanging(at, said))
    by_place = sorted(hanging.values(), key=lambda h: h.at)
    said = shown(value, whole.type)
    return Diagram(text, said, tuple(by_place), isinstance(value, RuleFault))


def draw(diagram: Diagram, width: int = WIDTH, indent: str = "") -> list[str]:
    """Return the lines of *diagram*, each at most *width* columns where its words allow it."""
    lines: list[str] = []
    for start, end in _rows(diagram.text, width - len(indent)):
        row = diagram.text[start:end]
        lines.append(f"{indent}{row}".rstrip())
        placed = [
            _Placed(_columns(diagram.text[start : h.at]), h.value)
            for h in diagram.hanging
            if start <= h.at < end
        ]
        lines += [f"{indent}{line}".rstrip() for line in _hung(placed)]
    return lines


@dataclass(frozen=True, slots=True)
class _Placed:
    column: int
    value: str

    @property
    def end(self) -> int:
        return self.column + _columns(self.value)


def _hung(placed: Sequence[_Placed]) -> list[str]:
    """Return bars under every place, and below them the values, rightmost highest."""
    if not placed:
        return []
    columns = sorted({p.column for p in placed})
    lines = [_row([_Placed(c, BAR) for c in columns])]
    left = sorted(placed, key=lambda p: p.column)
    while left:
        row: list[_Placed] = []
        rest: list[_Placed] = []
        edge: int | None = None  # where the next thing to the right begins
        for item in reversed(left):
            taken = any(item.column == other.column for other in row)
            if not taken and (edge is None or item.end < edge):
                row.append(item)
            else:
                rest.append(item)
                if not taken:
                    row.append(_Placed(item.column, BAR))
            edge = item.column
        lines.append(_row(row))
        left = sorted(rest, key=lambda p: p.column)
    return lines


def _row(items: Sequence[_Placed]) -> str:
    line, at = "", 0
    for item in sorted(items, key=lambda p: p.column):
        line += " " * (item.column - at) + item.value
        at = item.end
    return line


def _one_line(span: Span) -> tuple[str, list[int]]:
    """Return the text at *span* on one line, and for each character of it its place there.

    Line breaks, indents and comments become one space; strings stay as they are.
    """
    text, places = "", list[int]()
    quote, source, i = "", span.text, 0
    while i < len(source):
        c = source[i]
        if not quote and c == "#":
            end = source.find("\n", i)
            i, c = (len(source) - 1 if end < 0 else end), " "
            places += [len(text)] * (i - len(places))
        if not quote and c.isspace():
            places.append(max(0, len(text) - text.endswith(" ")))
            text += "" if text.endswith(" ") or not text else " "
        else:
            quote = _quote(quote, c, source[i - 1 : i])
            places.append(len(text))
            text += c if c.isprintable() else "\N{REPLACEMENT CHARACTER}"
        i += 1
    return text, [*places, len(text)]


def _quote(quote: str, c: str, before: str) -> str:
    if c not in "\"'" or before == "\\":
        return quote
    if not quote:
        return c
    return "" if c == quote else quote


def _anchor(typed: Typed) -> int:
    """Return where the value of *typed* hangs: under its operator, else under its beginning."""
    span, args = typed.span, list(typed.args)
    if not args or args[0].span.start < span.start or args[0].span.end > span.end:
        return span.start
    first_end = args[0].span.end
    match typed.op:
        case Op.COND:
            return _after(span, first_end, "?")
        case Op.AND | Op.OR | Op.ARITHMETIC | Op.COMPARE | Op.JOIN | Op.IN if len(args) > 1:
            between = span.source.text[first_end : max(first_end, args[1].span.start)]
            word = between.strip(" \t\r\n()")
            return first_end + between.find(word) if word else span.start
        case Op.AT:
            return _after(span, first_end, "[.")
        case Op.CALL | Op.APPLY | Op.EACH | Op.WITH if args[0].span.start == span.start:
            dot = _after(span, first_end, ".")
            return dot + 1 if dot > span.start else dot
        case _:
            return span.start


def _after(span: Span, start: int, characters: str) -> int:
    """Return the place of the first of *characters* from *start*; else the beginning."""
    text = span.source.text
    found = (i for i in range(start, span.end) if text[i] in characters)
    return next(found, span.start)


def _rows(text: str, width: int) -> list[tuple[int, int]]:
    """Return where to break *text* so that each row has at most *width* columns."""
    rows: list[tuple[int, int]] = []
    start = 0
    while _columns(text[start:]) > width:
        end = start + 1
        while end < len(text) and _columns(text[start : end + 1]) <= width:
            end += 1
        space = text.rfind(" ", start + 1, end + 1)
        end = space + 1 if space > start else end
        rows.append((start, end))
        start = end
    return [*rows, (start, len(text))]


def _columns(text: str) -> int:
    """Return how many columns of a terminal *text* takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
