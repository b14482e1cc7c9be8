"""Models and objectives: what callers ask for, and how urgent it is."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from headrace.dsl.checks.limits import priority, within
from headrace.dsl.checks.names import Names
from headrace.dsl.problems.diagnostic import Problems, Related
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.program import Latency, Mirror, Model, Objective, Share
from headrace.dsl.syntax.declarations import ModelBlock, ObjectiveBlock, Target
from headrace.dsl.syntax.tree import Word

LATENCIES = ("ttft", "tpot", "itl", "latency")
_ROUNDING = 1e-9
_LATENCY_MAX_S = 3600.0
PATH_CHARS_MAX = 1024


def objectives(blocks: Sequence[ObjectiveBlock], problems: Problems) -> dict[str, Objective]:
    """Return the objectives by name."""
    found: dict[str, Objective] = {}
    for block in blocks:
        name = block.name.text
        if block.priority is None:
            message = f"objective `{name}` has no priority"
            help_ = "add `priority -1`, or any other number"
            problems.add("S216", block.span, message, "how urgent?", help_)
        value = priority(block.priority, problems)
        found.setdefault(name, Objective(name, block.span, value or 0))
    return found


def models(
    blocks: Sequence[ModelBlock],
    named: Mapping[str, Objective],
    names: Names,
    problems: Problems,
) -> dict[str, Model]:
    """Return the models by name, aliases included; *named* are the objectives."""
    found: dict[str, Model] = {}
    for block in blocks:
        model = _model(block, named, names, problems)
        for word, alias in zip(block.names, block.aliases, strict=True):
            one = replace(model, name=word.text, span=word.span)
            found.setdefault(one.name, one)
            model = replace(model, passthrough=())  # they are of the first name
            if alias is not None:
                _one_meaning(one, alias, problems)
                found.setdefault(alias.text, _aliased(one, alias))
    return found


def _model(
    block: ModelBlock, named: Mapping[str, Objective], names: Names, problems: Problems
) -> Model:
    """Return what all names of *block* have in common."""
    _destination(block, problems)
    if block.parent:
        names.find("model", block.parent)
    routes = _routes(block, names, problems)
    mirrors = _mirrors(block, names, problems)
    if block.profile:
        names.find("profile", block.profile)
    value = priority(block.priority, problems)
    objective = block.objective
    if objective is not None:
        value = _aimed(block, named, names, problems)
    return Model(
        block.names[0].text,
        block.span,
        value or 0,
        routes,
        block.adapter_of is not None,
        block.profile.text if block.profile else None,
        objective=objective.text if objective else None,
        latency=_latency(block, problems),
        mirrors=mirrors,
        states_priority=bool(value) or objective is not None,
        passthrough=_paths(block, problems),
        unscreened=block.unscreened,
    )


def _paths(block: ModelBlock, problems: Problems) -> tuple[str, ...]:
    """Return the paths that pass unread."""
    if block.unscreened and not block.passthrough:
        span, help_ = block.spans["unscreened"], 'add `passthrough "/a/path/*"`, or remove it'
        message = "`unscreened` is about paths that pass unread, and there are none"
        problems.add("S217", span, message, "of what?", help_)
    for word in block.passthrough:
        path = word.text
        if not path.startswith("/") or "*" in path[:-1] or len(path) > PATH_CHARS_MAX:
            message = f"`{path}` is no path that can pass unread"
            help_ = f"begin it with `/`, `*` at its end only, up to {PATH_CHARS_MAX} characters"
            problems.add("S218", word.span, message, "not a path", help_)
        elif not path.isprintable() or "?" in path:
            message = f"`{path}` is no path that can pass unread"
            problems.add("S218", word.span, message, "not a path", "leave out the query")
    return tuple(dict.fromkeys(word.text for word in block.passthrough))


def passing(blocks: Sequence[ModelBlock], guarded: bool, problems: Problems) -> None:
    """Look at the paths of all models; *guarded*: guards look at prompts or responses."""
    seen: dict[str, Word] = {}
    for block in blocks:
        for word in block.passthrough:
            first = seen.setdefault(word.text, word)
            if first is not word:
                related = (Related(first.span, "first time"),)
                message = f"path `{word.text}` is of two models"
                problems.add("S207", word.span, message, "second time", "remove one", related)
        if block.passthrough and guarded and not block.unscreened:
            message = "guards cannot read what passes unread, so they would turn it away"
            help_ = "add `unscreened`, if it may pass them; or remove the `passthrough`"
            problems.add("S217", block.spans["passthrough"], message, "never served", help_)


def _aimed(
    block: ModelBlock, named: Mapping[str, Objective], names: Names, problems: Problems
) -> int | None:
    """Return the priority of the objective that *block* names."""
    word = block.objective
    assert word is not None
    if block.priority is not None:
        message = "a model has a priority or an objective that has one, not both"
        related = (Related(block.priority.span, "the priority"),)
        problems.add("S217", word.span, message, "an objective", "remove one of them", related)
    if not names.find("objective", word) or word.text not in named:
        return None
    return named[word.text].priority


def _latency(block: ModelBlock, problems: Problems) -> Latency | None:
    said = block.latency
    if said is None:
        return None
    if said.metric.text not in LATENCIES:
        help_ = did_you_mean(said.metric.text, LATENCIES, "latencies")
        message = f"`{said.metric.text}` is no latency"
        problems.add("S214", said.metric.span, message, "unknown", help_)
    quantile = said.quantile
    if not 0 < quantile.value < 1:
        message = f"`{quantile.span.text}` is no percentile"
        problems.add("S218", quantile.span, message, "out of range", "allowed: p1 to p99.99")
    below_s = within(said.below, 0.001, _LATENCY_MAX_S, "1ms to 1h", problems)
    return Latency(said.metric.text, quantile.value, below_s or 0.0)


def _one_meaning(model: Model, alias: Word, problems: Problems) -> None:
    if model.pattern:
        message = f"the pattern `{model.name}` cannot have an alias"
        help_ = "it stands for many names: remove the alias"
        problems.add("S217", alias.span, message, "an alias of what?", help_)


def _aliased(model: Model, alias: Word) -> Model:
    routes = tuple(replace(s, rewrite=s.rewrite or model.name) for s in model.routes)
    return replace(model, name=alias.text, span=alias.span, routes=routes, alias_of=model.name)


def _destination(block: ModelBlock, problems: Problems) -> None:
    if block.route and block.adapter_of:
        message = "a model is routed or is an adapter, not both"
        related = (Related(block.spans["route"], "the route"),)
        help_ = "an adapter goes where its pool is: remove the route"
        problems.add("S217", block.adapter_of.span, message, "an adapter", help_, related)
    if not block.route and not block.adapter_of:
        name = block.names[0].text
        help_ = "add `route POOL`, or `adapter of POOL`"
        problems.add("S216", block.span, f"model `{name}` goes nowhere", "which pool?", help_)


def _routes(block: ModelBlock, names: Names, problems: Problems) -> tuple[Share, ...]:
    if block.adapter_of:
        names.find("pool", block.adapter_of)
        return (Share(block.adapter_of.text, 1.0),)
    shares: list[Share] = []
    seen: dict[tuple[str, str | None], Word] = {}
    for target in block.route:
        names.find("pool", target.pool)
        rewrite = target.rewrite.text if target.rewrite else None
        first = seen.setdefault((target.pool.text, rewrite), target.pool)
        if first is not target.pool:
            related = (Related(first.span, "first time"),)
            message = f"`{target.pool.text}` is twice in one route"
            problems.add("S207", target.pool.span, message, "second time", "add them up", related)
        if target.rewrite and not (rewrite and rewrite.isprintable() and len(rewrite) <= 200):
            help_ = "1 to 200 printable characters"
            problems.add("S218", target.rewrite.span, "this is not a model's name", "", help_)
        shares.append(Share(target.pool.text, _share(target, problems), rewrite))
    _whole(block, problems)
    return tuple(shares)


def _share(target: Target, problems: Problems) -> float:
    share = target.share
    if share is None:
        return 1.0
    if share.value == 0:
        help_ = "remove it, or keep it to raise it later"
        problems.add("S303", share.span, "this share is 0 %", "nothing goes there", help_)
    return share.value


def _whole(block: ModelBlock, problems: Problems) -> None:
    """Report shares that do not add up to the whole."""
    if not block.route:
        return
    missing = [t for t in block.route if t.share is None]
    if missing and len(block.route) > 1:
        help_ = "write it as `10% to POOL`"
        for target in missing:
            message = f"`{target.pool.text}` has no share"
            problems.add("S302", target.pool.span, message, "how much of it?", help_)
        return
    total = sum(t.share.value for t in block.route if t.share)
    if not missing and abs(total - 1) > _ROUNDING:
        message = f"the shares add up to {total * 100:.10g} %, not 100 %"
        short = (1 - total) * 100
        more = "are missing" if short > 0 else "are too many"
        label = f"{abs(short):.10g} % {more}"
        problems.add("S302", block.spans["route"], message, label)


def _mirrors(block: ModelBlock, names: Names, problems: Problems) -> tuple[Mirror, ...]:
    """Return the mirrors; each has a share of its own, up to all requests."""
    found: dict[str, Mirror] = {}
    for target in block.mirrors:
        word, share = target.pool, target.share
        names.find("pool", word)
        assert share is not None, "the grammar wants one"
        if not 0 < share.value <= 1:
            message = f"`{share.span.text}` is not a share that can be mirrored"
            help_ = "allowed: above 0%, at most 100%"
            problems.add("S218", share.span, message, "out of range", help_)
        if word.text in found:
            message = f"`{word.text}` is twice in one mirror"
            problems.add("S207", word.span, message, "second time", "add them up")
        found[word.text] = Mirror(word.text, share.value)
    total = sum(mirror.share for mirror in found.values())
    if len(found) > 1 and total > 1 + _ROUNDING:
        message = f"the mirrored shares add up to {total * 100:.10g} %, more than all requests"
        label = "each request is mirrored once at most"
        problems.add("S302", block.spans["mirror"], message, label, "take smaller shares")
    return tuple(found.values())
