"""What policies take from the standard library as it is, beside what they treat themselves.

The policies' own operators and functions come first: they know units and ranges, and become
plain Python. Whatever they do not know is looked up here, by the rules of plain CEL.
"""

from collections.abc import Sequence

from headrace.dsl.cel import lists
from headrace.dsl.cel.kinds import DYN, STRING, Base, Type, bare, holds
from headrace.dsl.cel.library import Function, library, resolve
from headrace.dsl.cel.signatures import LAZY
from headrace.dsl.cel.typed import Apply, Op, Typed, node
from headrace.dsl.cel.zones import tzdata_zones
from headrace.dsl.source import Span

_LAZY = {"or": lists.or_other, "orValue": lists.or_value}
STANDARD = library(tzdata_zones)


def operator(name: str, args: tuple[Typed, ...], span: Span) -> Typed | None:
    """Return the operator *name* of plain CEL; None if it is not for these types."""
    return called(STANDARD.functions[name], args, span)


def method(name: str, args: tuple[Typed, ...], span: Span) -> Typed | None:
    """Return the method *name* of the first of *args*; None if it does not take them."""
    function = STANDARD.methods[name]
    if name in LAZY and len(args) == 2:
        return called(function, args, span, frozenset({1}))
    return called(function, args, span)


def called(
    function: Function, args: tuple[Typed, ...], span: Span, lazy: frozenset[int] = frozenset()
) -> Typed | None:
    """Return a call of *function*; None if no overload takes *args*."""
    types = [bare(a.type) for a in args]
    if any(_hides_duration(type_) for type_ in types):
        return None
    found = resolve(function, types)
    if found is None:
        return None
    type_, run = found
    run = _LAZY[function.name] if lazy else run
    made = node(Op.APPLY, type_, span, tuple(boxed(a) for a in args), Apply(run, lazy), fails=True)
    return unboxed(made)


def takes(function: Function) -> str:
    """Return in words what *function* takes."""
    shown = [", ".join(p.name or str(p) for p in one.params) for one in function.overloads[:4]]
    return f"it takes ({') or ('.join(shown)})"


def boxed(value: Typed) -> Typed:
    """Return *value* as the library has it: a duration of seconds becomes a Duration."""
    if value.type.base is not Base.DURATION:
        return value
    return node(Op.CALL, value.type, value.span, (value,), "boxed", fails=True)


def unboxed(value: Typed) -> Typed:
    """Return *value* as policies have it: a Duration becomes seconds."""
    if value.type.base is not Base.DURATION:
        return value
    return node(Op.CALL, value.type, value.span, (value,), "unboxed")


def _hides_duration(type_: Type) -> bool:
    """Whether there are durations in a list or map, where they stay seconds."""
    return type_.base in (Base.LIST, Base.MAP) and holds(type_, Base.DURATION)


def field(of: Typed, name: str, span: Span, *, optional: bool) -> Typed | None:
    """Return `of.name` or `of.?name` by the rules of plain CEL; None if *of* has no fields."""
    type_ = of.type
    lifted = optional or type_.base is Base.OPTIONAL
    inner = type_.item or DYN if type_.base is Base.OPTIONAL else type_
    if inner.base not in (Base.MAP, Base.DYN) or (inner.key and inner.key.base is not Base.STRING):
        return None
    key = node(Op.CONST, STRING, span, value=name)
    run = lists.maybe_field if optional else lists.field_of
    found = inner.item or DYN
    result = Type(Base.OPTIONAL, item=found) if lifted else found
    return node(Op.APPLY, result, span, (of, key), Apply(run), fails=True)


def known_as(types: Sequence[Typed]) -> str:
    """Return the types of *types* in words."""
    return f"({', '.join(str(t.type) for t in types)})"
