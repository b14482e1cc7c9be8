"""A checked expression: what the emitter needs to know, and nothing it would have to look up."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from headrace.dsl.cel.interval import ANY_BOOL, ANY_DOUBLE, ANY_INT, Interval
from headrace.dsl.cel.kinds import UNKNOWN, Base, Type
from headrace.dsl.source import Span

LOOP = "endpoint"  # in `Typed.free`: the value differs from endpoint to endpoint


class Binding(Enum):
    """When a value is known."""

    SCRAPE = "per scrape"
    REQUEST = "per request"
    BOTH = "per scrape and request"
    AFTER = "after the decision"


@dataclass(frozen=True, slots=True)
class Variable:
    """One name an expression may read.

    code      how generated Python reads it; ``{0}`` stands for *hoisted*
    hoisted   a part of *code* that does not depend on the endpoint
    optional  whether it may be missing; generated code then sees None
    items_max  how many items a list or map has at most; 0 if it is neither
    """

    name: str
    type: Type
    binding: Binding
    doc: str
    code: str
    range: Interval | None = None
    optional: bool = False
    hoisted: str = ""
    items_max: int = 0

    @property
    def root(self) -> str:
        """The part before the dot."""
        return self.name.partition(".")[0]


class Op(Enum):
    """What a node does."""

    CONST = auto()
    READ = auto()
    LOCAL = auto()
    HAS = auto()
    HAS_KEY = auto()
    NOT = auto()
    NEG = auto()
    ARITHMETIC = auto()
    JOIN = auto()
    COMPARE = auto()
    AND = auto()
    OR = auto()
    COND = auto()
    IN = auto()
    AT = auto()
    CALL = auto()
    LIST = auto()
    MAP = auto()
    EACH = auto()
    APPLY = auto()
    MAKE = auto()
    WITH = auto()
    OVER = auto()
    WRONG = auto()


@dataclass(frozen=True, slots=True)
class Typed:
    """One node.

    value  the constant, the Variable, the Each, the Apply, the Make, the With, the code of
           a local, or the name of the operator or function
    range  what numbers or bools are possible; None for other types
    fails  whether evaluation can fault; False is a proof
    free   what it depends on that changes inside one generated function: LOOP and locals
    reads  the vocabulary names it reads
    """

    op: Op
    type: Type
    span: Span = field(repr=False)
    args: "tuple[Typed, ...]" = ()
    value: object = None
    range: Interval | None = None
    fails: bool = False
    free: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    size: int = 1
    depth: int = 1

    @property
    def numbers(self) -> Interval:
        """The range of a number or bool; everything if nothing is known."""
        if self.range is not None:
            return self.range
        if self.type.base is Base.INT:
            return ANY_INT
        return ANY_BOOL if self.type.base is Base.BOOL else ANY_DOUBLE


@dataclass(frozen=True, slots=True)
class Each:
    """What an EACH node does: go through items, and for each evaluate the rest of its args.

    macro  its name
    level  how many variables of macros are around it
    two    whether it has two variables: index and item, or key and value
    test   whether the first of the rest is a test that items must pass
    """

    macro: str
    level: int
    two: bool = False
    test: bool = False


@dataclass(frozen=True, slots=True)
class Apply:
    """What an APPLY node calls: a function of the library, or one that stands for its overloads.

    lazy  the places of arguments that are evaluated only when they are needed
    """

    run: Callable[..., object]
    lazy: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Make:
    """What a MAKE node makes: a list or a map, of which some parts are *optional*."""

    optional: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class With:
    """What a WITH node calls: *run*, with its first argument and a function of its second.

    level  of the variable of that function
    lazy   whether the variable is what gives the value, and not yet the value
    """

    run: Callable[..., object]
    level: int
    lazy: bool = False


def node(
    op: Op,
    type_: Type,
    span: Span,
    args: tuple[Typed, ...] = (),
    value: object = None,
    range_: Interval | None = None,
    fails: bool = False,
    bound: str = "",
) -> Typed:
    """Return a node over *args*: it fails, reads and depends on what they do, less *bound*."""
    return Typed(
        op,
        type_,
        span,
        args,
        value,
        range_,
        fails or any(a.fails for a in args),
        _all(a.free for a in args) - {bound},
        _all(a.reads for a in args),
        1 + sum(a.size for a in args),
        1 + max((a.depth for a in args), default=0),
    )


def wrong(span: Span, args: Iterable[Typed] = ()) -> Typed:
    """Return what stands for an expression that was already reported."""
    return node(Op.WRONG, UNKNOWN, span, tuple(args))


def _all(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for one in sets:
        found |= one
    return found
