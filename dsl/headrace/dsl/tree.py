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
    """A constant. *kind* is one of ``int double string bool null duration bytes ratio``."""

    kind: str
    value: int | float | str | bool | None
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A bare name: `request`, a `let`, a macro's variable."""

    text: str
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class Select:
    """`of.member`."""

    of: "Expr"
    member: Word
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class Index:
    """`of[at]`."""

    of: "Expr"
    at: "Expr"
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """`name(args)` or `of.name(args)`."""

    of: "Expr | None"
    name: Word
    args: "tuple[Expr, ...]"
    span: Span = field(repr=False)


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
    """`[a, b]`."""

    items: "tuple[Expr, ...]"
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{k: v}`."""

    entries: "tuple[tuple[Expr, Expr], ...]"
    span: Span = field(repr=False)


Expr = Literal | Name | Select | Index | Call | Unary | Binary | Ternary | ListOf | MapOf


@dataclass(frozen=True, slots=True)
class Written:
    """An expression and its whole text, outer parentheses included."""

    expr: Expr
    span: Span = field(repr=False)


# ---- declarations


@dataclass(frozen=True, slots=True)
class PoolBlock:
    """`pool NAME { ... }`."""

    name: Word
    span: Span = field(repr=False)
    endpoints: tuple[Word, ...] = ()
    metrics: Word | None = None
    stale: Number | None = None
    adapters: Number | None = None
    profile: Word | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One target of a route; *share* is None where none is written."""

    pool: Word
    share: Number | None
    rewrite: Word | None


@dataclass(frozen=True, slots=True)
class ModelBlock:
    """`model NAME, NAME { ... }`."""

    names: tuple[Word, ...]
    span: Span = field(repr=False)
    priority: Number | None = None
    route: tuple[Target, ...] = ()
    route_span: Span | None = field(default=None, repr=False)
    adapter_of: Word | None = None
    profile: Word | None = None


@dataclass(frozen=True, slots=True)
class ClassBlock:
    """`class NAME when EXPR { ... }`."""

    name: Word
    when: Written
    span: Span = field(repr=False)
    priority: Number | None = None
    profile: Word | None = None
    also: bool = False


@dataclass(frozen=True, slots=True)
class RuleBlock:
    """`filter NAME = EXPR`, `scorer ...`, `let ...`; *kind* is that word."""

    kind: str
    name: Word
    value: Written
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class Names:
    """The list of a `require` or `prefer`; with *also* it adds to what is inherited."""

    words: tuple[Word, ...]
    also: bool


@dataclass(frozen=True, slots=True)
class Weighted:
    """One term of a score; *weight* is None where none is written."""

    weight: Number | None
    scorer: Word


@dataclass(frozen=True, slots=True)
class Picked:
    """`pick HOW [of top N] [ties by EXPR]`."""

    how: str
    span: Span = field(repr=False)
    top: Number | None = None
    ties: Written | None = None


@dataclass(frozen=True, slots=True)
class ProfileBlock:
    """`profile NAME [extends NAME] { ... }`."""

    name: Word
    span: Span = field(repr=False)
    parent: Word | None = None
    require: Names | None = None
    prefer: Names | None = None
    score: tuple[Weighted, ...] = ()
    score_span: Span | None = field(default=None, repr=False)
    pick: Picked | None = None
    otherwise: Word | None = None


@dataclass(frozen=True, slots=True)
class ShedRule:
    """`shed [any] when EXPR [with STATUS "message"] [retry after DURATION]`."""

    when: Written
    span: Span = field(repr=False)
    any: bool = False
    status: Number | None = None
    message: Word | None = None
    retry_after: Number | None = None


@dataclass(frozen=True, slots=True)
class OverloadBlock:
    """`overload [for POOL, POOL] when EXPR { ... }`."""

    pools: tuple[Word, ...]
    when: Written
    sheds: tuple[ShedRule, ...]
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class GuardBlock:
    """`guard NAME [when EXPR] { ... }`; *patterns* are verbatim, a backslash is RE2's."""

    name: Word
    span: Span = field(repr=False)
    when: Written | None = None
    patterns: tuple[Word, ...] = ()
    on_match: str | None = None
    status: Number | None = None
    message: Word | None = None


@dataclass(frozen=True, slots=True)
class TrustedNames:
    """`NAME NAME from EXPR` inside `trust { ... }`."""

    names: tuple[Word, ...]
    when: Written


@dataclass(frozen=True, slots=True)
class TrustBlock:
    """`trust { ... }`."""

    entries: tuple[TrustedNames, ...]
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChainBlock:
    """`chain NAME { STAGE STAGE }`."""

    name: Word
    stages: tuple[Word, ...]
    span: Span = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A block with a syntax error: what it would have defined, so that no one misses it."""

    keyword: str
    names: frozenset[str]


Declaration = (
    PoolBlock
    | ModelBlock
    | ClassBlock
    | RuleBlock
    | ProfileBlock
    | OverloadBlock
    | GuardBlock
    | TrustBlock
    | ChainBlock
    | Unreadable
)
