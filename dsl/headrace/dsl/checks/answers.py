"""Expressions over what no vocabulary declares: a provider's answer, and guards' verdicts.

They are plain CEL with dyn, compiled once. What goes wrong in one is a RuleFault.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

from headrace.dsl.cel import generate
from headrace.dsl.cel.declared import Declarations
from headrace.dsl.cel.expression import DEPTH_MAX, SIZE_MAX
from headrace.dsl.cel.folds import Steps
from headrace.dsl.cel.infer import Checker
from headrace.dsl.cel.infer_calls import check_call
from headrace.dsl.cel.kinds import BOOL, DYN, STRING, Base, Type, bare
from headrace.dsl.cel.operators import article
from headrace.dsl.cel.typed import Op, Typed, wrong
from headrace.dsl.cel.values import Fault, Optional, given_out, taken_in
from headrace.dsl.checks.names import Names
from headrace.dsl.guarding import AnswerRule, VerdictRule
from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.program import Rule, RuleFault
from headrace.dsl.syntax.tree import Call, Expr, Literal, Name, Word, Written, parts_of

ANSWER = "answer"
MATCHED = "matched"
STEPS_MAX = 10_000  # items that the macros of one evaluation go through; some milliseconds
_UNREADABLE = (AttributeError, MemoryError, OverflowError, RecursionError, TypeError)
# What is computed -> the types it may have, and what they are called.
_WANTED: Mapping[str, tuple[Type, str]] = {
    "match": (BOOL, "`match when` is true or false"),
    "category": (STRING, "`category` is a text, or a list of texts"),
    "text": (STRING, "`text` is a text, or of `{texts}` a list of texts"),
}


def answer_rule(written: Written, verb: str, problems: Problems) -> AnswerRule | None:
    """Return what *verb* computes from the answer; None after reporting that it cannot be."""
    known = Declarations({ANSWER: DYN})
    typed = _checked(written, Checker(problems, known, check_call))
    if typed is None or not _is(typed, _WANTED[verb], written, problems):
        return None
    if ANSWER not in typed.reads:
        message = f"`{verb}` does not read the answer"
        help_ = "the provider's answer is `answer`: `answer.flagged`"
        problems.add("S217", written.span, message, "always the same", help_)
        return None
    wanted = _WANTED[verb][0]
    run = generate.expression(typed, written.span, verb)
    return AnswerRule(_rule(verb, written, typed), _Read(run, wanted))


def verdict_rule(
    written: Written, guards: "GuardsNamed"
) -> tuple[VerdictRule, frozenset[str]] | None:
    """Return the condition over verdicts and the guards it asks for; None after reporting."""
    problems = guards.problems
    known = Declarations(dict.fromkeys(map(_variable, guards.known), BOOL))
    typed = _checked(written, Checker(problems, known, guards.call))
    where = (BOOL, "`block when` is true or false")
    if typed is None or not _is(typed, where, written, problems):
        return None
    read = frozenset(name for name in guards.known if _variable(name) in typed.reads)
    if not read and guards.names.incomplete:
        return None
    if not read:
        message = "`block when` asks for no guard's verdict"
        help_ = 'write `matched("NAME")` for what a guard has found'
        problems.add("S217", written.span, message, "always the same", help_)
        return None
    run = generate.expression(typed, written.span, "block")
    return VerdictRule(_rule("block", written, typed), _Test(run, tuple(sorted(read)))), read


@dataclass(frozen=True, slots=True)
class GuardsNamed:
    """The guards that `matched` can ask for."""

    names: Names

    @property
    def problems(self) -> Problems:
        """Where findings go."""
        return self.names.problems

    @property
    def known(self) -> frozenset[str]:
        """The guards of the policy."""
        return frozenset(self.names.of("guard"))

    def call(self, checker: Checker, call: Call) -> Typed:
        """Return the call checked: `matched("NAME")` reads that guard's verdict."""
        if call.of is not None or call.name.text != MATCHED:
            return check_call(checker, call)
        argument = call.args[0] if len(call.args) == 1 else None
        if not isinstance(argument, Literal) or not isinstance(argument.value, str):
            message = f"`{MATCHED}` takes the name of one guard"
            help_ = f'for example `{MATCHED}("secrets")`'
            self.problems.add("S203", call.span, message, "not a name", help_)
            return wrong(call.span)
        if not self.names.find("guard", Word(argument.value, argument.span)):
            return wrong(call.span)
        return replace(checker.check(Name(_variable(argument.value), call.span)), fails=False)


