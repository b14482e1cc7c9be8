"""Runs one request through the real chain of a program, in a given world, without a network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

from headrace.dsl.cases import Given, TestCase
from headrace.dsl.program import DEFAULT_CHAIN, After, Program, RuleFault, Scalar
from headrace.extensions.picker.flow.turn import Turn
from headrace.extensions.picker.flow.waiter import Turned
from headrace.extensions.registry import Builder, Site, builders
from headrace.extensions.stage import Outcome
from headrace.host.afterwards import LookedBack, look_back
from headrace.host.exchange.part import Direction, Modes
from headrace.host.extproc.opening import Opening
from headrace.host.generation import build_generation
from headrace.host.policytest.asked import Unaskable, message_of
from headrace.host.policytest.beside import NOTHING, Beside, assumed, offline, reply
from headrace.host.policytest.world import NOW_S, NOW_UNIX_S, World, world
from headrace.host.testing.envoy_model import EnvoyModel, Weather
from headrace.host.testing.lane import Lane
from headrace.host.testing.message import Message, Seen

ID = "test-1"
SEED = 0


@dataclass(frozen=True, slots=True)
class Ran:
    """One request that was decided, and answered as a model server would.

    values  what expectations read
    """

    world: World = field(repr=False)
    seen: Seen = field(repr=False)
    outcome: Outcome = field(repr=False)
    values: LookedBack


@dataclass(frozen=True, slots=True)
class Missed:
    """An expectation that did not hold, and what it came to."""

    expected: After
    came: Scalar | RuleFault


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one case. *error*: why it could not be run at all.

    assumed  the guards of which it is assumed that their providers find nothing
    """

    case: TestCase
    wall_s: float
    ran: Ran | None = None
    missed: tuple[Missed, ...] = ()
    error: str = ""
    assumed: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every expectation held."""
        return not self.missed and not self.error


class Broken(Exception):
    """The chain did not bring the request to an end. The message says what happened."""


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs requests by one program. Each starts afresh: nothing is learned from one to the next.

    installed  the stages that there are; looking for them takes milliseconds
    """

    program: Program
    installed: Mapping[str, Builder] = field(default_factory=builders, repr=False)

    def case(self, case: TestCase) -> Result:
        """Return what comes of *case*. Never raises: a failure is a result."""
        began_s = perf_counter()
        try:
            where = world(self.program, case.pools)
            ran = self.request(case.request, where, Beside.of(case))
        except (Unaskable, Broken) as fault:
            return Result(case, perf_counter() - began_s, error=str(fault))
        except Exception as bug:
            error = f"a bug of the host: {type(bug).__name__}: {bug}"
            return Result(case, perf_counter() - began_s, error=error)
        missed = tuple(missed_of(case.expects, ran.values))
        quiet = assumed(self.program, case)
        return Result(case, perf_counter() - began_s, ran, missed, assumed=quiet)

    def request(self, request: Mapping[str, Given], where: World, beside: Beside = NOTHING) -> Ran:
        """Return what the chain `default` does with *request*, in the world *where*.

        Raises:
            Unaskable: its fields contradict each other.
            Broken: the exchange came to no end.
        """
        message = message_of(request)
        site = Site(where.store(), _report_nothing, SEED, NOW_UNIX_S - NOW_S)
        program = offline(where.program, beside.guards)
        generation = build_generation(program, site, installed=self.installed)
        plan = replace(generation.plans[DEFAULT_CHAIN.name], clock=_stopped)
        still = replace(generation, plans={DEFAULT_CHAIN.name: plan})
        exchange = still.open(Opening(modes=Modes()), NOW_S, ID)
        answer = reply(message, beside.answer)
        lanes = (_lane(Direction.REQUEST, message), _lane(Direction.RESPONSE, answer))
        weather = Weather(Modes())
        model = EnvoyModel(exchange, weather, *lanes, performs=PERFORMS, now_s=NOW_S, tick_s=0.0)
        seen = model.run()
        if exchange.outcome is None or seen.violations:
            raise Broken("; ".join(seen.violations) or "the exchange did not end")
        if seen.aborted:
            raise Broken(f"the exchange was broken off: {seen.aborted}")
        values = look_back(exchange.outcome, where.program)
        return Ran(where, seen, exchange.outcome, values)


def _wait_out(turn: Turn) -> Turned:
    """Return what a wait comes to where the time stands still: it lasts as long as it may."""
    turn.flow.expire(turn.waiter.expires_s)
    assert turn.waiter.turned is not None, "it has expired"
    return turn.waiter.turned


PERFORMS = {Turn: _wait_out}


def missed_of(expects: Sequence[After], values: LookedBack) -> list[Missed]:
    """Return those of *expects* that are not true of *values*."""
    found: list[Missed] = []
    for after in expects:
        came = after.value(values.request, values.model, values.decision, values.response, NOW_S)
        if came is not True:
            found.append(Missed(after, came))
    return found


def _lane(direction: Direction, message: Message) -> Lane:
    mode = Modes().of(direction)
    return Lane(direction, mode, message, [message.body] if message.body else [], False)


def _report_nothing(outcome: Outcome) -> None:
    """Tell nobody: the outcome is looked at here."""


def _stopped() -> float:
    return NOW_S
