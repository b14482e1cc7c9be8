"""What an expression may name at its place."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from headrace.dsl.cel.interval import Interval
from headrace.dsl.cel.kinds import Base
from headrace.dsl.cel.typed import Typed, Variable
from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.syntax.tree import Binary, Call, Expr, Literal, Name, Select, Unary


@dataclass(frozen=True, slots=True)
class Scope:
    """The names in reach, and where problems go.

    where     the place, for messages: "a filter"
    roots     which of `request`, `endpoint`, `pool` exist here
    lets      named expressions, checked
    others    names that exist and are not values: name -> what it is
    broken    names whose definition could not be read
    locals    variables of macros
    present   optional names that a `has` before has made sure of
    ranges    what a condition before has made sure of: name -> the values it can have
    level     how many variables of macros are around the place
    """

    problems: Problems
    where: str
    roots: frozenset[str]
    variables: Mapping[str, Variable]
    lets: Mapping[str, Typed] = field(default_factory=dict[str, Typed])
    others: Mapping[str, str] = field(default_factory=dict[str, str])
    broken: frozenset[str] = frozenset()
    locals: Mapping[str, Typed] = field(default_factory=dict[str, Typed])
    present: frozenset[str] = frozenset()
    ranges: Mapping[str, Interval] = field(default_factory=dict[str, Interval])
    level: int = 0

    def knowing(self, names: frozenset[str]) -> "Scope":
        """Return the scope in which the optional *names* are known to be there."""
        return replace(self, present=self.present | names) if names else self

    def narrowed(self, expr: Expr, truth: bool) -> "Scope":
        """Return the scope in which *expr* is known to be *truth*."""
        present = self.present | proven(expr, truth)
        ranges = {**self.ranges}
        for name, op, bound in bounds(expr, truth):
            variable = self.variables.get(name)
            known = ranges.get(name) or (variable.range if variable else None)
            if known is not None and variable is not None:
                whole = variable.type.base is Base.INT
                ranges[name] = known.bounded(op, bound, whole=whole)
        return replace(self, present=present, ranges=ranges)

    def binding(self, names: Mapping[str, Typed]) -> "Scope":
        """Return the scope in which a macro has bound *names*."""
        return replace(self, locals={**self.locals, **names}, level=self.level + 1)


Check = Callable[[Expr, Scope], Typed]


def path(expr: Expr) -> str:
    """Return `a.b` or `a.b.c` for that expression, and "" for any other."""
    words: list[str] = []
    while isinstance(expr, Select):
        if expr.quoted:
            return ""
        words.append(expr.member.text)
        expr = expr.of
    return ".".join((expr.text, *reversed(words))) if isinstance(expr, Name) and words else ""


def proven(expr: Expr, truth: bool) -> frozenset[str]:
    """Return the optional names that are there if *expr* is *truth*."""
    match expr:
        case Call(of=None, args=(arg,)) if expr.name.text == "has" and truth:
            return frozenset({path(arg)}) - {""}
        case Unary(op="!"):
            return proven(expr.arg, not truth)
        case Binary() if expr.op.text == ("&&" if truth else "||"):
            return proven(expr.left, truth) | proven(expr.right, truth)
        case _:
            return frozenset()


_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}
_DENIED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "!=": "=="}


def bounds(expr: Expr, truth: bool) -> Iterator[tuple[str, str, float]]:
    """Yield what holds if *expr* is *truth*: a name, a comparison, and a number."""
    match expr:
        case Unary(op="!"):
            yield from bounds(expr.arg, not truth)
        case Binary() if expr.op.text == ("&&" if truth else "||"):
            yield from bounds(expr.left, truth)
            yield from bounds(expr.right, truth)
        case Binary(left=Select() as of, right=Literal(value=int() | float() as number)):
            op = expr.op.text if truth else _DENIED.get(expr.op.text)
            if op in _TURNED and path(of):
                yield path(of), op, number
        case Binary(left=Literal(value=int() | float() as number), right=Select() as of):
            op = _TURNED.get(expr.op.text if truth else _DENIED.get(expr.op.text, ""))
            if op is not None and path(of):
                yield path(of), op, number
        case _:
            pass
