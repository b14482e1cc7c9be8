"""What an expression works on where plain Python has no such value.

Bools, ints, floats, strings, bytes, None, lists and maps are Python's own; the rest of
CEL's values are here. A map keeps its bool keys as Flag, because Python takes True for 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import cast

from headrace.dsl.cel.kinds import DYN, Base, Type
from headrace.dsl.program import RuleFault

NANOS = 1_000_000_000
INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1
TEXT_MAX = 1 << 20  # characters or bytes one value may grow to
ITEMS_MAX = 100_000  # items one list may grow to


class Fault(Exception):
    """An evaluation error: its kind, and in words what went wrong.

    kind  one of ``overflow``, ``division-by-zero``, ``missing``, ``nan``, ``range``, ``type``
    """

    def __init__(self, kind: str, message: str = "") -> None:
        super().__init__(message or kind)
        self.kind = kind
        self.fault = RuleFault(kind)


class Uint(int):
    """An unsigned int of 64 bits. It compares and hashes as the int it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Uint({int(self)})"


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A signed length of time."""

    nanos: int


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """An instant, in nanoseconds since 1970 began in UTC."""

    nanos: int


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type as a value: what `type(x)` gives."""

    name: str


@dataclass(frozen=True, slots=True)
class Optional:
    """A value that may be absent."""

    present: bool
    value: object = None


class Flag(Enum):
    """A bool as the key of a map."""

    FALSE = False
    TRUE = True


NONE = Optional(False)
_BASES: dict[type, Base] = {
    bool: Base.BOOL,
    int: Base.INT,
    Uint: Base.UINT,
    float: Base.DOUBLE,
    str: Base.STRING,
    bytes: Base.OCTETS,
    type(None): Base.NULL,
    list: Base.LIST,
    tuple: Base.LIST,
    dict: Base.MAP,
    Duration: Base.DURATION,
    Timestamp: Base.TIMESTAMP,
    TypeName: Base.TYPE,
    Optional: Base.OPTIONAL,
}
_NAMES = {
    Base.NULL: "null_type",
    Base.TIMESTAMP: "google.protobuf.Timestamp",
    Base.DURATION: "google.protobuf.Duration",
    Base.OPTIONAL: "optional_type",
}


def base_of(value: object) -> Base:
    """Return what *value* is; UNKNOWN if it is nothing of CEL's."""
    found = _BASES.get(type(value))
    if found is not None:
        return found
    if isinstance(value, Mapping):
        return Base.MAP
    return Base.LIST if isinstance(value, Sequence) else Base.UNKNOWN


def name_of(base: Base) -> str:
    """Return what the type is called in expressions."""
    return _NAMES.get(base, base.value)


def key_in(key: object) -> object:
    """Return *key* as a map keeps it."""
    return Flag(key) if isinstance(key, bool) else key


def key_out(key: object) -> object:
    """Return the key that a map keeps as *key*."""
    return key.value if isinstance(key, Flag) else key


def taken_in(value: object, type_: Type = DYN) -> object:
    """Return *value* as expressions see it: bool keys of maps become Flags, inside too.

    Where *type_* says uint or double, an int becomes that.

    Raises:
        Fault: it holds something that no expression can work on, or an int beyond 64 bits.
    """
    item, key = type_.item or DYN, type_.key or DYN
    match base_of(value):
        case Base.MAP:
            pairs = cast(Mapping[object, object], value).items()
            return {key_in(taken_in(k, key)): taken_in(v, item) for k, v in pairs}
        case Base.LIST:
            return [taken_in(part, item) for part in cast(Sequence[object], value)]
        case Base.INT:
            return _number(cast(int, value), type_)
        case Base.UNKNOWN:
            raise Fault("type", f"no value of an expression is a {type(value).__name__}")
        case _:
            return value


def _number(value: int, type_: Type) -> object:
    if type_.base is Base.UINT:
        if not 0 <= value <= UINT_MAX:
            raise Fault("range", "a uint is from 0 to 2^64 - 1")
        return Uint(value)
    if not INT_MIN <= value <= INT_MAX:
        raise Fault("range", "an int is from -2^63 to 2^63 - 1")
    return float(value) if type_.base is Base.DOUBLE else value


def given_out(value: object) -> object:
    """Return *value* as plain data: lists and dicts, keys as they were written.

    Where true is a key beside 1 (or false beside 0), it stays a Flag: a dict takes both for one.
    """
    match base_of(value):
        case Base.MAP:
            entries = cast(Mapping[object, object], value)
            return {_key_given(k, entries): given_out(v) for k, v in entries.items()}
        case Base.LIST:
            return [given_out(item) for item in cast(Sequence[object], value)]
        case Base.OPTIONAL:
            held = cast(Optional, value)
            return Optional(held.present, given_out(held.value))
        case _:
            return value


def _key_given(key: object, entries: Mapping[object, object]) -> object:
    if isinstance(key, Flag) and int(key.value) not in entries:
        return key.value
    return key
