"""Where a table or a key stands in a TOML text, which the parser of the library does not tell."""

import re

from headrace.dsl.source import Source, Span

_DECODE_AT = re.compile(r"\(at line (\d+), column (\d+)\)$")


def at_decode(source: Source, error: str) -> tuple[str, Span]:
    """Return what the library's *error* says, without its place, and that place."""
    found = _DECODE_AT.search(error)
    if found is None:  # "(at end of document)"
        end = len(source.text)
        return error.partition(" (at ")[0], Span(source, end, end)
    line, column = int(found[1]), int(found[2])
    start = sum(len(text) for text in source.text.split("\n")[: line - 1]) + line - 1
    at = min(len(source.text), start + column - 1)
    return error[: found.start()].rstrip(), Span(source, at, at)


def at_table(source: Source, table: str, nth: int = 0) -> Span:
    """Return the head of the table *table*; of an array of tables, of the one at *nth*."""
    heads = list(re.finditer(rf"(?m)^[ \t]*\[\[?[ \t]*{re.escape(table)}[ \t]*\]\]?", source.text))
    if nth < len(heads):
        start = heads[nth].start() + len(heads[nth][0]) - len(heads[nth][0].lstrip())
        return Span(source, start, heads[nth].end())
    return at_key(source, table)  # `queue = { ... }`


def at_key(source: Source, key: str, table: str = "", nth: int = 0) -> Span:
    """Return the line of *key* in *table*, or at the top; the table itself where it is not found.

    This looks for lines that begin so: of keys in an inline table, the table is found.
    """
    begin, end = 0, len(source.text)
    if table:
        head = at_table(source, table, nth)
        begin = head.end
    following = re.compile(r"(?m)^[ \t]*\[").search(source.text, begin)
    end = following.start() if following else end
    pattern = re.compile(rf"(?m)^[ \t]*(\"?{re.escape(key)}\"?)[ \t]*[=.][^\n#]*")
    found = pattern.search(source.text, begin, end)
    if found is None:
        return at_table(source, table, nth) if table else Span(source, 0, 0)
    return Span(source, found.start(1), found.start(1) + len(found[0].lstrip().rstrip()))
