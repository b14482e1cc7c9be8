"""The functions of strings and bytes. Positions count code points from 0."""

import base64 as codec
import binascii
from collections.abc import Sequence
from typing import cast

from headrace.dsl.cel.patterns import compile_pattern, found
from headrace.dsl.cel.values import ITEMS_MAX, TEXT_MAX, Fault

# What `trim` removes: White_Space of the Unicode database. Python's strip differs in U+001C-1F.
_SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_ESCAPES = str.maketrans(
    {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
    | {"\\": "\\\\", '"': '\\"'}
)
_UPPER = str.maketrans({c: c.upper() for c in "abcdefghijklmnopqrstuvwxyz"})
_LOWER = str.maketrans({c: c.lower() for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"})


def _at(index: int, length: int) -> int:
    if 0 <= index <= length:
        return index
    raise Fault("range", "index out of range")


def starts_with(text: str, start: str) -> bool:
    """Return whether *text* starts so."""
    return text.startswith(start)


def ends_with(text: str, end: str) -> bool:
    """Return whether *text* ends so."""
    return text.endswith(end)


def has_part(text: str, part: str) -> bool:
    """Return whether *part* is anywhere in *text*."""
    return part in text


def matches(text: str, pattern: str) -> bool:
    """Return whether the RE2 *pattern* is found anywhere in *text*."""
    compiled = compile_pattern(pattern)
    if isinstance(compiled, str):
        raise Fault("type", "this pattern is not valid RE2")
    return found(compiled, text)


def char_at(text: str, index: int) -> str:
    """Return the character at *index*; "" at the very end."""
    return text[_at(index, len(text)) :][:1]


def index_of(text: str, part: str) -> int:
    """Return where *part* first is, or -1."""
    return text.find(part)


def index_from(text: str, part: str, start: int) -> int:
    """Return where *part* first is from *start* on, or -1."""
    return text.find(part, _at(start, len(text)))


def last_index_of(text: str, part: str) -> int:
    """Return where *part* last is, or -1."""
    return text.rfind(part)


def last_index_from(text: str, part: str, start: int) -> int:
    """Return where *part* last begins at *start* or before, or -1."""
    return text.rfind(part, 0, _at(start, len(text)) + len(part))


def lower_ascii(text: str) -> str:
    """Return *text* with the letters A to Z small."""
    return text.translate(_LOWER)


def upper_ascii(text: str) -> str:
    """Return *text* with the letters a to z capital."""
    return text.translate(_UPPER)


def replace(text: str, old: str, new: str) -> str:
    """Return *text* with every *old* replaced."""
    return replace_some(text, old, new, -1)


def replace_some(text: str, old: str, new: str, count: int) -> str:
    """Return *text* with the first *count* of *old* replaced; all if it is negative."""
    times = text.count(old)
    times = times if count < 0 else min(times, count)
    if len(text) + times * (len(new) - len(old)) > TEXT_MAX:
        raise Fault("range", "the text grows too long")
    return text.replace(old, new, times)


def split(text: str, separator: str) -> list[object]:
    """Return the parts between the separators; the characters if it is empty."""
    return split_some(text, separator, -1)


def split_some(text: str, separator: str, limit: int) -> list[object]:
    """Return at most *limit* parts, the last with the rest; all if it is negative."""
    if limit == 0:
        return []
    if not separator:
        cut = len(text) if limit < 0 else limit - 1
        parts: list[object] = [*text[:cut]]
        parts += [text[cut:]] if text[cut:] else []
    else:
        parts = [*text.split(separator, limit - 1 if limit > 0 else -1)]
    if len(parts) > ITEMS_MAX:
        raise Fault("range", "the list grows too long")
    return parts


def substring_from(text: str, start: int) -> str:
    """Return *text* from *start* on."""
    return text[_at(start, len(text)) :]


def substring(text: str, start: int, end: int) -> str:
    """Return *text* from *start* to before *end*."""
    if start > end:
        raise Fault("range", "the start is after the end")
    return text[_at(start, len(text)) : _at(end, len(text))]


def trim(text: str) -> str:
    """Return *text* without white space at its ends."""
    return text.strip(_SPACES)


def reverse(text: str) -> str:
    """Return *text* backwards."""
    return text[::-1]


def quote(text: str) -> str:
    """Return *text* as a literal that reads back as it."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return f'"{whole.translate(_ESCAPES)}"'


def join(items: Sequence[object]) -> str:
    """Return the strings as one."""
    return join_with(items, "")


def join_with(items: Sequence[object], separator: str) -> str:
    """Return the strings as one, *separator* between them."""
    if not all(isinstance(item, str) for item in items):
        raise Fault("type", "no such overload")
    texts = cast(Sequence[str], items)
    if sum(map(len, texts)) + len(separator) * len(texts) > TEXT_MAX:
        raise Fault("range", "the text grows too long")
    return separator.join(texts)


def base64_encode(data: bytes) -> str:
    """Return the bytes in base64, with its padding."""
    return codec.b64encode(data).decode("ascii")


def base64_decode(text: str) -> bytes:
    """Return the bytes that base64 *text* stands for; padding may be left out."""
    try:
        return codec.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Fault("type", "this is not base64") from None
