"""Ask one policy many things quickly: its stages are built once for pools of one size."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from headrace.dsl.program import DEFAULT_CHAIN, Program
from headrace.extensions.picker.flow.flows import Flows
from headrace.extensions.picker.prefix import PrefixIndex
from headrace.extensions.picker.snapshot import Snapshot
from headrace.extensions.picker.store import Store
from headrace.extensions.registry import Builder, Site
from headrace.extensions.stage import Outcome
from headrace.host.afterwards import look_back
from headrace.host.exchange.part import Direction, Modes
from headrace.host.extproc.opening import Opening
from headrace.host.generation import Generation, build_generation
from headrace.host.policytest.asked import Unaskable, message_of
from headrace.host.policytest.beside import offline, reply
from headrace.host.policytest.run import PERFORMS, SEED
from headrace.host.policytest.world import NOW_S, Cached, world
from headrace.host.testing.envoy_model import EnvoyModel, Weather
from headrace.host.testing.lane import Lane
from headrace.host.testing.message import Message
from headrace.host.witness.candidate import Candidate

# What of `decision.*` reaches a client or an upstream.
SEEN = (
    "status", "reason", "message", "retry_after", "pool", "endpoint", "target", "adapter",
)  # fmt: skip
_FIELDS = {"retry_after": "retry_after_s"}
Decided = Mapping[str, object]


@dataclass(slots=True)
class Judge:
    """Decides candidates by one program. Mutable: keeps the stages that it has built.

    built  the sizes of the pools -> the stages and the store that they read
    epoch  counts the states of the pools, so that none is taken for another
    """

    program: Program
    installed: Mapping[str, Builder] = field(repr=False)
    built: dict[tuple[tuple[str, int], ...], tuple[Generation, Store]] = field(
        default_factory=dict[tuple[tuple[str, int], ...], tuple[Generation, Store]]
    )
    epoch: int = 0

    def decide(self, candidate: Candidate) -> Decided | None:
        """Return what is decided, of the names `SEEN`; None if it cannot be asked or fails."""
        try:
            message = message_of(candidate.request)
        except Unaskable:
            return None
        where = world(self.program, candidate.given(self.program))
        sizes = tuple((pool, len(values)) for pool, values in candidate.pools.items())
        if sizes not in self.built:
            store = where.store()
            site = Site(store, _report_nothing, SEED)
            generation = build_generation(
                offline(where.program, ()), site, installed=self.installed
            )
            plan = replace(generation.plans[DEFAULT_CHAIN.name], clock=_stopped)
            plans = {DEFAULT_CHAIN.name: plan}
            self.built[sizes] = replace(generation, plans=plans), store
        generation, store = self.built[sizes]
        self.epoch += 1
        store.snapshot = Snapshot(where.snapshot.pools, self.epoch, NOW_S)
        store.flows = Flows()  # or one candidate would wait behind what another has left
        for pool, shares in where.cached.items():
            # As in a test: the picker asks an index for four methods only.
            store.prefixes[pool] = cast(PrefixIndex, Cached(shares))
        outcome = _ran(generation, message)
        if outcome is None:
            return None
        decided = look_back(outcome, where.program).decision
        return {name: getattr(decided, _FIELDS.get(name, name)) for name in SEEN}


def _ran(generation: Generation, message: Message) -> Outcome | None:
    exchange = generation.open(Opening(modes=Modes()), NOW_S, "test-1")
    lanes = (_lane(Direction.REQUEST, message), _lane(Direction.RESPONSE, reply(message, None)))
    model = EnvoyModel(
        exchange, Weather(Modes()), *lanes, performs=PERFORMS, now_s=NOW_S, tick_s=0.0
    )
    seen = model.run()
    return None if seen.violations or seen.aborted else exchange.outcome


def _lane(direction: Direction, message: Message) -> Lane:
    mode = Modes().of(direction)
    return Lane(direction, mode, message, [message.body] if message.body else [], False)


def _report_nothing(outcome: Outcome) -> None:
    """Tell nobody: the outcome is looked at here."""


def _stopped() -> float:
    return NOW_S
