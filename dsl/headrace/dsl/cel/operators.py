"""The operators: which types go together, and what comes out."""

from headrace.dsl.cel import interval as ranges
from headrace.dsl.cel import standard
from headrace.dsl.cel.interval import Interval
from headrace.dsl.cel.kinds import BOOL, DURATION, Base, Type, Unit, same
from headrace.dsl.cel.scope import Check, Scope, proven
from headrace.dsl.cel.typed import Op, Typed, node, wrong
from headrace.dsl.problems.diagnostic import Related
from headrace.dsl.syntax.tree import Binary, Unary

_PHRASES = {"null": "null", "bytes": "a size in bytes", "tokens": "a number of tokens"}
_ORDERED = (Base.STRING, Base.DURATION)
_KEYS = (Base.STRING, Base.INT)
_EXACT = (Base.STRING, Base.INT, Base.BOOL, Base.UNKNOWN)  # equal in Python if and only if in CEL
_OWN = (Base.BOOL, Base.INT, Base.DOUBLE, Base.STRING, Base.DURATION, Base.NULL)


def check_unary(expr: Unary, scope: Scope, check: Check) -> Typed:
    """Return `!a` or `-a` checked."""
    arg = check(expr.arg, scope)
    if expr.op == "!":
        arg = want_bool(arg, scope, "what follows `!`")
        if not arg.type.known:
            return wrong(expr.span, (arg,))
        turned = Interval(1 - arg.numbers.hi, 1 - arg.numbers.lo)
        return node(Op.NOT, BOOL, expr.span, (arg,), range_=turned)
    if not arg.type.known:
        return wrong(expr.span, (arg,))
    if not (arg.type.numeric or arg.type == DURATION):
        found = standard.operator("-_", (arg,), expr.span)
        if found is not None:
            return found
        message = f"only numbers can be negated, and {described(arg)}"
        scope.problems.add("S203", arg.span, message, described(arg, short=True))
        return wrong(expr.span, (arg,))
    out = ranges.negate(arg.numbers)
    fails = arg.type.base is Base.INT and not ranges.fits_int64(out)
    out = ranges.clip_int64(out) if fails else out
    return node(Op.NEG, arg.type, expr.span, (arg,), range_=out, fails=fails)


def check_binary(expr: Binary, scope: Scope, check: Check) -> Typed:
    """Return `a op b` checked."""
    op = expr.op.text
    left = check(expr.left, scope)
    if op in ("&&", "||"):
        right = check(expr.right, scope.knowing(proven(expr.left, op == "&&")))
        return _logic(expr, left, right, scope)
    right = check(expr.right, scope)
    if not (left.type.known and right.type.known):
        return wrong(expr.span, (left, right))
    if not (is_own(left.type) and is_own(right.type)):
        return _standard(expr, left, right, scope)
    if op == "in":
        return _in(expr, left, right, scope)
    if op in ("+", "-", "*", "/", "%"):
        return _arithmetic(expr, left, right, scope)
    return _compare(expr, left, right, scope)


def is_own(type_: Type) -> bool:
    """Return whether values of *type_* are compared and added by plain Python."""
    if type_.base is Base.MAP and type_.key is not None and type_.key.base not in _KEYS:
        return False
    if type_.base in (Base.LIST, Base.MAP) and type_.item is not None:
        return not type_.item.known or is_own(type_.item)
    return type_.base in _OWN


def _standard(expr: Binary, left: Typed, right: Typed, scope: Scope) -> Typed:
    op = expr.op.text
    found = standard.operator("@in" if op == "in" else f"_{op}_", (left, right), expr.span)
    if found is not None:
        return found
    if op in ("+", "-", "*", "/", "%"):
        _cannot(expr, left, right, scope)
    else:
        _not_comparable(expr, left, right, scope)
    return wrong(expr.span, (left, right))


def _logic(expr: Binary, left: Typed, right: Typed, scope: Scope) -> Typed:
    op = expr.op.text
    left = want_bool(left, scope, f"what stands beside `{op}`")
    right = want_bool(right, scope, f"what stands beside `{op}`")
    if not (left.type.known and right.type.known):
        return wrong(expr.span, (left, right))
    if op == "&&":
        out, kind = ranges.both(left.numbers, right.numbers), Op.AND
    else:
        out, kind = ranges.either(left.numbers, right.numbers), Op.OR
    return node(kind, BOOL, expr.span, (left, right), range_=out)


def want_bool(value: Typed, scope: Scope, what: str) -> Typed:
    """Return *value* if it is a bool, else report *what* and return a wrong node."""
    if value.type.base is Base.BOOL or not value.type.known:
        return value
    help_ = "compare it with something: `> 0`" if value.type.numeric else ""
    message = f"{what} must be true or false"
    scope.problems.add("S203", value.span, message, described(value, short=True), help_)
    return wrong(value.span, (value,))


