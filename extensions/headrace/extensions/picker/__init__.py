"""The endpoint picker: which replica serves a request, and the record why."""

from collections.abc import Iterator
from dataclasses import replace

from headrace.dsl.program import Profile, Program, Rule
from headrace.extensions.picker.affinity import Tokens
from headrace.extensions.picker.gate import Gate
from headrace.extensions.picker.placement import Keep, Watch
from headrace.extensions.picker.stage import NEEDS, Picker
from headrace.extensions.picker.staging import (
    COLD,
    MEDIA,
    OUTLOOK,
    PREFIX,
    SESSION,
    WATCHED,
    rules_of,
)
from headrace.extensions.priorities import priorities
from headrace.extensions.registry import Site
from headrace.extensions.stage import ResponseNeed


def build(program: Program, site: Site) -> Picker:
    """Return the picker stage for *program*, on the site's store."""
    rules = [
        rule
        for profile in program.profiles.values()
        for rule in (*rules_of(profile), *_afterwards(profile))
    ]
    reads = frozenset[str]().union(*(rule.reads for rule in rules))
    watch = _watch(reads)
    return Picker(
        program,
        site.store,
        site.seed,
        needs=NEEDS if watch is Watch.NOTHING else replace(NEEDS, response=ResponseNeed.OBSERVE),
        reads_prefix=bool(reads & (PREFIX | OUTLOOK | {COLD})),
        watch=watch,
        keeps=(Keep.SESSION if SESSION in reads else Keep.NOTHING)
        | (Keep.COLD if COLD in reads else Keep.NOTHING)
        | (Keep.MEDIA if MEDIA in reads else Keep.NOTHING),
        tokens=_tokens(program, site) if SESSION in reads else None,
        tpot_s={
            name: model.latency.below_s
            for name, model in program.models.items()
            if model.latency is not None and model.latency.per_token
        },
        conformance=site.conformance,
        emit_scores=site.emit_scores,
        destinations=site.destinations,
        gate=Gate.of(program),
        objectives=priorities(program, site.directory),
        evicts=any(overload.evict is not None for overload in program.overloads),
    )


def _tokens(program: Program, site: Site) -> Tokens | None:
    """Return what signs where a session is; None if the policy never believes a client's token."""
    believed = any("session" in trust.names for trust in program.trusts)
    return Tokens(site.session_key) if believed and site.session_key else None


def _watch(reads: frozenset[str]) -> Watch:
    """Return how much of answers rules that read *reads* make it necessary to follow."""
    if "endpoint.slo_slack" in reads:
        return Watch.PIECES
    return Watch.ENDS if reads & WATCHED else Watch.NOTHING


def _afterwards(profile: Profile) -> Iterator[Rule]:
    """Yield the conditions of *profile* on the endpoint that was picked."""
    yield from (refusal.when.rule for refusal in profile.refusals)
    yield from (one.when.rule for one in profile.beside if one.when is not None)
