"""Every function of CEL there is: which types it takes, what it gives, what runs.

Operators are functions too, by the names CEL itself gives them: `_+_`, `@in`, `_[_]`.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from headrace.dsl.cel.kinds import (
    BOOL,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    OCTETS,
    STRING,
    TIMESTAMP,
    UINT,
    Base,
    Type,
    list_of,
    map_of,
    optional_of,
    type_of,
)
from headrace.dsl.cel.signatures import FUNCTIONS, METHODS, POLYMORPHIC, ZONED
from headrace.dsl.cel.values import Fault, Timestamp, base_of
from headrace.dsl.cel.zones import Zones, shifted

Run = Callable[..., object]
_SIMPLE = {
    "bool": BOOL,
    "int": INT,
    "uint": UINT,
    "double": DOUBLE,
    "string": STRING,
    "bytes": OCTETS,
    "timestamp": TIMESTAMP,
    "duration": DURATION,
    "dyn": DYN,
    "null": NULL,
}
_TOKEN = re.compile(r"\s*(\w+|->|[(),.])")


@dataclass(frozen=True, slots=True)
class Overload:
    """One way to call a function. The receiver of a method is its first parameter.

    params  of a variadic one, the one that repeats
    """

    params: tuple[Type, ...]
    result: Type
    run: Run
    variadic: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method with all its overloads."""

    name: str
    overloads: tuple[Overload, ...]

    @property
    def run(self) -> Run:
        """What runs if the types are known at run time only; it checks what it gets."""
        return self.overloads[0].run if self.name in POLYMORPHIC else _dispatcher(self)


@dataclass(frozen=True, slots=True)
class Library:
    """The functions `f(x)` and the methods `x.f()`, by name."""

    functions: Mapping[str, Function]
    methods: Mapping[str, Function]


@functools.lru_cache(maxsize=8)
def library(zones: Zones) -> Library:
    """Return the whole library; *zones* knows time zones by name."""
    zoned = [(row, _in_zone(zones, run)) for row, run in ZONED]
    return Library(_functions(FUNCTIONS), _functions((*METHODS, *zoned)))


def overload(signature: str, run: Run) -> tuple[str, Overload]:
    """Return the name and the overload that a line such as `f(int, list(A)) -> A` says."""
    name, _, rest = signature.partition("(")
    reader = _Reader([t.group(1) for t in _TOKEN.finditer(rest)])
    params: list[Type] = []
    variadic = False
    while reader.peek() != ")":
        if reader.peek() == ".":
            variadic = True
            reader.take()
        elif reader.peek() == ",":
            reader.take()
        else:
            params.append(reader.type())
    reader.take()
    reader.take()
    return name.strip(), Overload(tuple(params), reader.type(), run, variadic)


@dataclass(slots=True)
class _Reader:
    """Reads the types of one signature. Written by `overload` only."""

    tokens: list[str]
    at: int = 0

    def peek(self) -> str:
        return self.tokens[self.at]

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def type(self) -> Type:
        word = self.take()
        if word in _SIMPLE:
            return _SIMPLE[word]
        if len(word) == 1 and word.isupper():
            return Type(Base.PARAM, name=word)
        self.take()
        first = self.type()
        if word == "map":
            self.take()
            made = map_of(first, self.type())
        else:
            made = {"list": list_of, "optional": optional_of, "type": type_of}[word](first)
        self.take()
        return made


def _functions(rows: Sequence[tuple[str, Run]]) -> dict[str, Function]:
    found: dict[str, list[Overload]] = {}
    for signature, run in rows:
        name, one = overload(signature, run)
        found.setdefault(name, []).append(one)
    return {name: Function(name, tuple(overloads)) for name, overloads in found.items()}


def _in_zone(zones: Zones, part: Callable[[Timestamp], int]) -> Run:
    def zoned(at: Timestamp, zone: str) -> int:
        return part(shifted(zones, at, zone))

    zoned.__name__ = f"{part.__name__}_there"
    return zoned


