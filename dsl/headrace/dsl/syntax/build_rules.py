"""Builds what says how requests are judged: classes, expressions, profiles, overload."""

from typing import cast

import lark

from headrace.dsl.syntax.build_expr import DEPTH_MAX, TooDeep
from headrace.dsl.syntax.build_parts import Parts, tokens, trees
from headrace.dsl.syntax.choosing import BesideSaid, Names, Picked, RefuseSaid, Weighted
from headrace.dsl.syntax.declarations import (
    ClassBlock,
    OverloadBlock,
    PluginSaid,
    ProfileBlock,
    QueueRule,
    RuleBlock,
    ShedRule,
    TypeName,
)
from headrace.dsl.syntax.grammar import Tree

_SEVERAL = ("beside", "refuse", "plugin")  # statements that a profile may have more than once of


def class_(node: Tree, parts: Parts) -> ClassBlock:
    """Build a `class`."""
    when, *rest = trees(node)
    settings = parts.settings(rest)
    fairness, session = settings.get("fairness"), settings.get("session")
    return ClassBlock(
        name=parts.word(tokens(node)[0]),
        when=parts.written(when),
        span=parts.head(node),
        spans=parts.spans(settings),
        priority=parts.first_number(settings.get("priority")),
        profile=parts.first_name(settings.get("use_profile")),
        fairness=parts.written(trees(fairness)[0]) if fairness else None,
        also="also" in settings,
        session=parts.written(trees(session)[0]) if session else None,
    )


def rule(node: Tree, parts: Parts) -> RuleBlock:
    """Build a `filter`, `scorer`, `cost` or `let`."""
    name, *rest = node.children
    type_ = rest[0] if len(rest) > 1 else None
    return RuleBlock(
        kind=node.data.rstrip("_"),
        name=parts.word(name),
        value=parts.written(rest[-1]),
        span=parts.span(node),
        type=_type(cast(Tree, type_), parts) if type_ is not None else None,
    )


def _type(node: Tree, parts: Parts, depth: int = 0) -> TypeName:
    if depth > DEPTH_MAX:
        raise TooDeep(parts.span(node))
    items = tuple(_type(inner, parts, depth + 1) for inner in trees(node))
    return TypeName(parts.word(tokens(node)[0]), items)


def profile(node: Tree, parts: Parts) -> ProfileBlock:
    """Build a `profile`."""
    name, parent, *rest = node.children
    nodes = [cast(Tree, r) for r in rest]
    several = {kind: [n for n in nodes if n.data == kind] for kind in _SEVERAL}
    settings = parts.settings([n for n in nodes if n.data not in several])
    spans = parts.spans(settings)
    for kind, found in several.items():
        spans |= parts.first_span(kind, found)
    return ProfileBlock(
        name=parts.name(name),
        span=parts.head(node),
        spans=spans,
        parent=parts.maybe_name(parent),
        require=_list(settings.get("require"), parts),
        prefer=_list(settings.get("prefer"), parts),
        score=tuple(_term(t, parts) for t in trees(settings.get("score"))),
        multiply=tuple(_factor(t, parts) for t in trees(settings.get("multiply"))),
        tiers=tuple(_factor(t, parts) for t in trees(settings.get("tiers"))),
        minimize=tuple(_term(t, parts) for t in trees(settings.get("minimize"))),
        pick=_pick(settings.get("pick"), parts),
        otherwise=parts.first_name(settings.get("otherwise")),
        beside=tuple(_beside(n, parts) for n in several["beside"]),
        refusals=tuple(_refuse(n, parts) for n in several["refuse"]),
        plugins=tuple(_plugin(n, parts) for n in several["plugin"]),
    )


def _list(node: Tree | None, parts: Parts) -> Names | None:
    if node is None:
        return None
    also, *words = node.children
    return Names(tuple(parts.word(w) for w in words), isinstance(also, lark.Token))


def _term(node: Tree, parts: Parts) -> Weighted:
    weight, name = node.children
    return Weighted(parts.maybe_number(weight), parts.word(name))


def _factor(node: Tree, parts: Parts) -> Weighted:
    name, weight = node.children
    return Weighted(parts.maybe_number(weight), parts.word(name))


def _beside(node: Tree, parts: Parts) -> BesideSaid:
    role, name, when = node.children
    return BesideSaid(
        parts.word(role), parts.name(name), parts.span(node), parts.maybe_written(when)
    )


def _refuse(node: Tree, parts: Parts) -> RefuseSaid:
    when, status, message = node.children
    return RefuseSaid(
        parts.written(when),
        parts.span(node),
        parts.maybe_number(status),
        parts.maybe_text(message),
    )


def _pick(node: Tree | None, parts: Parts) -> Picked | None:
    if node is None:
        return None
    how, *rest = tokens(node)
    ties = trees(node)
    return Picked(
        str(how),
        parts.span(node),
        parts.number(rest[0]) if rest else None,
        parts.written(ties[0]) if ties else None,
    )


def _plugin(node: Tree, parts: Parts) -> PluginSaid:
    name, *settings = trees(node)
    return PluginSaid(parts.name(name), parts.said(settings), parts.span(node))


def overload(node: Tree, parts: Parts) -> OverloadBlock:
    """Build an `overload`."""
    pools, when, *rest = node.children
    nodes = [cast(Tree, r) for r in rest]
    sheds = [n for n in nodes if n.data == "shed"]
    settings = parts.settings([n for n in nodes if n.data != "shed"])
    queue, evict = settings.get("queue"), settings.get("evict")
    spans = parts.spans(settings) | parts.first_span("shed", sheds)
    return OverloadBlock(
        pools=parts.names(pools),
        when=parts.written(when),
        sheds=tuple(_shed(s, parts) for s in sheds),
        span=parts.head(node),
        spans=spans,
        queue=_queue(queue, parts) if queue else None,
        evict=parts.written(trees(evict)[0]) if evict else None,
    )


def _shed(node: Tree, parts: Parts) -> ShedRule:
    any_, when, chance, status, message, retry = node.children
    return ShedRule(
        parts.written(when),
        parts.span(node),
        isinstance(any_, lark.Token),
        parts.maybe_number(status),
        parts.maybe_text(message),
        parts.maybe_number(retry),
        parts.maybe_written(chance),
    )


def _queue(node: Tree, parts: Parts) -> QueueRule:
    strictly, by, in_tokens, fair, soonest, wait, length, size = node.children
    keys = trees(fair) if isinstance(fair, lark.Tree) else []
    return QueueRule(
        parts.written(by),
        parts.number(wait),
        parts.span(node),
        tuple(parts.written(key) for key in keys),
        parts.maybe_number(length),
        parts.maybe_number(size),
        isinstance(strictly, lark.Token),
        isinstance(in_tokens, lark.Token),
        isinstance(soonest, lark.Token),
    )
