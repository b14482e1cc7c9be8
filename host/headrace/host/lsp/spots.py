"""Between places in a text and what editors count: lines, and code units within a line."""

from collections.abc import Callable
from dataclasses import dataclass

from lsprotocol import types

from headrace.dsl.source import Source, Span

Units = Callable[[str], int]  # how many code units a text has, as the editor counts


def utf16(text: str) -> int:
    """Return how many UTF-16 code units *text* has."""
    return len(text) + sum(character > "\uffff" for character in text)


@dataclass(frozen=True, slots=True)
class Spots:
    """Places in texts as one editor counts them: in UTF-16 unless it asked for others."""

    units: Units = utf16

    def position(self, source: Source, offset: int) -> types.Position:
        """Return where *offset* is."""
        line, column = source.line_column(offset)
        before = source.text[offset - column + 1 : offset]
        return types.Position(line - 1, self.units(before))

    def range(self, span: Span) -> types.Range:
        """Return where *span* is."""
        return types.Range(
            self.position(span.source, span.start), self.position(span.source, span.end)
        )

    def offset(self, source: Source, position: types.Position) -> int:
        """Return the offset of *position*; the end of the line if it is beyond."""
        start = _line_start(source.text, position.line)
        line = source.text[start:].partition("\n")[0]
        units = 0
        for at, character in enumerate(line):
            if units >= position.character:
                return start + at
            units += self.units(character)
        return start + len(line)

    def whole(self, source: Source) -> types.Range:
        """Return the range of all of *source*."""
        return self.range(Span(source, 0, len(source.text)))


def _line_start(text: str, line: int) -> int:
    at = 0
    for _ in range(line):
        found = text.find("\n", at)
        if found < 0:
            return len(text)
        at = found + 1
    return at
