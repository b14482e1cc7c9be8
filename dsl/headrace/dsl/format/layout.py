"""From nodes to rows: what stands on one line, what below, and what is aligned with what."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from headrace.dsl.format.flow import asks, statement
from headrace.dsl.format.nodes import Node
from headrace.dsl.format.rows import WIDTH, Lines, Row
from headrace.dsl.format.words import Word, flat

_INDENT = 2
_LEAD_MAX = 3  # an operator and its space
_RULES = frozenset(("filter_", "scorer", "cost"))
# Blocks of one line whose braces and statements are aligned with those of their neighbours.
_TABULAR = frozenset(("pool", "model", "objective", "profile"))
_HEADED = frozenset(("class_", "chain", "given_pool"))  # their braces alone
# Statements whose arguments are aligned when they follow each other.
_ALIGNED = frozenset(
    (
        "require", "prefer", "score", "multiply", "tiers", "minimize", "pick", "refuse",
        "template", "inspect", "timeout", "patterns", "shed", "queue", "route", "mirror",
        "passthrough",
        "detect", "deny", "scope", "window", "stream", "sends", "said", "match", "category", "text",
    )
)  # fmt: skip
_NAMED = {"given_endpoint": 2, "attribute": 2}


@dataclass(slots=True)
class Layout:
    """The rows of one file. Written while that file is laid out.

    fresh  whether nothing stands yet where we are: at the start of the file or of a body
    """

    rows: list[Row] = field(default_factory=list[Row])
    fresh: bool = True

    def comments(self, word: Word, indent: int) -> None:
        """Add the comments before *word*; one on the line of the word before goes there."""
        for comment in word.comments:
            if comment.newlines == 0 and self.rows and not self.rows[-1].comment:
                self.rows[-1] = replace(self.rows[-1], comment=comment.text)
            else:
                self._add(Row(indent, (), ((0, comment.text),)), comment.newlines)

    def node(self, node: Node, indent: int) -> None:
        """Add *node*; the comments before it are there already."""
        if node.body is None:
            self._add(_leaf(node, indent), node.first.newlines)
            return
        row = None if node.kind == "table" else _one_line(node, indent)
        if row is not None:
            self._add(row, node.first.newlines)
            return
        self._head(node, indent)
        self.fresh = node.open is not None
        inside = indent if node.open is None else indent + _INDENT
        for child in node.body:
            self.comments(child.first, inside)
            self.node(child, inside)
        if node.close is not None:
            self.comments(node.close, inside)
            self.fresh = True  # no empty line before a brace
            self._add(Row(indent, (), ((0, "}"),)), 0)

    def verbatim(self, text: str, newlines: int) -> None:
        """Add *text* as it is."""
        self._add(Row(0, (), ((0, text),)), newlines)

    def _head(self, node: Node, indent: int) -> None:
        words = node.words if node.open is None else (*node.words, node.open)
        if any(word.comments for word in words[1:]):
            lines = _as_written(words)
        else:
            lines = _after(node.words, 1, node.exprs, indent)
            if node.open is not None:
                *before, (by, text) = lines
                lines = (*before, (by, f"{text} {{"))
        self._add(Row(indent, (), lines), node.first.newlines)

    def _add(self, row: Row, newlines: int) -> None:
        self.rows.append(replace(row, blank=newlines > 1 and not self.fresh))
        self.fresh = False


def _leaf(node: Node, indent: int) -> Row:
    words = node.words
    if any(word.comments for word in words[1:]):
        return Row(indent, (), _as_written(words))
    if node.kind in _RULES or node.kind == "let_":
        equals = next(i for i, word in enumerate(words) if word.kind == "EQUAL")
        name = 2 if words[0].kind == "OVERRIDE" else 1
        named = (flat(words[:name]), flat(words[name:equals]))
        family = "let" if node.kind == "let_" else "rule"
        keys = (f"{family} {name}",) * 2
        return _row(node, equals, named, keys, indent)
    if node.kind == "row":
        return _table_row(node, indent)
    if node.kind == "trusted":
        origin = next(i for i, word in enumerate(words) if word.kind == "FROM")
        return _row(node, origin, (flat(words[:origin]),), ("trusted",), indent)
    if node.kind in _NAMED and len(words) > _NAMED[node.kind]:
        return _row(node, 2, (words[0].text, words[1].text), (node.kind,) * 2, indent)
    if len(words) > 1 and node.kind not in ("header", "word"):
        aligned = ("statement",) if node.kind in _ALIGNED else ()
        return _row(node, 1, (words[0].text,), aligned, indent)
    return Row(indent, (), statement(words, node.exprs, indent))


def _row(node: Node, at: int, cells: tuple[str, ...], keys: tuple[str, ...], indent: int) -> Row:
    """Return the row whose last part begins with the word *at*."""
    column = indent + sum(len(cell) + 1 for cell in cells)
    exprs = [(start - at, end - at) for start, end in node.exprs]
    lines = statement(node.words[at:], exprs, column, column - indent)
    # What hangs on the statement's beginning would move if its cells were padded.
    hangs = any(by < -_LEAD_MAX for by, _ in lines)
    return Row(indent, cells, lines, () if hangs else keys)


def _table_row(node: Node, indent: int) -> Row:
    cells: list[str] = []
    start = 0
    for _, end in node.exprs[:-1]:
        cells.append(flat(node.words[start : end + 1]))
        start = end + 1
    return Row(indent, tuple(cells), ((0, flat(node.words[start:])),), ("cell",) * len(cells))


def _after(words: Sequence[Word], at: int, exprs: Iterable[tuple[int, int]], indent: int) -> Lines:
    """Return the lines of a head; what is broken stands behind its first *at* words."""
    if len(words) <= at:
        return ((0, flat(words)),)
    before = flat(words[:at]) + words[at].space
    moved = [(start - at, end - at) for start, end in exprs]
    # Two more for the brace.
    lines = statement(words[at:], moved, indent + len(before) + 2, len(before))
    first, *rest = lines
    return ((0, before + first[1]), *((len(before) + by, text) for by, text in rest))


def _one_line(node: Node, indent: int) -> Row | None:
    """Return the block as one row, if its author wrote it on one line and it fits."""
    parts = _parts(node)
    if parts is None:
        return None
    head = flat(node.words)
    body = [f"{text} " for text in parts] or [""]
    body[0] = f"{{ {body[0]}"
    body[-1] += "}"
    if indent + len(head) + sum(len(text) + 1 for text in body) > WIDTH:
        return None
    kind = f"{node.kind} {node.first.text}"
    if node.kind in _TABULAR:
        verbs = [child.first.text for child in node.body or ()][: len(body) - 1]
        return Row(indent, (head, *body[:-1]), ((0, body[-1]),), (kind, *verbs))
    if node.kind in _HEADED:
        at = next((i for i, word in enumerate(node.words) if word.kind == "WHEN"), None)
        cells = (flat(node.words[:at]), flat(node.words[at:])) if at else (head,)
        return Row(indent, cells, ((0, " ".join(body)),), (kind,) * len(cells))
    return Row(indent, (), ((0, " ".join([head, *body])),))


def _parts(node: Node) -> list[str] | None:
    """Return the statements of a body as texts, if it and they stand on one line."""
    assert node.body is not None
    if node.open is None or node.close is None:
        return None
    boundaries = [*(child.first for child in node.body), node.close]
    if any(word.newlines or word.comments for word in boundaries):
        return None
    if any(word.comments for word in (*node.words[1:], node.open)) or asks(node.words, node.exprs):
        return None
    texts = [_flat_statement(child) for child in node.body]
    known = [text for text in texts if text is not None and "\n" not in text]
    return known if len(known) == len(texts) else None


def _flat_statement(node: Node) -> str | None:
    if node.body is not None:
        inner = _parts(node)
        if inner is None:
            return None
        return " ".join([flat(node.words), "{", *(["  ".join(inner)] if inner else []), "}"])
    if any(word.comments for word in node.words[1:]) or asks(node.words, node.exprs):
        return None
    return flat(node.words)


def _as_written(words: Sequence[Word]) -> Lines:
    """Return *words* on the author's lines: comments stand between them."""
    lines: list[tuple[int, str]] = [(0, words[0].text)]
    for word in words[1:]:
        inside = 2 * _INDENT + _INDENT * word.depth
        for comment in word.comments:
            if comment.newlines:
                lines.append((inside, comment.text))
            else:
                _append(lines, f"  {comment.text}")
        if word.newlines:
            lines.append((inside, word.text))
        else:
            _append(lines, word.space + word.text)
    return tuple(lines)


def _append(lines: list[tuple[int, str]], text: str) -> None:
    by, before = lines[-1]
    lines[-1] = (by, before + text)
