"""The contract between a host and its stages.

A stage is built once per policy generation and shared by all exchanges. For each
exchange it may open a filter, whose hooks are handed values and answer with one
Action. Hooks do no I/O and read no clock: what they need from the world they ask
for by awaiting an Effect, and the host, real or simulated, brings the reply.

The values that hooks are handed are in `values`; this module names them too, so that a
stage's author imports from one place.
"""

from collections.abc import Coroutine, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from headrace.extensions.reasons import Reason
from headrace.extensions.values import (
    NO_HEADERS,
    NO_METADATA,
    ExchangeInfo,
    Json,
    Outcome,
    Request,
    ResponseEnd,
    ResponseEvent,
    ResponseHead,
    Route,
    StageRun,
)

__all__ = [
    "CONTINUE",
    "NO_HEADERS",
    "NO_METADATA",
    "Action",
    "Answer",
    "Asking",
    "Continue",
    "Effect",
    "EndReply",
    "ExchangeInfo",
    "Filter",
    "Json",
    "Needs",
    "Now",
    "OnFailure",
    "Outcome",
    "Reject",
    "Request",
    "ResponseEnd",
    "ResponseEvent",
    "ResponseHead",
    "ResponseNeed",
    "Route",
    "Run",
    "SendChunk",
    "Stage",
    "StageRun",
    "StartReply",
    "union",
]

R = TypeVar("R")


class Effect(Generic[R]):
    """Something only a host can do, e.g. call Model Armor. Awaiting it gives the reply, an R.

    What can go wrong is part of R: a host replies, it does not raise into a stage.
    An effect the host does not know is refused, which fails the hook.
    """

    __slots__ = ()

    @property
    def patience_s(self) -> float:
        """How long it may take by its nature, beside the time that the hook has anyway."""
        return 0.0

    def __await__(self) -> "Generator[Effect[R], R, R]":
        return (yield self)


@dataclass(frozen=True, slots=True)
class Run(Effect[Any]):
    """Run *coroutine* on the host's event loop: the door for code that needs asyncio.

    The reply is what the coroutine returns; what it raises fails the hook.
    """

    coroutine: Coroutine[Any, Any, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Now(Effect[float]):
    """Ask what the time is, after another effect has taken some: the host's `now_s`."""


class ResponseNeed(Enum):
    """How much of a response a stage must see."""

    NONE = 0  # nothing, or only its headers
    OBSERVE = 1  # every event, after the fact: bytes pass at once, untouched
    GATE = 2  # every event before the client: it may be changed, dropped or refused

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is a Python function


class OnFailure(Enum):
    """What happens to the exchange when a hook raises, misses its deadline or is refused an effect.

    CLOSED answers with an error; OPEN goes on as if the stage were not there for the
    rest of the exchange; FALLBACK asks the filter's `fallback` hook for the action.
    """

    CLOSED = "closed"
    OPEN = "open"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a stage must see of an exchange. Nothing that no stage needs is captured.

    attributes   Envoy attribute expressions, e.g. ``source.address``
    forwarding   dynamic metadata namespaces to read, e.g. ``envoy.lb.subset_hint``
    receiving    dynamic metadata namespaces to write, e.g. ``envoy.lb``
    """

    request_body: bool = False
    response: ResponseNeed = ResponseNeed.NONE
    attributes: frozenset[str] = frozenset()
    forwarding: frozenset[str] = frozenset()
    receiving: frozenset[str] = frozenset()


def union(needs: Iterable[Needs]) -> Needs:
    """Return what covers all of *needs*."""
    body, response, sets = False, 0, (set[str](), set[str](), set[str]())
    for need in needs:
        body = body or need.request_body
        response = max(response, need.response.value)
        for merged, names in zip(
            sets, (need.attributes, need.forwarding, need.receiving), strict=True
        ):
            merged |= names
    return Needs(body, ResponseNeed(response), *(frozenset(merged) for merged in sets))


class Continue(Struct, frozen=True):
    """Go on, with these changes. All of them are dropped if the hook fails.

    set_headers     replace or add, one value each     append_headers  add beside what is there
    body            replace the body, or of a gated response this event (empty: drop it)
    metadata        namespace -> key -> value, handed to Envoy as dynamic metadata
    records         what was decided and why, for observers (e.g. a Decision)
    meanwhile       of a gated event: goes on beside all that comes next, and a Reject that it comes
                    to ends the stream; left alone once the stream is over
    watch           of a request: performed while it is with the upstream; its reply ends it
    """

    set_headers: Mapping[str, str] = NO_HEADERS
    append_headers: tuple[tuple[str, str], ...] = ()
    remove_headers: tuple[str, ...] = ()
    body: bytes | None = None
    clear_route_cache: bool = False
    metadata: Mapping[str, Mapping[str, Json]] = NO_METADATA
    route: Route | None = None
    records: tuple[object, ...] = ()
    meanwhile: Coroutine[Any, Any, Any] | None = None  # Any: as of `Asking`
    watch: "Effect[Reject] | None" = None

    def __repr__(self) -> str:
        names = (*self.set_headers, *self.remove_headers)
        return f"Continue({', '.join(names)})"


@dataclass(frozen=True, slots=True)
class Reject:
    """Answer the client now, with an error. *message* is for the client: what, where, the cure.

    status  the reason's own if None
    code    the OpenAI error's `code`; the reason's word if empty
    param   the OpenAI error's `param`
    """

    reason: Reason
    message: str
    status: int | None = None
    retry_after_s: float | None = None
    param: str | None = None
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    records: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the client now, with a whole response that is no error."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    records: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class StartReply(Effect[None]):
    """Begin a streamed answer instead of the upstream's; then `SendChunk`, then `EndReply`."""

    status: int
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)


