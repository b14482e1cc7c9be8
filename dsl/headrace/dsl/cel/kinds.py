"""The types of expressions. Units exist in the checker only; at run time they are gone."""

from dataclasses import dataclass
from enum import Enum


class Base(Enum):
    """What a value is at run time. A duration is a float of seconds."""

    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    STRING = "string"
    DURATION = "duration"
    LIST = "list"
    MAP = "map"
    NULL = "null"
    UNKNOWN = "unknown"  # of something already reported, so that it is not reported twice


class Unit(Enum):
    """What a number counts. NONE goes with every unit: it is what a bare literal has."""

    NONE = ""
    RATIO = "ratio"
    COUNT = "count"
    TOKENS = "tokens"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Type:
    """A type. *item* is what a list holds, or what a map of strings or ints holds as values."""

    base: Base
    unit: Unit = Unit.NONE
    item: "Type | None" = None
    key: Base = Base.STRING

    def __str__(self) -> str:
        if self.base is Base.LIST and self.item is not None:
            return f"list of {self.item}"
        if self.base is Base.MAP and self.item is not None:
            return f"map of {self.item}"
        return self.unit.value or self.base.value

    @property
    def known(self) -> bool:
        """Whether this is a type at all, and not the trace of an earlier error."""
        return self.base is not Base.UNKNOWN

    @property
    def numeric(self) -> bool:
        """Whether it is an int or a double, of whatever unit."""
        return self.base in (Base.INT, Base.DOUBLE)


BOOL = Type(Base.BOOL)
INT = Type(Base.INT)
DOUBLE = Type(Base.DOUBLE)
STRING = Type(Base.STRING)
DURATION = Type(Base.DURATION)
NULL = Type(Base.NULL)
UNKNOWN = Type(Base.UNKNOWN)
RATIO = Type(Base.DOUBLE, Unit.RATIO)
COUNT = Type(Base.INT, Unit.COUNT)
TOKENS = Type(Base.INT, Unit.TOKENS)
BYTES = Type(Base.INT, Unit.BYTES)
STRINGS = Type(Base.LIST, item=STRING)
STRING_MAP = Type(Base.MAP, item=STRING)
LITERALS = {
    "int": INT,
    "double": DOUBLE,
    "bool": BOOL,
    "string": STRING,
    "null": NULL,
    "duration": DURATION,
    "bytes": BYTES,
    "ratio": RATIO,
}


def same(a: Type, b: Type) -> bool:
    """Return whether a value of *a* can stand where one of *b* does; units aside."""
    if not (a.known and b.known):
        return True
    if a.base is not b.base:
        return False
    if a.item is None or b.item is None:
        return True
    return same(a.item, b.item) and a.key is b.key
