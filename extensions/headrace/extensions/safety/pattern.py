"""The provider of a policy's own patterns: RE2, so linear in the text whatever they are."""

from dataclasses import dataclass, field

from headrace.extensions.safety.contract import Asked, Found, Verdict
from headrace.extensions.safety.expression import Expression, expression
from headrace.extensions.safety.local import REACH, verdict


@dataclass(frozen=True, slots=True)
class Patterns:
    """Finds any of its patterns. One search of all at once clears the usual text."""

    any_of: Expression = field(repr=False)
    each: tuple[Expression, ...] = field(repr=False)
    name: str = "patterns"
    reach = REACH
    width_max = None

    def screen(self, asked: Asked) -> Verdict:
        """Return what is found in the texts; a pattern's word is ``pattern`` and its number."""
        return verdict(self, asked)

    def found(self, text: str, start: int = 0) -> tuple[Found, ...]:
        """Return where the patterns match, each by its number from 0. Empty matches are none."""
        data = text.encode(errors="replace")
        is_plain = len(data) == len(text)
        first = start if is_plain else len(text[:start].encode(errors="replace"))
        if self.any_of.search(data, first) is None:
            return ()
        found: list[Found] = []
        for number, one in enumerate(self.each):
            spans = [place.span() for place in one.finditer(data, first)]
            for begin, end in spans if is_plain else _characters(data, spans):
                if begin < end:
                    found.append(Found(f"pattern {number}", begin, end, begin))
        return tuple(sorted(found, key=lambda one: one.start))

    def partial_start(self, text: str, overlap: int = 64) -> int:
        """Return where the last *overlap* characters begin: what a pattern needs is not known."""
        return max(0, len(text) - overlap)


def pattern_list(texts: tuple[str, ...]) -> Patterns:
    """Compile the RE2 expressions *texts*, at least one.

    Raises:
        ValueError: one of them is no RE2 expression.
    """
    each = tuple(expression(text) for text in texts)
    return Patterns(expression("|".join(f"(?:{text})" for text in texts)), each)


def _characters(data: bytes, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return *spans* of the UTF-8 *data*, in order and apart, in characters."""
    places: list[tuple[int, int]] = []
    bytes_read = chars_read = 0
    for start, end in spans:
        first = chars_read + len(data[bytes_read:start].decode())
        last = first + len(data[start:end].decode())
        places.append((first, last))
        bytes_read, chars_read = end, last
    return places
