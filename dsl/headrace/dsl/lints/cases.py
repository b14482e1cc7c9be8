"""Whether conditions can hold together: a case split over `&&`, `||`, `!` and `?:`.

On each way through, numbers are narrowed to ranges and texts to sets; everything else
is a question with two answers. What cannot hold is a proof; what may hold is a guess
until an evaluation confirms it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from headrace.dsl.cel.interval import Interval
from headrace.dsl.cel.kinds import Base
from headrace.dsl.cel.typed import Op, Typed
from headrace.dsl.lints.ranges import Ranges, Relation, narrowed
from headrace.dsl.lints.terms import key, measured
from headrace.dsl.lints.texts_known import Texts

Goal = tuple[Typed, bool]
_STEPS_MAX = 1000  # for each question; who asks more gets "may be"
_ALLOWED: Mapping[str, frozenset[str]] = {
    "<": frozenset("<"), "<=": frozenset("<="), ">": frozenset(">"), ">=": frozenset(">="),
    "==": frozenset("="), "!=": frozenset("<>?"),
}  # fmt: skip
_ALL = frozenset("<=>?")
_TURNED = {"<": ">", ">": "<"}


@dataclass(frozen=True, slots=True)
class Case:
    """What is known on one way through; *sure* is False where the search was given up."""

    relations: Mapping[tuple[str, str], Relation] = field(
        default_factory=dict[tuple[str, str], Relation]
    )
    texts: Mapping[str, Texts] = field(default_factory=dict[str, Texts])
    truths: Mapping[str, bool] = field(default_factory=dict[str, bool])
    ranges: Ranges = field(default_factory=dict[str, Interval])
    sure: bool = True


@dataclass(slots=True)
class _Steps:
    left: int = _STEPS_MAX


def cases(goals: Sequence[Goal]) -> Iterator[Case]:
    """Yield the ways in which all *goals* come out as they say; the last may be unsure."""
    return _search(list(goals), Case(), _Steps())


def possible(*goals: Goal) -> bool:
    """Return whether all *goals* may come out as they say; False is a proof."""
    return next(cases(goals), None) is not None


def implies(one: Typed, other: Typed) -> bool:
    """Return whether *other* is true wherever *one* is: True is a proof."""
    return not other.fails and not possible((one, True), (other, False))


def spread(goals: Sequence[Goal], name: str, whole: Interval) -> Interval | None:
    """Return the range of the variable *name* over all cases; None if there are none."""
    found: Interval | None = None
    for case in cases(goals):
        if not case.sure:
            return whole
        part = case.ranges.get(name, whole)
        found = part if found is None else Interval(min(found.lo, part.lo), max(found.hi, part.hi))
    return found


def _search(goals: list[Goal], case: Case, steps: _Steps) -> Iterator[Case]:
    while goals:
        steps.left -= 1
        if steps.left < 0:
            yield replace(case, sure=False)
            return
        typed, truth = goals.pop()
        ways = _ways(typed, truth)
        if ways is None:
            after = _assume(case, typed, truth)
            if after is None:
                return
            case = after
        elif len(ways) == 1:
            goals += ways[0]
        else:
            for way in ways:
                yield from _search([*goals, *way], case, steps)
                if steps.left < 0:
                    return
            return
    ranges = narrowed(case.relations.values())
    if ranges is not None:
        yield replace(case, ranges=ranges)


def _ways(typed: Typed, truth: bool) -> list[list[Goal]] | None:
    """Return the ways in which *typed* comes out as *truth*; None if it has no parts."""
    args = typed.args
    match typed.op:
        case Op.CONST:
            return [[]] if bool(typed.value) is truth else []
        case Op.NOT:
            return [[(args[0], not truth)]]
        case Op.AND | Op.OR:
            together = (typed.op is Op.AND) is truth
            goals = [(arg, truth) for arg in args]
            return [goals] if together else [[goal] for goal in goals]
        case Op.COND:
            test, yes, no = args
            return [[(test, True), (yes, truth)], [(test, False), (no, truth)]]
        case Op.COMPARE if args[0].type.base is Base.BOOL and typed.value in ("==", "!="):
            same = (typed.value == "==") is truth
            return [[(args[0], a), (args[1], a is same)] for a in (True, False)]
        case _:
            return None


def _assume(case: Case, typed: Typed, truth: bool) -> Case | None:
    """Return *case* if *typed* is *truth* in it; None if that cannot be."""
    if typed.numbers.single and bool(typed.numbers.lo) is not truth:
        return None
    if typed.op is Op.COMPARE and all(measured(arg) for arg in typed.args):
        return _related(case, typed, truth)
    about = _about_text(typed)
    if about is not None:
        return _texts(case, *about, typed, truth)
    name = key(typed)
    if typed.op is Op.COMPARE and typed.value == "!=":
        name, truth = key(replace(typed, value="==")), not truth
    if case.truths.get(name, truth) is not truth:
        return None
    return replace(case, truths={**case.truths, name: truth})


def _related(case: Case, typed: Typed, truth: bool) -> Case | None:
    left, right = typed.args
    allowed = _ALLOWED[str(typed.value)]
    allowed = allowed if truth else _ALL - allowed
    if not (left.numbers.nan or right.numbers.nan):
        allowed -= {"?"}
    a, b = key(left), key(right)
    if a > b:
        (left, right), (a, b) = (right, left), (b, a)
        allowed = frozenset(_TURNED.get(sign, sign) for sign in allowed)
    if a == b and allowed.isdisjoint("=?"):
        return None
    known = case.relations.get((a, b))
    relation = Relation(left, right, allowed & known.allowed if known else allowed)
    if not relation.allowed:
        return None
    relations = {**case.relations, (a, b): relation}
    return replace(case, relations=relations)


def _about_text(typed: Typed) -> tuple[Typed, str, frozenset[str]] | None:
    """Return a text, a test and the constants it is tested with, if *typed* is that."""
    match typed.op, typed.args:
        case Op.COMPARE, (a, b) if a.type.base is Base.STRING and typed.value in ("==", "!="):
            for one, other in ((a, b), (b, a)):
                if other.op is Op.CONST and one.op is not Op.CONST:
                    return one, str(typed.value), frozenset({str(other.value)})
        case Op.IN, (item, of) if item.type.base is Base.STRING and of.op is Op.LIST:
            if all(arg.op is Op.CONST for arg in of.args):
                return item, "in", frozenset(str(arg.value) for arg in of.args)
        case Op.CALL, (text, arg) if arg.op is Op.CONST and typed.value in _TESTS:
            return text, str(typed.value), frozenset({str(arg.value)})
        case _:
            pass
    return None


_TESTS = ("startsWith", "endsWith", "contains")


def _texts(
    case: Case, of: Typed, test: str, constants: frozenset[str], typed: Typed, truth: bool
) -> Case | None:
    known = case.texts.get(key(of), Texts())
    if test in _TESTS:
        (constant,) = constants
        known = known.tested(test, constant, truth)
    else:
        known = known.among(constants, truth is (test != "!="))
    if not known.possible:
        return None
    return replace(case, texts={**case.texts, key(of): known})
