"""What is weighed: S310 (no total order), S314 (outside 0 to 1), S315 (flapping)."""

import math

from headrace.dsl.cel.kinds import Base
from headrace.dsl.cel.typed import LOOP, Op, Typed
from headrace.dsl.lints import witness
from headrace.dsl.lints.cases import possible
from headrace.dsl.lints.subject import Subject
from headrace.dsl.lints.terms import parts, variables, whole
from headrace.dsl.problems.diagnostic import Related
from headrace.dsl.program import Pick, Profile, Rule, RuleFault
from headrace.dsl.source import Span
from headrace.dsl.syntax import choosing
from headrace.dsl.syntax import declarations as said

_COARSE_MAX = 16  # different totals: with more of them ties are rare
_TRIED_MAX = 50  # scorers of one policy: each is compiled and run
_ROUNDING = 1e-9
_FAST = ("endpoint.queue", "endpoint.running", "endpoint.in_flight", "endpoint.kv_cache")
_ORDERS = ("<", "<=", ">", ">=")


def ranges(subject: Subject) -> None:
    """Report scorers and chances that leave their range."""
    doubted = [s.rule for s in subject.rules.scorers.values() if not _proven(s.rule)]
    for rule in doubted[:_TRIED_MAX]:
        _range("scorer", rule, subject)
    sheds = [shed for overload in subject.program.overloads for shed in overload.sheds]
    chances = [s.chance.rule for s in sheds if s.chance and not _proven(s.chance.rule)]
    for rule in chances[:_TRIED_MAX]:
        _range("chance", rule, subject)


def picks(subject: Subject) -> None:
    """Report profiles that cannot decide, or that flap."""
    for block in subject.of(said.ProfileBlock):
        profile = subject.program.profiles.get(block.name.text)
        if profile is None or profile.span is not block.span:
            continue
        if block.spans.keys() & {"score", "multiply", "tiers", "pick"}:
            _ties(block, profile, subject)
        if block.require is not None and profile.otherwise is None:
            _flapping(block.require, subject)


# ---- S314


def _range(what: str, rule: Rule, subject: Subject) -> None:
    """Report a ratio that leaves the range from 0 to 1, with values on which it does."""
    typed = rule.typed
    assert typed is not None, "it was checked"
    seen = witness.search(typed, _outside)
    if seen is None and _all_tried(typed):
        return  # its parts could, but not together
    label = _reach(typed)
    if seen is not None:
        label = f"{_result(seen.result)} {seen.text}" if seen.values else ""
        label = label or _result(seen.result).removesuffix(" with")
    help_ = "`1.0 / (1.0 + x)` and `1.0 - ratio` stay inside"
    if what == "chance":
        help_ = "`math.least(1.0, x)` cuts it off above, `math.greatest(0.0, x)` below"
    message = f"this {what} can leave the range from 0 to 1 and is then clamped"
    subject.problems.add("S314", rule.span, message, label.strip(), help_)


def _proven(rule: Rule) -> bool:
    return rule.typed is None or rule.typed.numbers.within(0, 1)


def _outside(result: object) -> bool:
    if isinstance(result, RuleFault):
        return result.kind == "nan"
    return isinstance(result, int | float) and not -_ROUNDING <= result <= 1 + _ROUNDING


def _result(result: object) -> str:
    if isinstance(result, RuleFault):
        return "is not a number with"
    assert isinstance(result, int | float)
    return "is infinite with" if math.isinf(result) else f"is {result:.6g} with"


def _reach(typed: Typed) -> str:
    low, high = typed.numbers.lo, typed.numbers.hi
    if typed.numbers.nan:
        return "can be infinite or not a number"
    return f"can reach {high:g}" if high > 1 else f"can fall to {low:g}"


def _all_tried(typed: Typed) -> bool:
    """Return whether corners were tried of all that *typed* reads."""
    bases = {v.type.base for v in variables(typed).values()}
    calls = {p.op for p in parts(typed)} & {Op.EACH, Op.WITH, Op.APPLY, Op.AT}
    return not calls and bases <= {Base.BOOL, Base.INT, Base.DOUBLE, Base.DURATION}


# ---- S310


def _ties(block: said.ProfileBlock, profile: Profile, subject: Subject) -> None:
    """Report scores that often tie, and nothing that breaks the tie."""
    if profile.ties is not None or not profile.terms:
        return
    number = 1.0
    for term in profile.terms:
        typed = term.scorer.rule.typed
        number *= different(typed) if typed is not None else math.inf
    if profile.pick not in (Pick.MAX, Pick.WEIGHTED) or number > _COARSE_MAX:
        return
    verbs = [verb for verb in ("score", "multiply", "tiers", "pick") if verb in block.spans]
    span = block.spans[verbs[0]]
    if number == 1:
        message = "these scores are the same for all endpoints"
        help_ = "score by something of the endpoint, or write `pick random`"
        code = "S310" if profile.pick is Pick.MAX else "S315"
        subject.problems.add(code, span, message, "chance decides", help_)
    elif profile.pick is Pick.MAX:
        message = f"endpoints often tie: there are at most {number:g} different scores"
        help_ = "say what decides then: `pick max ties by endpoint.running`"
        subject.problems.add("S310", span, message, "chance decides between equals", help_)


def different(typed: Typed) -> float:
    """Return how many values *typed* can have at the endpoints of one decision, at most."""
    if LOOP not in typed.free:
        return 1
    if typed.type.base is Base.BOOL:
        return 2
    match typed.op:
        case Op.COND:
            test, yes, no = typed.args
            if LOOP not in test.free:
                return max(different(yes), different(no))
            return different(yes) + different(no)
        case Op.ARITHMETIC | Op.NEG:
            return math.prod(different(arg) for arg in typed.args)
        case Op.CALL if typed.value == "double_of_int":
            return different(typed.args[0])
        case _:
            span = typed.numbers.hi - typed.numbers.lo
            return span + 1 if whole(typed) else math.inf


# ---- S315


def _flapping(require: choosing.Names, subject: Subject) -> None:
    """Report a hard filter with a bound on what changes with every request."""
    for word in require.words:
        found = subject.rules.filters.get(word.text)
        typed = found.rule.typed if found else None
        spot = _bound(typed) if typed is not None and _decides(typed) else None
        if spot is None:
            continue
        name, span = spot
        related = (Related(span, "this goes up and down with every request"),)
        message = f"`{word.text}` puts endpoints in and out of reach as `{name}` moves"
        help_ = f"write `prefer {word.text}`, or say where they go instead: `else profile NAME`"
        subject.problems.add("S315", word.span, message, "a hard bound", help_, related)


def _decides(typed: Typed) -> bool:
    """Return whether *typed* can be true and can be false; if not, that was reported."""
    return possible((typed, True)) and possible((typed, False))


def _bound(typed: Typed) -> tuple[str, Span] | None:
    """Return a fast value that is compared with a bound in *typed*, and where."""
    for part in parts(typed):
        if part.op is not Op.COMPARE or part.value not in _ORDERS:
            continue
        for one, other in (part.args, part.args[::-1]):
            if other.op is Op.CONST and one.reads & {*_FAST}:
                return sorted(one.reads & {*_FAST})[0], part.span
    return None
