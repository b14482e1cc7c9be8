"""The functions that policies know by units and ranges; all others come from the library."""

from collections.abc import Callable
from dataclasses import replace

from headrace.dsl.cel import candidates, macros, standard
from headrace.dsl.cel.interval import ANY_BOOL, ANY_DOUBLE, ANY_INT, COUNTS, Interval, fits_int64
from headrace.dsl.cel.kinds import (
    BOOL,
    COUNT,
    DOUBLE,
    DYN,
    INT,
    STRING,
    Base,
    Type,
    list_of,
    optional_of,
)
from headrace.dsl.cel.macros import MACROS
from headrace.dsl.cel.patterns import compile_pattern
from headrace.dsl.cel.place import Place
from headrace.dsl.cel.scope import Check, Scope, path
from headrace.dsl.cel.typed import LOOP, Op, Typed, node, wrong
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.syntax.tree import Call, Expr, ListOf, Name, Select, Word

_TEXT_TESTS = ("startsWith", "endsWith", "contains", "matches")
_CONVERSIONS = ("double", "int", "string")
METHODS = tuple(sorted({*standard.STANDARD.methods, *MACROS}))
FUNCTIONS = tuple(
    sorted({"has", "cel.bind", *(n for n in standard.STANDARD.functions if n[0].isalpha())})
)
NAMESPACES = frozenset(name.partition(".")[0] for name in FUNCTIONS if "." in name)


def check_call(call: Call, scope: Scope, check: Check) -> Typed:
    """Return a call of a function, a method or a macro, checked."""
    place, name = Place(call, scope, check), call.name.text
    if call.of is None:
        return _function(place)
    full = path(Select(call.of, call.name, call.span))
    if full in ("request.header", "response.header"):
        return _header(place, "header")
    if full == "request.cookie":
        return _header(place, "cookie")
    if full == "endpoint.metric":
        return _metric(place)
    if candidates.is_over(place):
        return candidates.check_over(place)
    if full == "request.uncached_tokens":
        return _of_endpoint(place)
    if _in_namespace(call.of, scope):
        return _namespaced(place, full)
    if name in MACROS and macros.takes(place):
        return macros.check_macro(place)
    if name not in METHODS:
        return _unknown(place, METHODS, f"`{name}` is not a method here")
    value = check(call.of, scope)
    if name == "format" and len(call.args) == 1 and isinstance(call.args[0], ListOf):
        return _standard(place, name, (value, _anything(place, call.args[0])))
    if name == "size":
        return _size(place, value) if place.arity(0) else wrong(call.span, (value,))
    if name in _TEXT_TESTS:
        return _text_test(place, value, call.args[0]) if place.arity(1) else wrong(call.span)
    return _standard(place, name, (value, *(check(a, scope) for a in call.args)))


def _anything(place: Place, items: ListOf) -> Typed:
    """Return a list whose items need not be of one type, as `format` takes it."""
    parts = tuple(place.check(item, place.scope) for item in items.items)
    if not all(part.type.known for part in parts):
        return wrong(items.span, parts)
    boxed = tuple(standard.boxed(part) for part in parts)
    return node(Op.LIST, list_of(DYN), items.span, boxed)


def _in_namespace(of: Expr, scope: Scope) -> bool:
    if not isinstance(of, Name) or of.text not in NAMESPACES:
        return False
    return of.text not in scope.locals and of.text not in scope.lets


def _namespaced(place: Place, full: str) -> Typed:
    if full == "cel.bind":
        return macros.check_bind(place) if place.arity(3) else wrong(place.call.span)
    if full in ("math.least", "math.greatest"):
        return _extreme(place)
    if full not in FUNCTIONS:
        space = full.partition(".")[0]
        known = tuple(n for n in FUNCTIONS if n.startswith(f"{space}."))
        return _unknown(place, known, f"unknown function `{full}`")
    args = tuple(place.check(a, place.scope) for a in place.call.args)
    return _standard(place, full, args)


def _standard(place: Place, name: str, args: tuple[Typed, ...]) -> Typed:
    """Return a call of the library's function or method *name*."""
    span = place.call.span
    if not all(a.type.known for a in args):
        return wrong(span, args)
    space = isinstance(place.call.of, Name) and name in standard.STANDARD.functions
    if place.call.of is None or (space and "." in name):
        function = standard.STANDARD.functions[name]
        found = standard.called(function, args, span)
    else:
        function = standard.STANDARD.methods[name]
        found = standard.method(name, args, span)
    if found is not None:
        return found
    message = f"`{name}` does not take {standard.known_as(args)}"
    place.scope.problems.add("S203", span, message, "", standard.takes(function))
    return wrong(span, args)


