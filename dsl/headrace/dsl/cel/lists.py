"""Lists, maps and optionals: what they hold, and how to make them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

from headrace.dsl.cel.compare import is_zero
from headrace.dsl.cel.kinds import Base
from headrace.dsl.cel.values import (
    ITEMS_MAX,
    NONE,
    Fault,
    Optional,
    base_of,
    key_in,
    key_out,
)

_KEYS = (Base.BOOL, Base.INT, Base.UINT, Base.STRING)


def no_overload() -> Fault:
    """Return the fault of an operation on values it is not for."""
    return Fault("type", "no such overload")


def size(value: object) -> int:
    """Return the code points of a string, the bytes of bytes, the items of a list or map."""
    if base_of(value) not in (Base.STRING, Base.OCTETS, Base.LIST, Base.MAP):
        raise no_overload()
    return len(cast(Sequence[object], value))


def item_at(of: object, at: object) -> object:
    """Return `of[at]`; of an optional, the optional item of what it holds."""
    match base_of(of):
        case Base.LIST:
            items, place = cast(Sequence[object], of), _place(at)
            if 0 <= place < len(items):
                return items[place]
            raise Fault("range", "index out of bounds")
        case Base.MAP:
            entries = cast(Mapping[object, object], of)
            key = key_in(at)
            if base_of(at) in (*_KEYS, Base.DOUBLE) and key in entries:
                return entries[key]
            raise Fault("missing", "no such key")
        case Base.OPTIONAL:
            return maybe_at(of, at)
        case _:
            raise no_overload()


def _place(at: object) -> int:
    if isinstance(at, float) and at.is_integer() and abs(at) < 2**62:
        return int(at)
    if isinstance(at, int) and not isinstance(at, bool):
        return int(at)
    raise Fault("type", "invalid argument: not an index")


def maybe_at(of: object, at: object) -> Optional:
    """Return `of[?at]`: the item as an optional."""
    if isinstance(of, Optional):
        return maybe_at(of.value, at) if of.present else NONE
    if base_of(of) not in (Base.LIST, Base.MAP):
        raise no_overload()
    try:
        return Optional(True, item_at(of, at))
    except Fault as fault:
        if fault.kind == "type":
            raise
        return NONE


def field_of(of: object, name: str) -> object:
    """Return `of.name`; of an optional, the optional field of what it holds."""
    if isinstance(of, Optional):
        return maybe_field(of, name)
    if base_of(of) is not Base.MAP:
        raise Fault("type", "this has no fields")
    return item_at(of, name)


def maybe_field(of: object, name: str) -> Optional:
    """Return `of.?name`: the field as an optional."""
    if isinstance(of, Optional):
        return maybe_field(of.value, name) if of.present else NONE
    if base_of(of) is not Base.MAP:
        raise Fault("type", "this has no fields")
    return maybe_at(of, name)


def has_field(of: object, name: str) -> bool:
    """Return `has(of.name)`."""
    if isinstance(of, Optional):
        return of.present and has_field(of.value, name)
    if base_of(of) is not Base.MAP:
        raise Fault("type", "this has no fields")
    return name in cast(Mapping[object, object], of)


def made_list(*items: tuple[bool, object]) -> list[object]:
    """Return the list of *items*; one marked as optional is left out if it is absent."""
    made: list[object] = []
    for optional, item in items:
        if not optional:
            made.append(item)
        elif not isinstance(item, Optional):
            raise no_overload()
        elif item.present:
            made.append(item.value)
    return made


def made_map(*entries: tuple[bool, object, object]) -> dict[object, object]:
    """Return the map of *entries*; one marked as optional is left out if it is absent."""
    made: dict[object, object] = {}
    for optional, key, value in entries:
        if optional and not isinstance(value, Optional):
            raise no_overload()
        if isinstance(value, Optional) and optional:
            if not value.present:
                continue
            value = value.value
        put(made, key, value)
    return made


def put(made: dict[object, object], key: object, value: object) -> None:
    """Add an entry to the map *made*, which must not have the key yet."""
    if base_of(key) not in _KEYS:
        raise Fault("type", "unsupported key type")
    kept = key_in(key)
    if kept in made:
        raise Fault("type", "failed with repeated key")
    made[kept] = value


def mapped(entries: Iterator[tuple[object, object]]) -> dict[object, object]:
    """Return the map of *entries*."""
    made: dict[object, object] = {}
    for key, value in entries:
        put(made, key, value)
    return made


def merged(maps: Iterator[object]) -> dict[object, object]:
    """Return the entries of all *maps* as one; no key may come twice."""
    made: dict[object, object] = {}
    for one in maps:
        if base_of(one) is not Base.MAP:
            raise no_overload()
        for key, value in cast(Mapping[object, object], one).items():
            put(made, key_out(key), value)
    return made


def elements(value: object) -> Sequence[object]:
    """Return what a macro of one variable goes through: items, or the keys of a map."""
    match base_of(value):
        case Base.LIST:
            return cast(Sequence[object], value)
        case Base.MAP:
            return [key_out(key) for key in cast(Mapping[object, object], value)]
        case _:
            raise no_overload()


def pairs(value: object) -> Sequence[tuple[object, object]]:
    """Return what a macro of two variables goes through: index and item, or key and value."""
    match base_of(value):
        case Base.LIST:
            return list(enumerate(cast(Sequence[object], value)))
        case Base.MAP:
            entries = cast(Mapping[object, object], value).items()
            return [(key_out(key), item) for key, item in entries]
        case _:
            raise no_overload()


def cut(items: Sequence[object], start: int, end: int) -> list[object]:
    """Return the items from *start* to before *end*."""
    if not 0 <= start <= end <= len(items):
        raise Fault("range", "index out of bounds")
    return list(items[start:end])


def flattened(items: Sequence[object]) -> list[object]:
    """Return *items* with the lists among them put in place."""
    return flattened_to(items, 1)


def flattened_to(items: Sequence[object], depth: int) -> list[object]:
    """Return *items* with lists put in place, *depth* levels deep."""
    if depth < 0:
        raise Fault("range", "a depth is not negative")
    made: list[object] = []
    for item in items:
        if depth and base_of(item) is Base.LIST:
            made += flattened_to(cast(Sequence[object], item), depth - 1)
        else:
            made.append(item)
    return made


def numbers_to(count: int) -> list[object]:
    """Return the ints from 0 to before *count*."""
    if count > ITEMS_MAX:
        raise Fault("range", "the list grows too long")
    return list(range(count))


def reversed_list(items: Sequence[object]) -> list[object]:
    """Return *items* backwards."""
    return list(items[::-1])


def first(items: Sequence[object]) -> Optional:
    """Return the first item, if there is one."""
    return Optional(True, items[0]) if items else NONE


def last(items: Sequence[object]) -> Optional:
    """Return the last item, if there is one."""
    return Optional(True, items[-1]) if items else NONE


def some(value: object) -> Optional:
    """Return an optional that has *value*."""
    return Optional(True, value)


def some_nonzero(value: object) -> Optional:
    """Return an optional that has *value*, unless that is its type's zero."""
    return NONE if is_zero(value) else Optional(True, value)


