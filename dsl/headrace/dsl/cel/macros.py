"""The macros of policies: loops over lists and maps, bindings, and changes of optionals."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from headrace.dsl.cel import cost, folds, lists, operators
from headrace.dsl.cel.interval import ANY_BOOL
from headrace.dsl.cel.kinds import (
    BOOL,
    DYN,
    INT,
    STRING,
    Base,
    Type,
    holds,
    list_of,
    map_of,
    optional_of,
)
from headrace.dsl.cel.library import Run
from headrace.dsl.cel.place import Place
from headrace.dsl.cel.typed import Each, Op, Typed, With, node, wrong
from headrace.dsl.syntax.tree import Expr, Name

# Macros and how many arguments each takes: with one variable, and with two.
_FOLDS: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "all": ((2,), (3,)),
    "exists": ((2,), (3,)),
    "exists_one": ((2,), (3,)),
    "existsOne": ((2,), (3,)),
    "filter": ((2,), ()),
    "map": ((2, 3), ()),
    "transformList": ((), (3, 4)),
    "transformMap": ((), (3, 4)),
    "transformMapEntry": ((), (3, 4)),
}
_RUN: Mapping[str, Run] = {
    "optMap": lists.opt_map,
    "optFlatMap": lists.opt_flat_map,
    "sortBy": folds.sort_by,
}
MACROS = frozenset((*_FOLDS, *_RUN))
_TESTS = ("all", "exists", "exists_one", "existsOne", "filter")


def takes(place: Place) -> bool:
    """Return whether the macro takes as many arguments as there are; reports it if not."""
    one, two = _FOLDS.get(place.call.name.text, ((2,), ()))
    return len(place.call.args) in one + two or place.arity((one or two)[0])


def check_macro(place: Place) -> Typed:
    """Return the macro at *place*, checked."""
    call = place.call
    assert call.of is not None
    name = call.name.text
    value = place.check(call.of, place.scope)
    if not value.type.known:
        return wrong(call.span, (value,))
    if name in _RUN:
        return _change(place, value)
    two = len(call.args) in _FOLDS[name][1]
    return _fold(place, value, two=two)


def _names(place: Place, written: Sequence[Expr]) -> list[str]:
    """Return the new names; reported, and none, if one of *written* is not a name."""
    names: list[str] = []
    for expr in written:
        if not isinstance(expr, Name) or expr.rooted:
            message = "the first argument of a macro is a new name: `exists(x, x == 1)`"
            place.scope.problems.add("S203", expr.span, message, "not a name")
            return []
        if expr.text in names:
            place.scope.problems.add("S207", expr.span, "both variables have one name", "again")
            return []
        names.append(expr.text)
    return names


def _fold(place: Place, items: Typed, *, two: bool) -> Typed:
    call, scope = place.call, place.scope
    names = _names(place, call.args[: 1 + two])
    if not names:
        return wrong(call.span, (items,))
    if items.type.base not in (Base.LIST, Base.MAP) or items.type.item is None:
        return place.wrong_type(items, "a list or a map before the dot")
    if not items.type.item.known:
        scope.problems.add("S203", items.span, "this is empty and holds nothing", "empty")
        return wrong(call.span, (items,))
    level, variable = scope.level, f"v{scope.level}"
    types = _item_types(items.type, two=two)
    codes = (f"{variable}[0]", f"{variable}[1]") if two else (variable,)
    bound = {
        name: Typed(Op.LOCAL, type_, call.span, value=code, free=frozenset({variable}))
        for name, type_, code in zip(names, types, codes, strict=True)
    }
    rest = [place.check(a, scope.binding(bound)) for a in call.args[1 + two :]]
    name = call.name.text
    if name in _TESTS or len(rest) == 2:
        rest[0] = operators.want_bool(rest[0], scope, f"the test of `{name}`")
    if not all(r.type.known for r in rest):
        return wrong(call.span, (items, *rest))
    each = Each(name, level, two, test=len(rest) == 2)
    type_ = _fold_type(name, items.type, types, rest[-1].type)
    if name == "transformMapEntry" and type_.base is not Base.MAP:
        return place.wrong_type(rest[-1], "a map of one entry for each item")
    fails = name.startswith("transformMap") or cost.known_max(items) is None
    out = ANY_BOOL if type_ is BOOL else None
    return node(Op.EACH, type_, call.span, (items, *rest), each, out, fails, bound=variable)


def _item_types(items: Type, *, two: bool) -> tuple[Type, ...]:
    item = items.item or DYN
    if items.base is Base.LIST:
        return (INT, item) if two else (item,)
    key = items.key or STRING
    return (key, item) if two else (key,)


def _fold_type(name: str, items: Type, types: Sequence[Type], body: Type) -> Type:
    match name:
        case "map" | "transformList":
            return list_of(body)
        case "filter":
            return list_of(types[0])
        case "transformMap":
            return map_of(items.key or INT if items.base is Base.MAP else INT, body)
        case "transformMapEntry":
            return body
        case _:
            return BOOL


def _change(place: Place, value: Typed) -> Typed:
    call, scope, kind = place.call, place.scope, place.call.name.text
    names = _names(place, call.args[:1])
    wanted = Base.LIST if kind == "sortBy" else Base.OPTIONAL
    if not names or value.type.base is not wanted or value.type.item is None:
        if names:
            return place.wrong_type(value, f"{operators.article(wanted.value)} before the dot")
        return wrong(call.span, (value,))
    if holds(value.type, Base.DURATION):
        return place.wrong_type(value, "anything but durations")
    variable = f"v{scope.level}"
    free = frozenset({variable})
    local = Typed(Op.LOCAL, value.type.item, call.span, value=variable, free=free)
    body = place.check(call.args[1], scope.binding({names[0]: local}))
    if not body.type.known:
        return wrong(call.span, (value, body))
    if kind == "optFlatMap" and body.type.base is not Base.OPTIONAL:
        return place.wrong_type(body, "what gives an optional")
    type_ = {"sortBy": value.type, "optMap": optional_of(body.type)}.get(kind, body.type)
    if body.type.base is Base.DURATION:
        return place.wrong_type(body, "anything but a duration")
    made = With(_RUN[kind], scope.level)
    return node(Op.WITH, type_, call.span, (value, body), made, fails=True, bound=variable)


def check_bind(place: Place) -> Typed:
    """Return `cel.bind(name, value, expression)`, checked."""
    call, scope = place.call, place.scope
    names = _names(place, call.args[:1])
    value = place.check(call.args[1], scope)
    if not names or not value.type.known:
        return wrong(call.span, (value,))
    variable = f"v{scope.level}"
    local = Typed(
        Op.LOCAL, value.type, call.span, value=f"{variable}()" if value.fails else variable,
        range=value.range, fails=value.fails, free=frozenset({variable}),
    )  # fmt: skip
    body = place.check(call.args[2], scope.binding({names[0]: local}))
    if not body.type.known:
        return wrong(call.span, (value, body))
    made = With(folds.bind, scope.level, lazy=value.fails)
    bound = node(Op.WITH, body.type, call.span, (value, body), made, body.range, bound=variable)
    return replace(bound, fails=body.fails)
