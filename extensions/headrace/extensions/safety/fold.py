"""A text folded: what two texts have in common that say the same in other letters.

NFKD and no case, character by character, so that each has its place in the text. Characters
that nobody sees are left out; all white space that is not ASCII is a space.
"""

import unicodedata
from itertools import accumulate

ENTRIES_MAX = 1 << 16


class Folder(dict[int, str]):
    """Folds texts. Remembers characters, of which there are not many; one thread uses it."""

    __slots__ = ()

    def __missing__(self, code: int) -> str:
        """Return what the character *code* is folded to."""
        folded = _folded(chr(code))
        if len(self) < ENTRIES_MAX:
            self[code] = folded
        return folded

    def folded(self, text: str) -> str:
        """Return *text* folded."""
        return text.lower() if text.isascii() else text.translate(self)

    def places(self, text: str) -> list[int]:
        """Return where in the folded *text* each of its characters begins, and where it ends."""
        if text.isascii():
            return list(range(len(text) + 1))
        return list(accumulate([len(self[ord(char)]) for char in text], initial=0))


def _folded(char: str) -> str:
    if char.isspace():
        return char if char.isascii() else " "
    if unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f":
        return ""  # zero-width characters, soft hyphens; variation selectors
    plain = unicodedata.normalize("NFKD", char).casefold()
    return unicodedata.normalize("NFKD", plain)
