"""Equality and order, across the kinds of numbers too."""

from collections.abc import Mapping, Sequence
from typing import cast

from headrace.dsl.cel.kinds import Base
from headrace.dsl.cel.values import Fault, Optional, base_of, key_in

_NUMBERS = (Base.INT, Base.UINT, Base.DOUBLE)
_ORDERED = (Base.BOOL, Base.STRING, Base.OCTETS, Base.TIMESTAMP, Base.DURATION)
_KEYS = (*_NUMBERS, Base.BOOL, Base.STRING)


def same_value(a: object, b: object) -> bool:
    """Return `a == b`: numbers of all kinds compare by value, other kinds never mix."""
    left, right = base_of(a), base_of(b)
    if left in _NUMBERS and right in _NUMBERS:
        return _numbers_equal(cast(float, a), cast(float, b))
    if left is not right:
        return False
    match left:
        case Base.LIST:
            return _lists_equal(cast(Sequence[object], a), cast(Sequence[object], b))
        case Base.MAP:
            return _maps_equal(cast(Mapping[object, object], a), cast(Mapping[object, object], b))
        case Base.OPTIONAL:
            one, other = cast(Optional, a), cast(Optional, b)
            return one.present is other.present and same_value(one.value, other.value)
        case _:
            return a == b


def other_value(a: object, b: object) -> bool:
    """Return `a != b`."""
    return not same_value(a, b)


def _numbers_equal(a: float, b: float) -> bool:
    if isinstance(a, float) or isinstance(b, float):
        return float(a) == float(b)
    return a == b


def _lists_equal(a: Sequence[object], b: Sequence[object]) -> bool:
    return len(a) == len(b) and all(same_value(x, y) for x, y in zip(a, b, strict=True))


def _maps_equal(a: Mapping[object, object], b: Mapping[object, object]) -> bool:
    if len(a) != len(b):
        return False
    return all(key in b and same_value(value, b[key]) for key, value in a.items())


def order(a: object, b: object) -> int | None:
    """Return -1, 0 or 1 as *a* is below, at or above *b*; None beside NaN.

    Raises:
        Fault: there is no order between the two.
    """
    left, right = base_of(a), base_of(b)
    if left in _NUMBERS and right in _NUMBERS:
        return _number_order(cast(float, a), cast(float, b))
    if left is not right or left not in _ORDERED:
        raise Fault("type", "no such overload")
    one, other = cast(str, a), cast(str, b)  # of one ordered type, which Python orders as CEL does
    return (one > other) - (one < other)


def _number_order(a: float, b: float) -> int | None:
    if isinstance(a, float) or isinstance(b, float):
        a, b = float(a), float(b)
        if a != a or b != b:
            return None
    return (a > b) - (a < b)


def below(a: object, b: object) -> bool:
    """Return `a < b`."""
    return order(a, b) == -1


def at_most(a: object, b: object) -> bool:
    """Return `a <= b`."""
    return order(a, b) in (-1, 0)


def above(a: object, b: object) -> bool:
    """Return `a > b`."""
    return order(a, b) == 1


def at_least(a: object, b: object) -> bool:
    """Return `a >= b`."""
    return order(a, b) in (0, 1)


def is_in(value: object, items: object) -> bool:
    """Return whether a list has *value*, or a map has it as a key."""
    match base_of(items):
        case Base.LIST:
            return any(same_value(value, item) for item in cast(Sequence[object], items))
        case Base.MAP:
            found = cast(Mapping[object, object], items)
            return base_of(value) in _KEYS and key_in(value) in found
        case _:
            raise Fault("type", "no such overload")


def least(*values: object) -> object:
    """Return the smallest of some numbers, the first of equal ones."""
    return _extreme(values, -1)


def greatest(*values: object) -> object:
    """Return the largest of some numbers, the first of equal ones."""
    return _extreme(values, 1)


def _extreme(values: Sequence[object], wanted: int) -> object:
    if len(values) == 1 and base_of(values[0]) is Base.LIST:
        values = cast(Sequence[object], values[0])
    if not values or any(base_of(v) not in _NUMBERS for v in values):
        raise Fault("type", "no such overload")
    best = values[0]
    for value in values[1:]:
        if order(value, best) == wanted:
            best = value
    return best


def sorted_list(items: Sequence[object]) -> list[object]:
    """Return *items* in order; they are of one type that has an order."""
    return sorted_by(items, items)


def sorted_by(items: Sequence[object], keys: Sequence[object]) -> list[object]:
    """Return *items* in the order of their *keys*; equal keys keep their order."""
    kinds = {base_of(key) for key in keys}
    kind = next(iter(kinds), Base.INT)
    if len(kinds) > 1 or kind not in (*_NUMBERS, *_ORDERED):
        raise Fault("type", "a list is sorted by values of one type that has an order")
    if kind is Base.DOUBLE and any(key != key for key in keys):
        raise Fault("nan", "not a number has no place in an order")
    places = sorted(range(len(items)), key=lambda i: cast(float, keys[i]))
    return [items[i] for i in places]


def distinct(items: Sequence[object]) -> list[object]:
    """Return *items* without what equals an earlier item."""
    kept: list[object] = []
    simple: set[object] = set()
    for item in items:
        if base_of(item) in (Base.STRING, Base.INT):
            if item not in simple and not is_in(item, kept if type(item) is not str else []):
                kept.append(item)
            simple.add(item)
        elif not is_in(item, kept):
            kept.append(item)
    return kept


def sets_contain(items: Sequence[object], others: Sequence[object]) -> bool:
    """Return whether *items* has every one of *others*."""
    return all(is_in(other, items) for other in others)


def sets_equivalent(items: Sequence[object], others: Sequence[object]) -> bool:
    """Return whether both lists have the same items, however often."""
    return sets_contain(items, others) and sets_contain(others, items)


def sets_intersect(items: Sequence[object], others: Sequence[object]) -> bool:
    """Return whether the lists have an item in common."""
    return any(is_in(other, items) for other in others)


def is_zero(value: object) -> bool:
    """Return whether *value* is the zero of its type: 0, "", false, null, an empty list."""
    match base_of(value):
        case Base.TIMESTAMP | Base.DURATION | Base.TYPE:
            return getattr(value, "nanos", 1) == 0
        case Base.OPTIONAL:
            return not cast(Optional, value).present
        case _:
            return not value
