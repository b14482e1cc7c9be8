"""How random a string looks: what tells a key from a name."""

import math
from collections import Counter
from itertools import pairwise

BITS_PER_CHAR_MIN = 3.0  # of 16 random hexadecimal digits some 3.3 are seen, of English less
CHANGES_MIN = 1 / 6  # of random base62 two neighbours in three differ in kind, of hex one in two


def looks_random(value: bytes) -> bool:
    """Return whether *value* looks as if nobody had thought of it.

    Its characters are many and rarely repeat, and small letters, capitals and digits alternate,
    which they do not in names that are made of words.
    """
    letters = bytes(byte for byte in value if chr(byte).isalnum() and byte < 128)
    if len(letters) < 16 or not any(chr(byte).isdigit() for byte in letters):
        return False
    kinds = [_kind(byte) for byte in letters]
    changes = sum(a != b for a, b in pairwise(kinds))
    return bits_per_char(letters) >= BITS_PER_CHAR_MIN and changes >= len(letters) * CHANGES_MIN


def bits_per_char(value: bytes) -> float:
    """Return Shannon's entropy of the characters of *value*, in bits for each."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values())


def _kind(byte: int) -> int:
    return 0 if 48 <= byte <= 57 else 1 if byte < 97 else 2
