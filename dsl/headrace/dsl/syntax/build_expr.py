"""From Lark's tree of an expression to ours."""

from dataclasses import dataclass
from typing import cast

import lark

from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.source import Span
from headrace.dsl.syntax import literals
from headrace.dsl.syntax.grammar import Tree
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
    Word,
    Written,
)

DEPTH_MAX = 50  # Python's own parser stops at 200 nested parentheses; nobody reads 50


# Words that CEL keeps for itself; after a dot only the literals and `in` are.
_KEYWORDS = frozenset(("false", "in", "null", "true"))
_RESERVED = _KEYWORDS | frozenset(
    (
        "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let",
        "loop", "package", "namespace", "return", "var", "void", "while",
    )
)  # fmt: skip
# What a literal out of range counts as, so that it is reported once.
_INSTEAD: dict[str, tuple[str, int | float | str | bytes]] = {
    "INT": ("int", 1),
    "UINT": ("uint", 1),
    "OCTETS": ("octets", b""),
    "FLOAT": ("double", 0.5),
    "PERCENT": ("ratio", 0.5),
    "DURATION": ("duration", 1.0),
    "SIZE": ("bytes", 1),
    "STRING": ("string", ""),
}


class TooDeep(Exception):
    """An expression nests deeper than DEPTH_MAX at *span*."""

    def __init__(self, span: Span) -> None:
        super().__init__(span)
        self.span = span


