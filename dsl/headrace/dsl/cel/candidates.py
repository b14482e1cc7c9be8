"""`candidates.max(endpoint.queue)` and its like: over the endpoints that are still in the running.

The argument is evaluated at each of them, with `endpoint` for that one. The endpoints are
those that a filter is asked about, or those that have passed all filters and are scored.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from headrace.dsl.cel import operators
from headrace.dsl.cel.interval import ANY_BOOL, COUNTS, Interval
from headrace.dsl.cel.interval import RATIOS as SHARE
from headrace.dsl.cel.kinds import BOOL, COUNT, DURATION, RATIO, Type
from headrace.dsl.cel.place import Place
from headrace.dsl.cel.typed import LOOP, Op, Typed, node, wrong
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.syntax.tree import Name

if TYPE_CHECKING:
    from headrace.dsl.cel.emit import Emitter

ROOT = "candidates"
TESTS = frozenset({"any", "all", "count"})
FIGURES = frozenset({"min", "max", "low", "high", "rank"})
_OF_EACH = frozenset({"low", "high", "rank"})  # these differ from endpoint to endpoint


def is_over(place: Place) -> bool:
    """Return whether the call at *place* is one of `candidates`, and not of a name like it."""
    of, scope = place.call.of, place.scope
    if not isinstance(of, Name) or of.text != ROOT or ROOT in (*scope.locals, *scope.lets):
        return False
    return any(variable.root == ROOT for variable in scope.variables.values())


def check_over(place: Place) -> Typed:
    """Return the call of `candidates` at *place*, checked."""
    call, scope, name = place.call, place.scope, place.call.name.text
    if ROOT not in scope.roots or LOOP not in scope.roots:
        message = f"`{ROOT}` is not known in {scope.where}"
        known = ", ".join(f"`{root}`" for root in sorted(scope.roots - {ROOT}))
        scope.problems.add("S206", call.span, message, "not known here", f"known here: {known}")
        return wrong(call.span)
    if name not in TESTS | FIGURES:
        help_ = did_you_mean(name, TESTS | FIGURES, f"`{ROOT}` has")
        message = f"`{ROOT}` has no function `{name}`"
        scope.problems.add("S202", call.name.span, message, "not a function", help_)
        return wrong(call.span)
    if not 1 <= len(call.args) <= (1 if name in TESTS else 2):
        asked = "a condition" if name in TESTS else "a number, and perhaps a condition"
        message = f"`{ROOT}.{name}` takes {asked}"
        scope.problems.add("S220", call.span, message, f"{len(call.args)} given")
        return wrong(call.span)
    return _checked(place, name)


def _checked(place: Place, name: str) -> Typed:
    call = place.call
    # What is known of the endpoint in question says nothing of the others.
    own = f"{LOOP}."
    inner = replace(
        place.scope,
        present=frozenset(n for n in place.scope.present if not n.startswith(own)),
        ranges={n: r for n, r in place.scope.ranges.items() if not n.startswith(own)},
    )
    where = tuple(
        operators.want_bool(place.check(arg, inner), inner, f"what counts for `{ROOT}.{name}`")
        for arg in call.args[1:]
    )
    inner = inner.narrowed(call.args[1], True) if where else inner
    item = place.check(call.args[0], inner)
    if name in TESTS:
        item = operators.want_bool(item, inner, f"what `{ROOT}.{name}` takes")
    args = (item, *where)
    if not all(arg.type.known for arg in args):
        return wrong(call.span, args)
    if name in FIGURES and not (item.type.numeric or item.type == DURATION):
        return place.wrong_type(item, "a number or a duration")
    if not all(_goes_through(arg, place) for arg in args):
        return wrong(call.span, args)
    return _node(place, name, args)


def _goes_through(arg: Typed, place: Place) -> bool:
    """Return whether *arg* is of each endpoint; reports it if not."""
    message, help_ = "", ""
    if arg.free - {LOOP}:
        message = f"the variable of a macro is not known inside `{ROOT}`"
        help_ = f"put `{ROOT}` outside of the macro"
    elif LOOP not in arg.free:
        message = "this is the same for all candidates"
        help_ = f"name a field of `{LOOP}`: `{ROOT}.max(endpoint.queue)`"
    if message:
        place.scope.problems.add("S203", arg.span, message, "not of an endpoint", help_)
    return not message


def _node(place: Place, name: str, args: tuple[Typed, ...]) -> Typed:
    item, span = args[0], place.call.span
    numbers = item.numbers
    fails = item.fails or numbers.nan or len(args) > 1
    kinds: dict[str, tuple[Type, Interval]] = {
        "any": (BOOL, ANY_BOOL),
        "all": (BOOL, ANY_BOOL),
        "count": (COUNT, COUNTS),
        "rank": (COUNT, COUNTS),
        "low": (RATIO, SHARE),
        "high": (RATIO, SHARE),
    }
    type_, range_ = kinds.get(name, (item.type, Interval(numbers.lo, numbers.hi)))
    found = node(Op.OVER, type_, span, args, name, range_)
    return replace(
        found,
        fails=fails if name in FIGURES else False,
        free=frozenset({LOOP}) if name in _OF_EACH else frozenset[str](),
        reads=found.reads | {f"{ROOT}.{name}"},
    )


def code_of(typed: Typed, emitter: "Emitter") -> str:
    """Return the code of the OVER node *typed*; what is one for all endpoints is kept apart."""
    name, (item, *where) = str(typed.value), typed.args
    was, emitter.in_loop = emitter.in_loop, True
    code = emitter.code(item)
    if name in FIGURES and item.numbers.nan:
        code = f"_number({code})"
    test = emitter.code(where[0]) if where else ""
    emitter.in_loop = was
    if item.fails or item.numbers.nan or any(w.fails for w in where):
        counts = f", lambda e: {test}" if test else ""
        values = f"_spoken(endpoints, lambda e: {code}{counts})"
    else:
        values = f"[{code} for e in endpoints{f' if {test}' if test else ''}]"
    match name:
        case "any":
            return f"any({values})"
        case "all":
            return f"(False not in {values})"
        case "count":
            return f"sum({values})"
        case "max" | "min":
            if typed.fails:
                return f"_{'top' if name == 'max' else 'bottom'}({values})"
            return f"{name}({values}, default=0)"
        case "rank":
            return f"_rank({code}, {emitter.keep(f'_ordered({values})', typed.fails)})"
        case _:
            spanned = f"_span{'_of_some' if typed.fails else ''}({values})"
            return f"_{name}({code}, {emitter.keep(spanned, typed.fails)})"
