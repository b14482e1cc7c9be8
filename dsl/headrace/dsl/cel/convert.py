"""Conversions: `int(x)`, `string(x)` and the like, each for the types it takes."""

import math
import re

from headrace.dsl.cel.numbers import uint64
from headrace.dsl.cel.values import (
    INT_MAX,
    INT_MIN,
    NANOS,
    UINT_MAX,
    Duration,
    Fault,
    TypeName,
    Uint,
    base_of,
    name_of,
)

_INT = re.compile(r"[+-]?[0-9]{1,40}")
_UINT = re.compile(r"[0-9]{1,40}")
_DOUBLE = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WORDS = {"nan": math.nan, "infinity": math.inf, "inf": math.inf}
_TRUE, _FALSE = ("1", "t", "true", "TRUE", "True"), ("0", "f", "false", "FALSE", "False")


def int_of_uint(value: int) -> int:
    """Return the int of a uint, if it fits."""
    if value > INT_MAX:
        raise Fault("range", "range error: the uint is beyond an int")
    return int(value)


def int_of_double(value: float) -> int:
    """Return *value* without its fraction."""
    if INT_MIN < value < INT_MAX:
        return int(value)
    raise Fault("range", "range error: the double is beyond an int")


def int_of_text(text: str) -> int:
    """Return the int that *text* spells in decimal."""
    if _INT.fullmatch(text) is None:
        raise Fault("type", "this text is not an int")
    value = int(text)
    if not INT_MIN <= value <= INT_MAX:
        raise Fault("range", "range error: the number is beyond an int")
    return value


def uint_of_int(value: int) -> Uint:
    """Return the uint of an int, if it is not negative."""
    if value < 0:
        raise Fault("range", "range error: a uint is not negative")
    return Uint(value)


def uint_of_double(value: float) -> Uint:
    """Return *value* without its fraction, as a uint."""
    if 0 <= value < UINT_MAX:
        return uint64(int(value))
    raise Fault("range", "range error: the double is beyond a uint")


def uint_of_text(text: str) -> Uint:
    """Return the uint that *text* spells in decimal."""
    if _UINT.fullmatch(text) is None:
        raise Fault("type", "this text is not a uint")
    value = int(text)
    if value > UINT_MAX:
        raise Fault("range", "range error: the number is beyond a uint")
    return Uint(value)


def double_of_number(value: int) -> float:
    """Return the double nearest to an int or a uint."""
    return float(value)


def double_of_text(text: str) -> float:
    """Return the double that *text* spells."""
    word = _WORDS.get(text.lstrip("+-").lower()) if text[1:2] not in ("+", "-") else None
    if word is not None:
        return -word if text.startswith("-") else word
    if len(text) > 400 or _DOUBLE.fullmatch(text) is None:
        raise Fault("type", "this text is not a double")
    return float(text)


def text_of_number(value: int) -> str:
    """Return an int or a uint in decimal."""
    return str(int(value))


def text_of_double(value: float) -> str:
    """Return the shortest text that reads back as *value*: `1.5`, `100`, `1e+06`."""
    if not math.isfinite(value):
        return str(value)
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    mantissa, _, power = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(digits) - len(fraction) - 1 + int(power or 0)  # power of ten of the first digit
    digits = digits.rstrip("0")
    if not digits:
        return f"{sign}0"
    if -4 <= point < 6:
        if point < 0:
            return f"{sign}0.{'0' * (-point - 1)}{digits}"
        whole = digits[: point + 1].ljust(point + 1, "0")
        return f"{sign}{whole}.{digits[point + 1 :]}".removesuffix(".")
    tail = f".{digits[1:]}" if digits[1:] else ""
    return f"{sign}{digits[0]}{tail}e{point:+03}"


def text_of_octets(value: bytes) -> str:
    """Return the text that the bytes spell in UTF-8."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise Fault("type", "invalid UTF-8") from None


def text_of_bool(value: bool) -> str:
    """Return `true` or `false`."""
    return "true" if value else "false"


def octets_of_text(text: str) -> bytes:
    """Return *text* in UTF-8."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise Fault("type", "this text is not Unicode") from None


def bool_of_text(text: str) -> bool:
    """Return the bool that *text* names."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise Fault("type", "type conversion error: this text is not a bool")


def seconds_of_duration(value: Duration) -> float:
    """Return the duration as policies hold it: seconds."""
    return value.nanos / NANOS


def duration_of_seconds(value: float) -> Duration:
    """Return the duration of so many seconds."""
    if not math.isfinite(value):
        raise Fault("range", "duration out of range")
    return Duration(round(value * NANOS))


def type_name(value: object) -> TypeName:
    """Return the type of *value*."""
    return TypeName(name_of(base_of(value)))
