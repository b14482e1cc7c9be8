"""A generation: one program with the stages built from it, ready to open exchanges.

Immutable. A reload builds another one and swaps the reference; exchanges in flight
finish on the generation they began with.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from time import monotonic

from headrace.dsl.program import DEFAULT_CHAIN, Program
from headrace.extensions.body_router.values import facts
from headrace.extensions.control import forged
from headrace.extensions.headers import Headers
from headrace.extensions.reasons import Reason
from headrace.extensions.registry import Site, build
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
NO_NEEDS = Needs()


@dataclass(frozen=True, slots=True)
class Generation:
    """What serves exchanges: a plan per chain.

    modes      the body modes where the peer does not tell them
    next_id    gives an exchange its name where the client gave none
    """

    program: Program
    plans: Mapping[str, Plan]
    modes: Modes
    next_id: Callable[[], str]

    def open(self, opening: Opening, now_s: float) -> Exchange:
        """Open the exchange of one stream. An unknown chain rejects, by name, whatever comes."""
        plan = self.plans.get(opening.chain)
        if plan is None:
            plan = _unknown(opening.chain, self.plans[DEFAULT_CHAIN.name])
        modes = opening.modes or self.modes
        return Exchange(plan, modes, self.next_id(), opening.traceparent, now_s)

    def wants_context(self, chain: str) -> bool:
        """Return whether a stage of *chain* reads attributes or metadata."""
        plan = self.plans.get(chain)
        return plan is not None and any(
            s.needs.attributes or s.needs.forwarding for s in plan.stages
        )

    def needs(self) -> Needs:
        """Return the union of what the stages of all chains need."""
        return union(plan.needs for plan in self.plans.values())


def build_generation(
    program: Program, site: Site, limits: Limits | None = None, modes: Modes | None = None
) -> Generation:
    """Build the stages of every chain of *program*, each stage once.

    Raises:
        UnknownStage: a chain names a stage that is not installed.
    """
    chains = {DEFAULT_CHAIN.name: DEFAULT_CHAIN, **program.chains}
    names = {name for chain in chains.values() for name in chain.stages}
    stages = {name: build(name, program, site) for name in sorted(names)}
    plans = {
        chain.name: make_plan(
            chain.name, tuple(stages[name] for name in chain.stages), program, limits or Limits()
        )
        for chain in chains.values()
    }
    return Generation(program, plans, modes or Modes(), exchange_ids(site.seed))


def make_plan(
    chain: str,
    stages: tuple[Stage, ...],
    program: Program | None,
    limits: Limits,
    clock: Callable[[], float] = monotonic,
) -> Plan:
    """Return the plan of one chain; *program* says which control headers are trusted."""
    needs = union(stage.needs for stage in stages)
    return Plan(chain, stages, limits, _forged(program), needs, clock)


def exchange_ids(seed: int) -> Callable[[], str]:
    """Return a source of names, each once in a process, for exchanges without `x-request-id`."""
    numbers = count(1)
    prefix = f"hr-{seed:x}"
    return lambda: f"{prefix}-{next(numbers):x}"


def _forged(program: Program | None) -> Callable[[Headers], tuple[str, ...]]:
    trusts = program.trusts if program is not None else ()
    if not trusts:
        return lambda headers: forged(headers, NO_NAMES)

    def untrusted(headers: Headers) -> tuple[str, ...]:
        values = facts(Request("", headers))
        held: set[str] = set()
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
    return Plan(chain[:64], (_UnknownChain(chain),), like.limits, like.forged, NO_NEEDS, like.clock)