def _in(expr: Binary, left: Typed, right: Typed, scope: Scope) -> Typed:
    item = right.type.item if right.type.base is Base.LIST else right.type.key
    if right.type.base not in (Base.LIST, Base.MAP):
        message = "what follows `in` must be a list or a map"
        scope.problems.add("S203", right.span, message, described(right, short=True))
    elif left.type.base in (Base.LIST, Base.MAP):
        return _standard(expr, left, right, scope)
    elif item is not None and not same(left.type, item):
        message = f"{described(left)}, and the {right.type.base.value} holds {plural(item)}"
        scope.problems.add("S203", left.span, message, "can never be in it")
    else:
        return node(Op.IN, BOOL, expr.span, (left, right), range_=ranges.ANY_BOOL)
    return wrong(expr.span, (left, right))


def _arithmetic(expr: Binary, left: Typed, right: Typed, scope: Scope) -> Typed:
    op, a, b = expr.op.text, left.type, right.type
    if op == "+" and a.base in (Base.STRING, Base.LIST) and same(a, b):
        return node(Op.JOIN, a, expr.span, (left, right))
    if a.base is b.base is Base.DURATION and op in ("+", "-"):
        out = ranges.arithmetic(op, left.numbers, right.numbers, of_ints=False)
        return node(Op.ARITHMETIC, DURATION, expr.span, (left, right), op, out)
    if not (a.numeric and b.numeric):
        _cannot(expr, left, right, scope)
        return wrong(expr.span, (left, right))
    if a.base is not b.base:
        message = f"`{op}` cannot mix an int and a double"
        fix = number_fix(left, right)
        scope.problems.add("S205", expr.span, message, f"{a.base.value} {op} {b.base.value}", fix)
        return wrong(expr.span, (left, right))
    if op in ("+", "-") and _units_clash(expr, left, right, scope):
        return wrong(expr.span, (left, right))
    if op == "%" and a.base is Base.DOUBLE:
        scope.problems.add("S203", expr.span, "`%` is for ints only", "double % double")
        return wrong(expr.span, (left, right))
    return _numbers(expr, left, right, scope)


def _numbers(expr: Binary, left: Typed, right: Typed, scope: Scope) -> Typed:
    op, of_ints = expr.op.text, left.type.base is Base.INT
    out = ranges.arithmetic(op, left.numbers, right.numbers, of_ints=of_ints)
    by_zero = op in ("/", "%") and right.numbers.has(0)
    if by_zero:
        _by_zero(right, scope, of_ints=of_ints)
    fails = of_ints and (
        by_zero or not ranges.fits_int64(out) or _least_by_minus_one(left, right, op)
    )
    out = ranges.clip_int64(out) if of_ints else out
    type_ = Type(left.type.base, _unit(op, left.type.unit, right.type.unit))
    return node(Op.ARITHMETIC, type_, expr.span, (left, right), op, out, fails)


def _least_by_minus_one(left: Typed, right: Typed, op: str) -> bool:
    """Whether the one quotient that overflows is possible."""
    return op in ("/", "%") and left.numbers.has(ranges.INT_MIN) and right.numbers.has(-1)


def _by_zero(right: Typed, scope: Scope, *, of_ints: bool) -> None:
    then = "the rule then fails" if of_ints else "the result is then infinite or not a number"
    help_ = f"{then}; make sure it is not: `1 + x`, or test it with `x > 0 ? ... : ...`"
    message = "this divisor can be zero"
    scope.problems.add("S309", right.span, message, f"{_span_of(right)}", help_)


def _unit(op: str, a: Unit, b: Unit) -> Unit:
    """Return the unit of the result; a bare number takes the other's unit."""
    match op:
        case "+" | "-":
            return a if b is Unit.NONE else b
        case "*" if a is b is Unit.RATIO:
            return Unit.RATIO
        case "*":
            return (
                a
                if b in (Unit.NONE, Unit.RATIO)
                else b
                if a in (Unit.NONE, Unit.RATIO)
                else Unit.NONE
            )
        case "/":
            return Unit.NONE if a is b else a if b is Unit.NONE else Unit.NONE
        case _:
            return a


def _cannot(expr: Binary, left: Typed, right: Typed, scope: Scope) -> None:
    op = expr.op.text
    message = f"`{op}` does not go with {article(left.type)} and {article(right.type)}"
    help_ = ""
    if Base.DURATION in (left.type.base, right.type.base):
        help_ = "durations are added, subtracted and compared with durations: `2s`"
    scope.problems.add("S203", expr.span, message, f"{left.type} {op} {right.type}", help_)


def _compare(expr: Binary, left: Typed, right: Typed, scope: Scope) -> Typed:
    a, b = left.type, right.type
    both_numbers = a.numeric and b.numeric
    if not both_numbers and not same(a, b):
        _not_comparable(expr, left, right, scope)
        return wrong(expr.span, (left, right))
    if both_numbers and _units_clash(expr, left, right, scope):
        return wrong(expr.span, (left, right))
    op = expr.op.text
    inexact = a.item is not None and not {a.item.base, (b.item or a.item).base} <= {*_EXACT}
    if inexact or (op not in ("==", "!=") and a.base is Base.BOOL):
        return _standard(expr, left, right, scope)
    if op not in ("==", "!=") and not both_numbers and a.base not in _ORDERED:
        message = f"{plural(a)} have no order"
        scope.problems.add(
            "S203", expr.span, message, f"`{op}` needs numbers, strings or durations"
        )
        return wrong(expr.span, (left, right))
    measured = both_numbers or a.base is Base.DURATION
    out = ranges.compare(op, left.numbers, right.numbers) if measured else ranges.ANY_BOOL
    if out.single and (left.reads or right.reads):
        _decided(expr, left, right, out, scope)
    return node(Op.COMPARE, BOOL, expr.span, (left, right), op, out)


