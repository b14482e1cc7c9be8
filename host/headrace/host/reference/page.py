"""A reference as data: tables under titles, written as Markdown or as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class Table:
    """One table. A cell is plain text; *codes* are the columns that are code."""

    title: str
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    codes: frozenset[str] = frozenset()


def markdown(title: str, tables: Sequence[Table]) -> str:
    """Return *tables* as one page; those without rows are left out."""
    parts = [f"# {title}\n"]
    for table in tables:
        if table.rows:
            parts.append(f"\n## {table.title}\n")
            parts.append(f"\n{table.about}\n" if table.about else "")
            parts.append(f"\n{_row(table.columns)}{_row(['---'] * len(table.columns))}")
            parts += [_row(_cells(table, row)) for row in table.rows]
    return "".join(parts)


def _cells(table: Table, row: Sequence[str]) -> list[str]:
    pairs = zip(table.columns, row, strict=True)
    return [_code(cell) if name in table.codes else _escaped(cell) for name, cell in pairs]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _code(text: str) -> str:
    if not text:
        return ""
    fence = "``" if "`" in text else "`"
    return f"{fence}{_escaped(text)}{fence}"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def as_json(title: str, tables: Sequence[Table]) -> str:
    """Return *tables* as JSON: a list of objects per title."""
    found: dict[str, object] = {"title": title}
    for table in tables:
        found[table.title.lower()] = [dict(zip(table.columns, r, strict=True)) for r in table.rows]
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
