"""Where sentences end, well enough to cut a stream there."""

import re

# The full stops of the scripts that have one, and what may close behind it; or a line's end.
_END = re.compile(
    r"[.!?\u2026\u3002\uff01\uff1f\u0964\u061f\u06d4]+[\"'\u2019\u201d)\]]*(?=\s)|\n+"
)
SENTENCE_CHARS_MAX = 2_000  # without an end in so many characters, all of them are judged


def full(text: str, count: int) -> int:
    """Return how many characters of *text* are whole sentences, if at least *count* are; else 0."""
    ends = [found.end() for found in _END.finditer(text)]
    if len(ends) >= count:
        return ends[-1]
    return len(text) if len(text) >= SENTENCE_CHARS_MAX else 0
