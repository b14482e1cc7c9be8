"""Arithmetic: 64-bit ints that fault instead of wrapping, and doubles by IEEE 754."""

import math
from collections.abc import Sequence

from headrace.dsl.cel.values import (
    INT_MAX,
    INT_MIN,
    ITEMS_MAX,
    NANOS,
    TEXT_MAX,
    UINT_MAX,
    Duration,
    Fault,
    Timestamp,
    Uint,
)

DURATION_MAX = 315_576_000_000 * NANOS  # ten thousand years, as protobuf has it
INSTANT_MIN, INSTANT_MAX = -62_135_596_800 * NANOS, 253_402_300_800 * NANOS - 1


def int64(value: int) -> int:
    """Return *value* if it fits."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise Fault("overflow", "integer overflow")


def uint64(value: int) -> Uint:
    """Return *value* as a uint, if it fits."""
    if 0 <= value <= UINT_MAX:
        return Uint(value)
    raise Fault("overflow", "unsigned integer overflow")


def span_of(nanos: int) -> Duration:
    """Return the duration of *nanos*, if it is in range."""
    if abs(nanos) <= DURATION_MAX:
        return Duration(nanos)
    raise Fault("range", "duration out of range")


def instant_of(nanos: int) -> Timestamp:
    """Return the timestamp at *nanos*, if it is in the years 1 to 9999."""
    if INSTANT_MIN <= nanos <= INSTANT_MAX:
        return Timestamp(nanos)
    raise Fault("range", "timestamp out of range")


def add(a: int, b: int) -> int:
    """Return ``a + b`` within int64."""
    return int64(a + b)


def sub(a: int, b: int) -> int:
    """Return ``a - b`` within int64."""
    return int64(a - b)


def mul(a: int, b: int) -> int:
    """Return ``a * b`` within int64."""
    return int64(a * b)


def neg(a: int) -> int:
    """Return ``-a`` within int64."""
    return int64(-a)


def div(a: int, b: int) -> int:
    """Return the quotient of ints, towards zero."""
    if b == 0:
        raise Fault("division-by-zero", "division by zero")
    quotient = abs(a) // abs(b)
    return int64(quotient if (a < 0) == (b < 0) else -quotient)


def rem(a: int, b: int) -> int:
    """Return the remainder of ints; it has the sign of *a*."""
    if b == 0:
        raise Fault("division-by-zero", "modulus by zero")
    if a == INT_MIN and b == -1:
        raise Fault("overflow", "integer overflow")
    return -(-a % abs(b)) if a < 0 else a % abs(b)


def ratio(a: float, b: float) -> float:
    """Return ``a / b`` of doubles by IEEE 754: by zero it is infinite or NaN."""
    if b:
        return a / b
    if a == 0 or a != a:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def uint_add(a: int, b: int) -> Uint:
    """Return ``a + b`` within uint64."""
    return uint64(int(a) + b)


def uint_sub(a: int, b: int) -> Uint:
    """Return ``a - b`` within uint64."""
    return uint64(int(a) - b)


def uint_mul(a: int, b: int) -> Uint:
    """Return ``a * b`` within uint64."""
    return uint64(int(a) * b)


def uint_div(a: int, b: int) -> Uint:
    """Return the quotient of uints."""
    return Uint(int(a) // b) if b else _no_quotient()


def uint_rem(a: int, b: int) -> Uint:
    """Return the remainder of uints."""
    return Uint(int(a) % b) if b else _no_quotient()


def _no_quotient() -> Uint:
    raise Fault("division-by-zero", "division by zero")


def double_add(a: float, b: float) -> float:
    """Return ``a + b`` of doubles."""
    return a + b


def double_sub(a: float, b: float) -> float:
    """Return ``a - b`` of doubles."""
    return a - b


def double_mul(a: float, b: float) -> float:
    """Return ``a * b`` of doubles."""
    return a * b


def double_neg(a: float) -> float:
    """Return ``-a`` of a double."""
    return -a


def text_add(a: str, b: str) -> str:
    """Return both texts, or both byte strings, as one."""
    if len(a) + len(b) > TEXT_MAX:
        raise Fault("range", "the text grows too long")
    return a + b


def list_add(a: Sequence[object], b: Sequence[object]) -> list[object]:
    """Return the items of both lists."""
    if len(a) + len(b) > ITEMS_MAX:
        raise Fault("range", "the list grows too long")
    return [*a, *b]


def duration_add(a: Duration, b: Duration) -> Duration:
    """Return the sum of durations."""
    return span_of(a.nanos + b.nanos)


def duration_sub(a: Duration, b: Duration) -> Duration:
    """Return the difference of durations."""
    return span_of(a.nanos - b.nanos)


def duration_neg(a: Duration) -> Duration:
    """Return the duration with the other sign."""
    return span_of(-a.nanos)


def later(a: Timestamp, b: Duration) -> Timestamp:
    """Return the instant *b* after *a*."""
    return instant_of(a.nanos + b.nanos)


def later_by(a: Duration, b: Timestamp) -> Timestamp:
    """Return the instant *a* after *b*."""
    return instant_of(a.nanos + b.nanos)


def earlier(a: Timestamp, b: Duration) -> Timestamp:
    """Return the instant *b* before *a*."""
    return instant_of(a.nanos - b.nanos)


def between(a: Timestamp, b: Timestamp) -> Duration:
    """Return how long *a* is after *b*: less than 293 years, as nanoseconds are an int."""
    nanos = a.nanos - b.nanos
    if not INT_MIN <= nanos <= INT_MAX:
        raise Fault("overflow", "integer overflow")
    return Duration(nanos)


def ceil(x: float) -> float:
    """Return the next whole double upwards."""
    return math.copysign(float(math.ceil(x)), x) if math.isfinite(x) else x


def floor(x: float) -> float:
    """Return the next whole double downwards."""
    return math.copysign(float(math.floor(x)), x) if math.isfinite(x) else x


def trunc(x: float) -> float:
    """Return *x* without its fraction."""
    return math.copysign(float(math.trunc(x)), x) if math.isfinite(x) else x


def round_(x: float) -> float:
    """Return the nearest whole double; halves go away from zero."""
    if not math.isfinite(x):
        return x
    whole = math.floor(abs(x))
    return math.copysign(float(whole + (abs(x) - whole >= 0.5)), x)


def abs_(x: int) -> int:
    """Return the absolute value of an int."""
    return int64(abs(x))


def double_abs(x: float) -> float:
    """Return the absolute value of a double."""
    return abs(x)


def same(x: object) -> object:
    """Return *x* itself."""
    return x


def sign(x: int) -> int:
    """Return -1, 0 or 1."""
    return (x > 0) - (x < 0)


def uint_sign(x: int) -> Uint:
    """Return 0 or 1."""
    return Uint(x > 0)


def double_sign(x: float) -> float:
    """Return -1.0, 0.0 or 1.0; NaN stays."""
    return x if x != x else float((x > 0) - (x < 0))


def sqrt(x: float) -> float:
    """Return the square root; NaN below zero."""
    return math.nan if x < 0 or x != x else math.sqrt(x)


def is_nan(x: float) -> bool:
    """Return whether *x* is not a number."""
    return x != x


def is_inf(x: float) -> bool:
    """Return whether *x* is infinite."""
    return math.isinf(x)


def is_finite(x: float) -> bool:
    """Return whether *x* is a number and not infinite."""
    return math.isfinite(x)


def bit_and(a: int, b: int) -> int:
    """Return the bits that both ints have."""
    return _like(a, a & b)


def bit_or(a: int, b: int) -> int:
    """Return the bits that either int has."""
    return _like(a, a | b)


def bit_xor(a: int, b: int) -> int:
    """Return the bits that one of the ints has."""
    return _like(a, a ^ b)


def bit_not(a: int) -> int:
    """Return the bits that the int lacks."""
    return Uint(UINT_MAX ^ a) if isinstance(a, Uint) else ~a


def bit_shift_left(a: int, by: int) -> int:
    """Return the bits moved up; those beyond 64 are lost."""
    return _wrapped(a, 0 if _far(by) else a << by)


def bit_shift_right(a: int, by: int) -> int:
    """Return the bits moved down, zeros following, of ints as well."""
    return _wrapped(a, 0 if _far(by) else (a & UINT_MAX) >> by)


def _far(by: int) -> bool:
    if by < 0:
        raise Fault("range", "a shift is not negative")
    return by > 63


def _like(a: int, value: int) -> int:
    return Uint(value) if isinstance(a, Uint) else value


def _wrapped(a: int, value: int) -> int:
    value = int(value) & UINT_MAX
    if isinstance(a, Uint):
        return Uint(value)
    return value - (1 << 64) if value > INT_MAX else value
