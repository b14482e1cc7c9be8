"""Builds what says where requests can go: pools, models, objectives, stages, chains, imports."""

from typing import cast

import lark

from headrace.dsl.syntax.build_parts import Parts, tokens, trees
from headrace.dsl.syntax.declarations import (
    ChainBlock,
    EndpointSaid,
    ImportBlock,
    LatencySaid,
    ModelBlock,
    ObjectiveBlock,
    PoolBlock,
    StageBlock,
    Target,
)
from headrace.dsl.syntax.grammar import Tree
from headrace.dsl.syntax.tree import Number, Word


def import_(node: Tree, parts: Parts) -> ImportBlock:
    """Build an `import`."""
    return ImportBlock(parts.text(node.children[0]), parts.span(node))


def pool(node: Tree, parts: Parts) -> PoolBlock:
    """Build a `pool`."""
    name, parent, *rest = node.children
    members = [cast(Tree, r) for r in rest if cast(Tree, r).data == "endpoint"]
    settings = parts.settings([cast(Tree, r) for r in rest if r not in members])
    stale, gpu = tokens(settings.get("stale")), settings.get("gpu")
    reference = trees(settings.get("inferencepool"))
    return PoolBlock(
        name=parts.name(name),
        span=parts.head(node),
        spans={**parts.spans(settings), **parts.first_span("endpoint", members)},
        parent=parts.maybe_name(parent),
        members=tuple(_member(member, parts) for member in members),
        endpoints=parts.texts(settings.get("endpoints")),
        inference_pool=parts.name(reference[0]) if reference else None,
        namespace=parts.name(reference[1]) if len(reference) > 1 else None,
        labels=_labels(settings.get("select"), parts),
        port=parts.first_number(settings.get("port")),
        metrics=parts.first_name(settings.get("metrics")),
        gpu=parts.first_name(gpu),
        gpu_port=parts.maybe_number(gpu.children[1]) if gpu else None,
        stale=parts.number(stale[0]) if stale else None,
        dead=parts.number(stale[1]) if len(stale) > 1 else None,
        adapters=parts.first_number(settings.get("adapters")),
        profile=parts.first_name(settings.get("use_profile")),
        speed=parts.said(trees(settings.get("speed"))),
        wait=parts.first_number(settings.get("room")),
        wait_length=_length(settings.get("room"), parts),
        prefix_blocks=parts.first_number(settings.get("prefix_blocks")),
        prefix_memory=parts.first_number(settings.get("prefix_memory")),
        ranks_port=parts.first_number(settings.get("ranks")),
        kv_ports=tuple(parts.number(port) for port in tokens(settings.get("kv_events"))),
    )


def _member(node: Tree, parts: Parts) -> EndpointSaid:
    settings = parts.settings(trees(node))
    return EndpointSaid(
        parts.text(node.children[0]),
        parts.span(node),
        parts.first_name(settings.get("called")),
        parts.first_name(settings.get("zone")),
        parts.first_name(settings.get("role")),
        _labels(settings.get("labels"), parts),
    )


def _labels(node: Tree | None, parts: Parts) -> tuple[tuple[Word, Word], ...]:
    return tuple((parts.word(n.children[0]), parts.text(n.children[1])) for n in trees(node))


def _length(room: Tree | None, parts: Parts) -> Number | None:
    """Return how many may wait for endpoints, if that is said."""
    return parts.maybe_number(room.children[1]) if room else None


def model(node: Tree, parts: Parts) -> ModelBlock:
    """Build a `model`."""
    named = [n for n in trees(node) if n.data == "model_name"]
    parent = node.children[len(named)]
    settings = parts.settings([cast(Tree, r) for r in node.children[len(named) + 1 :]])
    aliases = [n.children[1] for n in named]
    return ModelBlock(
        names=tuple(parts.name(n.children[0]) for n in named),
        span=parts.head(node),
        spans=parts.spans(settings),
        aliases=tuple(parts.maybe_word(a) for a in aliases),
        parent=parts.maybe_name(parent),
        priority=parts.first_number(settings.get("priority")),
        objective=parts.first_name(settings.get("aim")),
        latency=_latency(settings.get("latency"), parts),
        route=tuple(_target(t, parts) for t in trees(settings.get("route"))),
        mirrors=tuple(_mirrored(t, parts) for t in trees(settings.get("mirror"))),
        adapter_of=parts.first_name(settings.get("adapter_of")),
        profile=parts.first_name(settings.get("use_profile")),
        passthrough=parts.texts(settings.get("passthrough")),
        unscreened="unscreened" in settings,
    )


def _latency(node: Tree | None, parts: Parts) -> LatencySaid | None:
    if node is None:
        return None
    metric, quantile, below = node.children
    return LatencySaid(parts.name(metric), parts.number(quantile), parts.number(below))


def _target(node: Tree, parts: Parts) -> Target:
    share, name, rewrite = node.children
    return Target(parts.name(name), parts.maybe_number(share), parts.maybe_text(rewrite))


def _mirrored(node: Tree, parts: Parts) -> Target:
    share, name = node.children
    return Target(parts.name(name), parts.number(share), None)


def objective(node: Tree, parts: Parts) -> ObjectiveBlock:
    """Build an `objective`."""
    name, *rest = trees(node)
    settings = parts.settings(rest)
    priority = parts.first_number(settings.get("priority"))
    return ObjectiveBlock(parts.name(name), parts.head(node), parts.spans(settings), priority)


def stage(node: Tree, parts: Parts) -> StageBlock:
    """Build a `stage`."""
    name, origin = (cast(lark.Token, t) for t in node.children[:2])
    return StageBlock(
        parts.word(name), parts.text(origin), parts.said(trees(node)), parts.head(node)
    )


def chain(node: Tree, parts: Parts) -> ChainBlock:
    """Build a `chain`."""
    return ChainBlock(parts.name(trees(node)[0]), parts.words(node), parts.head(node))
