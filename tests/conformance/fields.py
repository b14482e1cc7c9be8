"""Header blocks by hand: every representation of RFC 7541, section 6, also where it is wrong.

What is built here leaves the dynamic table alone unless a test asks for it, so that a block
means the same wherever it is sent.
"""

from enum import Enum

from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH


class As(Enum):
    """How a literal is represented: first octet's pattern and bits of the index prefix."""

    INDEXING = (0x40, 6)
    PLAIN = (0x00, 4)
    NEVER = (0x10, 4)


Field = tuple[str | bytes, str | bytes]


def integer(value: int, prefix_bits: int, pattern: int = 0) -> bytes:
    """Return *value* as section 5.1 writes it, after *pattern* in its first octet."""
    full = (1 << prefix_bits) - 1
    if value < full:
        return bytes([pattern | value])
    octets = [pattern | full]
    value -= full
    while value >= 0x80:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*octets, value])


def octets(text: str | bytes) -> bytes:
    """Return *text* as octets, one per character."""
    return text if isinstance(text, bytes) else text.encode("latin-1")


def string(text: str | bytes, huffman: bool = False) -> bytes:
    """Return *text* as section 5.2 writes it."""
    raw = octets(text)
    if not huffman:
        return integer(len(raw), 7) + raw
    coder = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)
    packed = coder.encode(raw)
    return integer(len(packed), 7, 0x80) + packed


def indexed(index: int) -> bytes:
    """Return an indexed field, section 6.1."""
    return integer(index, 7, 0x80)


def literal(
    name: str | bytes | int, value: str | bytes, how: As = As.PLAIN, huffman: bool = False
) -> bytes:
    """Return a literal field, section 6.2; *name* as text or as an index."""
    pattern, bits = how.value
    if isinstance(name, int):
        return integer(name, bits, pattern) + string(value, huffman)
    return bytes([pattern]) + string(name, huffman) + string(value, huffman)


def table_size(size_bytes: int) -> bytes:
    """Return a dynamic table size update, section 6.3."""
    return integer(size_bytes, 5, 0x20)


def block(*pairs: Field) -> bytes:
    """Return a block of plain literals."""
    return b"".join(literal(name, value) for name, value in pairs)
