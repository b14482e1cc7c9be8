"""What an expression may name at its place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from headrace.dsl.cel.typed import Typed, Variable
from headrace.dsl.diagnostic import Problems
from headrace.dsl.tree import Binary, Call, Expr, Name, Select, Unary


@dataclass(frozen=True, slots=True)
class Scope:
    """The names in reach, and where problems go.

    where     the place, for messages: "a filter"
    roots     which of `request`, `endpoint`, `pool` exist here
    lets      named expressions, checked
    others    names that exist and are not values: name -> what it is
    broken    names whose definition could not be read
    later     names of a later edition -> what to write instead
    locals    variables of macros
    present   optional names that a `has` before has made sure of
    """

    problems: Problems
    where: str
    roots: frozenset[str]
    variables: Mapping[str, Variable]
    lets: Mapping[str, Typed] = field(default_factory=dict[str, Typed])
    others: Mapping[str, str] = field(default_factory=dict[str, str])
    broken: frozenset[str] = frozenset()
    later: Mapping[str, str] = field(default_factory=dict[str, str])
    locals: Mapping[str, Typed] = field(default_factory=dict[str, Typed])
    present: frozenset[str] = frozenset()

    def knowing(self, names: frozenset[str]) -> "Scope":
        """Return the scope in which the optional *names* are known to be there."""
        return replace(self, present=self.present | names) if names else self

    def binding(self, name: str, value: Typed) -> "Scope":
        """Return the scope in which the local *name* is *value*."""
        return replace(self, locals={**self.locals, name: value})


Check = Callable[[Expr, Scope], Typed]


def path(expr: Expr) -> str:
    """Return `a.b` for that expression, and "" for any other."""
    if isinstance(expr, Select) and isinstance(expr.of, Name):
        return f"{expr.of.text}.{expr.member.text}"
    return ""


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
