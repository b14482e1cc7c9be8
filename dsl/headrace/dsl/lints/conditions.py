"""Conditions that cannot do what they say: S311 (always the same), S312 (never together).

A single comparison that is always the same was reported by the checker already; here
it is what only follows from several of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from headrace.dsl.cel.interval import ANY_BOOL, Interval
from headrace.dsl.cel.kinds import BOOL, Base
from headrace.dsl.cel.typed import Op, Typed, node
from headrace.dsl.lints.cases import Goal, possible
from headrace.dsl.lints.subject import Subject
from headrace.dsl.lints.terms import conjuncts
from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.source import Span

_SIZE_MAX = 200  # parts of a condition that is looked into
_WIDE_MAX = 12  # parts of one condition that are compared with each other


@dataclass(frozen=True, slots=True)
class _Place:
    """A part of an expression, and what holds wherever it is evaluated."""

    typed: Typed
    given: tuple[Goal, ...] = ()


def conditions(subject: Subject) -> None:
    """Report what is always true or false by its parts together, once where it is written."""
    problems = subject.problems
    told = [d.span for d in problems.found if d.code == "S311"]
    lets = [let for let in subject.rules.lets.values() if let.type.base is Base.BOOL]
    checked = [r.typed for r in subject.program.rules if r.typed is not None]
    seen: set[tuple[str, int, int]] = set()
    for typed in (*lets, *checked):
        for place in _outermost(typed):
            span = place.typed.span
            spot = (span.source.name, span.start, span.end)
            if spot in seen:
                continue
            seen.add(spot)
            if not any(_inside(t, span) for t in told):
                _judge(place.typed, problems)
    _divisors(subject)


def _outermost(typed: Typed) -> Iterator[_Place]:
    """Yield the conditions in *typed* that are no part of a larger one."""
    if typed.type.base is Base.BOOL and typed.op in (Op.AND, Op.OR, Op.NOT, Op.COND):
        yield _Place(typed)
        typed = node(Op.LIST, BOOL, typed.span, tuple(_leaves(typed)))
    for arg in typed.args:
        yield from _outermost(arg)


def _leaves(typed: Typed) -> Iterator[Typed]:
    """Yield what is below the `&&`, `||`, `!` and `?:` of a condition."""
    for arg in typed.args:
        if arg.op in (Op.AND, Op.OR, Op.NOT, Op.COND) and arg.type.base is Base.BOOL:
            yield from _leaves(arg)
        else:
            yield from arg.args


def _judge(typed: Typed, problems: Problems) -> None:
    """Report the smallest part of *typed* that cannot be, or that cannot but be."""
    if typed.size > _SIZE_MAX:
        return
    for part in reversed(list(_chains(typed))):  # the innermost first
        if part.op is Op.AND and not possible((part, True)):
            _impossible(part, problems)
            return
        if part.op is Op.OR and not part.fails and not possible((part, False)):
            label = "always true: where one part is false, another is true"
            problems.add("S311", part.span, "this is always true", label, "check the bounds")
            return


def _chains(typed: Typed, above: Op | None = None) -> Iterator[Typed]:
    """Yield each `&&` and `||` of *typed*; of a chain of the same sign only the whole."""
    if typed.op in (Op.AND, Op.OR) and typed.op is not above and typed.reads:
        yield typed
    for arg in typed.args:
        yield from _chains(arg, typed.op)


def _impossible(typed: Typed, problems: Problems) -> None:
    """Report an `&&` that never holds: at two parts that exclude each other, if two do."""
    terms = conjuncts(typed)[:_WIDE_MAX]
    for i, second in enumerate(terms):
        for first in terms[:i]:
            if not possible((first, True), (second, True)):
                related = (Related(first.span, "this"),) if first.span != second.span else ()
                message = "these two can never hold together, so the whole is never true"
                help_ = "did you mean `||`, or other bounds?"
                problems.add("S312", second.span, message, "excludes the other", help_, related)
                return
    message = "these can never all hold together, so the whole is never true"
    problems.add("S312", typed.span, message, "never true", "did you mean `||`, or other bounds?")


def _inside(inner: Span, outer: Span) -> bool:
    same = inner.source is outer.source
    return same and outer.start <= inner.start and inner.end <= outer.end


# ---- divisions that are guarded


def _divisors(subject: Subject) -> None:
    """Take back S309 where a condition beside or around the division makes sure of it."""
    risky = {(d.span.source.name, d.span.start) for d in subject.problems.found if d.code == "S309"}
    if not risky:
        return
    safe: set[tuple[str, int]] = set()
    unsafe: set[tuple[str, int]] = set()
    rules = [r.typed for r in subject.program.rules if r.typed is not None]
    for typed in (*rules, *subject.rules.lets.values()):
        if typed.size > _SIZE_MAX:
            return
        for place in _divisions(typed, ()):
            spot = (place.typed.span.source.name, place.typed.span.start)
            if spot in risky:
                (safe if _never_zero(place) else unsafe).add(spot)
    problems = subject.problems
    problems.found = [
        d
        for d in problems.found
        if d.code != "S309" or (d.span.source.name, d.span.start) not in safe - unsafe
    ]


def _divisions(typed: Typed, given: tuple[Goal, ...]) -> Iterator[_Place]:
    """Yield the divisors in *typed*, each with what holds where its result matters."""
    if typed.op is Op.ARITHMETIC and typed.value in ("/", "%"):
        yield _Place(typed.args[1], given)
    match typed.op, typed.args:
        case Op.AND | Op.OR, (left, right):
            # A fault beside a false of `&&`, or a true of `||`, does not matter.
            for one, other in ((left, right), (right, left)):
                beside = () if other.fails else ((other, typed.op is Op.AND),)
                yield from _divisions(one, (*given, *beside))
        case Op.COND, (test, yes, no):
            yield from _divisions(test, given)
            yield from _divisions(yes, (*given, (test, True)))
            yield from _divisions(no, (*given, (test, False)))
        case _:
            for arg in typed.args:
                yield from _divisions(arg, given)


def _never_zero(place: _Place) -> bool:
    divisor = place.typed
    zero = 0 if divisor.type.base is Base.INT else 0.0
    constant = node(Op.CONST, divisor.type, divisor.span, value=zero, range_=Interval(zero, zero))
    is_zero = node(Op.COMPARE, BOOL, divisor.span, (divisor, constant), "==", ANY_BOOL)
    return not possible(*place.given, (is_zero, True))
