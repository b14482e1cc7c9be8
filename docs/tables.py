"""Tables and paragraphs: what every generated page is made of."""

from collections.abc import Iterable, Sequence
from textwrap import fill

WIDTH = 100


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with a line per row; bars inside cells are escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cell(text) for text in line)} |\n" for line in lines)


def cell(text: str) -> str:
    """Return *text* on one line, fit for a table."""
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """Return *text* as code; empty if there is none."""
    return f"`{text}`" if text else ""


def prose(*paragraphs: str) -> str:
    """Return *paragraphs* with lines of a readable length, each followed by an empty line."""
    filled = (fill(p, WIDTH, break_long_words=False, break_on_hyphens=False) for p in paragraphs)
    return "".join(f"{text}\n\n" for text in filled)
