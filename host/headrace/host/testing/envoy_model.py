"""A model of Envoy's ext_proc filter: drives one exchange, and refuses what Envoy would refuse."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from headrace.extensions.headers import Pairs
from headrace.host.exchange.exchange import Exchange
from headrace.host.exchange.part import BodyMode, Direction, Modes
from headrace.host.exchange.reply import (
    Abort,
    BodyReply,
    Cancel,
    ExtendTimeout,
    HeadersReply,
    ImmediateReply,
    LocalChunk,
    LocalHead,
    LocalTrailers,
    Metadata,
    Output,
    Perform,
    TrailersReply,
    Watch,
)
from headrace.host.testing.lane import Lane, Spurious
from headrace.host.testing.message import Message, Seen

# Any, because each type of effect has a performer of its own.
Performs = Mapping[Any, Callable[[Any], object]]
FDS = BodyMode.FULL_DUPLEX_STREAMED


@dataclass(frozen=True, slots=True)
class Weather:
    """How an exchange goes that goes well: what a stage must not notice.

    allow_mode_override  Envoy's setting of that name
    early_response       the upstream answers as soon as it has the request's head
    late_effects         effects are replied to only when Envoy has nothing left to send
    """

    modes: Modes
    allow_mode_override: bool = True
    early_response: bool = False
    late_effects: bool = False


@dataclass(slots=True)
class EnvoyModel:
    """One HTTP exchange through one Exchange. Written by `run` only.

    upstream   request as the upstream got it -> its response
    performs   what to reply to each type of effect; others are refused
    tick_s     how far time goes on with every message
    """

    exchange: Exchange
    weather: Weather
    request: Lane
    response: Lane
    performs: Performs
    now_s: float = 0.0
    seen: Seen = field(default_factory=Seen)
    effects: deque[Perform] = field(default_factory=deque[Perform])
    local: list[bytes] = field(default_factory=list[bytes])
    local_head: Pairs = ()
    over: bool = False
    tick_s: float = 0.001

    def run(self) -> Seen:
        """Drive the exchange to its end and return what both ends saw."""
        self._take(self.exchange.receive(self.request.begin(), self.now_s))
        while not self.over and self._advance():
            self.now_s += self.tick_s
        if not self.over and not self.seen.violations:
            self._conclude()
        self.exchange.end("complete" if self.over else "client-gone", self.now_s)
        return self.seen

    def _advance(self) -> bool:
        if self.effects and not self.weather.late_effects:
            return self._perform()
        for lane in (self.response, self.request):
            if lane.may_send():
                self._take(self.exchange.receive(lane.next_part(), self.now_s))
                return True
        if self._response_may_begin():
            self._take(self.exchange.receive(self.response.begin(), self.now_s))
            return True
        return bool(self.effects) and self._perform()

    def _response_may_begin(self) -> bool:
        if self.response.begun:
            return False
        return self.request.ended or (self.weather.early_response and self.request.flushed)

    def _perform(self) -> bool:
        asked = self.effects.popleft()
        perform = self.performs.get(type(asked.effect))
        if perform is None:
            error = f"no performer for `{type(asked.effect).__name__}`"
            self._take(self.exchange.refuse(asked.ticket, error, self.now_s))
        else:
            reply = perform(asked.effect)
            self._take(self.exchange.resume(asked.ticket, reply, self.now_s))
        return True

    def _take(self, outputs: list[Output]) -> None:
        for output in outputs:
            try:
                self._take_one(output)
            except Spurious as fault:
                self.seen.violations.append(str(fault))
                self.over = True

    def _take_one(self, output: Output) -> None:
        match output:
            case Perform():
                self.effects.append(output)
            case Cancel(ticket):
                self.effects = deque(e for e in self.effects if e.ticket != ticket)
            case ExtendTimeout() | Watch():
                pass
            case Abort(code):
                self.seen.aborted, self.over = code, True
            case _ if self.over:
                raise Spurious(f"{type(output).__name__} after the end")
            case ImmediateReply():
                self._immediate(output)
            case LocalHead() | LocalChunk() | LocalTrailers():
                self._local(output)
            case HeadersReply():
                self._headers(output)
            case BodyReply():
                self._merge(output.metadata)
                self.seen.route_cache_cleared |= output.clear_route_cache
                self._lane(output.direction).take_body(output)
                self._check_over()
            case TrailersReply():
                self._lane(output.direction).take_trailers(output)
                self._check_over()

    def _headers(self, reply: HeadersReply) -> None:
        self._merge(reply.metadata)
        self.seen.route_cache_cleared |= reply.clear_route_cache
        override, modes = reply.mode_override, self.weather.modes
        if (
            override
            and self.weather.allow_mode_override
            and FDS
            not in (
                modes.request,
                modes.response,
            )
        ):
            self.request.mode = override.request
        self._lane(reply.direction).take_head(reply)
        self._check_over()

    def _immediate(self, reply: ImmediateReply) -> None:
        if self.response.flushed:
            raise Spurious("an immediate reply after the head of the response")
        self._merge(reply.metadata)
        head = ((":status", str(reply.status)), *reply.headers)
        self.seen.downstream, self.over = Message(head, reply.body), True

    def _local(self, output: LocalHead | LocalChunk | LocalTrailers) -> None:
        if self.response.flushed:
            raise Spurious("a streamed answer after the head of the response")
        lane = self.response if self.response.begun else self.request
        if lane.mode not in (BodyMode.NONE, FDS):
            raise Spurious(f"a streamed answer in mode {lane.mode.name}")
        trailers: Pairs | None = None
        match output:
            case LocalHead(headers):
                if self.local_head:
                    raise Spurious("a second head of a streamed answer")
                self.local_head, self.over = headers, output.end_of_stream
            case LocalChunk(data):
                self.local.append(data)
                self.over = output.end_of_stream
            case LocalTrailers(headers):
                trailers, self.over = headers, True
        if not self.local_head:
            raise Spurious("a streamed answer without a head")
        if self.over:
            self.seen.downstream = Message(self.local_head, b"".join(self.local), trailers)

    def _merge(self, metadata: Metadata | None) -> None:
        for namespace, values in (metadata or {}).items():
            self.seen.metadata.setdefault(namespace, {}).update(values)

    def _lane(self, direction: Direction) -> Lane:
        return self.request if direction is Direction.REQUEST else self.response

    def _check_over(self) -> None:
        if self.request.ended and self.seen.upstream is None:
            self.seen.upstream = self.request.result()
        if self.response.ended and self.seen.downstream is None:
            self.seen.downstream = self.response.result()
        self.over = self.request.ended and self.response.ended

    def _conclude(self) -> None:
        """Envoy waits for something that does not come."""
        owed = [
            f"{lane.direction.value} {what}"
            for lane in (self.request, self.response)
            for what, is_owed in (
                ("headers reply", lane.head_owed),
                ("body", lane.begun and not lane.ended),
            )
            if is_owed
        ]
        self.seen.violations.append(f"stuck: {', '.join(owed) or 'nothing owed'}")