@dataclass(frozen=True, slots=True)
class _Read:
    """Computes one value of an answer.

    wanted  BOOL, or STRING: then a list of texts will do too, and None if there is none
    """

    run: generate.Expression
    wanted: Type

    def __call__(self, answer: object) -> object | RuleFault:
        try:
            value = given_out(self.run({ANSWER: taken_in(answer)}, Steps(STEPS_MAX)))
        except Fault as fault:
            return fault.fault
        except _UNREADABLE:
            return RuleFault("type")
        if isinstance(value, Optional):
            value = value.value if value.present else None
        return value if _fits(value, self.wanted) else RuleFault("type")


@dataclass(frozen=True, slots=True)
class _Test:
    """Tests the verdicts of *guards*; one that is absent found nothing."""

    run: generate.Expression
    guards: tuple[str, ...]

    def __call__(self, verdicts: Mapping[str, bool]) -> bool | RuleFault:
        values = {_variable(name): verdicts.get(name, False) for name in self.guards}
        try:
            return self.run(values, Steps(STEPS_MAX)) is True
        except Fault as fault:
            return fault.fault
        except _UNREADABLE:
            return RuleFault("type")


def _fits(value: object, wanted: Type) -> bool:
    if wanted is BOOL:
        return isinstance(value, bool)
    if isinstance(value, list):
        return all(isinstance(item, str) for item in cast(list[object], value))
    return value is None or isinstance(value, str)


def _variable(guard: str) -> str:
    """Return the variable that holds the verdict of *guard*; nobody can write such a name."""
    return f"{MATCHED} {guard}"


def _checked(written: Written, checker: Checker) -> Typed | None:
    """Return *written* checked; None if something in it is wrong."""
    problems = checker.problems
    before = len(problems.found)
    for part in _all(written.expr):
        if isinstance(part, Literal) and part.kind == "duration":
            message = "a JSON value has no durations"
            help_ = "compare with a number: `answer.seconds < 2.5`"
            problems.add("S203", part.span, message, "a duration", help_)
    typed = checker.check(written.expr)
    if typed.size > SIZE_MAX or typed.depth > DEPTH_MAX:
        message = "this expression is too large"
        problems.add("S110", written.span, message, f"{typed.size} parts")
    # What only follows from a mistake is not reported again, and is wrong all the same.
    return typed if len(problems.found) == before and _sound(typed) else None


def _sound(typed: Typed) -> bool:
    return typed.op is not Op.WRONG and all(map(_sound, typed.args))


def _is(typed: Typed, wanted: tuple[Type, str], written: Written, problems: Problems) -> bool:
    type_, message = wanted
    if typed.type.loose or typed.type.base is type_.base:
        return True
    item = typed.type.item
    several = typed.type.base in (Base.LIST, Base.OPTIONAL)
    if type_ is STRING and several and item is not None and (item.loose or item.base is type_.base):
        return True
    problems.add("S203", written.span, message, f"this is {article(bare(typed.type))}")
    return False


def _rule(name: str, written: Written, typed: Typed) -> Rule:
    return Rule(name, written.span, typed.reads, "request")


def _all(expr: Expr) -> Iterator[Expr]:
    """Yield *expr* and all that is in it."""
    left = [expr]
    while left:
        at = left.pop()
        yield at
        left += parts_of(at)
