"""What a policy says, as written: declarations and expressions with their places.

Nothing is resolved here: a name is a Word, a number is what was written.
"""

from dataclasses import dataclass, field

from headrace.dsl.source import Span


@dataclass(frozen=True, slots=True)
class Word:
    """A name or a text, unquoted, and where it stands."""

    text: str
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A quantity in base units (seconds, bytes, a ratio) and where it stands."""

    value: float
    span: Span = field(repr=False)


# ---- expressions


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant.

    kind  ``int uint double string bool null octets``, or what only policies can write:
          ``duration bytes ratio``, in base units
    """

    kind: str
    value: int | float | str | bytes | bool | None
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A bare name: `request`, a `let`, a macro's variable; *rooted* if a dot is before it."""

    text: str
    span: Span = field(repr=False)
    rooted: bool = False


@dataclass(frozen=True, slots=True)
class Select:
    """`of.member`, or *optional* `of.?member`; *quoted* if the member is in backticks."""

    of: "Expr"
    member: Word
    span: Span = field(repr=False)
    optional: bool = False
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """`of[at]`, or *optional* `of[?at]`."""

    of: "Expr"
    at: "Expr"
    span: Span = field(repr=False)
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """`name(args)` or `of.name(args)`; *rooted* if a dot is before the whole."""

    of: "Expr | None"
    name: Word
    args: "tuple[Expr, ...]"
    span: Span = field(repr=False)
    rooted: bool = False


@dataclass(frozen=True, slots=True)
class Unary:
    """`!arg` or `-arg`."""

    op: str
    arg: "Expr"
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """`left op right`; *op* is a Word so that an error can point at the sign."""

    op: Word
    left: "Expr"
    right: "Expr"
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ternary:
    """`test ? yes : no`."""

    test: "Expr"
    yes: "Expr"
    no: "Expr"
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, ?b]`; *optional* has the places of the items with a question mark."""

    items: "tuple[Expr, ...]"
    span: Span = field(repr=False)
    optional: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{k: v, ?l: w}`; *optional* has the places of the entries with a question mark."""

    entries: "tuple[tuple[Expr, Expr], ...]"
    span: Span = field(repr=False)
    optional: frozenset[int] = frozenset()


Expr = Literal | Name | Select | Index | Call | Unary | Binary | Ternary | ListOf | MapOf


@dataclass(frozen=True, slots=True)
class Written:
    """An expression and its whole text, outer parentheses included."""

    expr: Expr
    span: Span = field(repr=False)


def parts_of(expr: Expr) -> list[Expr]:
    """Return the expressions directly in *expr*."""
    match expr:
        case Select(of=of):
            return [of]
        case Index(of=of, at=at):
            return [of, at]
        case Call(of=of, args=args):
            return [*([of] if of else []), *args]
        case Unary(arg=arg):
            return [arg]
        case Binary(left=a, right=b):
            return [a, b]
        case Ternary(test=test, yes=yes, no=no):
            return [test, yes, no]
        case ListOf(items=items):
            return list(items)
        case MapOf(entries=entries):
            return [part for entry in entries for part in entry]
        case _:
            return []
