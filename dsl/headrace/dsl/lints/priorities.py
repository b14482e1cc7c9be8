"""Who is turned away or has to wait: S305 (the urgent ones), S306 (in the wrong order)."""

import itertools

from headrace.dsl.cel.interval import ANY_BOOL, Interval
from headrace.dsl.cel.kinds import BOOL, Base
from headrace.dsl.cel.typed import Op, Typed, Variable, node
from headrace.dsl.lints import witness
from headrace.dsl.lints.cases import Case, cases, possible, spread
from headrace.dsl.lints.subject import Subject
from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.source import Span
from headrace.dsl.syntax import declarations as said
from headrace.dsl.vocabulary import PRIORITY_MAX, PRIORITY_MIN, variables

_PRIORITY = "request.priority"
_ANY = Interval(PRIORITY_MIN, PRIORITY_MAX)
_EXAMPLES_MAX = 20  # of one policy: each is compiled and run
_SHEDS_MAX = 40
_LEVELS = 9  # priorities that a condition is tried at, to see whom it turns away


def spared(subject: Subject) -> None:
    """Report sheds that can turn away urgent requests."""
    for block in subject.of(said.OverloadBlock):
        when = subject.typed(block.when)
        for rule, typed in _sheds(block, subject):
            if when is not None and not rule.any:
                _spares_urgent(when, typed, rule, subject.problems)


def inversions(subject: Subject) -> None:
    """Report sheds and queues that favour the less urgent."""
    blocks = list(subject.of(said.OverloadBlock))
    _inverted([s for block in blocks for s in _sheds(block, subject)], subject.problems)
    for block in blocks:
        if block.queue is not None:
            _order(block.queue, subject)
    _waits(subject)


def _sheds(block: said.OverloadBlock, subject: Subject) -> list[tuple[said.ShedRule, Typed]]:
    return [(rule, typed) for rule in block.sheds if (typed := subject.typed(rule.when))]


def _compared(op: str, value: int, span: Span) -> Typed:
    """Return the condition `request.priority op value`."""
    variable: Variable = variables()[_PRIORITY]
    reads = frozenset({_PRIORITY})
    read = Typed(Op.READ, variable.type, span, (), variable, variable.range, reads=reads)
    bound = node(Op.CONST, variable.type, span, value=value, range_=Interval(value, value))
    return node(Op.COMPARE, BOOL, span, (read, bound), op, ANY_BOOL)


def _spares_urgent(when: Typed, typed: Typed, rule: said.ShedRule, problems: Problems) -> None:
    """Report a shed that can hold for a request of priority 0 or more."""
    urgent = _compared(">=", 0, rule.when.span)
    found = cases([(when, True), (typed, True), (urgent, True)])
    case = next(found, None)
    if case is None:
        return
    label = "can hold for priority 0 or more"
    told = sum(d.code == "S305" for d in problems.found)
    example = _example([when, typed, urgent], case) if told < _EXAMPLES_MAX else ""
    if example:
        label = f"{label}:\n{example}"
    message = "this can turn away requests of priority 0 or more"
    help_ = "add `request.priority < 0 && ...`; if it is meant, write `shed any when ...`"
    problems.add("S305", rule.when.span, message, label, help_)


def _example(conditions: list[Typed], case: Case) -> str:
    """Return values for which all *conditions* were seen to hold; "" if none were found."""
    whole = conditions[0]
    for more in conditions[1:]:
        whole = node(Op.AND, BOOL, whole.span, (whole, more), range_=ANY_BOOL)
    seen = witness.search(whole, lambda result: result is True, case)
    return seen.text if seen else ""


# ---- inversions


def _inverted(sheds: list[tuple[said.ShedRule, Typed]], problems: Problems) -> None:
    """Report a shed that spares all priorities below some bound, if no other shed takes them."""
    for rule, typed in sheds[:_SHEDS_MAX]:
        least = _least(typed)
        if least is None or least <= PRIORITY_MIN:
            continue
        lower = _compared("<", int(least), rule.when.span)
        if any(possible((o, True), (lower, True)) for r, o in sheds[:_SHEDS_MAX] if r is not rule):
            continue
        message = f"this can shed priority {int(least)}, and nothing sheds what is less urgent"
        help_ = "turn the comparison round: the lower the priority, the sooner it goes"
        problems.add("S306", rule.when.span, message, "the urgent ones first", help_)


def _least(typed: Typed) -> float | None:
    """Return the lowest priority for which *typed* can hold; None if it does not depend on it."""
    if _PRIORITY not in typed.reads:
        return None
    found = spread([(typed, True)], _PRIORITY, _ANY)
    return None if found is None else found.lo


def _order(queue: said.QueueRule, subject: Subject) -> None:
    """Report a queue whose order falls where the priority rises."""
    typed = subject.typed(queue.by)
    if typed is None or _PRIORITY not in typed.reads or not _falls(typed):
        return
    message = "this queue serves the less urgent first"
    help_ = "higher is served first: write `queue by request.priority`"
    subject.problems.add("S306", queue.by.span, message, "falls as the priority rises", help_)


def _falls(typed: Typed) -> bool:
    """Return whether the value falls, as was seen, wherever the priority rises alone."""
    if typed.type.base is Base.BOOL:
        return False
    run = witness.evaluator(typed)
    seen = [run({_PRIORITY: p}) for p in range(-_LEVELS // 2, _LEVELS // 2 + 1)]
    numbers = [value for value in seen if isinstance(value, int | float)]
    if len(numbers) < len(seen):
        return False
    pairs = list(itertools.pairwise(numbers))
    return all(b <= a for a, b in pairs) and numbers[-1] < numbers[0]


def _waits(subject: Subject) -> None:
    """Report queues of which that for the less urgent waits longer or is longer."""
    found: list[tuple[said.OverloadBlock, said.QueueRule, Interval]] = []
    for block in subject.of(said.OverloadBlock):
        when = subject.typed(block.when)
        if block.queue is None or when is None or _PRIORITY not in when.reads:
            continue
        who = spread([(when, True)], _PRIORITY, _ANY)
        if who is not None:
            found.append((block, block.queue, who))
    for _, low, whom in found:
        for _, high, whom_else in found:
            if whom.hi < whom_else.lo:
                _compare_queues(low, high, subject.problems)


def _compare_queues(low: said.QueueRule, high: said.QueueRule, problems: Problems) -> None:
    help_ = "give the more urgent at least as much"
    if low.wait.value > high.wait.value:
        related = (Related(high.wait.span, "the more urgent, no longer than this"),)
        message = "the less urgent may wait longer than the more urgent"
        problems.add("S306", low.wait.span, message, "longer", help_, related)
    for few, many in ((low.length, high.length), (low.size, high.size)):
        if few and many and few.value > many.value:
            related = (Related(many.span, "the more urgent, no more than this"),)
            message = "more of the less urgent may wait than of the more urgent"
            problems.add("S306", few.span, message, "more", help_, related)
