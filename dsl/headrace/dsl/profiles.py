"""Profiles: how an endpoint is chosen. Resolves `extends`; knows the built-in `default`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from headrace.dsl import tree
from headrace.dsl.codes import Level
from headrace.dsl.names import DEFAULT
from headrace.dsl.program import EndpointFilter, Pick, Profile, Term
from headrace.dsl.rules import Rules
from headrace.dsl.source import Source
from headrace.dsl.tree import Word

_TOP_MAX = 100
_WEIGHT_MAX = 1_000_000
# What a policy without `profile default` gets: an endpoint that answers, with room if
# there is one, near the prompt's cache and away from queues.
BUILT_IN = Source(
    "<built-in>",
    """\
sched 1
filter alive       = endpoint.ready && endpoint.age < 2s
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
    blocks: Sequence[tree.ProfileBlock], rules: Rules, built_in: Profile | None
) -> dict[str, Profile]:
    """Return the profiles by name, each with what it inherits; *built_in* is the default one."""
    by_name: dict[str, tree.ProfileBlock] = {}
    for block in blocks:
        by_name.setdefault(block.name.text, block)
    done = {DEFAULT: built_in} if built_in is not None and DEFAULT not in by_name else {}
    _circles(by_name, rules)
    for block in by_name.values():
        for each in _ancestry(block, by_name, done):
            done[each.name.text] = _profile(each, done, rules)
    _else_circles(by_name, done, rules)
    return done


def _ancestry(
    block: tree.ProfileBlock, by_name: Mapping[str, tree.ProfileBlock], done: Mapping[str, Profile]
) -> list[tree.ProfileBlock]:
    """Return *block* and the ancestors that are not done yet, eldest first."""
    line: list[tree.ProfileBlock] = []
    at: tree.ProfileBlock | None = block
    while at is not None and at.name.text not in done and at not in line:
        line.append(at)
        at = by_name.get(at.parent.text) if at.parent else None
    return line[::-1]


def _circles(by_name: Mapping[str, tree.ProfileBlock], rules: Rules) -> None:
    parents = {n: b.parent for n, b in by_name.items() if b.parent}
    _report_circles(parents, rules, "extends itself")


def _else_circles(
    by_name: Mapping[str, tree.ProfileBlock], done: Mapping[str, Profile], rules: Rules
) -> None:
    """Report fallbacks that lead back; inherited ones count."""
    links: dict[str, Word] = {}
    for name, block in by_name.items():
        word = block.otherwise
        at = block
        for _ in by_name:  # an inherited `else` points at the ancestor that says it
            if word is not None or at.parent is None or at.parent.text not in by_name:
                break
            at = by_name[at.parent.text]
            word = at.otherwise
        if word is not None and name in done:
            links[name] = word
    _report_circles(links, rules, "falls back to itself")


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


def _profile(block: tree.ProfileBlock, done: Mapping[str, Profile], rules: Rules) -> Profile:
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
    if block.score:
        profile = replace(profile, terms=_terms(block.score, rules))
    if block.pick:
        profile = _picked(profile, block.pick, rules)
    if block.otherwise and rules.names.find("profile", block.otherwise):
        profile = replace(profile, otherwise=block.otherwise.text)
    return profile


def _no_effect(block: tree.ProfileBlock, rules: Rules) -> None:
    said = (block.parent, block.require, block.prefer, block.score, block.pick, block.otherwise)
    if not any(said):
        help_ = "say `score ...`, or `pick random` if that is meant"
        message = f"profile `{block.name.text}` says nothing"
        rules.problems.add("S332", block.span, message, "empty", help_)
    if block.pick and block.pick.how == "random" and block.score_span:
        help_ = "write `pick weighted of top 3`, or remove the score"
        message = "`pick random` does not look at the score"
        rules.problems.add("S217", block.score_span, message, "has no effect", help_)


def _filters(said: tree.Names, rules: Rules) -> tuple[EndpointFilter, ...]:
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


def _terms(score: Sequence[tree.Weighted], rules: Rules) -> tuple[Term, ...]:
    found: dict[str, Term] = {}
    for term in score:
        word, weight = term.scorer, 1.0 if term.weight is None else term.weight.value
        if term.weight is not None and not 0 < weight <= _WEIGHT_MAX:
            message = f"the weight of `{word.text}` must be above 0"
            if weight > 0:
                message = f"the weight of `{word.text}` is too large"
            help_ = f"above 0 and at most {_WEIGHT_MAX}; turn the scorer round: `1.0 - x`"
            span = term.weight.span
            rules.problems.add("S303", span, message, "no such weight", help_, level=Level.ERROR)
        if rules.names.find("scorer", word) and word.text in rules.scorers:
            _twice(word, found, rules)
            found[word.text] = Term(weight, rules.scorers[word.text])
    return tuple(found.values())


def _picked(profile: Profile, pick: tree.Picked, rules: Rules) -> Profile:
    how = Pick(pick.how)
    ties = rules.ties(pick.ties, profile.name) if pick.ties else None
    if pick.ties and how is Pick.RANDOM:
        message = "`pick random` has no ties to break"
        rules.problems.add("S217", pick.ties.span, message, "has no effect", "remove `ties by`")
    top = 1
    if pick.top is not None:
        top = int(pick.top.value)
        if not 1 <= top <= _TOP_MAX:
            message = f"`top {top}` is outside what is allowed"
            rules.problems.add("S218", pick.top.span, message, "", f"allowed: 1 to {_TOP_MAX}")
    return replace(profile, pick=how, pick_top=top, ties=ties)
