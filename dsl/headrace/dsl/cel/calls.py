"""The functions and macros: what they take, what they give."""

from collections.abc import Callable
from dataclasses import dataclass

from headrace.dsl.cel import operators
from headrace.dsl.cel.interval import ANY_BOOL, ANY_DOUBLE, ANY_INT, COUNTS, Interval, fits_int64
from headrace.dsl.cel.kinds import BOOL, COUNT, DOUBLE, INT, STRING, Base, Type
from headrace.dsl.cel.patterns import compile_pattern
from headrace.dsl.cel.scope import Check, Scope, path
from headrace.dsl.cel.typed import Each, Op, Typed, node, wrong
from headrace.dsl.later import LATER_FUNCTIONS
from headrace.dsl.suggest import did_you_mean
from headrace.dsl.tree import Call, Expr, Name, Select

_TEXT_TESTS = ("startsWith", "endsWith", "contains", "matches")
_MACROS = ("exists", "all", "exists_one", "filter", "map")
_CONVERSIONS = ("double", "int", "string")
METHODS = (*_TEXT_TESTS, *_MACROS, "size")
FUNCTIONS = (*_CONVERSIONS, "has", "matches", "size")
_NESTED_MAX = 2  # macros inside macros: lists hold up to 64, so at most 4096 steps


@dataclass(frozen=True, slots=True)
class _Place:
    call: Call
    scope: Scope
    check: Check

    def wrong_type(self, value: Typed, wanted: str) -> Typed:
        message = f"`{self.call.name.text}` takes {wanted}"
        label = operators.described(value, short=True)
        self.scope.problems.add("S203", value.span, message, label)
        return wrong(self.call.span, (value,))

    def arity(self, wanted: int) -> bool:
        """Whether the call has *wanted* arguments; reports it if not."""
        if len(self.call.args) == wanted:
            return True
        count = "no argument" if not wanted else f"{wanted} argument{'s' * (wanted > 1)}"
        message = f"`{self.call.name.text}` takes {count}"
        self.scope.problems.add("S220", self.call.span, message, f"{len(self.call.args)} given")
        return False


def check_call(call: Call, scope: Scope, check: Check) -> Typed:
    """Return a call of a function, a method or a macro, checked."""
    place, name = _Place(call, scope, check), call.name.text
    if isinstance(call.of, Name) and call.of.text == "math" and "math" not in scope.lets:
        return _math(place)
    full = path(Select(call.of, call.name, call.span) if call.of else call)
    if full == "request.header":
        return _header(place)
    if full in scope.later:
        message, cure = f"`{full}` does not exist yet", scope.later[full]
        scope.problems.add("S108", call.name.span, message, "part of a later edition", cure)
        return wrong(call.span)
    if call.of is None:
        return _function(place)
    if name not in METHODS:
        return _unknown(place, METHODS, f"`{name}` is not a method here")
    if name in _MACROS:
        return _macro(place)
    value = check(call.of, scope)
    if name == "size":
        return _size(place, value) if place.arity(0) else wrong(call.span, (value,))
    return _text_test(place, value, call.args[0]) if place.arity(1) else wrong(call.span)


def _function(place: _Place) -> Typed:
    name, args = place.call.name.text, place.call.args
    if name not in FUNCTIONS:
        return _unknown(place, FUNCTIONS, f"unknown function `{name}`")
    if not place.arity(2 if name == "matches" else 1):
        return wrong(place.call.span)
    if name == "has":
        return _has(place, args[0])
    value = place.check(args[0], place.scope)
    if name == "matches":
        return _text_test(place, value, args[1])
    return _size(place, value) if name == "size" else _conversion(place, value)


def _unknown(place: _Place, known: tuple[str, ...], message: str) -> Typed:
    name = place.call.name
    if name.text in LATER_FUNCTIONS:
        cure = LATER_FUNCTIONS[name.text]
        message = f"the function `{name.text}` does not exist yet"
        place.scope.problems.add("S108", name.span, message, "part of a later edition", cure)
    else:
        help_ = did_you_mean(name.text, known, "there are")
        place.scope.problems.add("S202", name.span, message, "not a function", help_)
    return wrong(place.call.span)


