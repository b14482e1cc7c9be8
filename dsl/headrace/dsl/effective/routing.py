"""Pools, models, objectives and classes, flattened."""

from collections.abc import Sequence

from headrace.dsl.effective.choosing import value as written
from headrace.dsl.effective.form import (
    DEFAULT,
    Fact,
    Line,
    Section,
    expr,
    expressed,
    number,
    origin,
    raw,
    said,
    seconds,
)
from headrace.dsl.program import Pool, Program
from headrace.dsl.syntax.declarations import (
    ClassBlock,
    EndpointSaid,
    ModelBlock,
    ObjectiveBlock,
    PoolBlock,
    Target,
)
from headrace.dsl.syntax.tree import Number, Word


def pool(block: PoolBlock, program: Program) -> Section:
    """Return a pool with all that it inherits and leaves to the defaults."""
    spans, compiled = block.spans, program.pools[block.name.text]
    lines: list[Line] = [*_source(block)]
    if block.metrics:
        lines.append(_word("metrics", "metrics", block.metrics, origin(spans["metrics"])))
    else:
        dialect = compiled.metrics
        lines.append(Line(f"metrics {dialect}", DEFAULT, said("metrics", dialect, dialect)))
    lines += _freshness(block, compiled)
    if block.adapters:
        lines.append(number("adapters", "adapters up to", block.adapters, spans["adapters"]))
    if block.speed:
        parts = [(s.name.text, repr(s.value), written(s)) for s in block.speed]
        facts = tuple(Fact(f"speed of {name}", *rest) for name, *rest in parts)
        text = ", ".join(f"{name} {shown}" for name, _, shown in parts)
        lines.append(Line(f"speed {text}", origin(spans["speed"]), facts))
    if block.profile:
        lines.append(_word("profile", "profile", block.profile, origin(spans["use_profile"])))
    if block.wait:
        lines.append(_room(block, block.wait))
    if block.ranks_port:
        port = block.ranks_port
        lines.append(number("ranks behind port", "ranks behind port", port, spans["ranks"]))
    lines += _cache(block)
    return _section("pool", (block.name,), block, lines)


def _freshness(block: PoolBlock, compiled: Pool) -> list[Line]:
    """Return where the utilisation comes from, and when measurements are stale."""
    spans, lines = block.spans, list[Line]()
    if block.gpu:
        text = block.gpu.span.text
        text += f" at port {block.gpu_port.span.text}" if block.gpu_port else ""
        value = (block.gpu.text, block.gpu_port and block.gpu_port.value)
        lines.append(Line(f"gpu from {text}", origin(spans["gpu"]), said("gpu", value, text)))
    dead, dead_s = block.dead, compiled.dead_after_s
    dead_text = dead.span.text if dead else seconds(dead_s)
    stale_s = compiled.stale_after_s
    text = block.stale.span.text if block.stale else seconds(stale_s)
    facts = (*said("stale after", float(stale_s), text), *said("dead after", dead_s, dead_text))
    at = origin(spans["stale"]) if block.stale else DEFAULT
    return [*lines, Line(f"stale after {text}, dead after {dead_text}", at, facts)]


def _room(block: PoolBlock, wait: Number) -> Line:
    length = block.wait_length.span.text if block.wait_length else "100"
    length_max = float(block.wait_length.value if block.wait_length else 100)
    text = f"wait up to {wait.span.text} for endpoints, at most {length}"
    facts = (
        Fact("wait for endpoints", repr(float(wait.value)), wait.span.text),
        Fact("how many wait for endpoints", repr(length_max), length),
    )
    return Line(text, origin(block.spans["room"]), facts)


