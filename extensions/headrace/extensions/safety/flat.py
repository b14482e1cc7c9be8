"""A text as bytes, one byte a character: so that places in the bytes are places in the text.

It is for looking only. Digits of all scripts, full-width letters, all spaces and all dashes
become the ASCII ones. Letters of scripts that put spaces between words become `LETTER`; those
of the others end a word, as in a sentence that has an e-mail address between Chinese characters.
"""

import unicodedata

LETTER = "\xe0"
JOINT = "\x02"  # what nobody sees: zero-width spaces and joiners, soft hyphens
OTHER = "\x01"
PAUSES = "\N{EM DASH}\N{HORIZONTAL BAR}"  # they stand between words, and join nothing
ENTRIES_MAX = 1 << 16
# Thai, Lao; Myanmar; Hangul; Khmer; Chinese, Japanese, Yi; Hangul; and their late additions.
UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1100, 0x11FF),
    (0x1780, 0x17FF),
    (0x2E80, 0xA4CF),
    (0xAC00, 0xD7FF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFFDC),
    (0x20000, 0x3FFFF),
)


class Flattener(dict[int, str]):
    """Makes texts flat. Remembers characters, of which there are not many; one thread uses it."""

    __slots__ = ()

    def __missing__(self, code: int) -> str:
        """Return the byte of the character *code*, as a character."""
        byte = _byte(chr(code))
        if len(self) < ENTRIES_MAX:
            self[code] = byte
        return byte

    def flat(self, text: str) -> bytes:
        """Return *text* with one byte a character."""
        if text.isascii():
            return text.encode()
        return text.translate(self).encode("latin-1")


def is_unspaced(char: str) -> bool:
    """Return whether *char* is of a script whose words stand side by side, or get endings."""
    code = ord(char)
    return code >= UNSPACED[0][0] and any(low <= code <= high for low, high in UNSPACED)


def _byte(char: str) -> str:
    plain = unicodedata.normalize("NFKC", char)
    if len(plain) == 1 and plain.isascii():
        return plain
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit)
    category = unicodedata.category(char)
    if category == "Zs":
        return " "
    if (category == "Pd" and char not in PAUSES) or char == "\N{MINUS SIGN}":
        return "-"
    if category == "Cf":
        return JOINT
    is_letter = category[0] in "LM" and not is_unspaced(char)
    return LETTER if is_letter else OTHER
