"""Builds what watches over requests: trust, traces, tests."""

from typing import cast

import lark

from headrace.dsl.syntax import build_guards
from headrace.dsl.syntax.build_parts import Parts, trees
from headrace.dsl.syntax.declarations import (
    Asked,
    PoolGiven,
    Table,
    TestBlock,
    TraceBlock,
    TrustBlock,
    TrustedNames,
)
from headrace.dsl.syntax.grammar import Tree
from headrace.dsl.syntax.tree import Word, Written

_ONCE = ("given_request", "given_answer", "table")


def trace(node: Tree, parts: Parts) -> TraceBlock:
    """Build a `trace`."""
    nodes = trees(node)
    settings = parts.settings([n for n in nodes if n.data == "sample"])
    spans = {n.data: parts.span(n) for n in reversed(nodes)}
    attributes = [n.children for n in nodes if n.data == "attribute"]
    return TraceBlock(
        span=parts.head(node),
        spans=spans,
        sample=parts.first_number(settings.get("sample")),
        always=tuple(parts.written(n.children[0]) for n in nodes if n.data == "always"),
        attributes=tuple((parts.word(a), parts.written(b)) for a, b in attributes),
    )


def trust(node: Tree, parts: Parts) -> TrustBlock:
    """Build a `trust`."""
    entries = [TrustedNames(parts.words(e), parts.written(trees(e)[0])) for e in trees(node)]
    return TrustBlock(tuple(entries), parts.head(node))


def test(node: Tree, parts: Parts) -> TestBlock:
    """Build a `test`."""
    name, *rest = node.children
    nodes = [cast(Tree, r) for r in rest]
    once = parts.settings([n for n in nodes if n.data in _ONCE])
    request, table = once.get("given_request"), once.get("table")
    return TestBlock(
        name=parts.text(cast(lark.Token, name)),
        span=parts.head(node),
        spans={n.data: parts.span(n) for n in reversed(nodes)},
        pools=tuple(_given(n, parts) for n in nodes if n.data == "given_pool"),
        guards=tuple(build_guards.given(n, parts) for n in nodes if n.data == "given_guard"),
        answer=next(iter(parts.texts(once.get("given_answer"))), None),
        request=parts.written(request.children[0]) if request else None,
        table=_table(table, parts) if table else None,
        cases=_cases([n for n in nodes if n.data in ("when_request", "expect")], parts),
    )


def _given(node: Tree, parts: Parts) -> PoolGiven:
    name, *endpoints = trees(node)
    found = [(parts.name(e.children[0]), parts.written(e.children[1])) for e in endpoints]
    return PoolGiven(parts.name(name), tuple(found), parts.head(node))


def _table(node: Tree, parts: Parts) -> Table:
    rows = [trees(trees(row)[0]) for row in trees(node)]
    written = tuple(tuple(parts.written(cell) for cell in row) for row in rows)
    columns: tuple[Word, ...] = parts.words(node)
    return Table(columns, written, parts.span(node))


def _cases(nodes: list[Tree], parts: Parts) -> tuple[Asked, ...]:
    """Return each `when request` with the `expect`s up to the next one."""
    found: list[Asked] = []
    for node in nodes:
        written: Written = parts.written(node.children[0])
        if node.data == "when_request":
            found.append(Asked(written, (), parts.span(node)))
        elif not found:
            found.append(Asked(None, (written,), parts.span(node)))
        else:
            last = found[-1]
            found[-1] = Asked(last.request, (*last.expects, written), last.span)
    return tuple(found)
