"""What generated code may name: these functions and a few of Python's, and nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from headrace.dsl.cel import over
from headrace.dsl.cel.convert import (
    double_of_text,
    duration_of_seconds,
    int_of_double,
    int_of_text,
    seconds_of_duration,
)
from headrace.dsl.cel.folds import Once, both, either, every, exists, truth
from headrace.dsl.cel.lists import (
    elements,
    field_of,
    has_field,
    made_list,
    made_map,
    mapped,
    maybe_field,
    merged,
    pairs,
)
from headrace.dsl.cel.numbers import add, div, mul, neg, ratio, rem, sub
from headrace.dsl.cel.patterns import found
from headrace.dsl.cel.values import NONE, Duration, Fault, Optional, Timestamp, TypeName, Uint

FEW_MAX = 1000  # what the cost bound counts for a list of unknown length
T = TypeVar("T")
K = TypeVar("K")


def at_key(values: Mapping[K, T], key: K) -> T:
    """Return the value at *key*."""
    try:
        return values[key]
    except KeyError:
        raise Fault("missing", "no such key") from None


def at_index(values: Sequence[T], index: int) -> T:
    """Return the item at *index*, counted from 0 and never from the end."""
    if 0 <= index < len(values):
        return values[index]
    raise Fault("range", "index out of bounds")


def contains(items: Iterable[float], value: float) -> bool:
    """Return whether *value* equals an item; NaN equals nothing."""
    return any(value == item for item in items)


def equal(a: Sequence[object], b: Sequence[object]) -> bool:
    """Return whether two lists are equal, be they lists or tuples."""
    return len(a) == len(b) and all(x == y for x, y in zip(a, b, strict=True))


def cookie(header: str, name: str) -> str:
    """Return the value of the first cookie *name* in a Cookie *header*; empty without one.

    Source: RFC 6265, section 4.2.1: pairs ``name=value`` between semicolons.
    """
    if not name or name not in header:
        return ""
    for pair in header.split(";"):
        found, equals, value = pair.strip().partition("=")
        if equals and found == name:
            return value.strip()
    return ""


def number(value: float) -> float:
    """Return *value* unless it is NaN: no order can be made with that."""
    if value != value:
        raise Fault("nan", "not a number")
    return value


def again(fault: Fault | None) -> bool:
    """Raise the fault of a part that was evaluated before the loop; False if it had none."""
    if fault is not None:
        raise fault
    return False


def maybe(value: object) -> Optional:
    """Return what may be None as an optional."""
    return Optional(value is not None, value)


def maybe_duration(seconds: float | None) -> Optional:
    """Return what may be None as an optional Duration."""
    return NONE if seconds is None else Optional(True, duration_of_seconds(seconds))


def few(items: Sequence[T]) -> Sequence[T]:
    """Return *items*, of which there are few enough to go through in a decision."""
    if len(items) > FEW_MAX:
        raise Fault("range", "a macro goes through too many items")
    return items


def variable(values: Mapping[str, object], name: str) -> object:
    """Return the value of *name*."""
    if name in values:
        return values[name]
    raise Fault("missing", "no such attribute: the variable has no value")


def named(values: Mapping[str, object], choices: Sequence[tuple[str, Sequence[str]]]) -> object:
    """Return the first of *choices*, names with the fields to take, that has a value."""
    for name, fields in choices:
        if name in values:
            value = values[name]
            for one in fields:
                value = field_of(value, one)
            return value
    raise Fault("missing", "no such attribute: unknown variable")


def failing(kind: str, message: str) -> object:
    """Raise the fault that stands where nothing can be evaluated."""
    raise Fault(kind, message)


def namespace() -> dict[str, object]:
    """Return the globals of a generated function: these functions and no builtins beside them."""
    builtins = (ArithmeticError, TypeError, any, float, len, list, max, min, str, sum)
    ours = (
        Duration, Once, Timestamp, TypeName, Uint, add, again, at_index, at_key, both, contains,
        cookie, div, double_of_text, duration_of_seconds, either, elements, equal, every, exists,
        failing, few, field_of, found, has_field, int_of_double, int_of_text, made_list, made_map,
        mapped, maybe, maybe_duration, maybe_field, merged, mul, named, neg, number, pairs, ratio,
        rem, seconds_of_duration, sub, truth, variable, over.spoken, over.top, over.bottom,
        over.span, over.span_of_some, over.low, over.high, over.ordered, over.rank,
    )  # fmt: skip
    return {
        "__builtins__": {},
        "Fault": Fault,
        **{f.__name__: f for f in builtins},
        **{f"_{f.__name__}": f for f in ours},
    }