def _has(place: _Place, arg: Expr) -> Typed:
    span, scope = place.call.span, place.scope
    if not isinstance(arg, Select):
        message = "`has` takes a field: `has(endpoint.gpu)`"
        scope.problems.add("S203", arg.span, message, "not a field")
        return wrong(span)
    name = path(arg)
    if name in scope.variables:
        value = place.check(arg, scope.knowing(frozenset({name})))
        if not value.type.known:
            return wrong(span, (value,))
        if scope.variables[name].optional:
            return node(Op.HAS, BOOL, span, (value,), range_=ANY_BOOL)
        message = f"`{name}` is always there"
        scope.problems.add("S311", span, message, "always true", "leave it out")
        return node(Op.CONST, BOOL, span, value=True, range_=Interval(1, 1))
    value = place.check(arg, scope)
    if value.op is not Op.AT:
        return wrong(span, (value,))
    return node(Op.HAS_KEY, BOOL, span, value.args, range_=ANY_BOOL)


def _header(place: _Place) -> Typed:
    call, scope = place.call, place.scope
    if not place.arity(1):
        return wrong(call.span)
    assert call.of is not None
    headers = place.check(
        Select(call.of, type(call.name)("headers", call.name.span), call.span), scope
    )
    name = place.check(call.args[0], scope)
    if not (headers.type.known and name.type.known):
        return wrong(call.span, (headers, name))
    if name.type.base is not Base.STRING:
        return place.wrong_type(name, "the name of a header, a string")
    return node(Op.CALL, STRING, call.span, (headers, name), "header")


def _size(place: _Place, value: Typed) -> Typed:
    if not value.type.known:
        return wrong(place.call.span, (value,))
    if value.type.base not in (Base.STRING, Base.LIST, Base.MAP):
        return place.wrong_type(value, "a string, a list or a map")
    return node(Op.CALL, COUNT, place.call.span, (value,), "size", COUNTS)


def _conversion(place: _Place, value: Typed) -> Typed:
    span, base = place.call.span, value.type.base
    if not value.type.known:
        return wrong(span, (value,))
    match place.call.name.text, base:
        case "double", Base.INT:
            out = Interval(float(value.numbers.lo), float(value.numbers.hi))
            return node(Op.CALL, DOUBLE, span, (value,), "double_of_int", out)
        case "double", Base.STRING:
            return node(Op.CALL, DOUBLE, span, (value,), "double_of_text", ANY_DOUBLE, fails=True)
        case "int", Base.STRING:
            return node(Op.CALL, INT, span, (value,), "int_of_text", ANY_INT, fails=True)
        case "int", Base.DOUBLE:
            return _truncated(place, value)
        case "string", Base.INT:
            return node(Op.CALL, STRING, span, (value,), "string_of_int")
        case "string", Base.BOOL:
            return node(Op.CALL, STRING, span, (value,), "string_of_bool")
        case ("double", Base.DOUBLE) | ("int", Base.INT) | ("string", Base.STRING):
            return value
        case name, _:
            return place.wrong_type(
                value, "an int or a bool" if name == "string" else "a number or a string"
            )


def _truncated(place: _Place, value: Typed) -> Typed:
    fails = value.numbers.nan or not fits_int64(value.numbers)
    out = ANY_INT if fails else Interval(int(value.numbers.lo), int(value.numbers.hi))
    return node(Op.CALL, INT, place.call.span, (value,), "int_of_double", out, fails)


def _text_test(place: _Place, value: Typed, arg: Expr) -> Typed:
    call, name = place.call, place.call.name.text
    other = place.check(arg, place.scope)
    if not (value.type.known and other.type.known):
        return wrong(call.span, (value, other))
    for one in (value, other):
        if one.type.base is not Base.STRING:
            return place.wrong_type(one, "strings")
    if name == "matches" and not _sound_pattern(place, other):
        return wrong(call.span, (value, other))
    return node(Op.CALL, BOOL, call.span, (value, other), name, ANY_BOOL)


