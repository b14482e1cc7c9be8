"""One stream without its transport: messages in, frames out, effects and the deadline between.

A transport feeds a Session with messages, sends the `frames` it leaves, then obeys its
`abort` if there is one. The Session calls `wake` when an effect or the deadline left some.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from headrace.extensions.stage import Reject
from headrace.host.exchange.reply import Abort, Cancel, Output, Perform, Watch
from headrace.host.extproc.codec import Incoming, WireFault, decode, encode
from headrace.host.extproc.counts import Counts, NoCounts
from headrace.host.extproc.edge import Performer, error_line
from headrace.host.extproc.opening import Exchange, Factory, NotYet, Opening

CHAIN_METADATA = "x-headrace-chain"
TRACE_METADATA = "traceparent"
# Event loops round timers to a millisecond, down as well: a bit later saves a second timer.
TIMER_SLACK_S = 0.001

log = logging.getLogger(__name__)


def always(chain: str) -> bool:
    """Return True: attributes and metadata are wanted in every chain."""
    return True


def _sleep_on() -> None:
    """Wake nobody."""


@dataclass(frozen=True, slots=True)
class Door:
    """What all streams of one listener have in common.

    wants_context  chain -> whether its stages look at attributes or metadata
    listener       a name, handed to the factory
    reply_bytes_max  a larger message ends its stream
    """

    factory: Factory
    performer: Performer = field(default_factory=Performer)
    counts: Counts = field(default_factory=NoCounts)
    wants_context: Callable[[str], bool] = always
    listener: str = ""
    reply_bytes_max: int = (1 << 31) - 1


class Session:
    """The life of one stream. Mutable; everything runs in the event loop's thread.

    frames  serialized messages to send, oldest first
    abort   the status to end the stream with after the frames; None for OK
    """

    __slots__ = (
        "_chain",
        "_door",
        "_due_s",
        "_ended",
        "_exchange",
        "_loop",
        "_received",
        "_received_bytes",
        "_silent",
        "_tasks",
        "_timer",
        "_traceparent",
        "_wake",
        "_want_context",
        "_watches",
        "abort",
        "frames",
    )

    def __init__(self, door: Door, chain: str, traceparent: str, wake: Callable[[], None]) -> None:
        self._door = door
        self._chain = chain
        self._traceparent = traceparent
        self._wake = wake
        self._want_context = True
        self._loop = asyncio.get_running_loop()
        self._exchange: Exchange | None = None
        self._tasks: dict[int, asyncio.Task[object]] = {}
        self._watches: dict[int, asyncio.Task[object]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0
        self._silent = False
        self._ended = False
        self._received = self._received_bytes = 0
        self.frames: deque[bytes] = deque()
        self.abort: Abort | None = None
        door.counts.opened()

    @property
    def ended(self) -> bool:
        """Whether the exchange is over, whatever the transport still has to send."""
        return self._ended

    def receive(self, message: bytes) -> None:
        """Take one message of the peer."""
        if self._ended:
            return
        self._received += 1
        self._received_bytes += len(message)
        if self._exchange is None:
            # Asked now, not when the stream began: a reload between would tell of another policy.
            self._want_context = self._door.wants_context(self._chain)
        try:
            incoming = decode(message, self._want_context)
        except WireFault as fault:
            self._give_up(Abort("INVALID_ARGUMENT", str(fault)), "processor-abort")
            return
        try:
            now_s = monotonic()
            exchange = self._exchange or self._open(incoming, now_s)
            if incoming.part is None:
                self._door.counts.ignored()
            else:
                self._take(exchange.receive(incoming.part, now_s))
        except NotYet as error:
            self._give_up(Abort("UNAVAILABLE", str(error)), "processor-abort")
        except Exception as error:
            self._bug("receive", error)

    def half_close(self) -> None:
        """Note that the peer sends nothing more: for Envoy, that the HTTP stream is over."""
        if self._ended:
            return
        if self._waits():  # an OK now would say that all was answered
            # UNAVAILABLE would have Envoy's retry policy open the stream of a client who is gone
            # once more: the request would be waited for and counted twice.
            self._give_up(Abort("CANCELLED", "the peer left before the answer"), "client-gone")
        else:
            self._end("complete")

    def leave(self) -> None:
        """Note that the stream is dead: nothing may be sent, and nobody is woken any more."""
        self._end("client-gone")
        self.frames.clear()
        self._wake = _sleep_on  # or the two sides would keep each other until a collection
        self._exchange = None

    def expel(self, message: str) -> None:
        """End the stream because the host must go."""
        if not self._ended:
            self._give_up(Abort("UNAVAILABLE", message), "processor-abort")
            self._wake()

    def _waits(self) -> bool:
        if self._tasks:
            return True
        try:
            return self._exchange is not None and not self._exchange.closed
        except Exception as error:
            self._bug("closed", error)
            return False

    def _open(self, incoming: Incoming, now_s: float) -> Exchange:
        self._silent = incoming.observability
        opening = Opening(
            incoming.modes, self._chain, self._traceparent, incoming.part, self._door.listener
        )
        self._exchange = self._door.factory(opening, now_s)
        return self._exchange

    def _take(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Perform):
                task = self._door.performer.start(output.effect)
                self._tasks[output.ticket] = task
                task.add_done_callback(partial(self._performed, output.ticket))
            elif isinstance(output, Watch):
                task = self._door.performer.start(output.effect)
                self._watches[output.ticket] = task
                task.add_done_callback(partial(self._watched, output.ticket))
            elif isinstance(output, Cancel):
                ticket = output.ticket
                waiting = self._tasks.pop(ticket, None) or self._watches.pop(ticket, None)
                if waiting is not None:
                    waiting.cancel()
            elif isinstance(output, Abort):
                self._give_up(output, "processor-abort")
                return
            elif not self._silent:
                frame = encode(output)
                if len(frame) > self._door.reply_bytes_max:
                    self._too_large(len(frame))
                    return
                self.frames.append(frame)
        self._arm()

    def _too_large(self, size_bytes: int) -> None:
        """End the stream by what the peer would end it with, if it were sent this."""
        bound = self._door.reply_bytes_max
        message = f"a reply has {size_bytes} bytes, and at most {bound} are taken"
        self._give_up(Abort("RESOURCE_EXHAUSTED", message), "processor-abort")

    def _performed(self, ticket: int, task: "asyncio.Task[object]") -> None:
        if self._tasks.get(ticket) is not task:  # nobody waits for it any more
            if not task.cancelled():
                task.exception()  # seen; else asyncio reports it
            return
        del self._tasks[ticket]
        exchange = self._exchange
        assert exchange is not None
        try:
            if task.cancelled():
                outputs = exchange.refuse(ticket, "the effect was cancelled", monotonic())
            elif (error := task.exception()) is not None:
                log.debug("effect %d failed", ticket, exc_info=error)
                outputs = exchange.refuse(ticket, error_line(error), monotonic())
            else:
                outputs = exchange.resume(ticket, task.result(), monotonic())
            self._take(outputs)
        except Exception as error:
            self._bug("resume", error)
        self._stir()

    def _watched(self, ticket: int, task: "asyncio.Task[object]") -> None:
        if self._watches.pop(ticket, None) is not task or task.cancelled():
            return
        exchange, error = self._exchange, task.exception()
        assert exchange is not None
        try:
            if error is not None:
                raise error
            reject = task.result()
            assert isinstance(reject, Reject), "that is what is watched for"
            self._take(exchange.interrupt(ticket, reject, monotonic()))
        except Exception as bug:
            self._bug("watch", bug)
        self._stir()

    def _arm(self) -> None:
        """See to it that a timer goes off by the deadline; a too early one is harmless."""
        exchange = self._exchange
        due_s = None if exchange is None else exchange.deadline()
        if due_s is None or (self._timer is not None and self._due_s <= due_s):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due_s = due_s
        delay_s = max(0.0, due_s - monotonic()) + TIMER_SLACK_S
        self._timer = self._loop.call_later(delay_s, self._expire)

    def _expire(self) -> None:
        self._timer = None
        exchange = self._exchange
        assert exchange is not None
        try:
            due_s, now_s = exchange.deadline(), monotonic()
            if due_s is not None and due_s <= now_s:
                self._take(exchange.expire(now_s))
            else:
                self._arm()
        except Exception as error:
            self._bug("expire", error)
        self._stir()

    def _stir(self) -> None:
        if self.frames or self.abort is not None:
            self._wake()

    def _bug(self, where: str, error: Exception) -> None:
        log.error("bug in `%s`: one exchange was aborted", where, exc_info=error)
        self._door.counts.bug(where)
        self._give_up(Abort("INTERNAL", "a bug of the host"), "bug")

    def _give_up(self, abort: Abort, termination: str) -> None:
        if self._ended:
            return
        if not self._silent:
            self.abort = abort
            self._door.counts.aborted(abort.code)
        self._end(termination)

    def _end(self, termination: str) -> None:
        if self._ended:
            return
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        try:
            if self._exchange is not None:
                self._exchange.end(termination, monotonic())
        except Exception as error:
            log.error("bug in `end`", exc_info=error)
            self._door.counts.bug("end")
        tasks = (*self._tasks.values(), *self._watches.values())
        self._tasks, self._watches = {}, {}
        for task in tasks:
            task.cancel()
        counts = self._door.counts
        counts.received(self._received, self._received_bytes)
        counts.closed(termination)