def _cache(block: PoolBlock) -> list[Line]:
    """Return what is said of the index of cached prefixes; its defaults depend on the servers."""
    spans, lines = block.spans, list[Line]()
    if block.prefix_blocks:
        at, blocks = origin(spans["prefix_blocks"]), block.prefix_blocks
        text = f"prefix blocks of {blocks.span.text} tokens"
        lines.append(Line(text, at, said("prefix blocks", blocks.value, blocks.span.text)))
    if block.prefix_memory:
        memory, span = block.prefix_memory, spans["prefix_memory"]
        lines.append(number("prefix memory", "prefix memory", memory, span))
    if block.kv_ports:
        text = "kv events port " + " replay port ".join(p.span.text for p in block.kv_ports)
        value = tuple(port.value for port in block.kv_ports)
        lines.append(Line(text, origin(spans["kv_events"]), said("kv events", value, text)))
    return lines


def _source(block: PoolBlock) -> list[Line]:
    """Return where the endpoints come from."""
    spans = block.spans
    if block.endpoints or block.members:
        facts = tuple(Fact(f"endpoint `{w.text}`", "listed", w.span.text) for w in block.endpoints)
        lines = [_member(member) for member in block.members]
        if block.endpoints:
            at = origin(spans["endpoints"])
            lines.insert(0, Line(f"endpoints {raw(block.endpoints)}", at, facts))
        return lines
    if block.inference_pool:
        text = block.inference_pool.span.text
        text += f" namespace {block.namespace.span.text}" if block.namespace else ""
        at = origin(spans["inferencepool"])
        value = (block.inference_pool.text, block.namespace and block.namespace.text)
        return [Line(f"inferencepool {text}", at, said("inferencepool", value, text))]
    labels = ", ".join(f"{a.span.text} = {b.span.text}" for a, b in block.labels)
    values = sorted((a.text, b.text) for a, b in block.labels)
    selects = Line(f"select {labels}", origin(spans["select"]), said("select", values, labels))
    if block.port:
        return [selects, number("port", "port", block.port, spans["port"])]
    return [selects, Line("port 8000", DEFAULT, said("port", 8000.0, "8000"))]


def _member(said_: EndpointSaid) -> Line:
    """Return the line of an endpoint of which more is said than its address."""
    address, words = said_.address, list[str]()
    facts = [Fact(f"endpoint `{address.text}`", "listed", address.span.text)]
    for verb, word in (("name", said_.name), ("zone", said_.zone), ("role", said_.role)):
        if word:
            words.append(f"{verb} {word.span.text}")
            label = f"{verb} of `{address.text}`"
            facts.append(Fact(label, repr(word.text), word.span.text))
    if said_.labels:
        text = ", ".join(f"{a.span.text} = {b.span.text}" for a, b in said_.labels)
        words.append(f"labels {text}")
        values = sorted((a.text, b.text) for a, b in said_.labels)
        facts.append(Fact(f"labels of `{address.text}`", repr(values), text))
    body = f" {'  '.join(words)} " if words else ""
    return Line(f"endpoint {address.span.text} {{{body}}}", origin(said_.span), tuple(facts))


def model(block: ModelBlock, program: Program) -> Section:
    """Return a model with all that it inherits and leaves to the defaults."""
    spans, lines = block.spans, list[Line]()
    if block.objective:
        lines.append(_word("objective", "objective", block.objective, origin(spans["aim"])))
    elif block.priority:
        lines.append(number("priority", "priority", block.priority, spans["priority"]))
    else:
        lines.append(Line("priority 0", DEFAULT, said("priority", 0.0, "0")))
    if block.latency:
        latency = block.latency
        what = f"{latency.metric.text} {latency.quantile.span.text}"
        text, value = f"{what} < {latency.below.span.text}", latency.below.value
        shown = latency.below.span.text
        facts = said(f"objective for {what}", value, shown)
        lines.append(Line(f"objective {text}", origin(spans["latency"]), facts))
    if block.adapter_of:
        at = origin(spans["adapter_of"])
        lines.append(_word("adapter of", "adapter of", block.adapter_of, at))
    if block.route:
        lines.append(_targets("route", "share", block.route, origin(spans["route"])))
    if block.mirrors:
        lines.append(_targets("mirror", "mirror", block.mirrors, origin(spans["mirror"])))
    if block.profile:
        lines.append(_word("profile", "profile", block.profile, origin(spans["use_profile"])))
    if block.passthrough:
        lines.append(_passing(block))
    aliases = zip(block.names, block.aliases, strict=True)
    names = [n.span.text + (f" as {a.span.text}" if a else "") for n, a in aliases]
    defined = [w for pair in zip(block.names, block.aliases, strict=True) for w in pair if w]
    head = Line(f"model {', '.join(names)}", origin(block.names[0].span), _aliases(block))
    return Section("model", tuple(w.text for w in defined), head, tuple(lines))