@dataclass(frozen=True, slots=True)
class ExprBuilder:
    """Builds the expressions of one block; *base* is the block, offsets count from its start."""

    base: Span
    problems: Problems

    def written(self, node: Tree) -> Written:
        """Return the expression *node* with its whole text.

        Raises:
            TooDeep: it nests deeper than DEPTH_MAX.
        """
        meta = node.meta
        start = cast(int, getattr(meta, "container_start_pos", meta.start_pos))
        end = cast(int, getattr(meta, "container_end_pos", meta.end_pos))
        return Written(self._expr(node, 0), self.base.inner(start, end))

    def word(self, token: lark.Token) -> Word:
        """Return a bare word."""
        return Word(str(token), self.span(token))

    def text(self, token: lark.Token) -> Word:
        """Return a quoted string, its escapes read."""
        literal = self._literal(token)
        return Word(str(literal.value), literal.span)

    def span(self, node: Tree | lark.Token) -> Span:
        """Return where *node* stands."""
        if isinstance(node, lark.Token):
            return self.base.inner(node.start_pos or 0, node.end_pos or 0)
        return self.base.inner(node.meta.start_pos, node.meta.end_pos)

    def _expr(self, node: Tree, depth: int) -> Expr:
        if depth > DEPTH_MAX:
            raise TooDeep(self.span(node))
        span, parts = self.span(node), node.children
        match node.data:
            case "ident" | "root_ident":
                word = self._name(cast(lark.Token, parts[0]))
                return Name(word.text, span, node.data == "root_ident")
            case "literal":
                return self._literal(cast(lark.Token, parts[0]))
            case "select" | "maybe_select":
                of = self._expr(cast(Tree, parts[0]), depth + 1)
                return self._select(of, cast(lark.Token, parts[1]), span, node.data != "select")
            case "index" | "maybe_index":
                of, at = (self._expr(cast(Tree, p), depth + 1) for p in parts)
                return Index(of, at, span, node.data == "maybe_index")
            case "call" | "method" | "root_call":
                return self._call(node, depth)
            case "not_" | "neg":
                return self._unary(node, depth)
            case "cond":
                test, yes, no = (self._expr(cast(Tree, p), depth + 1) for p in parts)
                return Ternary(test, yes, no, span)
            case "list_":
                return ListOf(*self._items(parts[0], depth, span))
            case "map_":
                return MapOf(*self._entries(parts[0], depth, span))
            case "or_" | "and_":
                return self._logic(node, depth)
            case _:
                assert node.data == "binary", node.data
                return self._binary(node, depth)

    def _name(self, token: lark.Token, kept: frozenset[str] = _RESERVED) -> Word:
        """Return a name, and report one that CEL keeps for itself."""
        word = self.word(token)
        if word.text in kept:
            message = f"`{word.text}` is a reserved word of CEL"
            self.problems.add("S215", word.span, message, "not a name", "choose another name")
        return word

    def _select(self, of: Expr, token: lark.Token, span: Span, optional: bool) -> Select:
        if token.type == "QUOTED":
            return Select(of, Word(token[1:-1], self.span(token)), span, optional, True)
        return Select(of, self._name(token, _KEYWORDS), span, optional)

    def _items(
        self, node: object, depth: int, span: Span
    ) -> tuple[tuple[Expr, ...], Span, frozenset[int]]:
        children = cast(Tree, node).children if isinstance(node, lark.Tree) else []
        trees = [c for c in children if isinstance(c, lark.Tree)]
        optional = frozenset(i for i, c in enumerate(trees) if c.data == "maybe")
        inner = [cast(Tree, c.children[0]) if c.data == "maybe" else c for c in trees]
        return tuple(self._expr(c, depth + 1) for c in inner), span, optional

    def _args(self, node: object, depth: int) -> tuple[Expr, ...]:
        children = cast(Tree, node).children if isinstance(node, lark.Tree) else []
        return tuple(self._expr(c, depth + 1) for c in children if isinstance(c, lark.Tree))

    def _entries(
        self, node: object, depth: int, span: Span
    ) -> tuple[tuple[tuple[Expr, Expr], ...], Span, frozenset[int]]:
        children = cast(Tree, node).children if isinstance(node, lark.Tree) else []
        trees = [c for c in children if isinstance(c, lark.Tree)]
        found: list[tuple[Expr, Expr]] = []
        for entry in trees:
            key, value = (self._expr(cast(Tree, p), depth + 1) for p in entry.children)
            found.append((key, value))
        optional = frozenset(i for i, c in enumerate(trees) if c.data == "maybe_entry")
        return tuple(found), span, optional

    def _call(self, node: Tree, depth: int) -> Call:
        *front, args = node.children
        method = node.data == "method"
        of = self._expr(cast(Tree, front[0]), depth + 1) if method else None
        token = cast(lark.Token, front[-1])
        name = self._name(token, _KEYWORDS if method else _RESERVED)
        rooted = node.data == "root_call"
        return Call(of, name, self._args(args, depth), self.span(node), rooted)

    def _unary(self, node: Tree, depth: int) -> Expr:
        arg = cast(Tree, node.children[0])
        if node.data == "not_":
            return Unary("!", self._expr(arg, depth + 1), self.span(node))
        if arg.data == "literal" and cast(lark.Token, arg.children[0]).type == "INT":
            return self._literal(cast(lark.Token, arg.children[0]), self.span(node))
        return Unary("-", self._expr(arg, depth + 1), self.span(node))

    def _logic(self, node: Tree, depth: int) -> Expr:
        """Return a chain of `&&` or `||` as a balanced tree: both are associative."""
        operands: list[Tree] = []
        at = node
        while at.data == node.data:
            left, right = (cast(Tree, c) for c in at.children)
            operands.append(right)
            at = left
        operands.append(at)
        parts = [self._expr(operand, depth + 1) for operand in reversed(operands)]
        return _balanced("||" if node.data == "or_" else "&&", parts)

    def _binary(self, node: Tree, depth: int) -> Expr:
        left, op, right = node.children
        return Binary(
            self.word(cast(lark.Token, op)),
            self._expr(cast(Tree, left), depth + 1),
            self._expr(cast(Tree, right), depth + 1),
            self.span(node),
        )

    def _literal(self, token: lark.Token, negative: Span | None = None) -> Literal:
        """Return the constant *token*; with a minus before it the span *negative* covers both."""
        text, span = str(token), negative or self.span(token)
        text = "-" + text if negative else text
        try:
            return _read(token.type, text, span)
        except literals.LiteralFault as fault:
            where = span.inner(fault.at[0], sum(fault.at)) if fault.at else span
            self.problems.add("S109", where, str(fault), "here", fault.help)
            return Literal(*_INSTEAD[token.type], span)


def _read(terminal: str, text: str, span: Span) -> Literal:
    match terminal:
        case "INT":
            return Literal("int", literals.integer(text), span)
        case "UINT":
            return Literal("uint", literals.unsigned(text), span)
        case "OCTETS":
            return Literal("octets", literals.octets(text), span)
        case "FLOAT":
            return Literal("double", literals.double(text), span)
        case "PERCENT":
            return Literal("ratio", literals.ratio(text), span)
        case "DURATION":
            return Literal("duration", literals.duration_s(text), span)
        case "SIZE":
            return Literal("bytes", literals.size_bytes(text), span)
        case "STRING":
            return Literal("string", literals.string(text), span)
        case "NULL":
            return Literal("null", None, span)
        case _:
            return Literal("bool", text == "true", span)


def _balanced(op: str, parts: list[Expr]) -> Expr:
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    left, right = _balanced(op, parts[:middle]), _balanced(op, parts[middle:])
    start, end = left.span, right.span
    span = start.inner(0, end.end - start.start)
    # `inner` counts from the span's start and may reach beyond its end, inside the source.
    return Binary(Word(op, span), left, right, span)
