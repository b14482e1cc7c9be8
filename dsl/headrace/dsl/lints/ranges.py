"""Narrow the ranges of numbers by how they compare, until nothing more follows.

Every step keeps all values that are possible, so what is left empty is a proof.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from headrace.dsl.cel.interval import EXACT_MAX, Interval, arithmetic, clip_int64, negate
from headrace.dsl.cel.typed import Op, Typed
from headrace.dsl.lints.terms import key, whole

_ROUNDS_MAX = 6
_SLACK_RATIO = 1e-9  # far above what a double's rounding can be wrong by
_APART, _BELOW, _ABOVE = frozenset("<>"), frozenset("<"), frozenset(">")
Ranges = dict[str, Interval]


@dataclass(frozen=True, slots=True)
class Relation:
    """How *left* and *right* compare: *allowed* has of ``< = > ?`` what is possible.

    The question mark is for NaN, which compares with nothing.
    """

    left: Typed
    right: Typed
    allowed: frozenset[str]


def narrowed(relations: Iterable[Relation]) -> Ranges | None:
    """Return the ranges of all parts that *relations* are about; None if there is no way."""
    known: Ranges = {}
    held = [r for r in relations if "?" not in r.allowed]
    for _ in range(_ROUNDS_MAX):
        before = dict(known)
        if not all(_narrow(relation, known) for relation in held):
            return None
        if known == before:
            break
    return known


def range_of(typed: Typed, known: Ranges) -> Interval:
    """Return the range of *typed*; its bounds are the wrong way round if nothing is possible."""
    out = typed.numbers
    if out.nan:
        return out
    for more in (_computed(typed, known), known.get(key(typed))):
        if more is not None and not more.nan:
            out = Interval(max(out.lo, more.lo), min(out.hi, more.hi))
    return out


def _computed(typed: Typed, known: Ranges) -> Interval | None:
    parts = [range_of(arg, known) for arg in typed.args if typed.op in _COMPUTED]
    if not parts or any(p.lo > p.hi or p.nan for p in parts):
        return None
    match typed.op, typed.value:
        case Op.ARITHMETIC, str() as op:
            out = arithmetic(op, *parts, of_ints=whole(typed))
            return clip_int64(out) if whole(typed) else out
        case Op.NEG, _:
            return negate(parts[0])
        case Op.CALL, "double_of_int":
            return Interval(float(parts[0].lo), float(parts[0].hi))
        case _:
            return None


_COMPUTED = (Op.ARITHMETIC, Op.NEG, Op.CALL)


def _narrow(relation: Relation, known: Ranges) -> bool:
    """Narrow both sides; return whether any values are left."""
    left, right, allowed = relation.left, relation.right, relation.allowed
    a, b = range_of(left, known), range_of(right, known)
    if a.lo > a.hi or b.lo > b.hi or not allowed:
        return False
    if a.nan or b.nan:
        return True
    if "<" not in allowed:  # a >= b
        strict = "=" not in allowed
        a, b = _at_least(a, b.lo, left, strict), _at_most(b, a.hi, right, strict)
    if ">" not in allowed:  # a <= b
        strict = "=" not in allowed
        a, b = _at_most(a, b.hi, left, strict), _at_least(b, a.lo, right, strict)
    if allowed == _APART:
        a, b = _without(a, b, left), _without(b, a, right)
    if a.lo > a.hi or b.lo > b.hi or (allowed == _BELOW and a.lo >= b.hi):
        return False
    if (allowed == _ABOVE and a.hi <= b.lo) or ("=" not in allowed and a.single and a == b):
        return False
    return _learn(left, a, known) and _learn(right, b, known)


def _at_most(a: Interval, bound: float, of: Typed, strict: bool) -> Interval:
    if whole(of) and abs(bound) <= EXACT_MAX:
        bound = math.ceil(bound) - 1 if strict else math.floor(bound)
    return Interval(a.lo, min(a.hi, bound))


def _at_least(a: Interval, bound: float, of: Typed, strict: bool) -> Interval:
    if whole(of) and abs(bound) <= EXACT_MAX:
        bound = math.floor(bound) + 1 if strict else math.ceil(bound)
    return Interval(max(a.lo, bound), a.hi)


def _without(a: Interval, b: Interval, of: Typed) -> Interval:
    """Return *a* without the one value of *b*, if that is at an end of a range of ints."""
    if not (whole(of) and b.single):
        return a
    return Interval(a.lo + (a.lo == b.lo), a.hi - (a.hi == b.lo))


def _learn(typed: Typed, range_: Interval, known: Ranges) -> bool:
    """Note the range of *typed* and what follows for its parts; return whether it is possible."""
    known[key(typed)] = range_
    for part, bounds in _inside(typed, range_, known):
        old = range_of(part, known)
        if old.nan:
            continue
        new = Interval(max(old.lo, bounds.lo), min(old.hi, bounds.hi))
        if new.lo > new.hi or not _learn(part, new, known):
            return False
    return True


def _inside(typed: Typed, out: Interval, known: Ranges) -> list[tuple[Typed, Interval]]:
    """Return the parts of *typed* and what they must be within for it to be in *out*."""
    match typed.op, typed.value:
        case Op.NEG, _:
            return [(typed.args[0], negate(out))]
        case Op.CALL, "double_of_int" if out.within(-EXACT_MAX, EXACT_MAX):
            return [(typed.args[0], Interval(math.ceil(out.lo), math.floor(out.hi)))]
        case Op.ARITHMETIC, "+" | "-" as op:
            left, right = typed.args
            a, b = range_of(left, known), range_of(right, known)
            if a.nan or b.nan or out.nan or a.lo > a.hi or b.lo > b.hi:
                return []
            if op == "+":
                found = [(left, _minus(out, b)), (right, _minus(out, a))]
            else:
                found = [(left, _minus(out, negate(b))), (right, negate(_minus(out, a)))]
            return [(p, r) for p, r in found if not (math.isnan(r.lo) or math.isnan(r.hi))]
        case _:
            return []


def _minus(a: Interval, b: Interval) -> Interval:
    lo, hi = a.lo - b.hi, a.hi - b.lo
    slack = 0 if all(isinstance(x, int) for x in (a.lo, a.hi, b.lo, b.hi)) else _slack(a, b)
    return Interval(lo - slack, hi + slack)


def _slack(a: Interval, b: Interval) -> float:
    finite = [abs(x) for x in (a.lo, a.hi, b.lo, b.hi) if not math.isinf(x)]
    return _SLACK_RATIO * (1 + max(finite, default=0.0))
