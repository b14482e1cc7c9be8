"""What generated code calls where plain Python would not do what CEL does."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from headrace.dsl.cel.interval import INT_MAX, INT_MIN
from headrace.dsl.cel.patterns import found
from headrace.dsl.program import RuleFault

T = TypeVar("T")
K = TypeVar("K")
_INT = re.compile(r"-?[0-9]{1,40}")
_DOUBLE = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Fault(Exception):
    """Carries a RuleFault out of an expression. Caught in the generated function itself."""

    def __init__(self, kind: str) -> None:
        self.fault = RuleFault(kind)


def _int64(value: int) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise Fault("overflow")


def add(a: int, b: int) -> int:
    """Return ``a + b`` within int64."""
    return _int64(a + b)


def sub(a: int, b: int) -> int:
    """Return ``a - b`` within int64."""
    return _int64(a - b)


def mul(a: int, b: int) -> int:
    """Return ``a * b`` within int64."""
    return _int64(a * b)


def neg(a: int) -> int:
    """Return ``-a`` within int64."""
    return _int64(-a)


def div(a: int, b: int) -> int:
    """Return the quotient of ints, towards zero."""
    if b == 0:
        raise Fault("division-by-zero")
    quotient = abs(a) // abs(b)
    return _int64(quotient if (a < 0) == (b < 0) else -quotient)


def rem(a: int, b: int) -> int:
    """Return the remainder of ints; it has the sign of *a*."""
    if b == 0:
        raise Fault("division-by-zero")
    if a == INT_MIN and b == -1:
        raise Fault("overflow")
    return -(-a % abs(b)) if a < 0 else a % abs(b)


def ratio(a: float, b: float) -> float:
    """Return ``a / b`` of doubles by IEEE 754: by zero it is infinite or NaN."""
    if b:
        return a / b
    if a == 0 or a != a:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def at_key(values: Mapping[K, T], key: K) -> T:
    """Return the value at *key*."""
    try:
        return values[key]
    except KeyError:
        raise Fault("missing") from None


def at_index(values: Sequence[T], index: int) -> T:
    """Return the item at *index*, counted from 0 and never from the end."""
    if 0 <= index < len(values):
        return values[index]
    raise Fault("range")


def both(left: Callable[[], bool], right: Callable[[], bool]) -> bool:
    """Return ``left && right``: false if either is, whatever the other does."""
    try:
        if not left():
            return False
    except Fault:
        if not right():
            return False
        raise
    return right()


def either(left: Callable[[], bool], right: Callable[[], bool]) -> bool:
    """Return ``left || right``: true if either is, whatever the other does."""
    try:
        if left():
            return True
    except Fault:
        if right():
            return True
        raise
    return right()


def exists(items: Iterable[T], test: Callable[[T], bool]) -> bool:
    """Return whether *test* holds for any item; one that holds outweighs faults."""
    fault: Fault | None = None
    for item in items:
        try:
            if test(item):
                return True
        except Fault as caught:
            fault = caught
    if fault is not None:
        raise fault
    return False


def every(items: Iterable[T], test: Callable[[T], bool]) -> bool:
    """Return whether *test* holds for all items; one that fails to hold outweighs faults."""
    return not exists(items, lambda item: not test(item))


def contains(items: Iterable[float], value: float) -> bool:
    """Return whether *value* equals an item; NaN equals nothing."""
    return any(value == item for item in items)


def equal(a: Sequence[object], b: Sequence[object]) -> bool:
    """Return whether two lists are equal, be they lists or tuples."""
    return len(a) == len(b) and all(x == y for x, y in zip(a, b, strict=True))


def int_of_double(value: float) -> int:
    """Return *value* without its fraction."""
    if INT_MIN < value < INT_MAX:
        return int(value)
    raise Fault("range")


def int_of_text(text: str) -> int:
    """Return the int that *text* spells in decimal."""
    if _INT.fullmatch(text) is None:
        raise Fault("type")
    value = int(text)
    if not INT_MIN <= value <= INT_MAX:
        raise Fault("range")
    return value


def double_of_text(text: str) -> float:
    """Return the double that *text* spells."""
    if len(text) > 400 or _DOUBLE.fullmatch(text) is None:
        raise Fault("type")
    return float(text)


def number(value: float) -> float:
    """Return *value* unless it is NaN: no order can be made with that."""
    if value != value:
        raise Fault("nan")
    return value


def again(fault: Fault | None) -> bool:
    """Raise the fault of a part that was evaluated before the loop; False if it had none."""
    if fault is not None:
        raise fault
    return False


def namespace() -> dict[str, object]:
    """Return the globals of a generated function: these functions and no builtins beside them."""
    builtins = (any, float, len, list, max, min, str, sum)
    ours = (
        add, again, at_index, at_key, both, contains, div, double_of_text, either, equal, every,
        exists, found, int_of_double, int_of_text, mul, neg, number, ratio, rem, sub,
    )  # fmt: skip
    return {
        "__builtins__": {},
        "Fault": Fault,
        **{f.__name__: f for f in builtins},
        **{f"_{f.__name__}": f for f in ours},
    }