def _sound_pattern(place: _Place, pattern: Typed) -> bool:
    if pattern.op is not Op.CONST:
        message = "the pattern of `matches` must be a literal, so that it is compiled once"
        place.scope.problems.add("S203", pattern.span, message, "not a literal")
        return False
    fault = compile_pattern(str(pattern.value))
    if isinstance(fault, str):
        help_ = "patterns are RE2: no look-around, no back-references"
        place.scope.problems.add(
            "S219", pattern.span, f"this pattern is not valid: {fault}", "", help_
        )
        return False
    return True


def _math(place: _Place) -> Typed:
    call, name = place.call, place.call.name.text
    if name not in ("least", "greatest"):
        return _unknown(place, ("least", "greatest"), f"unknown function `math.{name}`")
    args = tuple(place.check(a, place.scope) for a in call.args)
    if len(args) < 2:
        place.arity(2)
        return wrong(call.span, args)
    for arg in args:
        if not arg.type.known:
            return wrong(call.span, args)
        if not arg.type.numeric or arg.type.base is not args[0].type.base:
            return place.wrong_type(arg, "numbers, all ints or all doubles")
    pick: Callable[[list[float]], float] = min if name == "least" else max
    out = Interval(
        pick([a.numbers.lo for a in args]),
        pick([a.numbers.hi for a in args]),
        any(a.numbers.nan for a in args),
    )
    if out.nan:
        out = ANY_DOUBLE
    units = {a.type.unit for a in args}
    type_ = Type(args[0].type.base, units.pop()) if len(units) == 1 else Type(args[0].type.base)
    return node(Op.CALL, type_, call.span, args, name, out)


def _macro(place: _Place) -> Typed:
    call, scope = place.call, place.scope
    assert call.of is not None
    items = place.check(call.of, scope)
    if not place.arity(2) or not items.type.known:
        return wrong(call.span, (items,))
    variable, body = call.args
    if not isinstance(variable, Name):
        message = "the first argument of a macro is a new name: `exists(x, x == 1)`"
        scope.problems.add("S203", variable.span, message, "not a name")
        return wrong(call.span, (items,))
    if items.type.base not in (Base.LIST, Base.MAP) or items.type.item is None:
        return place.wrong_type(items, "a list or a map before the dot")
    level = len(scope.locals)
    if level >= _NESTED_MAX:
        message = "macros are nested too deeply"
        scope.problems.add("S110", call.name.span, message, "the third level", "two are enough")
        return wrong(call.span, (items,))
    if not items.type.item.known:
        scope.problems.add("S203", items.span, "this is empty and holds nothing", "empty")
        return wrong(call.span, (items,))
    over_map = items.type.base is Base.MAP
    item = Type(items.type.key) if over_map else items.type.item
    local = Typed(Op.LOCAL, item, variable.span, value=level, free=frozenset({f"v{level}"}))
    value = place.check(body, scope.binding(variable.text, local))
    return _each(place, items, value, level)


def _each(place: _Place, items: Typed, value: Typed, level: int) -> Typed:
    call, name = place.call, place.call.name.text
    if name != "map":
        value = operators.want_bool(value, place.scope, f"the test of `{name}`")
    if not value.type.known:
        return wrong(call.span, (items, value))
    match name:
        case "map":
            type_ = Type(Base.LIST, item=value.type)
        case "filter":
            item = Type(items.type.key) if items.type.base is Base.MAP else items.type.item
            type_ = Type(Base.LIST, item=item)
        case _:
            type_ = BOOL
    out = ANY_BOOL if type_ is BOOL else None
    return node(
        Op.EACH, type_, call.span, (items, value), Each(name, level), out, bound=f"v{level}"
    )
