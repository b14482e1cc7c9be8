"""What a new policy needs of Envoy that an Envoy written for the first policy does not do."""

from collections.abc import Iterator, Mapping

from headrace.dsl.program import Program
from headrace.extensions.stage import Needs
from headrace.host.envoy.control import strip_control_headers
from headrace.host.envoy.processor import processing_mode
from headrace.host.exchange.plan import Plan
from headrace.host.generation import Generation

NOTES_MAX = 64
# How much of a part Envoy shows in each mode; more than needed does no harm.
_SHOWN = {"SKIP": 0, "NONE": 0, "SEND": 1, "STREAMED": 1, "FULL_DUPLEX_STREAMED": 2}


def envoy_drift(first: Generation, now: Generation) -> tuple[str, ...]:
    """Return, one line each, what *now* needs and the Envoy of *first* was not told; no order."""
    notes = [
        *_pools(first.program, now.program),
        *(note for plan in now.plans.values() for note in _plan(first.plans, plan)),
        *(note for door, plan in now.doors.items() for note in _door(first, door, plan)),
    ]
    if strip_control_headers(first.program) != strip_control_headers(now.program):
        notes.append("other control headers of clients are trusted")
    return tuple(notes[:NOTES_MAX])


def _pools(first: Program, now: Program) -> Iterator[str]:
    for name, pool in now.pools.items():
        before = first.pools.get(name)
        if before is None:
            yield f"pool `{name}` has no cluster and no route"
            continue
        missing = [place for place in pool.destinations if place not in before.destinations]
        if missing:
            shown = ", ".join(missing[:8]) + (", ..." if len(missing) > 8 else "")
            yield f"the cluster of pool `{name}` has not: {shown}"


def _door(first: Generation, door: tuple[str, str], now: Plan) -> Iterator[str]:
    before = first.doors.get(door)
    yield from _plan({} if before is None else {now.chain: before}, now)


def _plan(first: Mapping[str, Plan], now: Plan) -> Iterator[str]:
    before = first[now.chain].needs if now.chain in first else Needs()
    if now.chain not in first:
        yield f"chain `{now.chain}` is new"
        return
    old, new = processing_mode(before), processing_mode(now.needs)
    for key, mode in new.items():
        if _SHOWN[str(mode)] > _SHOWN[str(old[key])]:
            yield f"chain `{now.chain}`: `{key}` is {old[key]}, and it needs {mode}"
    for what, has, needs in (
        ("attributes", before.attributes, now.needs.attributes),
        ("metadata to read", before.forwarding, now.needs.forwarding),
        ("metadata to write", before.receiving, now.needs.receiving),
    ):
        if needs - has:
            yield f"chain `{now.chain}`: more {what}: {', '.join(sorted(needs - has))}"