def _function(place: Place) -> Typed:
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
    if name == "size":
        return _size(place, value)
    return _conversion(place, value)


def _unknown(place: Place, known: tuple[str, ...], message: str) -> Typed:
    name = place.call.name
    words = {n.rpartition(".")[2] for n in known if not n.startswith("@")}
    help_ = did_you_mean(name.text, words, "there are")
    place.scope.problems.add("S202", name.span, message, "not a function", help_)
    return wrong(place.call.span)


def _has(place: Place, arg: Expr) -> Typed:
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


def _header(place: Place, what: str) -> Typed:
    """Return what one of the headers says, or one cookie in them."""
    call, scope = place.call, place.scope
    if not place.arity(1):
        return wrong(call.span)
    assert call.of is not None
    headers = place.check(Select(call.of, Word("headers", call.name.span), call.span), scope)
    name = place.check(call.args[0], scope)
    if not (headers.type.known and name.type.known):
        return wrong(call.span, (headers, name))
    if name.type.base is not Base.STRING:
        return place.wrong_type(name, f"the name of a {what}, a string")
    return node(Op.CALL, STRING, call.span, (headers, name), what)


def _metric(place: Place) -> Typed:
    """Return `endpoint.metric("name")`: an optional double."""
    call, scope = place.call, place.scope
    variable = scope.variables.get("endpoint.metric")
    if variable is None or "endpoint" not in scope.roots:
        message = f"`endpoint` is not known in {scope.where}"
        scope.problems.add("S206", call.span, message, "not known here")
        return wrong(call.span)
    if not place.arity(1):
        return wrong(call.span)
    name = place.check(call.args[0], scope)
    if name.type.base is not Base.STRING:
        return place.wrong_type(name, "the name of a metric, a string")
    if name.op is not Op.CONST:
        message = "the name of a metric is written out, so that it is known what to scrape"
        help_ = 'write `endpoint.metric("vllm:num_preemptions_total")`'
        scope.problems.add("S203", name.span, message, "not written out", help_)
        return wrong(call.span)
    found = node(Op.CALL, optional_of(DOUBLE), call.span, (name,), "metric")
    reads = found.reads | {variable.name}
    return replace(found, free=found.free | {LOOP}, reads=reads)


def _of_endpoint(place: Place) -> Typed:
    """Return `request.NAME(endpoint)`: the same as `endpoint.NAME`."""
    call, scope, name = place.call, place.scope, place.call.name
    if not place.arity(1):
        return wrong(call.span)
    (arg,) = call.args
    if not isinstance(arg, Name) or arg.text != "endpoint" or arg.text in scope.locals:
        message = f"`request.{name.text}` is asked of the endpoint that the rule looks at"
        help_ = f"write `request.{name.text}(endpoint)`"
        scope.problems.add("S203", arg.span, message, "not `endpoint`", help_)
        return wrong(call.span)
    return replace(place.check(Select(arg, name, call.span), scope), span=call.span)


def _size(place: Place, value: Typed) -> Typed:
    if not value.type.known:
        return wrong(place.call.span, (value,))
    if value.type.base is Base.OCTETS:
        return _standard(place, "size", (value,))
    if value.type.base not in (Base.STRING, Base.LIST, Base.MAP):
        return place.wrong_type(value, "a string, a list or a map")
    return node(Op.CALL, COUNT, place.call.span, (value,), "size", COUNTS)


def _conversion(place: Place, value: Typed) -> Typed:
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
            return _standard(place, name, (value,))


def _truncated(place: Place, value: Typed) -> Typed:
    fails = value.numbers.nan or not fits_int64(value.numbers)
    out = ANY_INT if fails else Interval(int(value.numbers.lo), int(value.numbers.hi))
    return node(Op.CALL, INT, place.call.span, (value,), "int_of_double", out, fails)


def _text_test(place: Place, value: Typed, arg: Expr) -> Typed:
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


def _sound_pattern(place: Place, pattern: Typed) -> bool:
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


def _extreme(place: Place) -> Typed:
    call, name = place.call, place.call.name.text
    args = tuple(place.check(a, place.scope) for a in call.args)
    if not all(arg.type.known for arg in args):
        return wrong(call.span, args)
    alike = all(a.type.numeric and a.type.base is args[0].type.base for a in args)
    if len(args) < 2 or not alike:
        return _standard(place, f"math.{name}", args)
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
