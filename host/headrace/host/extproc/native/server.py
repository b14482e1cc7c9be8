"""The native transport: ext_proc, gRPC health and, if asked for, reflection, over our HTTP/2."""

import asyncio
import logging
from functools import partial
from time import monotonic

from headrace.host.extproc.counts import Counts, NoCounts
from headrace.host.extproc.edge import Performer
from headrace.host.extproc.health import HEALTH_SERVICE, Health
from headrace.host.extproc.listen import Listener, ListenError
from headrace.host.extproc.native.calls import Asking, Exchanging
from headrace.host.extproc.native.deadlines import Deadlines, timeout_s
from headrace.host.extproc.native.faults import Refusal
from headrace.host.extproc.native.fields import RequestHead
from headrace.host.extproc.native.limits import Bounds
from headrace.host.extproc.native.messages import Assembler
from headrace.host.extproc.native.messages import Refusal as MessageRefusal
from headrace.host.extproc.native.reflecting import Reflecting
from headrace.host.extproc.native.router import TOO_LARGE, UNKNOWN, Method, metadata, route
from headrace.host.extproc.native.stream import Stream
from headrace.host.extproc.native.wire import Site, Wire
from headrace.host.extproc.opening import Factory
from headrace.host.extproc.options import GrpcOptions
from headrace.host.extproc.reflection import STREAMS_MAX, Reflection
from headrace.host.extproc.service import SERVICE
from headrace.host.extproc.session import CHAIN_METADATA, TRACE_METADATA, Door

__all__ = ["EXPEL_S", "ListenError", "NativeServer"]

EXPEL_S = 2.0  # how long a status may take to reach the peers after the grace
TICK_S = 0.25
ALARM_S_MAX = 3600.0  # a timeout may be of 11,000 years, a timer of the loop may not
TOO_MANY = MessageRefusal("RESOURCE_EXHAUSTED", "too many exchanges")
TOO_CURIOUS = MessageRefusal("RESOURCE_EXHAUSTED", "too many ask")

Calling = Exchanging | Asking | Reflecting

log = logging.getLogger(__name__)


