"""Check and compile the expressions of a policy, each for its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from headrace.dsl import vocabulary
from headrace.dsl.cel import generate
from headrace.dsl.cel.check import check
from headrace.dsl.cel.kinds import DURATION, Base, Unit
from headrace.dsl.cel.operators import article, described
from headrace.dsl.cel.scope import Scope
from headrace.dsl.cel.typed import Typed, Variable
from headrace.dsl.checks.let_types import declared
from headrace.dsl.checks.names import EXPRESSIONS, Names
from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.program import (
    After,
    Cost,
    EndpointFilter,
    Number,
    NumberOf,
    Rule,
    Scorer,
    Text,
    TextOf,
    When,
)
from headrace.dsl.syntax.declarations import RuleBlock
from headrace.dsl.syntax.mentioned import names_in
from headrace.dsl.syntax.tree import Written

# Which roots are known where. `trace` and `test` look back when all is decided: at what was
# decided and answered, no longer at endpoints.
REQUEST = frozenset({"request", "model", "now"})
CLIENT = frozenset({"request", "now"})  # of a `trust`: no body was read, so no model is known
REQUEST_AND_POOL = REQUEST | {"pool"}
OF_ONE = REQUEST_AND_POOL | {"endpoint"}
ALL = OF_ONE | {"candidates"}
AFTERWARDS = frozenset({"request", "model", "decision", "response"})
_SCALARS = (Base.BOOL, Base.INT, Base.DOUBLE, Base.STRING, Base.DURATION)


@dataclass(frozen=True, slots=True)
class Rules:
    """The named expressions of one policy, and the means to compile the unnamed ones."""

    names: Names
    problems: Problems
    variables: Mapping[str, Variable]
    lets: dict[str, Typed] = field(default_factory=dict[str, Typed])
    filters: dict[str, EndpointFilter] = field(default_factory=dict[str, EndpointFilter])
    scorers: dict[str, Scorer] = field(default_factory=dict[str, Scorer])
    costs: dict[str, Cost] = field(default_factory=dict[str, Cost])
    compiled: list[Rule] = field(default_factory=list[Rule])

    def check(self, written: Written, where: str, roots: frozenset[str]) -> Typed:
        """Return *written* checked for the place *where*, which knows *roots*."""
        broken = frozenset[str]().union(*(self.names.broken.get(k, set()) for k in EXPRESSIONS))
        if self.names.incomplete:
            broken |= names_in(written) - {v.root for v in self.variables.values()}
        scope = Scope(
            self.problems,
            where,
            roots,
            self.variables,
            self.lets,
            self.names.others,
            broken,
        )
        typed = check(written, scope)
        for name in names_in(written):
            if ("let", name) in self.names.words:
                self.names.used.add(("let", name))
        return typed

    def condition(
        self, written: Written, name: str, where: str, roots: frozenset[str]
    ) -> When | None:
        """Return *written* as a compiled condition; None if it is not one."""
        typed = self.check(written, where, roots)
        if not self._wants(typed, written, where, Base.BOOL):
            return None
        return When(self._rule(name, written, typed), generate.condition(typed, written.span, name))

    def number(
        self, written: Written, name: str, where: str, roots: frozenset[str]
    ) -> Number | None:
        """Return *written* as a compiled number or duration; None if it is neither."""
        typed = self.check(written, where, roots)
        if not self._is_number(typed, written, where):
            return None
        # A condition and a number differ in what they return, not in what they take.
        value = cast(NumberOf, generate.condition(typed, written.span, name))
        return Number(self._rule(name, written, typed), value)

    def ratio(
        self, written: Written, name: str, where: str, roots: frozenset[str]
    ) -> Number | None:
        """Return *written* as a compiled ratio; None if it is none."""
        typed = self.check(written, where, roots)
        if not self._is_ratio(typed, written, where):
            return None
        value = cast(NumberOf, generate.condition(typed, written.span, name))
        return Number(self._rule(name, written, typed), value)

    def text(self, written: Written, name: str, where: str, roots: frozenset[str]) -> Text | None:
        """Return *written* as a compiled text; None if it is none."""
        typed = self.check(written, where, roots)
        if not typed.type.known:
            return None
        if typed.type.base is not Base.STRING:
            help_ = f"write `string({written.span.text})`" if typed.type.numeric else ""
            label = described(typed, short=True)
            self.problems.add("S203", written.span, f"{where} is a text", label, help_)
            return None
        value = cast(TextOf, generate.condition(typed, written.span, name))
        return Text(self._rule(name, written, typed), value)

    def after(self, written: Written, name: str, where: str, *, bool_only: bool) -> After | None:
        """Return *written* compiled over what was decided; None if it is of no use there."""
        typed = self.check(written, where, AFTERWARDS)
        if bool_only and not self._wants(typed, written, where, Base.BOOL):
            return None
        if typed.type.base not in _SCALARS:
            if typed.type.known:
                message = f"{where} is a text, a number or a bool"
                self.problems.add("S203", written.span, message, described(typed, short=True))
            return None
        value = generate.afterwards(typed, written.span, name)
        return After(self._rule(name, written, typed), value)

    def of_picked(self, written: Written, name: str, where: str) -> EndpointFilter | None:
        """Return a condition on the endpoint that was picked; None if it is none."""
        typed = self.check(written, where, OF_ONE)
        if not self._wants(typed, written, where, Base.BOOL):
            return None
        column = generate.bool_column(typed, written.span, name)
        return EndpointFilter(self._rule(name, written, typed), column)

    def ties(self, written: Written, profile: str) -> Scorer | None:
        """Return what breaks the ties of *profile*: any number or duration, lower is better."""
        name, where = f"{profile}.ties", "`ties by`"
        typed = self.check(written, where, OF_ONE)
        if not self._is_number(typed, written, where):
            return None
        column = generate.number_column(typed, written.span, name)
        return Scorer(self._rule(name, written, typed), column)

    def read(self, blocks: Sequence[RuleBlock]) -> None:
        """Check and compile the named expressions in their order."""
        for block in blocks:
            name, written = block.name.text, block.value
            if self.names.words.get((block.kind, name)) is not block.name:
                continue  # a second definition, reported already
            typed = self.check(written, f"a {block.kind}", ALL)
            match block.kind:
                case "let":
                    self.lets[name] = declared(typed, block, self.problems)
                case "filter" if self._wants(typed, written, "a filter", Base.BOOL):
                    column = generate.bool_column(typed, written.span, name)
                    self.filters[name] = EndpointFilter(self._rule(name, written, typed), column)
                case "scorer" if self._is_ratio(typed, written):
                    numbers = generate.number_column(typed, written.span, name)
                    self.scorers[name] = Scorer(self._rule(name, written, typed), numbers)
                case "cost" if self._is_duration(typed, written):
                    numbers = generate.number_column(typed, written.span, name)
                    self.costs[name] = Cost(self._rule(name, written, typed), numbers)
                case _:
                    pass

    def _wants(self, typed: Typed, written: Written, where: str, base: Base) -> bool:
        if not typed.type.known:
            return False
        if typed.type.base is base:
            return True
        help_ = "compare it with something: `> 0`" if typed.type.numeric else ""
        message = f"{where} must be true or false"
        self.problems.add("S203", written.span, message, described(typed, short=True), help_)
        return False

    def _rule(self, name: str, written: Written, typed: Typed) -> Rule:
        stage = vocabulary.stage_of(typed.reads)
        rule = Rule(name, written.span, typed.reads, stage, typed)
        self.compiled.append(rule)
        return rule

    def _is_number(self, typed: Typed, written: Written, where: str) -> bool:
        kind = typed.type
        if kind.known and not (kind.numeric or kind == DURATION):
            message = f"{where} takes a number or a duration"
            help_ = "write a number, such as `request.priority`"
            if where == "the order of a queue" and kind.base is Base.STRING:
                text = written.span.text
                help_ = f"to let callers take turns write `by request.priority fair by {text}`"
            self.problems.add("S203", written.span, message, described(typed, short=True), help_)
            return False
        return kind.known

    def _is_duration(self, typed: Typed, written: Written) -> bool:
        kind = typed.type
        if not kind.known or kind == DURATION:
            return kind.known
        message = "a cost is a duration, so that costs can be added up"
        help_ = "choose a duration by it: `endpoint.queue > 5 ? 2s : 0s`"
        if kind.base is Base.DOUBLE or not kind.numeric:
            help_ = "for a ratio or a condition write a `scorer` or a `filter`"
        self.problems.add("S203", written.span, message, described(typed, short=True), help_)
        return False

    def _is_ratio(self, typed: Typed, written: Written, where: str = "a scorer") -> bool:
        kind = typed.type
        if not kind.known:
            return False
        if kind.base is Base.DOUBLE and kind.unit in (Unit.NONE, Unit.RATIO):
            return True
        text = written.span.text
        help_ = ""
        if kind.numeric:
            inner = text if kind.base is Base.DOUBLE else f"double({text})"
            help_ = f"write it as a ratio, for example `1.0 / (1.0 + {inner})`"
            digits = typed.span.text  # without the parentheses that may be round it
            if digits.isdecimal() and len(digits) < 10:
                share = int(digits) if int(digits) > 1 else int(digits) * 100
                help_ = f"write `{share}%`" if share <= 100 else "write a ratio such as `50%`"
        elif kind.base is Base.BOOL:
            help_ = f"write `{text} ? 100% : 0%`, or make it a `filter`"
        code = "S204" if kind.numeric and kind.unit is not Unit.NONE else "S203"
        message = f"{where} is a ratio from 0 to 1"
        self.problems.add(code, written.span, message, f"this is {article(kind)}", help_)
        return False


def rules(names: Names, problems: Problems) -> Rules:
    """Return the rules of a policy with these names, none read yet."""
    return Rules(names, problems, vocabulary.variables())