def _not_comparable(expr: Binary, left: Typed, right: Typed, scope: Scope) -> None:
    label = f"{left.type} {expr.op.text} {right.type}"
    for one, other in ((left, right), (right, left)):
        if one.type.base is Base.DURATION and other.type.numeric:
            text = other.span.text
            help_ = (
                f"did you mean `{text}s`?" if other.op is Op.CONST else "durations: `2s`, `500ms`"
            )
            message = f"a duration is compared with {article(other.type)}"
            scope.problems.add("S204", other.span, message, "which unit?", help_)
            return
    message = f"{article(left.type)} is compared with {article(right.type)}"
    help_ = ""
    for one, other in ((left, right), (right, left)):
        if one.type.base is Base.OPTIONAL and other.type.base is not Base.OPTIONAL:
            help_ = f"say what counts where it is missing: `{one.span.text}.orValue(...)`"
        if one.type.base is Base.TIMESTAMP and other.type.base is Base.DURATION:
            help_ = 'a difference is a duration: `now - timestamp("2026-01-01T00:00:00Z") < 5s`'
    scope.problems.add("S203", expr.span, message, label, help_)


def _units_clash(expr: Binary, left: Typed, right: Typed, scope: Scope) -> bool:
    a, b = left.type.unit, right.type.unit
    if a is b or Unit.NONE in (a, b):
        return False
    message = f"`{expr.op.text}` does not go with {article(left.type)} and {article(right.type)}"
    help_ = ""
    for one, other in ((left, right), (right, left)):
        if other.type.unit is Unit.RATIO and other.op is Op.CONST:
            help_ = f"{described(one)}: write it without `%`"
    scope.problems.add(
        "S204", expr.span, message, f"{left.type} {expr.op.text} {right.type}", help_
    )
    return True


def _decided(expr: Binary, left: Typed, right: Typed, out: Interval, scope: Scope) -> None:
    truth = "true" if out.lo else "false"
    subject, other = (left, right) if left.reads else (right, left)
    label = f"always {truth}: {described(subject)}, {_span_of(subject)}"
    help_ = ""
    if subject.type.unit is Unit.RATIO and other.op is Op.CONST and 1 < other.numbers.lo <= 100:
        help_ = f"did you mean `{other.span.text}%`?"
    message = f"this comparison is always {truth}"
    if other.op is not Op.CONST or other.span.text == subject.span.text:
        scope.problems.add("S311", expr.span, message, label, help_)
        return
    range_ = Related(subject.span, f"{article(subject.type)}, {_span_of(subject)}")
    scope.problems.add("S311", other.span, message, f"always {truth}", help_, (range_,))


def described(value: Typed, *, short: bool = False) -> str:
    """Return what *value* is: "`endpoint.queue` is a count"."""
    if short:
        return f"this is {article(value.type)}"
    text = value.span.text
    shown = f"`{text}`" if len(text) <= 40 and "\n" not in text else "this"
    return f"{shown} is {article(value.type)}"


def article(type_: object) -> str:
    """Return "a ratio", "an int"."""
    text = str(type_)
    if isinstance(type_, Type) and type_.base is Base.OCTETS:
        return text
    if text in _PHRASES:
        return _PHRASES[text]
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


def plural(type_: Type) -> str:
    """Return "ratios", "tokens"."""
    text = str(type_)
    return (
        text
        if text.endswith("s")
        else text.replace("list", "lists").replace("map", "maps")
        if type_.item
        else f"{text}s"
    )


def number_fix(left: Typed, right: Typed) -> str:
    """Return how to make an int and a double the same type; "" if they are not those."""
    for one, other in ((left, right), (right, left)):
        if one.type.base is Base.INT and other.type.base is Base.DOUBLE:
            text = one.span.text
            return f"write `{text}.0`" if one.op is Op.CONST else f"write `double({text})`"
    return ""


def _span_of(value: Typed) -> str:
    low, high = value.numbers.lo, value.numbers.hi
    if value.type.unit is Unit.RATIO:
        return f"{low:.0%} to {high:.0%}" if abs(high) < 1e6 and abs(low) < 1e6 else "any ratio"
    if abs(low) > 1e15 and abs(high) > 1e15:
        return "any number"
    return f"{_shown(low)} to {_shown(high)}"


def _shown(value: float) -> str:
    return f"{int(value):_}" if abs(value) < 1e15 and value == int(value) else f"{value:g}"