def _dispatcher(function: Function) -> Run:
    """Return what picks the overload by the values it gets."""
    known: dict[tuple[Base, ...], Run | None] = {}

    def dispatch(*values: object) -> object:
        bases = tuple(map(base_of, values))
        if bases not in known and len(bases) < 8:
            known[bases] = _fitting(function, bases)
        run = known.get(bases) or _fitting(function, bases)
        if run is None:
            raise Fault("type", "no such overload")
        return run(*values)

    dispatch.__name__ = "any_" + re.sub(r"\W+", "_", plain_name(function.name))
    return dispatch


def _fitting(function: Function, bases: tuple[Base, ...]) -> Run | None:
    for one in function.overloads:
        params = one.params * len(bases) if one.variadic else one.params
        if len(params) == len(bases) and all(map(_takes, params, bases)):
            return one.run
    return None


def _takes(param: Type, base: Base) -> bool:
    return param.base in (Base.PARAM, Base.DYN) or param.base is base


_PLAIN = {
    "_+_": "add", "_-_": "subtract", "_*_": "multiply", "_/_": "divide", "_%_": "modulo",
    "-_": "negate", "!_": "not", "@in": "in", "_[_]": "at", "_[?_]": "maybe_at", "_==_": "equal",
    "_!=_": "unequal", "_<_": "below", "_<=_": "at_most", "_>_": "above", "_>=_": "at_least",
}  # fmt: skip


def plain_name(name: str) -> str:
    """Return *name* as a word: `add` for `_+_`."""
    return _PLAIN.get(name, name)


def resolve(function: Function, args: Sequence[Type]) -> tuple[Type, Run] | None:
    """Return what a call with these types gives and what runs; None if no overload fits."""
    fitting: list[tuple[Overload, Type]] = []
    for one in function.overloads:
        params = one.params * len(args) if one.variadic else one.params
        if len(params) != len(args) or not args:
            if not args and not params:
                return substituted(one.result, {}), one.run
            continue
        bound: dict[str, Type] = {}
        if all(fits(param, arg, bound) for param, arg in zip(params, args, strict=True)):
            fitting.append((one, substituted(one.result, bound)))
    if not fitting:
        return None
    results = {result for _, result in fitting}
    type_ = results.pop() if len(results) == 1 else DYN
    sure = len(fitting) == 1 or all(one.run is fitting[0][0].run for one, _ in fitting)
    exact = sure and not any(arg.loose for arg in args)
    return type_, fitting[0][0].run if exact else function.run


def fits(param: Type, arg: Type, bound: dict[str, Type]) -> bool:
    """Return whether *arg* can be passed for *param*; letters get their meaning in *bound*."""
    if param.base is Base.PARAM:
        known = bound.get(param.name)
        merged = arg if known is None else joined(known, arg)
        if merged is None:
            return False
        bound[param.name] = merged
        return True
    if param.loose or arg.loose:
        return True
    if arg.base is Base.NULL and param.base in (Base.TIMESTAMP, Base.DURATION, Base.OPTIONAL):
        return True
    if param.base is not arg.base:
        return False
    pairs = ((param.key, arg.key), (param.item, arg.item))
    return all(fits(p, a, bound) for p, a in pairs if p is not None and a is not None)


def joined(a: Type, b: Type) -> Type | None:
    """Return the type that both *a* and *b* are; None if there is none."""
    if not a.known or b.base is Base.DYN:
        return b
    if not b.known or a.base is Base.DYN:
        return a
    if a.base is not b.base:
        nullable = (Base.TIMESTAMP, Base.DURATION, Base.OPTIONAL)
        if b.base is Base.NULL and a.base in nullable:
            return a
        return b if a.base is Base.NULL and b.base in nullable else None
    if a.item is None or b.item is None:
        return a
    item = joined(a.item, b.item)
    key = joined(a.key, b.key) if a.key and b.key else a.key
    if item is None or (a.key is not None and key is None):
        return a if a.base is Base.TYPE else None
    return Type(a.base, a.unit, item, key)


def substituted(type_: Type, bound: Mapping[str, Type]) -> Type:
    """Return *type_* with the letters replaced by what they mean."""
    if type_.base is Base.PARAM:
        return bound.get(type_.name, Type(Base.UNKNOWN))
    item = substituted(type_.item, bound) if type_.item else None
    key = substituted(type_.key, bound) if type_.key else None
    return Type(type_.base, type_.unit, item, key)