def absent() -> Optional:
    """Return the optional that has nothing."""
    return NONE


def has_value(value: Optional) -> bool:
    """Return whether there is a value."""
    return value.present


def value_of(value: Optional) -> object:
    """Return the value, which must be there."""
    if not value.present:
        raise Fault("missing", "optional.none() dereference")
    return value.value


def unwrapped(items: Sequence[object]) -> list[object]:
    """Return the values that the optionals in *items* have."""
    return made_list(*((True, item) for item in items))


def or_other(value: object, other: Callable[[], object]) -> object:
    """Return the optional *value* if it has one, else the *other* optional."""
    if not isinstance(value, Optional):
        raise no_overload()
    if value.present:
        return value
    found = other()
    if not isinstance(found, Optional):
        raise no_overload()
    return found


def or_value(value: object, other: Callable[[], object]) -> object:
    """Return what the optional *value* has, or else *other*."""
    if not isinstance(value, Optional):
        raise no_overload()
    return value.value if value.present else other()


def opt_map(value: object, change: Callable[[object], object]) -> object:
    """Return the optional with its value changed."""
    if not isinstance(value, Optional):
        raise no_overload()
    return Optional(True, change(value.value)) if value.present else value


def opt_flat_map(value: object, change: Callable[[object], object]) -> object:
    """Return the optional that *change* makes of the value of *value*."""
    if not isinstance(value, Optional):
        raise no_overload()
    return change(value.value) if value.present else value
