"""The types of expressions. Units exist in the checker only; at run time they are gone."""

from dataclasses import dataclass, replace
from enum import Enum


class Base(Enum):
    """What a value is at run time. In a policy a duration is a float of seconds."""

    BOOL = "bool"
    INT = "int"
    UINT = "uint"
    DOUBLE = "double"
    STRING = "string"
    OCTETS = "bytes"
    TIMESTAMP = "timestamp"
    DURATION = "duration"
    LIST = "list"
    MAP = "map"
    NULL = "null"
    TYPE = "type"
    OPTIONAL = "optional"
    DYN = "dyn"
    PARAM = "param"  # a letter in a signature, such as the A of list(A)
    UNKNOWN = "unknown"  # of an empty literal, or of something already reported


class Unit(Enum):
    """What a number counts. NONE goes with every unit: it is what a bare literal has."""

    NONE = ""
    RATIO = "ratio"
    COUNT = "count"
    TOKENS = "tokens"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Type:
    """A type.

    item  what a list, an optional or a type holds, or the values of a map
    key   the keys of a map
    name  the letter of a PARAM
    """

    base: Base
    unit: Unit = Unit.NONE
    item: "Type | None" = None
    key: "Type | None" = None
    name: str = ""

    def __str__(self) -> str:
        if self.item is not None:
            match self.base:
                case Base.LIST:
                    return f"list of {self.item}"
                case Base.MAP:
                    return f"map of {self.item}"
                case Base.OPTIONAL:
                    return f"optional {self.item}"
                case _:
                    pass
        return self.name or self.unit.value or self.base.value

    @property
    def known(self) -> bool:
        """Whether this is a type at all, and not the trace of an earlier error."""
        return self.base is not Base.UNKNOWN

    @property
    def numeric(self) -> bool:
        """Whether it is an int or a double, of whatever unit."""
        return self.base in (Base.INT, Base.DOUBLE)

    @property
    def loose(self) -> bool:
        """Whether only the run time knows what it is."""
        return self.base in (Base.DYN, Base.UNKNOWN)


BOOL = Type(Base.BOOL)
INT = Type(Base.INT)
UINT = Type(Base.UINT)
DOUBLE = Type(Base.DOUBLE)
STRING = Type(Base.STRING)
OCTETS = Type(Base.OCTETS)
TIMESTAMP = Type(Base.TIMESTAMP)
DURATION = Type(Base.DURATION)
NULL = Type(Base.NULL)
DYN = Type(Base.DYN)
UNKNOWN = Type(Base.UNKNOWN)
RATIO = Type(Base.DOUBLE, Unit.RATIO)
COUNT = Type(Base.INT, Unit.COUNT)
TOKENS = Type(Base.INT, Unit.TOKENS)
BYTES = Type(Base.INT, Unit.BYTES)
STRINGS = Type(Base.LIST, item=STRING)
STRING_MAP = Type(Base.MAP, item=STRING, key=STRING)
LITERALS = {
    "int": INT,
    "uint": UINT,
    "double": DOUBLE,
    "bool": BOOL,
    "string": STRING,
    "octets": OCTETS,
    "null": NULL,
    "duration": DURATION,
    "bytes": BYTES,
    "ratio": RATIO,
}


def list_of(item: Type) -> Type:
    """Return the type of a list that holds *item*."""
    return Type(Base.LIST, item=item)


def map_of(key: Type, item: Type) -> Type:
    """Return the type of a map from *key* to *item*."""
    return Type(Base.MAP, item=item, key=key)


def optional_of(item: Type) -> Type:
    """Return the type of an optional *item*."""
    return Type(Base.OPTIONAL, item=item)


def type_of(item: Type) -> Type:
    """Return the type of the type *item* itself, as a value."""
    return Type(Base.TYPE, item=item)


def bare(type_: Type) -> Type:
    """Return *type_* without units, inside too; what is not known is dyn."""
    if type_.loose:
        return DYN
    item = bare(type_.item) if type_.item else None
    key = bare(type_.key) if type_.key else None
    return replace(type_, unit=Unit.NONE, item=item, key=key)


def same(a: Type, b: Type) -> bool:
    """Return whether a value of *a* can stand where one of *b* does; units aside."""
    if not (a.known and b.known):
        return True
    if a.base is not b.base:
        return False
    if a.item is None or b.item is None:
        return True
    keys = a.key is None or b.key is None or same(a.key, b.key)
    return keys and same(a.item, b.item)


def holds(type_: Type, base: Base) -> bool:
    """Return whether *type_* is or contains *base*."""
    inner = (type_.item, type_.key)
    return type_.base is base or any(part is not None and holds(part, base) for part in inner)
