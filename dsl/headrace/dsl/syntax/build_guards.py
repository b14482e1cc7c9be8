"""Builds what screens: guards, the rule over them, and what a test gives of them."""

from collections.abc import Sequence
from typing import cast

import lark

from headrace.dsl.source import Span
from headrace.dsl.syntax.build_parts import Parts, tokens, trees
from headrace.dsl.syntax.declarations import Action, GuardBlock, SafetyBlock
from headrace.dsl.syntax.grammar import Tree
from headrace.dsl.syntax.guard_said import (
    AskSaid,
    BreakerSaid,
    CacheSaid,
    GuardGiven,
    HeaderSaid,
    ProviderSaid,
    TemplateSaid,
    WindowSaid,
)

_SEVERAL = ("on", "template", "response_template")  # a guard may have more than one of each
_READINGS = ("match", "category", "text")


def guard(node: Tree, parts: Parts) -> GuardBlock:
    """Build a `guard`."""
    name, when, *rest = node.children
    nodes = [cast(Tree, r) for r in rest]
    settings = parts.settings([n for n in nodes if n.data not in _SEVERAL])
    spans = parts.spans(settings)
    inspect = parts.words(settings.get("inspect"))
    spans |= {f"inspect {w.text}": w.span for w in inspect}
    for verb in _SEVERAL[1:]:
        spans |= parts.first_span(verb, [n for n in nodes if n.data == verb])
    on = _on([n for n in nodes if n.data == "on"], spans, parts)
    ask = settings.get("ask")
    return GuardBlock(
        name=parts.word(name),
        span=parts.head(node),
        spans=spans,
        when=parts.maybe_written(when),
        patterns=parts.verbatim(settings.get("patterns")),
        detect=parts.words(settings.get("detect")),
        deny=parts.texts(settings.get("deny")),
        templates=_templates("template", nodes, parts),
        response_templates=_templates("response_template", nodes, parts),
        ask=_ask(ask, parts) if ask else None,
        inspect=inspect,
        scope=next(iter(parts.words(settings.get("scope"))), None),
        timeout=parts.first_number(settings.get("timeout")),
        window=_window(settings.get("window"), parts),
        stream=next(iter(parts.words(settings.get("stream"))), None),
        at_once=parts.first_number(settings.get("at_once")),
        cache=_cache(settings.get("cache"), parts),
        breaker=_breaker(settings.get("breaker"), parts),
        on=on,
    )


def _on(nodes: list[Tree], spans: dict[str, Span], parts: Parts) -> dict[str, Action]:
    """Return what is done on each event, and note where each is said in *spans*."""
    found: dict[str, Action] = {}
    for node in nodes:
        event, what, *rest = tokens(node)
        span, key = parts.span(node), f"on {event}"
        if key in spans:
            parts.twice(span, spans[key], key)
            continue
        spans[key] = spans[f"on {event} {what}"] = span
        found[str(event)] = Action(
            str(what),
            span,
            parts.number(rest[0]) if rest else None,
            parts.text(rest[1]) if len(rest) > 1 else None,
        )
    return found


def _templates(verb: str, nodes: Sequence[Tree], parts: Parts) -> tuple[TemplateSaid, ...]:
    found = [n for n in nodes if n.data == verb]
    return tuple(
        TemplateSaid(parts.text(n.children[0]), parts.names(n.children[1]), parts.span(n))
        for n in found
    )


def _ask(node: Tree, parts: Parts) -> AskSaid:
    provider, url, *rest = node.children
    nodes = [cast(Tree, r) for r in rest]
    once = parts.settings([n for n in nodes if n.data in _READINGS])
    return AskSaid(
        parts.word(provider),
        parts.maybe_text(url),
        parts.head(node),
        _templates("template", nodes, parts),
        _templates("response_template", nodes, parts),
        tuple(_header(n, parts) for n in nodes if n.data == "sends"),
        tuple(_said(n, parts) for n in nodes if n.data == "said"),
        tuple((verb, parts.written(trees(n)[0])) for verb, n in once.items()),
    )


def _header(node: Tree, parts: Parts) -> HeaderSaid:
    name, *rest = node.children
    if len(rest) == 1:
        return HeaderSaid(parts.text(name), parts.text(rest[0]), parts.span(node))
    _, variable, prefix = rest
    said = parts.maybe_text(prefix)
    return HeaderSaid(
        parts.text(name), parts.text(variable), parts.span(node), from_env=True, prefix=said
    )


def _said(node: Tree, parts: Parts) -> ProviderSaid:
    name, *values = tokens(node)
    names = trees(node)
    found = tuple(parts.one_said(name, value, None) for value in values)
    of = parts.names(names[0]) if names else ()
    return ProviderSaid(parts.word(name), found, of, parts.span(node))


def _window(node: Tree | None, parts: Parts) -> WindowSaid | None:
    if node is None:
        return None
    size, unit, overlap = node.children
    return WindowSaid(
        parts.number(size), parts.word(unit), parts.maybe_number(overlap), parts.span(node)
    )


def _cache(node: Tree | None, parts: Parts) -> CacheSaid | None:
    if node is None:
        return None
    keep, entries = node.children
    return CacheSaid(parts.number(keep), parts.maybe_number(entries), parts.span(node))


def _breaker(node: Tree | None, parts: Parts) -> BreakerSaid | None:
    if node is None:
        return None
    failures, pause = node.children
    return BreakerSaid(parts.number(failures), parts.number(pause), parts.span(node))


def safety(node: Tree, parts: Parts) -> SafetyBlock:
    """Build a `safety`."""
    settings = parts.settings(trees(node))
    blocks = settings.get("blocks")
    return SafetyBlock(
        span=parts.head(node),
        spans=parts.spans(settings),
        order=next(iter(parts.words(settings.get("order"))), None),
        block=parts.written(trees(blocks)[0]) if blocks else None,
        only="only" in settings,
    )


def given(node: Tree, parts: Parts) -> GuardGiven:
    """Build a `given guard`."""
    name, verb, *said, direction = node.children
    fails = cast(lark.Token, verb).type == "FAILS"
    return GuardGiven(
        parts.word(name),
        () if fails else tuple(parts.text(s) for s in said),
        parts.word(said[0]) if fails else None,
        parts.maybe_word(direction),
        parts.span(node),
    )
