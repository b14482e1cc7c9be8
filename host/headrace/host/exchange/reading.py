"""What the stages are told of a response body: events in order, one at a time, then its end.

Owns the queue between the bytes and the hooks, which may await. Sends nothing: what a
decision means for the wire is its Sink's business.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct, field

from headrace.extensions.headers import EMPTY, Headers
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Action, Reject, ResponseEnd, ResponseEvent
from headrace.extensions.texts.errors import Begun
from headrace.extensions.values import DONE
from headrace.host.exchange.chain import Steps
from headrace.host.exchange.core import Core
from headrace.host.exchange.event_stream import events_in
from headrace.host.exchange.part import BodyMode, Direction
from headrace.host.exchange.passes import end_pass, event_pass, idle_pass, observe
from headrace.host.exchange.reader import Reader, ReadFault


class Sink(Protocol):
    """Told what the stages decided, in the order of the body."""

    def release(self, data: bytes) -> None:
        """Take gated bytes that may go on."""
        ...

    def reply(self, data: bytes) -> None:
        """Note that all events of the counted body message *data* are decided."""
        ...

    def close(self, data: bytes | None) -> None:
        """Note that the body is decided; *data* is its last message, None if trailers ended it."""
        ...

    def refuse(self, reject: Reject) -> None:
        """Note that the rest of the body must not pass."""
        ...

    def flush(self) -> None:
        """Note that nothing more is decided until a hook or the upstream goes on."""
        ...


class ChunkEnd(Struct, frozen=True):
    """Work: all events that one counted body message completed are decided."""

    data: bytes

    def __repr__(self) -> str:
        return f"ChunkEnd({len(self.data)} bytes)"


class BodyEnd(Struct, frozen=True):
    """Work: the response is complete; by *data*, its last body message, or by trailers (None)."""

    data: bytes | None

    def __repr__(self) -> str:
        return f"BodyEnd({len(self.data or b'')} bytes)"


Work = ResponseEvent | ChunkEnd | BodyEnd


class Reading(Struct):
    """The reading of one response body. Written by its ResponseSide only.

    gated       a stage may hold, change or refuse events; else they are told after the fact
    work        what waits to be decided, in order
    work_bytes  of the events in it; bounded as the bytes a stage may hold or observe
    busy        a hook is at work, perhaps waiting
    over        the last event of a stream has been told, whether or not the body has ended
    ended       the end of the body has been told
    idle_s      after so long without an event the stages are asked once; None: not
    idled       they have been, since the last event
    released    of a gated stream, the first and the latest piece that may go on; b"": none yet
    """

    core: Core
    mode: BodyMode
    gated: bool
    reader: Reader
    sink: Sink
    work: deque[Work] = field(default_factory=deque[Work])
    work_bytes: int = 0
    working: bool = False
    busy: bool = False
    over: bool = False
    ended: bool = False
    idle_s: float | None = None
    idled: bool = False
    first_event_s: float | None = None
    last_event_s: float | None = None
    released: tuple[bytes, bytes] = (b"", b"")
    event_count: int = 0
    trailers: Headers = EMPTY

    def push(self, data: bytes, counted: bool) -> None:
        """Read *data*; *counted*: the sink owes a reply for it, once its events are decided."""
        try:
            events = self.reader.push(data)
        except ReadFault as fault:
            self.sink.refuse(fault.reject)
            return
        if not (self.gated or self.busy or self.working or self.core.silent):
            self._tell_at_once(events)
            return
        self._queue(events)
        if counted:
            self.work.append(ChunkEnd(data))
        self._go_on()

    def _tell_at_once(self, events: list[ResponseEvent]) -> None:
        """Tell observers of *events*: what `_queue` and `_go_on` come to while no hook waits.

        Nothing is ever counted here: the sink replies to what is not gated by itself.
        """
        core = self.core
        for at, event in enumerate(events):
            self.last_event_s, self.idled = core.now_s, False
            if self.first_event_s is None:
                self.first_event_s = core.now_s
            self.event_count += 1
            self.over = event.event_stream and event.data == DONE
            core.chain.now_s = core.now_s
            left = observe(core.chain, event)
            if left is not None:
                self._queue(events[at + 1 :])  # not bounded: no hook was waiting when it came
                self.busy = True
                self._run(left, self._event_done)
                return

    def finish(self, data: bytes | None, trailers: Headers = EMPTY) -> None:
        """Read the end of the body: its last message is *data*, or trailers came (None)."""
        try:
            rest = self.reader.finish()
        except ReadFault as fault:
            self.sink.refuse(fault.reject)
            return
        self.trailers = trailers
        self._queue(rest)
        self.work.append(BodyEnd(data))
        self._go_on()

    def idle_due_s(self) -> float | None:
        """Return when the stages are to be asked although nothing has come; None: not now."""
        if self.idle_s is None or self.last_event_s is None or self.busy:
            return None
        if self.idled or self.ended or not self.event_stream:
            return None
        return self.last_event_s + self.idle_s

    def idle(self) -> None:
        """Ask the stages what may go on although nothing comes."""
        assert self.last_event_s is not None, "it is due only after an event"
        self.idled = self.busy = True
        waited_s = self.core.now_s - self.last_event_s
        self._run(idle_pass(self.core.chain, waited_s), self._event_done)

    @property
    def event_stream(self) -> bool:
        """Whether the body is a stream of events."""
        return self.reader.event_stream

    @property
    def begun(self) -> Begun:
        """What the client has been sent of the stream."""
        first, latest = (events_in(raw) for raw in self.released)
        return Begun(first[0].data, latest[-1].data) if first and latest else Begun()

    def _queue(self, events: list[ResponseEvent]) -> None:
        if not events:
            return
        self.last_event_s, self.idled = self.core.now_s, False
        if self.first_event_s is None:
            self.first_event_s = self.core.now_s
        self.event_count += len(events)
        limits = self.core.plan.limits
        bound = limits.gate_bytes_max if self.gated else limits.observe_bytes_max
        size = len(events[0].raw) if len(events) == 1 else sum([len(e.raw) for e in events])
        if self.work_bytes + size <= bound or not self.busy:
            self.work_bytes += size
            self.work += events
        elif self.gated:
            message = "screening is slower than the response"
            self.sink.refuse(Reject(Reason.RESPONSE_TOO_LARGE, message))
        else:
            self.reader.truncated = True

    def _go_on(self) -> None:
        """Decide on what has come, in order, until a hook waits or nothing is left."""
        if self.working:
            return
        self.working = True
        try:
            while self.work and not self.busy and not self.core.silent:
                self._decide(self.work.popleft())
        finally:
            self.working = False
        self.sink.flush()

    def _decide(self, work: Work) -> None:
        if isinstance(work, ChunkEnd):
            self.sink.reply(work.data)
            return
        if isinstance(work, ResponseEvent):
            self.work_bytes -= len(work.raw)
            self.over = work.event_stream and work.data == DONE
            self._tell(work)
            return
        self.busy = self.ended = True
        reader, data = self.reader, work.data
        end = ResponseEnd(reader.whole, reader.event_stream, reader.truncated, self.trailers)

        def done(result: bytes | Reject) -> None:
            self._end_done(result, data)

        self._run(end_pass(self.core.chain, end, self.gated), done)

    def _tell(self, event: ResponseEvent) -> None:
        core = self.core
        if self.gated:
            self.busy = True
            self._run(event_pass(core.chain, event), self._event_done)
            return
        core.chain.now_s = core.now_s
        left = observe(core.chain, event)
        if left is not None:
            self.busy = True
            self._run(left, self._event_done)

    # Any: a pass gives what its callback takes; the two are named side by side above.
    def _run(self, steps: Steps[Any], done: Callable[[Any], None]) -> None:
        self.core.run(steps, done, self.mode, (Direction.RESPONSE, False))

    def _event_done(self, result: ResponseEvent | Reject | None) -> None:
        self.busy = False
        chain = self.core.chain
        if chain.beside:
            asked, chain.beside = chain.beside, []
            for one in asked:
                if isinstance(result, Reject):
                    one.hook.close()
                else:
                    self._run(chain.drive(one), self._beside_done)
        if isinstance(result, Reject):
            self.sink.refuse(result)
        elif self.gated and result is not None and result.raw:
            self.released = (self.released[0] or result.raw, result.raw)
            self.sink.release(result.raw)
        self._go_on()

    def _beside_done(self, action: Action) -> None:
        if isinstance(action, Reject) and not self.ended and not self.core.silent:
            self.sink.refuse(action)
            self.sink.flush()

    def _end_done(self, result: bytes | Reject, data: bytes | None) -> None:
        self.busy = False
        if isinstance(result, Reject):
            self.sink.refuse(result)
        elif self.gated:
            self.sink.release(result)
            self.sink.close(data)
            if self.core.waiting:
                self.core.drop_waiting()  # what went on beside comes too late
