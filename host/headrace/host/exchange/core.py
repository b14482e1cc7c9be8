"""What the two directions of an exchange share: outputs, running hooks, and the one early end."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from msgspec import Struct

from headrace.extensions.headers import EMPTY, Headers, Pairs
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import (
    Answer,
    Effect,
    EndReply,
    ExchangeInfo,
    Json,
    Now,
    Reject,
    Request,
    SendChunk,
    StartReply,
)
from headrace.extensions.texts.errors import error_events
from headrace.host.exchange.chain import (
    Ask,
    Chain,
    DeadlineMissed,
    Slot,
    Steps,
    Stopped,
    slot,
)
from headrace.host.exchange.local import api_asked, head_of, immediate
from headrace.host.exchange.part import BodyMode, Context, Modes
from headrace.host.exchange.passes import local_pass
from headrace.host.exchange.plain_errors import plain
from headrace.host.exchange.plan import Plan
from headrace.host.exchange.reply import (
    Abort,
    Cancel,
    ExtendTimeout,
    ImmediateReply,
    LocalChunk,
    LocalHead,
    LocalTrailers,
    Metadata,
    Output,
    Perform,
    Watch,
)

T = TypeVar("T")
FDS = BodyMode.FULL_DUPLEX_STREAMED
ENVELOPE_BYTES = 8192  # what a message may have beside a whole body: headers and metadata


class Waiting(Struct):
    """A pass that waits for an effect."""

    walk: "Walk"
    due_s: float


class Walk(Struct, frozen=True):
    """A pass under way.

    mode     of its direction's body: outside FULL_DUPLEX_STREAMED Envoy's timer runs
    state    where Envoy waits; it takes one extension of its timer per state
    until_s  when Envoy's own timer would answer instead of us
    """

    steps: Steps[Any]
    done: Callable[[Any], None]
    mode: BodyMode
    state: object
    until_s: float


class Core(Struct):
    """State of one exchange that both directions use. Written by that exchange only.

    silent       an answer of ours is out, or the stream is aborted: parts are consumed unseen
    head_seen    the request's head has come
    withheld     bytes of the request were kept from an upstream that has the head already
    reason       why the answer was ours
    refusal      the reject that the client was told, if any
    told         the headers of a whole answer of ours
    status       what the client got, as far as we know
    local        the streamed answer of ours, once begun
    announced    the traceparent that the upstream is sent in place of the client's; may be empty
    watching     the ticket of what may end the exchange from outside; 0 for nothing
    """

    plan: Plan
    modes: Modes
    id: str
    traceparent: str
    now_s: float
    chain: Chain
    request: Request
    outputs: list[Output] = []
    waiting: dict[int, Waiting] = {}
    opened: bool = False
    head_seen: bool = False
    withheld: bool = False
    silent: bool = False
    reason: Reason | None = None
    refusal: Reject | None = None
    told: Pairs = ()
    status: int = 0
    decided_s: float | None = None
    attributes: dict[str, Json] = {}
    metadata: dict[str, Mapping[str, Json]] = {}
    local: "LocalAnswer | None" = None
    announced: str = ""
    watching: int = 0
    _tickets: int = 0
    _extended: set[object] = set()

    def open(self, headers: Headers) -> None:
        """Open the filters, once, when the first part has come."""
        if self.opened:
            return
        self.opened = True
        self.traceparent = self.traceparent or headers.get("traceparent")
        self.id = headers.get("x-request-id") or self.id
        if self.plan.announce is not None:
            self.announced = self.plan.announce(self.traceparent, self.id)
        info = ExchangeInfo(self.id, self.plan.chain, headers, self.now_s, self.traceparent)
        slots: list[Slot] = []
        for stage in self.plan.stages:
            opened = stage.open(info)
            if opened is not None:
                slots.append(slot(stage, opened))
        self.chain.slots = tuple(slots)
        unix_s = self.plan.epoch_s + self.now_s
        self.request = Request(self.id, headers, unix_s=unix_s)

    def learn(self, context: Context) -> None:
        """Keep what came beside a part; later values of a key replace earlier ones."""
        self.attributes.update(context.attributes)
        for namespace, values in context.metadata.items():
            self.metadata[namespace] = values

    def run(
        self, steps: Steps[T], done: Callable[[T], None], mode: BodyMode, state: object
    ) -> None:
        """Run *steps*; call *done* with the result, now or when the effects are in.

        mode, state  where Envoy waits: outside FULL_DUPLEX_STREAMED it is asked once per
                     state for more time, if a stage may take longer than Envoy's timeout
        """
        self.chain.now_s = self.now_s
        try:
            ask = steps.send(None)
        except StopIteration as end:  # the usual case: nobody awaits anything
            done(end.value)
            return
        self._follow(Walk(steps, done, mode, state, self.now_s + self._patience_s(mode)), ask)

    def resume(self, ticket: int, reply: object) -> None:
        """Give the reply of the effect *ticket* to the hook that waits for it."""
        waiting = self.waiting.pop(ticket, None)
        if waiting is not None:
            self._step(waiting.walk, reply)

    def refuse(self, ticket: int, fault: Exception) -> None:
        """Fail the hook that waits for *ticket*."""
        waiting = self.waiting.pop(ticket, None)
        if waiting is not None:
            self._step(waiting.walk, None, fault)

    def watch(self, effect: Effect[Reject]) -> None:
        """Let *effect* be performed beside the exchange, which may end it."""
        self._tickets += 1
        self.watching = self._tickets
        self.outputs.append(Watch(self.watching, effect))

    def due_s(self) -> float | None:
        """Return when the first waiting hook misses its deadline."""
        return min((w.due_s for w in self.waiting.values()), default=None)

    def expire(self) -> None:
        """Fail every hook whose deadline has come."""
        for ticket, waiting in list(self.waiting.items()):
            if waiting.due_s <= self.now_s and ticket in self.waiting:
                self.outputs.append(Cancel(ticket))
                self.refuse(ticket, DeadlineMissed())

    def reject(self, reject: Reject) -> None:
        """Answer with *reject* for a reason of our own; the stages asked so far see it."""
        self.drop_waiting()
        if self.local is not None:
            self.stop(Stopped(reject))
            return
        slots = self.chain.slots[: self.chain.asked]
        self.run(
            local_pass(self.chain, reject, slots),
            self.stop,
            FDS,
            None,
        )

    def stop(self, stopped: Stopped, metadata: Metadata | None = None) -> None:
        """Send the answer of ours that *stopped* has; nothing follows it."""
        self.drop_waiting()
        answer = stopped.answer
        if isinstance(answer, Reject):
            self.reason, self.refusal = answer.reason, answer
        if self.local is not None:
            self._end_stream(answer, stopped.headers)
        else:
            assert isinstance(answer, Reject | Answer)
            grpc = self.request.headers.get("content-type").startswith("application/grpc")
            headers = stopped.headers or tuple(head_of(answer).items())
            reply = self._whole(answer, headers, grpc, metadata)
            self.status, self.told = reply.status, reply.headers
            self.outputs.append(reply)
        self.decided_s = self.decided_s or self.now_s
        self.silent = True

    def abort(self, code: str, message: str) -> None:
        """End the stream with an error status: the only honest end while bytes are owed."""
        self.drop_waiting()
        self.outputs.append(Abort(code, message))
        self.silent = True

    def drop_waiting(self) -> None:
        """Leave every waiting hook; its `finally` blocks run."""
        if self.watching:
            self.outputs.append(Cancel(self.watching))
            self.watching = 0
        left, self.waiting = self.waiting, {}
        self.chain.now_s = self.now_s
        for ticket, waiting in left.items():
            self.outputs.append(Cancel(ticket))
            with suppress(RuntimeError):  # a stage that awaits while it is being left
                waiting.walk.steps.close()

    def _step(self, walk: Walk, reply: object = None, fault: Exception | None = None) -> None:
        self.chain.now_s = self.now_s
        try:
            ask = walk.steps.send(reply) if fault is None else walk.steps.throw(fault)
        except StopIteration as end:
            walk.done(end.value)
            return
        self._follow(walk, ask)

    def _follow(self, walk: Walk, ask: Ask) -> None:
        """Do what the core itself does for a hook, then wait for what the edge must do."""
        try:
            while isinstance(ask.effect, StartReply | SendChunk | Now):
                if isinstance(ask.effect, Now):
                    ask = walk.steps.send(self.now_s)
                    continue
                self._stream(ask.effect, walk.mode)
                ask = walk.steps.send(None)
        except StopIteration as end:
            walk.done(end.value)
            return
        self._wait(walk, ask)

    def _wait(self, walk: Walk, ask: Ask) -> None:
        limits = self.plan.limits
        self._tickets += 1
        self.waiting[self._tickets] = Waiting(walk, min(ask.due_s, walk.until_s))
        self.outputs.append(Perform(self._tickets, ask.stage, ask.effect))
        slow = ask.due_s - self.now_s > limits.message_timeout_s
        extends = slow and walk.mode is not FDS and limits.message_timeout_max_s > 0.0
        if extends and walk.state not in self._extended:
            self._extended.add(walk.state)
            self.outputs.append(ExtendTimeout(limits.message_timeout_max_s))

    def _patience_s(self, mode: BodyMode) -> float:
        """Return how long Envoy waits for a reply, less the time that ours takes to get there."""
        limits = self.plan.limits
        if mode is FDS:
            return limits.answer_within_s
        timed_s = 0.9 * max(limits.message_timeout_s, limits.message_timeout_max_s)
        return min(limits.answer_within_s, timed_s)

    def _stream(self, effect: StartReply | SendChunk, mode: BodyMode) -> None:
        if isinstance(effect, StartReply):
            self.status = effect.status
            collects = mode not in (BodyMode.NONE, FDS) or not self.head_seen
            self.local = LocalAnswer(effect.status, tuple(effect.headers.items()), collects)
            if not self.local.collects:
                self.outputs.append(LocalHead(self.local.head))
            return
        assert self.local is not None
        if self.local.collects:
            self.local.size += len(effect.data)
            if self.local.size <= self.plan.limits.gate_bytes_max:
                self.local.pieces.append(effect.data)
            return
        size = self.plan.limits.chunk_bytes_max
        for at in range(0, len(effect.data), size):
            self.outputs.append(LocalChunk(effect.data[at : at + size]))

    def _whole(
        self, answer: Reject | Answer, headers: Pairs, grpc: bool, metadata: Metadata | None
    ) -> ImmediateReply:
        reply = immediate(answer, headers, grpc, metadata, api_asked(self.request))
        if len(reply.body) + ENVELOPE_BYTES > self.plan.limits.reply_bytes_max:
            why = f"the answer has {len(reply.body)} bytes, more than the gateway takes"
            answer = self.refusal = Reject(Reason.RESPONSE_TOO_LARGE, why)
            self.reason = answer.reason
            headers = tuple(head_of(answer).items())
            reply = immediate(answer, headers, grpc, metadata, api_asked(self.request))
        if self.plan.plain_errors and isinstance(answer, Reject) and not grpc:
            return plain(reply, answer)
        return reply

    def _end_stream(self, answer: Reject | Answer | EndReply, trailers: Pairs) -> None:
        local = self.local
        assert local is not None
        if local.collects:
            self._end_collected(local, answer)
        elif isinstance(answer, EndReply):
            self.outputs.append(LocalTrailers(trailers) if trailers else LocalChunk(b"", True))
        elif local.event_stream and isinstance(answer, Reject):
            events = error_events(api_asked(self.request), answer)
            self.outputs.append(LocalChunk(events, True))
        else:
            self.outputs.append(Abort("UNAVAILABLE", "a stage failed in its streamed answer"))

    def _end_collected(self, local: "LocalAnswer", answer: Reject | Answer | EndReply) -> None:
        if local.size > self.plan.limits.gate_bytes_max:
            answer = Reject(Reason.RESPONSE_TOO_LARGE, "the streamed answer is too large to hold")
        if isinstance(answer, Reject | Answer):
            headers = tuple(head_of(answer).items())
            reply = self._whole(answer, headers, False, None)
            self.status = reply.status
        else:
            body = b"".join(local.pieces)
            reply = ImmediateReply(local.status, local.headers, body, details="headrace_answer")
        self.outputs.append(reply)


class LocalAnswer(Struct):
    """A streamed answer of ours. Written by its Core.

    Envoy 1.40 takes one only while the body mode is NONE or FULL_DUPLEX_STREAMED, and only
    if it showed us the request's head; else the answer is collected and given whole, without
    trailers.
    """

    status: int
    headers: Pairs
    collects: bool
    pieces: list[bytes] = []
    size: int = 0

    @property
    def head(self) -> Pairs:
        return ((":status", str(self.status)), *self.headers)

    @property
    def event_stream(self) -> bool:
        return dict(self.headers).get("content-type", "").startswith("text/event-stream")


def new_core(plan: Plan, modes: Modes, id: str, traceparent: str, now_s: float) -> Core:
    """Return the state of an exchange to which nothing has happened."""
    return Core(plan, modes, id, traceparent, now_s, Chain((), plan.clock), Request(id, EMPTY))
