"""The statements of a block: their words, their expressions, and what is in their braces."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import lark

from headrace.dsl.format.words import Word
from headrace.dsl.syntax.grammar import Tree

_WITH_BODY = frozenset(
    (
        "pool", "endpoint", "model", "objective", "class_", "profile", "overload", "guard", "ask",
        "safety", "trace", "trust", "stage", "chain", "test", "given_pool", "plugin",
    )
)  # fmt: skip
_EXPRESSIONS = frozenset(
    (
        "cond", "or_", "and_", "binary", "not_", "neg", "select", "maybe_select", "method",
        "index", "maybe_index", "ident", "root_ident", "call", "root_call", "list_", "map_",
        "literal",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Node:
    """A statement or a block.

    kind   the grammar's rule
    words  all of it, or what stands before its body
    exprs  where its expressions are among *words*
    body   the statements inside; None if it has no body
    open   the brace before the body, and *close* the one behind it; a table has none
    """

    kind: str
    words: tuple[Word, ...]
    exprs: tuple[tuple[int, int], ...]
    body: "tuple[Node, ...] | None" = None
    open: Word | None = None
    close: Word | None = None

    @property
    def first(self) -> Word:
        """The word it begins with."""
        return self.words[0]


def node_of(tree: Tree, words: Sequence[Word]) -> Node:
    """Return the node of the block *tree*, which is made of *words*."""
    if tree.data == "override":
        return _node(cast(Tree, tree.children[0]), words)
    return _node(tree, words)


def _node(tree: Tree, words: Sequence[Word]) -> Node:
    children = [c for c in tree.children if isinstance(c, lark.Tree)]
    if tree.data == "table":
        rows = [c for c in children if c.data == "row"]
        at = bisect_left(words, rows[0].meta.start_pos, key=lambda w: w.start)
        return Node("table", tuple(words[:at]), (), _nodes(rows, words[at:]))
    if tree.data not in _WITH_BODY:
        return Node(tree.data, tuple(words), _exprs(children, words))
    brace = _body(words)
    inside = words[brace + 1 : -1]
    statements: list[Tree | lark.Token]
    if tree.data == "chain":
        statements = [c for c in tree.children if isinstance(c, lark.Token)]
    else:
        statements = [c for c in children if c.meta.start_pos > words[brace].start]
    before = [c for c in children if c.meta.start_pos < words[brace].start]
    head = tuple(words[:brace])
    body = _nodes(statements, inside)
    return Node(tree.data, head, _exprs(before, head), body, words[brace], words[-1])


def _nodes(parts: Sequence[Tree | lark.Token], words: Sequence[Word]) -> tuple[Node, ...]:
    """Return the node of each of *parts*, which are all that *words* are."""
    starts = [_start(part) for part in parts]
    at = [bisect_left(words, start, key=lambda w: w.start) for start in starts]
    found: list[Node] = []
    for part, begin, end in zip(parts, at, [*at, len(words)][1:], strict=True):
        own = words[begin:end]
        if isinstance(part, lark.Token):
            found.append(Node("word", tuple(own), ()))
        else:
            found.append(_node(part, own))
    return tuple(found)


def _start(part: Tree | lark.Token) -> int:
    return (part.start_pos or 0) if isinstance(part, lark.Token) else part.meta.start_pos


def _body(words: Sequence[Word]) -> int:
    """Return where the brace is that the last one of *words* closes."""
    depth = words[-1].depth
    return max(i for i, w in enumerate(words) if w.kind == "LBRACE" and w.depth == depth)


def _exprs(children: Sequence[Tree], words: Sequence[Word]) -> tuple[tuple[int, int], ...]:
    """Return where the expressions among *children* are, with the parentheses around them."""
    found: list[tuple[int, int]] = []
    for child in children:
        if child.data == "args":
            inner = [c for c in child.children if isinstance(c, lark.Tree)]
            found += _exprs(inner, words)
        elif child.data in _EXPRESSIONS:
            start = bisect_left(words, child.meta.start_pos, key=lambda w: w.start)
            end = bisect_left(words, child.meta.end_pos, key=lambda w: w.start)
            while start and end < len(words) and _around(words[start - 1], words[end]):
                start, end = start - 1, end + 1
            found.append((start, end))
    return tuple(found)


def _around(before: Word, after: Word) -> bool:
    return before.kind == "LPAR" and after.kind == "RPAR"
