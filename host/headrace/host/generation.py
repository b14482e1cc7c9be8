"""A generation: one program with the stages built from it, ready to open exchanges.

Immutable. A reload builds another one and swaps the reference; exchanges in flight
finish on the generation they began with.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from time import monotonic
from uuid import uuid4

from headrace.dsl.program import DEFAULT_CHAIN, Program
from headrace.extensions.body_router.values import facts
from headrace.extensions.control import CONFORMANCE, forged
from headrace.extensions.headers import Headers
from headrace.extensions.reasons import Reason
from headrace.extensions.registry import Builder, Site, build, builders, unannounced
from headrace.extensions.stage import (
    Action,
    ExchangeInfo,
    Filter,
    Needs,
    OnFailure,
    Reject,
    Request,
    Stage,
    union,
)
from headrace.host.exchange.exchange import Exchange
from headrace.host.exchange.limits import Limits
from headrace.host.exchange.part import Modes
from headrace.host.exchange.plan import Plan
from headrace.host.extproc.opening import Opening

NO_NAMES: frozenset[str] = frozenset()
TESTED = frozenset((CONFORMANCE,))
NO_NEEDS = Needs()


@dataclass(slots=True)
class Tenants:
    """The open exchanges of one generation. Written from the event loop's thread.

    vacated  called each time the last one has ended
    """

    open: set[Exchange] = field(default_factory=set[Exchange])
    vacated: Callable[[], None] | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.open)

    def leave(self, exchange: object) -> None:
        """Forget an exchange that has ended."""
        self.open.discard(exchange)
        if not self.open and self.vacated is not None:
            self.vacated()


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Generation:
    """What serves exchanges: a plan per chain.

    modes      the body modes where the peer does not tell them
    next_id    gives an exchange its name where the client gave none
    number     counts the generations of a process, from 1
    tenants    the exchanges that are open
    doors      the plans of listeners with a role: (listener, chain) -> plan
    """

    program: Program
    plans: Mapping[str, Plan]
    modes: Modes
    next_id: Callable[[], str]
    number: int = 1
    tenants: Tenants = field(default_factory=Tenants)
    doors: Mapping[tuple[str, str], Plan] = field(default_factory=dict[tuple[str, str], Plan])

    def open(self, opening: Opening, now_s: float, exchange_id: str = "") -> Exchange:
        """Open the exchange of one stream. An unknown chain rejects, by name, whatever comes."""
        chain, listener = opening.chain, opening.listener
        plan = self.doors.get((listener, chain)) if listener else self.plans.get(chain)
        if plan is None:
            plan = _unknown(opening.chain, self.plans[DEFAULT_CHAIN.name])
        modes = opening.modes or self.modes
        exchange_id = exchange_id or self.next_id()
        exchange = Exchange(plan, modes, exchange_id, opening.traceparent, now_s)
        self.tenants.open.add(exchange)
        return exchange

    def wants_context(self, chain: str, listener: str = "") -> bool:
        """Return whether a stage of *chain*, of a listener with a role, reads context."""
        plan = self.doors.get((listener, chain)) if listener else self.plans.get(chain)
        return plan is not None and bool(plan.needs.attributes or plan.needs.forwarding)

    def needs(self) -> Needs:
        """Return the union of what the stages of all chains need."""
        return union(plan.needs for plan in (*self.plans.values(), *self.doors.values()))


def build_generation(
    program: Program,
    site: Site,
    limits: Limits | None = None,
    modes: Modes | None = None,
    number: int = 1,
    next_id: Callable[[], str] | None = None,
    installed: Mapping[str, Builder] | None = None,
) -> Generation:
    """Build the stages of every chain of *program*, each stage once.

    next_id    the source of names of the process; without it, one of its own
    installed  what `builders` returned; without it, they are searched here

    Raises:
        UnknownStage: a chain names a stage that is not installed.
    """
    chains = {DEFAULT_CHAIN.name: DEFAULT_CHAIN, **program.chains}
    names = {name for chain in chains.values() for name in chain.stages}
    installed = builders() if installed is None else installed
    stages = {name: build(name, program, site, installed) for name in sorted(names)}
    tenants = Tenants()
    plans: dict[str, Plan] = {}
    for chain in chains.values():
        chosen = tuple(stages[name] for name in chain.stages)
        plan = make_plan(chain.name, chosen, program, limits or Limits(), epoch_s=site.epoch_s)
        plans[chain.name] = replace(
            plan,
            policy=program.digest,
            generation=number,
            program=program,
            ended=tenants.leave,
            announce=_announcing(program, site),
            as_reference=True,
            plain_errors=site.plain_errors,
            forged=_forged(program, site.epoch_s, monotonic, site.conformance),
        )
    next_id = next_id or exchange_ids(site.seed)
    return Generation(program, plans, modes or Modes(), next_id, number, tenants)


def make_plan(
    chain: str,
    stages: tuple[Stage, ...],
    program: Program | None,
    limits: Limits,
    clock: Callable[[], float] = monotonic,
    epoch_s: float = 0.0,
) -> Plan:
    """Return the plan of one chain; *program* says which control headers are trusted."""
    needs = union(stage.needs for stage in stages)
    forging = _forged(program, epoch_s, clock)
    return Plan(chain, stages, limits, forging, needs, clock, epoch_s=epoch_s)


def exchange_ids(seed: int) -> Callable[[], str]:
    """Return a source of names, each once in a process, for exchanges without `x-request-id`."""
    numbers = count(1)
    prefix = f"hr-{seed:x}"
    return lambda: f"{prefix}-{next(numbers):x}"


def request_ids() -> Callable[[], str]:
    """Return a source of UUIDs as `exchange_ids`, each once in the world: servers are told them."""
    prefix = str(uuid4())[:24]
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers):012x}"


def _announcing(program: Program, site: Site) -> Callable[[str, str], str] | None:
    if site.announce is unannounced:
        return None
    ratio = program.trace.sample_ratio
    return lambda traceparent, request_id: site.announce(traceparent, request_id, ratio)


def _forged(
    program: Program | None, epoch_s: float, clock: Callable[[], float], conformance: bool = False
) -> Callable[[Headers], tuple[str, ...]]:
    trusts = program.trusts if program is not None else ()
    always = TESTED if conformance else NO_NAMES
    if not trusts:
        return lambda headers: forged(headers, always)

    def untrusted(headers: Headers) -> tuple[str, ...]:
        values = facts(Request("", headers, unix_s=epoch_s + clock()))
        held = set(always)
        for trust in trusts:
            if trust.when.test(values, None, 0.0) is True:
                held |= trust.names
        return forged(headers, frozenset(held))

    return untrusted


@dataclass(frozen=True, slots=True)
class _Nowhere(Filter):
    chain: str

    def on_request(self, request: Request, now_s: float) -> Action:
        message = f"the processor has no chain `{self.chain}`; name one of the policy's chains"
        return Reject(Reason.UNKNOWN_CHAIN, message)


@dataclass(frozen=True, slots=True)
class _UnknownChain:
    """Stands where a chain is asked for that the policy does not have."""

    chain: str
    name: str = "unknown_chain"
    needs: Needs = NO_NEEDS
    deadline_s: float = 1.0
    on_failure: OnFailure = OnFailure.CLOSED

    def open(self, info: ExchangeInfo) -> Filter:
        return _Nowhere(self.chain[:64])


def _unknown(chain: str, like: Plan) -> Plan:
    return replace(like, chain=chain[:64], stages=(_UnknownChain(chain),), needs=NO_NEEDS)
