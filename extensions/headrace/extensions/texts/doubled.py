"""Whether a name stands twice in one object of a JSON text.

A decoder keeps one of the two values without a word, another one's decoder keeps the other:
so whoever judges what he has read must not pass on what he has not.
"""

from typing import Any

import msgspec


def is_doubled(data: bytes, value: Any) -> bool:
    """Return whether decoding lost something of *data*, valid JSON that was decoded to *value*.

    What is lost is a name and its value, so there are fewer strings in what *value* is written
    as. Linear, and at the speed of the encoder. Any: whatever JSON it is.
    """
    return _quotes(data) != _quotes(msgspec.json.encode(value))


def _quotes(data: bytes) -> int:
    """Return how many quotes in *data* begin or end a string."""
    if b"\\" not in data:
        return data.count(b'"')
    plain = data.replace(rb"\\", b"")
    return plain.count(b'"') - plain.count(rb"\"")
