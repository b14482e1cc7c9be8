"""Read literals: what was written, in base units (seconds, bytes, ratios, code points)."""

import re

_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|min|s|h|d)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)(?:([KMGT])(i?))?B")
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"`?])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))",
    re.DOTALL,
)
_SIMPLE = dict(zip("abfnrtv\\'\"`?", "\a\b\f\n\r\t\v\\'\"`?", strict=True))
_DIGITS_MAX = 40
INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1


class LiteralFault(ValueError):
    """A literal that fits the grammar and means nothing. Its text is for the author.

    at  offset and length of the offending part
    """

    def __init__(self, message: str, help_: str = "", at: tuple[int, int] | None = None) -> None:
        super().__init__(message)
        self.help, self.at = help_, at


def integer(text: str) -> int:
    """Return the int of ``1_000``, ``-5`` or ``0xff``, if it fits into 64 bits."""
    digits = text.replace("_", "")
    if len(digits) > _DIGITS_MAX:
        raise LiteralFault("this number does not fit into 64 bits")
    value = int(digits, 16 if "x" in digits else 10)
    if not INT_MIN <= value <= INT_MAX:
        raise LiteralFault("this number does not fit into 64 bits")
    return value


def unsigned(text: str) -> int:
    """Return the uint of ``5u`` or ``0xFFu``, if it fits into 64 bits."""
    digits = text[:-1].replace("_", "")
    if len(digits) > _DIGITS_MAX or (value := int(digits, 0 if "x" in digits else 10)) > UINT_MAX:
        raise LiteralFault("this number does not fit into 64 bits")
    return value


def double(text: str) -> float:
    """Return the double of ``1.5`` or ``2e-3``."""
    if len(text) > 400 or (value := float(text.replace("_", ""))) == float("inf"):
        raise LiteralFault("this number is too large for a double")
    return value


def ratio(text: str) -> float:
    """Return the ratio of ``80%``: 0.8."""
    return double(text[:-1]) / 100


def duration_s(text: str) -> float:
    """Return the seconds of ``1h30min`` or ``250ms``; at most 365 days."""
    seconds = sum(double(n) * _SECONDS[unit] for n, unit in _PART.findall(text))
    if seconds > 365 * 86400:
        raise LiteralFault("a duration is at most 365 days")
    return seconds


def size_bytes(text: str) -> int:
    """Return the bytes of ``4MB`` (decimal) or ``512KiB`` (binary)."""
    found = _SIZE.fullmatch(text)
    assert found is not None, text
    number, scale, binary = found.groups()
    power = "KMGT".index(scale) + 1 if scale else 0
    scale_by: int = (1024 if binary else 1000) ** power
    value = double(number) * scale_by
    if value > 2**53:
        raise LiteralFault("a size is at most 2^53 bytes")
    return int(value)


def string(text: str) -> str:
    """Return the text of a quoted literal, with CEL's escapes read unless it is raw."""
    inner, raw = _inside(text)
    return inner if raw or "\\" not in inner else _ESCAPE.sub(_escaped, inner)


def octets(text: str) -> bytes:
    """Return the bytes of a literal such as ``b"\\xff"``; characters count as UTF-8."""
    inner, raw = _inside(text)
    if raw or "\\" not in inner:
        return inner.encode("utf-8", "surrogatepass")
    parts: list[bytes] = []
    at = 0
    for found in _ESCAPE.finditer(inner):
        parts.append(inner[at : found.start()].encode("utf-8", "surrogatepass"))
        parts.append(_byte(found))
        at = found.end()
    return b"".join([*parts, inner[at:].encode("utf-8", "surrogatepass")])


def _byte(found: re.Match[str]) -> bytes:
    _, byte, short, long, octal, _ = found.groups()
    if short or long:
        at = (found.start() + 2, found.end() - found.start())
        raise LiteralFault("a byte is written `\\xff`, not by its code point", "", at)
    if byte or octal:
        return bytes([int(octal, 8) if octal else int(byte, 16)])
    return _escaped(found).encode()


def _inside(text: str) -> tuple[str, bool]:
    """Return what is between the quotes of a literal, and whether it is raw."""
    prefix = text[: min(text.find(quote) for quote in "\"'" if quote in text)]
    body = text[len(prefix) :]
    quotes = 3 if len(body) >= 6 and body[:3] in ('"""', "'''") else 1
    return body[quotes:-quotes], "r" in prefix.lower()


def verbatim(text: str) -> str:
    """Return what is between the quotes as it stands: a pattern's backslashes are its own."""
    return _inside(text)[0]


def _escaped(found: re.Match[str]) -> str:
    simple, byte, short, long, octal, other = found.groups()
    if simple:
        return _SIMPLE[simple]
    if other:
        cure = 'write `\\\\` for a backslash, or a raw string: `r"..."`'
        at = (found.start() + 1, found.end() - found.start())
        raise LiteralFault(f"`\\{other}` is not an escape", cure, at)
    point = int(octal, 8) if octal else int(byte or short or long, 16)
    if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
        at = (found.start() + 1, found.end() - found.start())
        raise LiteralFault("this escape is not a Unicode character", "", at)
    return chr(point)