class NativeServer:
    """Serves ext_proc streams and gRPC health on one address.

    Mutable; event loop's thread only. Has the shape of `GrpcServer`.
    """

    def __init__(
        self,
        factory: Factory,
        performer: Performer | None = None,
        options: GrpcOptions | None = None,
        counts: Counts | None = None,
    ) -> None:
        self._options = chosen = options or GrpcOptions()
        self._counts = counts or NoCounts()
        self._door = Door(
            factory,
            performer or Performer(),
            self._counts,
            chosen.wants_context,
            chosen.listener,
            chosen.reply_bytes_max,
        )
        self._site = Site(
            Bounds(
                chosen.window_bytes,
                chosen.streams_per_connection,
                chosen.metadata_bytes_max,
                chosen.limits,
            ),
            self._open_stream,
            self._made,
            self._lost,
            self._refused,
            self._counts.bug,
            chosen.connection_age_max_s,
            chosen.connection_age_grace_s,
        )
        self._health = Health()
        self._reflection = Reflection((SERVICE, HEALTH_SERVICE)) if chosen.reflection else None
        self._reflecting: set[Reflecting] = set()
        self._listener: Listener | None = None
        self._wires: set[Wire] = set()
        self._exchanging: set[Exchanging] = set()
        self._deadlines = Deadlines()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_s = 0.0
        self._ticker: asyncio.TimerHandle | None = None
        self._leaving = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def active_exchanges(self) -> int:
        """How many streams are open."""
        return len(self._exchanging)

    async def start(self, address: str) -> int:
        """Listen on *address* and return the port, 0 for a Unix socket.

        address  ``host:port``, port 0 for any, or ``unix:/path``

        Health says NOT_SERVING until `set_serving`.

        Raises:
            ListenError: the address is taken, or none of ours.
        """
        assert self._listener is None, "started twice"
        cut = partial(self._refused, Refusal.HANDSHAKES)
        listener = Listener(address, lambda: Wire(self._site), self._options.tls, cut)
        port = listener.open()
        self._listener = listener
        self._tick()
        return port

    def set_serving(self, serving: bool) -> None:
        """Say by health whether new streams are welcome. They are served all the same."""
        self._health.set_serving(serving)

    async def drain(self, grace_s: float) -> None:
        """Stop: no new streams, let the open ones finish for *grace_s*, abort what is left.

        What is left is ended with UNAVAILABLE: OK, or a bare reset, could pass for the end of
        a body.
        """
        self._health.set_serving(False)
        self._health.close()
        if self._listener is None:
            return
        self._leaving = True
        self._listener.close()
        for call in tuple(self._reflecting):
            call.expel("the host is going")
        for wire in tuple(self._wires):
            wire.drain()
        if not await self._emptied(grace_s):
            for wire in tuple(self._wires):
                wire.expel("the host is shutting down")
            if not await self._emptied(EXPEL_S):
                for wire in tuple(self._wires):
                    wire.abort()
                await self._emptied(EXPEL_S)
        for timer in (self._ticker, self._alarm):
            if timer is not None:
                timer.cancel()
        self._listener = self._ticker = self._alarm = None

    async def _emptied(self, within_s: float) -> bool:
        try:
            await asyncio.wait_for(self._empty.wait(), within_s)
        except TimeoutError:
            return False
        return True

    def _made(self, wire: Wire) -> bool:
        if self._listener is None or self._leaving:  # accepted while we closed
            return False
        if len(self._wires) >= self._options.limits.connections_max:
            self._refused(Refusal.CONNECTIONS)
            return False
        self._wires.add(wire)
        self._empty.clear()
        return True

    def _lost(self, wire: Wire) -> None:
        self._wires.discard(wire)
        if not self._wires:
            self._empty.set()

    def _refused(self, kind: Refusal) -> None:
        self._counts.refused(kind)

    def _open_stream(self, wire: Wire, stream: Stream, head: RequestHead) -> None:
        if head.size_bytes > self._options.metadata_bytes_max:
            self._refused(Refusal.HEADERS)
            wire.finish_with(stream, TOO_LARGE)
            return
        method = route(head)
        if method is Method.PROCESS and self._options.health_only:
            method = UNKNOWN
        if isinstance(method, bytes):
            wire.finish_with(stream, method)
        elif method is Method.PROCESS:
            self._exchange(wire, stream, head)
        elif method is Method.REFLECT:
            self._reflect(wire, stream, head)
        else:
            call = Asking(wire, stream, self._health, watching=method is Method.WATCH)
            self._begun(call, stream, head)

    def _begun(self, call: Calling, stream: Stream, head: RequestHead) -> None:
        stream.call = call
        timeout = head.fields.get(b"grpc-timeout")
        if timeout is not None:
            self._expire_after(timeout_s(timeout) or 0.0, call)

    def _reflect(self, wire: Wire, stream: Stream, head: RequestHead) -> None:
        reflection, reflecting = self._reflection, self._reflecting
        if reflection is None:
            wire.finish_with(stream, UNKNOWN)
        elif len(reflecting) >= STREAMS_MAX:
            wire.refuse(stream, TOO_CURIOUS)
        else:
            call = Reflecting(wire, stream, reflection, reflecting.discard)
            reflecting.add(call)
            self._begun(call, stream, head)

    def _exchange(self, wire: Wire, stream: Stream, head: RequestHead) -> None:
        options = self._options
        if len(self._exchanging) >= options.exchanges_max:
            self._refused(Refusal.EXCHANGES)
            wire.refuse(stream, TOO_MANY)
            return
        assembler = Assembler(options.message_bytes_max, head.fields.get(b"grpc-encoding", b""))
        call = Exchanging(wire, stream, assembler, self._exchanging.discard, self._counts)
        call.begin(
            self._door,
            metadata(head, CHAIN_METADATA, "default"),
            metadata(head, TRACE_METADATA),
        )
        self._exchanging.add(call)
        self._begun(call, stream, head)

    def _expire_after(self, timeout: float, call: Calling) -> None:
        due_s = monotonic() + timeout
        call.deadline = self._deadlines.add(due_s, call)
        if self._alarm is None or due_s < self._alarm_s:
            self._set_alarm(due_s)

    def _set_alarm(self, due_s: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_s = due_s
        delay_s = min(max(0.0, due_s - monotonic()), ALARM_S_MAX)
        self._alarm = asyncio.get_running_loop().call_later(delay_s, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._deadlines.expire(monotonic())
        next_s = self._deadlines.next_s
        if next_s is not None:
            self._set_alarm(next_s)

    def _tick(self) -> None:
        self._ticker = asyncio.get_running_loop().call_later(TICK_S, self._tick)
        now_s = monotonic()
        for wire in tuple(self._wires):
            wire.tick(now_s)
        if self._listener is not None:
            self._listener.renew(now_s)
