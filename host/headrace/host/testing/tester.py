"""Run a stage's cases under every body mode, cutting of bytes and interleaving; all must agree."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from headrace.extensions.control import forged
from headrace.extensions.headers import Headers
from headrace.extensions.stage import Needs, ResponseNeed, Stage, union
from headrace.host.exchange.exchange import Exchange
from headrace.host.exchange.limits import Limits
from headrace.host.exchange.part import BodyMode, Direction, Modes
from headrace.host.exchange.plan import Plan
from headrace.host.testing.envoy_model import EnvoyModel, Performs, Weather
from headrace.host.testing.lane import Lane
from headrace.host.testing.message import Message, Seen

FDS = BodyMode.FULL_DUPLEX_STREAMED
OK = Message.answer(b'{"ok":true}')


class Unequal(AssertionError):
    """A stage's result depends on how the bytes came, or the exchange broke a rule."""


@dataclass(frozen=True, slots=True)
class Cutting:
    """How a body is cut. *size* 0: whole; below 0: pseudo-random sizes by that seed."""

    name: str
    size: int
    bare_end: bool = False

    def cut(self, body: bytes) -> list[bytes]:
        """Return the pieces of *body*."""
        if not body or self.size == 0:
            return [body] if body else []
        if self.size > 0:
            return [body[at : at + self.size] for at in range(0, len(body), self.size)]
        pieces: list[bytes] = []
        state, at = -self.size, 0
        while at < len(body):
            state = (state * 1_103_515_245 + 12_345) % (1 << 31)  # the C library's classic LCG
            size = 1 + (state >> 8) % 37
            pieces.append(body[at : at + size])
            at += size
        return pieces


CUTTINGS = (
    Cutting("1 byte", 1),
    Cutting("3 bytes, bare end", 3, bare_end=True),
    Cutting("16 KiB", 16 * 1024),
    Cutting("whole", 0),
    Cutting("whole, bare end", 0, bare_end=True),
    Cutting("random", -7),
)
BODY_MODES = tuple(BodyMode)


@dataclass(frozen=True, slots=True)
class Case:
    """One exchange to try. *performs* says what to reply to each type of effect."""

    request: Message
    response: Message = OK
    performs: Performs = field(default_factory=dict[Any, Callable[[Any], object]])


@dataclass(frozen=True, slots=True)
class StageTester:
    """Tries *stages*, a chain, on cases. No gRPC, no event loop, no clock."""

    stages: Sequence[Stage]
    limits: Limits = field(default_factory=Limits)

    @property
    def needs(self) -> Needs:
        """What all the stages together must see."""
        return union(stage.needs for stage in self.stages)

    def run(
        self, case: Case, weather: Weather | None = None, cutting: Cutting = CUTTINGS[3]
    ) -> Seen:
        """Return what both ends see of *case* in one weather."""
        weather = weather or Weather(Modes())
        plan = Plan(
            "default", tuple(self.stages), self.limits, _forged, self.needs, clock=lambda: 0.0
        )
        exchange = Exchange(plan, weather.modes, "test-1", "", 0.0)
        lanes = [
            _lane(Direction.REQUEST, weather.modes.request, case.request, cutting),
            _lane(Direction.RESPONSE, weather.modes.response, case.response, cutting),
        ]
        model = EnvoyModel(exchange, weather, lanes[0], lanes[1], case.performs)
        seen = model.run()
        seen.outcome = exchange.outcome
        return seen

    def everywhere(self, case: Case, compare: Callable[[Seen], object] | None = None) -> Seen:
        """Run *case* in every weather that can show the stages what they need.

        Returns what all of them agreed on, by *compare* (default: the messages at both
        ends, the metadata and the records).

        Raises:
            Unequal: two weathers differ, or the exchange broke a rule of the protocol.
        """
        view = compare or default_view
        reference = self.run(case)
        _check(reference, "FULL_DUPLEX_STREAMED both ways, whole")
        usual = view(reference)
        for name, weather, cutting in self.weathers():
            seen = self.run(case, weather, cutting)
            _check(seen, name)
            viewed = view(seen)
            if viewed != usual:
                raise Unequal(f"{name}:\n{viewed}\nbut usually:\n{usual}")
        return reference

    def weathers(self) -> Iterator[tuple[str, Weather, Cutting]]:
        """Yield every weather, with a name, in which the stages can do their work."""
        needs = self.needs
        gated = needs.response is ResponseNeed.GATE
        for request, response in product(BODY_MODES, BODY_MODES):
            if needs.request_body and not _shows_body(request, response):
                continue
            if needs.response is not ResponseNeed.NONE and response is BodyMode.NONE:
                continue
            if gated and response is BodyMode.STREAMED:
                continue  # a refusal cannot be the same once the head has gone
            for cutting, early, late in product(CUTTINGS, (False, True), (False, True)):
                name = f"{request.name}/{response.name}, {cutting.name}"
                name += ", early response" * early + ", late effects" * late
                weather = Weather(Modes(request, response), True, early, late)
                yield name, weather, cutting


def default_view(seen: Seen) -> object:
    """Return what a stage's author cares about: both messages, metadata, records, the end."""
    outcome = seen.outcome
    records = [run.records for run in outcome.runs if run.records] if outcome else []
    upstream = seen.upstream and replace(
        seen.upstream, headers=tuple(sorted(seen.upstream.headers))
    )
    # A request that a stage answers may or may not have gone upstream in part.
    answered = bool(outcome and outcome.reason)
    return (None if answered else upstream, seen.downstream, seen.metadata, records, seen.aborted)


def _lane(direction: Direction, mode: BodyMode, message: Message, cutting: Cutting) -> Lane:
    pieces = cutting.cut(message.body)
    bare_end = cutting.bare_end and bool(message.body)
    return Lane(direction, mode, message, pieces, bare_end)


def _shows_body(request: BodyMode, response: BodyMode) -> bool:
    """Whether a decision by the body can still change the head (see docs/explain/body-modes.md)."""
    if request is BodyMode.STREAMED:
        return response is not FDS
    return request is not BodyMode.NONE


def _check(seen: Seen, name: str) -> None:
    if seen.violations:
        raise Unequal(f"{name}: {'; '.join(seen.violations)}")


def _forged(headers: Headers) -> tuple[str, ...]:
    return forged(headers, frozenset())