def _passing(block: ModelBlock) -> Line:
    """Return the paths that pass unread, and whether guards let them."""
    text = ", ".join(word.span.text for word in block.passthrough)
    facts = [Fact(f"passthrough of `{w.text}`", repr(w.text), "listed") for w in block.passthrough]
    if block.unscreened:
        text += "  unscreened"
        facts.append(Fact("unscreened", "True", "yes"))
    return Line(f"passthrough {text}", origin(block.spans["passthrough"]), tuple(facts))


def _aliases(block: ModelBlock) -> tuple[Fact, ...]:
    pairs = zip(block.names, block.aliases, strict=True)
    return tuple(Fact(f"alias of `{n.text}`", repr(a.text), f"`{a.text}`") for n, a in pairs if a)


def _targets(verb: str, noun: str, targets: Sequence[Target], at: str) -> Line:
    texts: list[str] = []
    facts: list[Fact] = []
    for target in targets:
        share, rewrite = target.share, target.rewrite
        text = f"{share.span.text} to " if share else ""
        text += target.pool.span.text + (f" as {rewrite.span.text}" if rewrite else "")
        name = f"`{target.pool.text}`" + (f" as `{rewrite.text}`" if rewrite else "")
        value = share.value if share else 1.0
        facts.append(Fact(f"{noun} of {name}", repr(value), share.span.text if share else "100%"))
        texts.append(text)
    if len(texts) > 1:  # a request's place in [0, 1) falls into them in their order
        names = [t.pool.text for t in targets]
        facts.append(Fact(f"order of {verb}", repr(names), ", ".join(f"`{n}`" for n in names)))
    return Line(f"{verb} {', '.join(texts)}", at, tuple(facts))


def objective(block: ObjectiveBlock, program: Program) -> Section:
    """Return an objective."""
    lines = []
    if block.priority:
        lines = [number("priority", "priority", block.priority, block.priority.span)]
    return _section("objective", (block.name,), block, lines)


def class_(block: ClassBlock, program: Program) -> Section:
    """Return a class."""
    spans, lines = block.spans, list[Line]()
    if block.also:
        lines.append(Line("also", origin(spans.get("also", block.span)), said("also", True, "yes")))
    if block.priority:
        lines.append(number("priority", "priority", block.priority, spans["priority"]))
    if block.profile:
        lines.append(_word("profile", "profile", block.profile, origin(spans["use_profile"])))
    if block.fairness:
        facts = expressed("fairness", block.fairness)
        text = f"fairness by {expr(block.fairness)}"
        lines.append(Line(text, origin(spans["fairness"]), facts))
    if block.session:
        facts = expressed("session", block.session)
        text = f"session by {expr(block.session)}"
        lines.append(Line(text, origin(spans["session"]), facts))
    text = f"class {block.name.span.text} when {expr(block.when)}"
    head = Line(text, origin(block.name.span), expressed("condition", block.when))
    return Section("class", (block.name.text,), head, tuple(lines))


def _word(label: str, verb: str, word: Word, at: str) -> Line:
    return Line(f"{verb} {word.span.text}", at, said(label, word.text, f"`{word.text}`"))


def _section(
    kind: str, names: Sequence[Word], block: PoolBlock | ObjectiveBlock, lines: Sequence[Line]
) -> Section:
    head = Line(f"{kind} {raw(names)}", origin(names[0].span))
    return Section(kind, tuple(w.text for w in names), head, tuple(lines))