@dataclass(frozen=True, slots=True)
class SendChunk(Effect[None]):
    """Send *data* as the next piece of the streamed answer."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class EndReply:
    """The streamed answer is complete."""

    trailers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    records: tuple[object, ...] = ()


Action = Continue | Reject | Answer | EndReply
CONTINUE = Continue()

# A hook that may still await effects. Python lets it await anything, hence Any;
# the runner lets it await effects only.
Asking = Coroutine[Any, Any, Action]


class Filter:
    """One stage's view of one exchange. Override the hooks you want; each does nothing by itself.

    A hook is a plain ``def`` that returns an Action, or an ``async def`` that awaits
    effects first. The plain one makes no coroutine: keep hot paths plain. When an
    exchange ends early, the ``finally`` blocks of a waiting hook run; they may not await.
    *now_s* is the host's monotonic clock at the call, in seconds.

    idle_s  under GATE: after so long without an event `on_response_idle` is called, once until
            the next event; None: never
    """

    idle_s: float | None = None

    def on_request(self, request: Request, now_s: float) -> Action | Asking:
        """Decide on *request*. Stages are called first to last."""
        return CONTINUE

    def on_response_headers(self, head: ResponseHead, now_s: float) -> Action | Asking:
        """Decide on the head of the response. Stages are called last to first.

        Also called for answers of our own (`head.local`), for the stages that ran before;
        then a Reject counts as a Continue. Envoy's own answers look like the upstream's.
        """
        return CONTINUE

    def on_response_event(self, event: ResponseEvent, now_s: float) -> Action | Asking:
        """Decide on one event: only for stages that need OBSERVE or GATE.

        Under OBSERVE the bytes have passed: changes in the Continue are a bug of the stage.
        """
        return CONTINUE

    def on_response_idle(self, waited_s: float, now_s: float) -> Action | Asking:
        """Decide what may go on although no event came for *waited_s*: see `idle_s`.

        A Continue's `body` is sent. Called only where Envoy takes bytes at any time.
        """
        return CONTINUE

    def on_response_end(self, end: ResponseEnd, now_s: float) -> Action | Asking:
        """Decide on the end of the response: only for stages that need OBSERVE or GATE.

        Under GATE a Continue's `body` is sent after the last event.
        """
        return CONTINUE

    def on_end(self, outcome: Outcome, now_s: float) -> None:
        """Note the end of the exchange. Always called once, whatever happened; never awaits."""

    def cut(self, now_s: float) -> tuple[object, ...]:
        """Return the records of a response that ended before `on_response_end` was called.

        The client has gone, or an answer of ours has ended it. Called for every stage.
        """
        return ()

    def left(self, now_s: float) -> tuple[object, ...]:
        """Return the records of a hook that the exchange, ending, has left waiting."""
        return ()

    def fallback(self, request: Request, now_s: float) -> Action:
        """Decide on *request* after `on_request` failed, for `OnFailure.FALLBACK`."""
        return CONTINUE


class Stage(Protocol):
    """One step of the chain. Built once per policy, shared by all exchanges."""

    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> Needs: ...

    @property
    def deadline_s(self) -> float:
        """How long one hook may take, its effects included but for their `patience_s`."""
        ...

    @property
    def on_failure(self) -> OnFailure: ...

    def open(self, info: ExchangeInfo) -> Filter | None:
        """Return the filter for one exchange, or None if the stage is not interested."""
        ...
