"""Check and compile the expressions of a policy, each for its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from headrace.dsl import tree, vocabulary
from headrace.dsl.cel import generate
from headrace.dsl.cel.check import check
from headrace.dsl.cel.interval import Interval
from headrace.dsl.cel.kinds import DURATION, Base, Unit
from headrace.dsl.cel.operators import article, described
from headrace.dsl.cel.scope import Scope
from headrace.dsl.cel.typed import Typed, Variable
from headrace.dsl.diagnostic import Problems
from headrace.dsl.names import EXPRESSIONS, Names
from headrace.dsl.program import EndpointFilter, Rule, Scorer, When
from headrace.dsl.tree import Written

ALL = frozenset({"request", "endpoint", "pool"})
REQUEST = frozenset({"request"})
REQUEST_AND_POOL = frozenset({"request", "pool"})


@dataclass(frozen=True, slots=True)
class Rules:
    """The named expressions of one policy, and the means to compile the unnamed ones."""

    names: Names
    problems: Problems
    variables: Mapping[str, Variable]
    lets: dict[str, Typed] = field(default_factory=dict[str, Typed])
    filters: dict[str, EndpointFilter] = field(default_factory=dict[str, EndpointFilter])
    scorers: dict[str, Scorer] = field(default_factory=dict[str, Scorer])

    def check(self, written: Written, where: str, roots: frozenset[str]) -> Typed:
        """Return *written* checked for the place *where*, which knows *roots*."""
        others = {w: f"a {k}" for k, w in self.names.words if k in ("filter", "scorer")}
        others |= {w: "a later `let`" for k, w in self.names.words if k == "let"}
        broken = frozenset[str]().union(*(self.names.broken.get(k, set()) for k in EXPRESSIONS))
        scope = Scope(
            self.problems,
            where,
            roots,
            self.variables,
            self.lets,
            {n: what for n, what in others.items() if n not in self.lets},
            broken,
            vocabulary.names_of_later(),
        )
        typed = check(written, scope)
        for name in _names_in(written):
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
        return When(_rule(name, written, typed), generate.condition(typed, written.span, name))

    def ties(self, written: Written, profile: str) -> Scorer | None:
        """Return what breaks the ties of *profile*: any number or duration, lower is better."""
        name, where = f"{profile}.ties", "`ties by`"
        typed = self.check(written, where, ALL)
        if not typed.type.known:
            return None
        if not (typed.type.numeric or typed.type == DURATION):
            message = "`ties by` takes a number or a duration"
            label = described(typed, short=True)
            self.problems.add("S203", written.span, message, label)
            return None
        return Scorer(
            _rule(name, written, typed), generate.number_column(typed, written.span, name)
        )

    def read(self, blocks: Sequence[tree.RuleBlock]) -> None:
        """Check and compile the `let`s, filters and scorers in their order."""
        for block in blocks:
            name, written = block.name.text, block.value
            if self.names.words.get((block.kind, name)) is not block.name:
                continue  # a second definition, reported already
            typed = self.check(written, f"a {block.kind}", ALL)
            match block.kind:
                case "let":
                    self.lets[name] = typed
                case "filter" if self._wants(typed, written, "a filter", Base.BOOL):
                    column = generate.bool_column(typed, written.span, name)
                    self.filters[name] = EndpointFilter(_rule(name, written, typed), column)
                case "scorer" if self._is_ratio(typed, written):
                    numbers = generate.number_column(typed, written.span, name)
                    self.scorers[name] = Scorer(_rule(name, written, typed), numbers)
                case _:
                    pass

    def assuming(self, name: str, range_: Interval, lets: Sequence[tree.RuleBlock]) -> "Rules":
        """Return rules that check silently, as if *name* were always in *range_*."""
        variables = {**self.variables, name: replace(self.variables[name], range=range_)}
        silent = Rules(self.names, Problems(), variables)
        silent.read(lets)
        return silent

    def _wants(self, typed: Typed, written: Written, where: str, base: Base) -> bool:
        if not typed.type.known:
            return False
        if typed.type.base is base:
            return True
        help_ = "compare it with something: `> 0`" if typed.type.numeric else ""
        message = f"{where} must be true or false"
        self.problems.add("S203", written.span, message, described(typed, short=True), help_)
        return False

    def _is_ratio(self, typed: Typed, written: Written) -> bool:
        kind = typed.type
        if not kind.known:
            return False
        if kind.base is Base.DOUBLE and kind.unit in (Unit.NONE, Unit.RATIO):
            self._lint_range(typed, written)
            return True
        text = written.span.text
        help_ = ""
        if kind.numeric:
            inner = text if kind.base is Base.DOUBLE else f"double({text})"
            help_ = f"write it as a ratio, for example `1.0 / (1.0 + {inner})`"
            if typed.span.text.isdigit():
                help_ = f"write `{text}.0` or `{int(text) * 100}%`"
        elif kind.base is Base.BOOL:
            help_ = f"write `{text} ? 100% : 0%`, or make it a `filter`"
        code = "S204" if kind.numeric and kind.unit is not Unit.NONE else "S203"
        message = "a scorer is a ratio from 0 to 1"
        self.problems.add(code, written.span, message, f"this is {article(kind)}", help_)
        return False

    def _lint_range(self, typed: Typed, written: Written) -> None:
        low, high = typed.numbers.lo, typed.numbers.hi
        if low >= 0 and high <= 1:
            return
        beyond = f"can reach {high:g}" if high > 1 else f"can fall to {low:g}"
        if typed.numbers.nan:
            beyond = "can be infinite or not a number"
        help_ = "`1.0 / (1.0 + x)` and `1.0 - ratio` stay inside"
        message = "this scorer can leave the range from 0 to 1 and is then clamped"
        self.problems.add("S314", written.span, message, beyond, help_)


def rules(names: Names, problems: Problems) -> Rules:
    """Return the rules of a policy with these names, none read yet."""
    return Rules(names, problems, vocabulary.variables())


def _rule(name: str, written: Written, typed: Typed) -> Rule:
    return Rule(name, written.span, typed.reads)


def _names_in(written: Written) -> set[str]:
    """Return the bare names in *written*."""
    found: set[str] = set()
    left: list[object] = [written.expr]
    while left:
        match left.pop():
            case tree.Name(text=text):
                found.add(text)
            case tree.Select(of=of):
                left.append(of)
            case tree.Index(of=of, at=at):
                left += [of, at]
            case tree.Call(of=of, args=args):
                left += [of, *args]
            case tree.Unary(arg=arg):
                left.append(arg)
            case tree.Binary(left=a, right=b):
                left += [a, b]
            case tree.Ternary(test=test, yes=yes, no=no):
                left += [test, yes, no]
            case tree.ListOf(items=items):
                left += items
            case tree.MapOf(entries=entries):
                left += [part for entry in entries for part in entry]
            case _:
                pass
    return found
