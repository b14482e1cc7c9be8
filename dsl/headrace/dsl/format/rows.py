"""The lines of a formatted text before they are aligned, and how they are aligned."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

WIDTH = 100
_COMMENT_WIDTH = 120  # up to which comments are aligned: a column of them reads on its own
_PAD_MAX = 24  # beyond it the eye loses the line
Lines = tuple[tuple[int, str], ...]  # each with how far it stands right of the first


@dataclass(frozen=True, slots=True)
class Row:
    """One statement, or a part of it that has lines of its own.

    indent   where it begins
    cells    its parts that may be padded to the width of their neighbours above and below
    last     the part behind them
    keys     what each cell is; only neighbours that agree up to a cell are aligned there
    comment  at the end of its last line
    blank    whether an empty line is before it
    """

    indent: int
    cells: tuple[str, ...]
    last: Lines
    keys: tuple[str, ...] = ()
    comment: str = ""
    blank: bool = False

    @property
    def column(self) -> int:
        """Where *last* begins."""
        return self.indent + sum(len(cell) + 1 for cell in self.cells)

    @property
    def single(self) -> bool:
        """Whether it is one line."""
        return len(self.last) == 1 and "\n" not in self.last[0][1]

    @property
    def width(self) -> int:
        """How far its longest line reaches."""
        return max(self.column + by + len(text) for by, text in self.last)

    def text(self) -> str:
        """Return it as it is printed, without what is at its end."""
        first, *rest = self.last
        lines = [" " * self.indent + "".join(f"{cell} " for cell in self.cells) + first[1]]
        lines += [" " * max(0, self.column + by) + text for by, text in rest]
        return "\n".join(lines)


def printed(rows: Sequence[Row]) -> str:
    """Return *rows* as text, each column as wide as its widest cell."""
    found = list(rows)
    for column in range(max((len(row.cells) for row in found), default=0)):
        for run in list(_runs(found, functools.partial(_key, column))):
            found[run.start : run.stop] = _padded(found[run.start : run.stop], column)
    lines: list[str] = []
    for run in list(_runs(found, _commented)):
        ends = [row.column + len(row.last[0][1]) for row in found[run.start : run.stop]]
        lines += _with_comments(found[run.start : run.stop], max(ends))
    return "".join(f"{line}\n" for line in lines)


def _key(column: int, row: Row) -> object:
    if len(row.cells) <= column or len(row.keys) <= column:
        return None
    return row.indent, row.keys[: column + 1]


def _commented(row: Row) -> object:
    return row.indent if row.comment and row.single else None


def _runs(rows: Sequence[Row], key: Callable[[Row], object]) -> Iterator[range]:
    """Yield the runs of neighbours with the same key; a row whose key is None is one by itself."""
    start = 0
    for at in range(1, len(rows) + 1):
        if at < len(rows) and not rows[at].blank:
            this = key(rows[at])
            if this is not None and this == key(rows[start]):
                continue
        yield range(start, at)
        start = at


def _padded(rows: Sequence[Row], column: int) -> list[Row]:
    if len(rows) == 1:
        return list(rows)
    widths = [len(row.cells[column]) for row in rows]
    width = max(widths)
    if width - min(widths) > _PAD_MAX:
        return list(rows)
    wide: list[Row] = []
    for row in rows:
        cells = (*row.cells[:column], row.cells[column].ljust(width), *row.cells[column + 1 :])
        wide.append(replace(row, cells=cells))
    return list(rows) if any(row.width > WIDTH for row in wide) else wide


def _with_comments(rows: Sequence[Row], end: int) -> Iterator[str]:
    far = any(end + 2 + len(row.comment) > _COMMENT_WIDTH for row in rows)
    for row in rows:
        if row.blank:
            yield ""
        text = row.text()
        if not row.comment:
            yield text
        elif len(rows) == 1 or far:
            yield f"{text}  {row.comment}"
        else:
            yield f"{text.ljust(end)}  {row.comment}"
