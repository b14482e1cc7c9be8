"""The checker of plain CEL: types by the standard's rules, dyn where they are unknown.

Policies have a stricter checker of their own, `check.py`; both make the same kind of tree.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from headrace.dsl.cel import lists
from headrace.dsl.cel.declared import TYPE_NAMES, Declarations, qualified
from headrace.dsl.cel.kinds import (
    BOOL,
    DYN,
    LITERALS,
    UNKNOWN,
    Base,
    Type,
    bare,
    list_of,
    map_of,
    optional_of,
    type_of,
)
from headrace.dsl.cel.library import Function, Run, joined, resolve
from headrace.dsl.cel.typed import Apply, Binding, Make, Op, Typed, Variable, node, wrong
from headrace.dsl.cel.values import TypeName, Uint, name_of
from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.source import Span
from headrace.dsl.syntax.tree import (
    Binary,
    Call,
    Expr,
    Index,
    ListOf,
    Literal,
    MapOf,
    Name,
    Select,
    Ternary,
    Unary,
)

_OPERATORS = {"in": "@in"}
_SELECTABLE = (Base.MAP, Base.DYN, Base.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Checker:
    """Checks one expression; problems go to *problems*.

    calls   checks a call: `infer_calls.check_call`
    locals  variables of macros
    level   how many of them are around the place
    """

    problems: Problems
    known: Declarations
    calls: "Callable[[Checker, Call], Typed]"
    locals: dict[str, Typed] = field(default_factory=dict[str, Typed])
    level: int = 0

    def binding(self, names: dict[str, Typed]) -> "Checker":
        """Return a checker in which macros have also bound *names*."""
        return replace(self, locals={**self.locals, **names}, level=self.level + 1)

    def check(self, expr: Expr) -> Typed:
        """Return *expr* with its type."""
        match expr:
            case Literal():
                return constant(expr)
            case Name() | Select():
                return self._path(expr)
            case Index():
                name = "_[?_]" if expr.optional else "_[_]"
                return self._standard(name, (expr.of, expr.at), expr.span)
            case Unary():
                return self._standard(f"{expr.op}_", (expr.arg,), expr.span)
            case Binary():
                return self._binary(expr)
            case Ternary():
                return self._ternary(expr)
            case ListOf():
                return self._list(expr)
            case MapOf():
                return self._map(expr)
            case Call():
                return self.calls(self, expr)

    def problem(
        self, code: str, span: Span, message: str, label: str = "", help_: str = ""
    ) -> None:
        """Report what is wrong, unless types are left to the run time."""
        if self.known.checked:
            self.problems.add(code, span, message, label, help_)

    def want(self, value: Typed, base: Base, what: str) -> None:
        """Report *value* if it cannot be a *base*."""
        if not (value.type.base is base or value.type.loose):
            message = f"{what} is a {base.value}"
            self.problem("S203", value.span, message, f"this is a {value.type}")

    def apply(self, function: Function, args: tuple[Typed, ...], span: Span, run: Run | None = None,
              lazy: frozenset[int] = frozenset()) -> Typed:  # fmt: skip
        """Return a call of *function*; reported if no overload takes *args*."""
        found = resolve(function, [a.type for a in args])
        if found is None:
            types = ", ".join(str(bare(a.type)) for a in args)
            takes = "; ".join(_shown(one.params) for one in function.overloads[:6])
            message = f"`{function.name.strip('_@')}` does not take ({types})"
            self.problem("S203", span, message, "no matching overload", f"it takes {takes}")
            found = (DYN, function.run)
        type_, chosen = found
        return node(Op.APPLY, type_, span, args, Apply(run or chosen, lazy), fails=True)

    def _standard(self, name: str, parts: tuple[Expr, ...], span: Span) -> Typed:
        function = self.known.library.functions[name]
        return self.apply(function, tuple(self.check(p) for p in parts), span)

    def _path(self, expr: Name | Select) -> Typed:
        path = qualified(expr)
        if path is None:
            assert isinstance(expr, Select)
            return self._select(expr)
        words, rooted = path
        if words[0] in self.locals and not rooted:
            return self._local(expr)
        for length in range(len(words), 0, -1):
            found = self._named(".".join(words[:length]), rooted, expr.span)
            if found is not None:
                return self._fields(expr, len(words) - length, found)
        return self._unknown(words, rooted, expr)

    def _local(self, expr: Name | Select) -> Typed:
        if isinstance(expr, Select):
            return self._selected(self._local_of(expr), expr)
        return replace(self.locals[expr.text], span=expr.span)

    def _local_of(self, expr: Select) -> Typed:
        assert isinstance(expr.of, Name | Select)
        return self._local(expr.of)

    def _named(self, name: str, rooted: bool, span: Span) -> Typed | None:
        for full in self.known.candidates(name, rooted=rooted):
            if full in self.known.variables:
                type_ = self.known.variables[full]
                code = f"_variable(values, {full!r})"
                variable = Variable(full, type_, Binding.REQUEST, "", code)
                reads = frozenset({full})
                return Typed(Op.READ, type_, span, (), variable, fails=True, reads=reads)
            if full in TYPE_NAMES:
                type_ = TYPE_NAMES[full]
                value = TypeName(name_of(type_.base))
                return node(Op.CONST, type_of(type_), span, value=value)
        return None

    def _fields(self, expr: Name | Select, count: int, found: Typed) -> Typed:
        """Return *found* with the last *count* fields of the path *expr* taken."""
        if not count:
            return replace(found, span=expr.span)
        assert isinstance(expr, Select)
        assert isinstance(expr.of, Name | Select)
        return self._selected(self._fields(expr.of, count - 1, found), expr)

    def _unknown(self, words: tuple[str, ...], rooted: bool, expr: Name | Select) -> Typed:
        if self.known.checked:
            help_ = did_you_mean(words[0], {*self.known.variables, *self.locals}, "declared")
            message = f"undeclared reference to `{words[0]}`"
            self.problems.add("S201", expr.span, message, "not known here", help_)
            return wrong(expr.span)
        choices = [
            (full, words[length:])
            for length in range(len(words), 0, -1)
            for full in self.known.candidates(".".join(words[:length]), rooted=rooted)
        ]
        variable = Variable(
            ".".join(words), DYN, Binding.REQUEST, "", f"_named(values, {choices!r})"
        )
        reads = frozenset(name for name, _ in choices)
        return Typed(Op.READ, DYN, expr.span, (), variable, fails=True, reads=reads)

    def _select(self, expr: Select) -> Typed:
        return self._selected(self.check(expr.of), expr)

    def _selected(self, of: Typed, expr: Select) -> Typed:
        type_, lifted = of.type, expr.optional
        if type_.base is Base.OPTIONAL:
            type_, lifted = type_.item or DYN, True
        if type_.base not in _SELECTABLE:
            message = f"a {bare(type_)} has no fields"
            self.problem("S203", expr.member.span, message, "not a field")
        found = type_.item if type_.base is Base.MAP and type_.item is not None else DYN
        type_ = optional_of(found) if lifted else found
        key = node(Op.CONST, LITERALS["string"], expr.member.span, value=expr.member.text)
        run = lists.maybe_field if expr.optional else lists.field_of
        return node(Op.APPLY, type_, expr.span, (of, key), Apply(run), fails=True)

    def _binary(self, expr: Binary) -> Typed:
        op = expr.op.text
        if op not in ("&&", "||"):
            name = _OPERATORS.get(op, f"_{op}_")
            return self._standard(name, (expr.left, expr.right), expr.span)
        sides = (self.check(expr.left), self.check(expr.right))
        for side in sides:
            self.want(side, Base.BOOL, f"each side of `{op}`")
        kind = Op.AND if op == "&&" else Op.OR
        fails = any(s.type.base is not Base.BOOL for s in sides)
        return node(kind, BOOL, expr.span, sides, fails=fails)

    def _ternary(self, expr: Ternary) -> Typed:
        test, yes, no = (self.check(e) for e in (expr.test, expr.yes, expr.no))
        self.want(test, Base.BOOL, "what stands before `?`")
        type_ = joined(yes.type, no.type)
        if type_ is None:
            message = f"one branch is a {bare(yes.type)}, the other a {bare(no.type)}"
            self.problem("S203", expr.no.span, message, "no matching overload")
        fails = test.type.base is not Base.BOOL
        return node(Op.COND, type_ or DYN, expr.span, (test, yes, no), fails=fails)

    def _list(self, expr: ListOf) -> Typed:
        items = tuple(self.check(i) for i in expr.items)
        types = [self._part(t, i in expr.optional) for i, t in enumerate(items)]
        type_ = list_of(_common(types))
        if not expr.optional:
            return node(Op.LIST, type_, expr.span, items)
        marks = tuple(i in expr.optional for i in range(len(items)))
        return node(Op.MAKE, type_, expr.span, items, Make(marks), fails=True)

    def _part(self, value: Typed, optional: bool) -> Type:
        if not optional:
            return value.type
        self.want(value, Base.OPTIONAL, "what follows `?`")
        return value.type.item or DYN

    def _map(self, expr: MapOf) -> Typed:
        keys = tuple(self.check(k) for k, _ in expr.entries)
        values = tuple(self.check(v) for _, v in expr.entries)
        types = [self._part(v, i in expr.optional) for i, v in enumerate(values)]
        type_ = map_of(_common([k.type for k in keys]), _common(types))
        marks = tuple(i in expr.optional for i in range(len(keys)))
        args = tuple(a for pair in zip(keys, values, strict=True) for a in pair)
        return node(Op.MAKE, type_, expr.span, args, Make(marks), fails=True)


def constant(expr: Literal) -> Typed:
    """Return a literal with its type."""
    value = Uint(expr.value) if expr.kind == "uint" and isinstance(expr.value, int) else expr.value
    return node(Op.CONST, LITERALS[expr.kind], expr.span, value=value)


def _common(types: list[Type]) -> Type:
    found = UNKNOWN
    for type_ in types:
        merged = joined(found, type_)
        if merged is None:
            return DYN
        found = merged
    return found


def _shown(params: tuple[Type, ...]) -> str:
    return f"({', '.join(p.name or str(p) for p in params)})"
