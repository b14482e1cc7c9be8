"""Profiles: how an endpoint is chosen. Resolves `extends`; knows the built-in `default`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from headrace.dsl.checks import combining
from headrace.dsl.checks.names import DEFAULT
from headrace.dsl.checks.rules import Rules
from headrace.dsl.checks.settings import PLUGINS, SettingCheck
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import Related
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.program import Combine, CostTerm, EndpointFilter, Pick, Plugin, Profile, Term
from headrace.dsl.source import Source
from headrace.dsl.syntax.choosing import Names, Picked, Weighted
from headrace.dsl.syntax.declarations import PluginSaid, ProfileBlock
from headrace.dsl.syntax.tree import Word

_TOP_MAX = 100
_FALLS_BACK = "falls back to itself"
_WEIGHT_MAX = 1_000_000
# What a policy without `profile default` gets: an endpoint that answers, with room if
# there is one, near the prompt's cache and away from queues. Of old measurements it says
# nothing: from `stale after` on they are taken to be worse, and at `dead after` who is
# silent is not ready.
BUILT_IN = Source(
    "<built-in>",
    """\
sched 1
filter alive       = endpoint.ready
filter has_room    = endpoint.kv_cache < 95% && endpoint.queue < 128
scorer prefix      = endpoint.prefix_match
scorer kv_free     = 1.0 - endpoint.kv_cache
scorer short_queue = 1.0 / (1.0 + double(endpoint.queue))
profile default {
  require alive
  prefer  has_room
  score   3 * prefix + 2 * kv_free + 2 * short_queue
  pick    max  ties by endpoint.running
}
""",
)


def profiles(
    blocks: Sequence[ProfileBlock], rules: Rules, built_in: Profile | None
) -> dict[str, Profile]:
    """Return the profiles by name, each with what it inherits; *built_in* is the default one."""
    by_name: dict[str, ProfileBlock] = {}
    for block in blocks:
        by_name.setdefault(block.name.text, block)
    done = {DEFAULT: built_in} if built_in is not None and DEFAULT not in by_name else {}
    _circles(by_name, rules)
    for block in by_name.values():
        for each in _ancestry(block, by_name, done):
            done[each.name.text] = _profile(each, done, rules)
    _else_circles(by_name, done, rules)
    for block in by_name.values():
        combining.plain_beside(block, done, rules)
    return done


def _ancestry(
    block: ProfileBlock, by_name: Mapping[str, ProfileBlock], done: Mapping[str, Profile]
) -> list[ProfileBlock]:
    """Return *block* and the ancestors that are not done yet, eldest first."""
    line: list[ProfileBlock] = []
    seen: set[str] = set()
    at: ProfileBlock | None = block
    while at is not None and at.name.text not in done and at.name.text not in seen:
        line.append(at)
        seen.add(at.name.text)
        at = by_name.get(at.parent.text) if at.parent else None
    return line[::-1]


def _circles(by_name: Mapping[str, ProfileBlock], rules: Rules) -> None:
    parents = {n: b.parent for n, b in by_name.items() if b.parent}
    _report_circles(parents, rules, "extends itself")


def _else_circles(
    by_name: Mapping[str, ProfileBlock], done: Mapping[str, Profile], rules: Rules
) -> None:
    """Report fallbacks that lead back; inherited ones count."""
    inherited: dict[str, Word | None] = {}  # an inherited `else` points at who says it
    for name in by_name:
        path: dict[str, ProfileBlock] = {}
        at = name
        while at in by_name and at not in inherited and at not in path:
            path[at] = by_name[at]
            parent = by_name[at].parent
            at = parent.text if parent else ""
        word = inherited.get(at)
        for each, block in reversed(path.items()):
            word = inherited[each] = block.otherwise or word
    links = {name: word for name, word in inherited.items() if word is not None and name in done}
    _report_circles({name: links[name] for name in by_name if name in links}, rules, _FALLS_BACK)


def _report_circles(links: Mapping[str, Word], rules: Rules, what: str) -> None:
    """Report each circle once, at the first of its links in file order."""
    finished: set[str] = set()
    for start in links:
        path: list[str] = []
        at = start
        while at in links and at not in finished and at not in path:
            path.append(at)
            at = links[at].text
        if at in path:
            circle = [*path[path.index(at) :], at]
            message = f"profile `{at}` {what}"
            label = " → ".join(circle) if len(circle) < 8 else f"a circle of {len(circle) - 1}"
            rules.problems.add("S221", links[at].span, message, label)
        finished.update(path)


def _profile(block: ProfileBlock, done: Mapping[str, Profile], rules: Rules) -> Profile:
    known = block.parent is not None and rules.names.find("profile", block.parent)
    parent = done.get(block.parent.text) if known and block.parent else None
    profile = replace(
        parent or Profile(block.name.text, block.span), name=block.name.text, span=block.span
    )
    _no_effect(block, rules)
    if block.require:
        mine = _filters(block.require, rules)
        profile = replace(profile, require=(profile.require if block.require.also else ()) + mine)
    if block.prefer:
        mine = _filters(block.prefer, rules)
        profile = replace(profile, prefer=(profile.prefer if block.prefer.also else ()) + mine)
    for combine, said, read in (
        (Combine.SUM, block.score, _terms),
        (Combine.PRODUCT, block.multiply, combining.product),
        (Combine.TIERS, block.tiers, combining.tiers),
    ):
        if said:
            profile = replace(profile, terms=read(said, rules), costs=(), combine=combine)
            if profile.pick is Pick.LEAST:
                profile = replace(profile, pick=Pick.MAX)
    if block.minimize:
        costs = _costs(block.minimize, rules)
        profile = replace(profile, costs=costs, terms=(), combine=Combine.SUM, pick=Pick.LEAST)
    if block.pick:
        profile = _picked(profile, block.pick, rules)
    if block.plugins:
        profile = replace(profile, plugins=_plugins(block.plugins, rules))
    if block.otherwise and rules.names.find("profile", block.otherwise):
        profile = replace(profile, otherwise=block.otherwise.text)
    if block.beside:
        profile = replace(profile, beside=combining.beside(block.beside, profile.name, rules))
    if block.refusals:
        refusals = combining.refusals(block.refusals, profile.name, rules)
        profile = replace(profile, refusals=refusals)
    combining.has_totals(profile, block, rules)
    return profile


def _no_effect(block: ProfileBlock, rules: Rules) -> None:
    if not block.parent and not block.spans:
        help_ = "say `score ...`, or `pick random` if that is meant"
        message = f"profile `{block.name.text}` says nothing"
        rules.problems.add("S332", block.span, message, "empty", help_)
    if block.score and block.minimize:
        message = "a profile scores or minimizes, not both"
        related = (Related(block.spans["score"], "the score"),)
        help_ = "a score is a ratio and more is better, a cost is seconds and less is better"
        rules.problems.add("S217", block.spans["minimize"], message, "costs", help_, related)
    combining.one_combination(block, rules)
    by_lot = block.pick is not None and block.pick.how == "random" and block.pick.top is None
    for verb in ("score", "multiply", "tiers", "minimize"):
        if by_lot and verb in block.spans:
            what = {"tiers": "rank by"}.get(verb, verb)
            help_ = f"write `pick weighted of top 3`, or remove the {what}"
            message = "`pick random` does not look at the score"
            if verb == "minimize":
                help_, message = "write `pick least`", "`pick random` does not look at costs"
            rules.problems.add("S217", block.spans[verb], message, "has no effect", help_)


def _filters(said: Names, rules: Rules) -> tuple[EndpointFilter, ...]:
    found: dict[str, EndpointFilter] = {}
    for word in said.words:
        if rules.names.find("filter", word) and word.text in rules.filters:
            _twice(word, found, rules)
            found[word.text] = rules.filters[word.text]
    return tuple(found.values())


def _twice(word: Word, found: Mapping[str, object], rules: Rules) -> None:
    if word.text in found:
        message = f"`{word.text}` is twice in this list"
        rules.problems.add("S207", word.span, message, "second time", "remove it")


def _terms(score: Sequence[Weighted], rules: Rules) -> tuple[Term, ...]:
    found: dict[str, Term] = {}
    for term in score:
        word, weight = term.rule, _weight(term, "turn the scorer round: `1.0 - x`", rules)
        if rules.names.find("scorer", word) and word.text in rules.scorers:
            _twice(word, found, rules)
            found[word.text] = Term(weight, rules.scorers[word.text])
    _weightless(score, rules)
    return tuple(term for term in found.values() if term.weight)


def _costs(costs: Sequence[Weighted], rules: Rules) -> tuple[CostTerm, ...]:
    found: dict[str, CostTerm] = {}
    for term in costs:
        word, weight = term.rule, _weight(term, "less of a cost is better as it is", rules)
        if rules.names.find("cost", word) and word.text in rules.costs:
            _twice(word, found, rules)
            found[word.text] = CostTerm(weight, rules.costs[word.text])
    _weightless(costs, rules)
    return tuple(term for term in found.values() if term.weight)


def _weightless(terms: Sequence[Weighted], rules: Rules) -> None:
    """Report terms of which none has any weight: nothing would be decided by them."""
    weights = [term.weight for term in terms if term.weight is not None and not term.weight.value]
    if weights and len(weights) == len(terms):
        message = "the weights add up to 0, so nothing is weighed"
        help_ = "give one of them a weight, or write `pick random` without them"
        rules.problems.add("S304", weights[0].span, message, "nothing counts", help_)


def _weight(term: Weighted, cure: str, rules: Rules) -> float:
    if term.weight is None:
        return 1.0
    word, weight = term.rule, term.weight.value
    if weight == 0:
        message = f"the weight of `{word.text}` is 0"
        help_ = "remove the term, or keep it to raise the weight later"
        rules.problems.add("S303", term.weight.span, message, "it counts for nothing", help_)
    elif not 0 < weight <= _WEIGHT_MAX:
        message = f"the weight of `{word.text}` must be above 0"
        if weight > 0:
            message = f"the weight of `{word.text}` is too large"
        help_ = f"above 0 and at most {_WEIGHT_MAX}; {cure}"
        span = term.weight.span
        rules.problems.add("S303", span, message, "no such weight", help_, level=Level.ERROR)
    return weight


def _plugins(said: Sequence[PluginSaid], rules: Rules) -> tuple[Plugin, ...]:
    found: dict[str, Plugin] = {}
    for one in said:
        word = one.name
        _twice(word, found, rules)
        vocabulary = PLUGINS.get(word.text)
        if vocabulary is None:
            help_ = did_you_mean(word.text, PLUGINS, "plugins")
            message = f"there is no plugin `{word.text}`"
            rules.problems.add("S214", word.span, message, "unknown", help_)
            continue
        settings = {s.name: s for s in vocabulary.settings}
        check = SettingCheck(f"plugin `{word.text}`", word.span, rules.problems, settings)
        found[word.text] = Plugin(word.text, check.values(one.settings), one.span)
    return tuple(found.values())


def _picked(profile: Profile, pick: Picked, rules: Rules) -> Profile:
    how = _how(pick)
    _fits(profile, pick, how, rules)
    ties = rules.ties(pick.ties, profile.name) if pick.ties else None
    if pick.ties and how is Pick.RANDOM:
        message = "`pick random` has no ties to break"
        rules.problems.add("S217", pick.ties.span, message, "has no effect", "remove `ties by`")
    top = 1
    if pick.top is not None:
        top = int(pick.top.value)
        least = 2 if how is Pick.BEST else 1  # the best of one is no choice
        if not least <= top <= _TOP_MAX:
            message = f"`{pick.top.span.text}` endpoints are outside what is allowed"
            if how is not Pick.BEST:
                message = f"`top {top}` is outside what is allowed"
            allowed = f"allowed: {least} to {_TOP_MAX}"
            rules.problems.add("S218", pick.top.span, message, "", allowed)
    return replace(profile, pick=how, pick_top=top, ties=ties)


def _how(pick: Picked) -> Pick:
    if pick.how == "best":
        return Pick.BEST
    return Pick.RANDOM_TOP if pick.how == "random" and pick.top is not None else Pick(pick.how)


def _fits(profile: Profile, pick: Picked, how: Pick, rules: Rules) -> None:
    """Report a way to pick that does not look at what the profile weighs."""
    problems = rules.problems
    minimizes = bool(profile.costs) or profile.pick is Pick.LEAST
    weighs = minimizes or bool(profile.terms)
    if how is Pick.LEAST and not minimizes:
        message = "`pick least` is for costs, and this profile minimizes none"
        help_ = "write `minimize ...`; of scores write `pick max`"
        problems.add("S217", pick.span, message, "least of what?", help_)
    if how in (Pick.BEST, Pick.RANDOM_TOP) and not weighs:
        message = f"`pick {pick.how}` looks at scores or costs, and this profile has none"
        help_ = "write `score ...`, or `pick random`"
        problems.add("S217", pick.span, message, "of what?", help_)
    if how in (Pick.MAX, Pick.WEIGHTED) and minimizes:
        message = f"`pick {how.value}` is for scores, and this profile minimizes costs"
        problems.add("S217", pick.span, message, "of what?", "write `pick least`")
