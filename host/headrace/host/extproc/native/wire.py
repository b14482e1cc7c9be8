"""One connection's socket: octets between it and a Connection, and when to write and to close."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from ssl import SSLObject
from time import monotonic
from typing import cast

from headrace.host.extproc.native.blocks import HEAD, OK_TRAILERS, trailers, trailers_only
from headrace.host.extproc.native.connection import Connection
from headrace.host.extproc.native.events import Closed, Data, Ended, Event, Opened, Refused
from headrace.host.extproc.native.faults import Refusal
from headrace.host.extproc.native.fields import RequestHead
from headrace.host.extproc.native.limits import Bounds
from headrace.host.extproc.native.messages import Refusal as MessageRefusal
from headrace.host.extproc.native.stream import Stream

WRITE_BUFFER_BYTES = 256 * 1024
LINGER_S = 1.0  # for the peer to read the GOAWAY: closing over unread octets would destroy it
LINGER_BYTES_MAX = 1 << 20
CLOSE_S = 5.0  # for the last octets to go out
OK_ONLY = trailers_only("OK", "")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Site:
    """What the connections of one listener have in common.

    open_stream  starts what a new stream is for
    made, lost   told of every connection; `made` returns whether it may stay
    refused      counts what a limit refused
    bug          counts a broken invariant of ours
    age_max_s, age_grace_s  after which a connection is asked to leave, and must
    """

    bounds: Bounds
    open_stream: Callable[["Wire", Stream, RequestHead], None]
    made: Callable[["Wire"], bool]
    lost: Callable[["Wire"], None]
    refused: Callable[[Refusal], None]
    bug: Callable[[str], None]
    age_max_s: float | None = None
    age_grace_s: float = 600.0


class Wire(asyncio.Protocol):
    """One connection. Mutable; everything runs in the event loop's thread.

    streams  those with something going on, to end it when the connection is lost
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._loop = asyncio.get_running_loop()
        self._made_s = monotonic()
        self._connection = Connection(site.bounds, self._made_s)
        self._transport: asyncio.Transport | None = None
        self._busy = False  # inside `data_received`, which writes at its end
        self._planned = False
        self._paused_s: float | None = None
        self._unsent_bytes = 0
        self._closing_s: float | None = None
        self._lingered_bytes = 0
        self._held_bytes = 0
        self.streams: set[Stream] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the peer, if it may stay."""
        self._transport = plain = cast(asyncio.Transport, transport)
        plain.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        tls = cast("SSLObject | None", plain.get_extra_info("ssl_object"))
        if tls is not None and tls.selected_alpn_protocol() != "h2":
            self._site.refused(Refusal.NOT_HTTP2)
            plain.abort()
        elif not self._site.made(self):
            plain.abort()
        else:
            self._write(monotonic())

    def data_received(self, data: bytes) -> None:
        """Take octets, and write all that follows from them at once."""
        if self._closing_s is not None:
            self._lingered_bytes += len(data)
            if self._lingered_bytes > LINGER_BYTES_MAX:
                self._abort()
            return
        self._busy, now_s = True, monotonic()
        try:
            self._act(self._connection.receive(data, now_s))
        except Exception as error:
            self._bug(error)
        self._busy = False
        self._write(now_s)

    def eof_received(self) -> bool:
        """Let the transport close itself: who sends no more has no use for answers."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End what was going on."""
        self._transport = None
        for stream in tuple(self.streams):
            self._gone(stream)
        self._site.lost(self)

    def pause_writing(self) -> None:
        """Hold everything back: the peer does not take it."""
        self._paused_s = monotonic()
        self._unsent_bytes = self._buffered_bytes()

    def resume_writing(self) -> None:
        """Go on writing."""
        self._paused_s = None
        self.plan()

    def tick(self, now_s: float) -> None:
        """Look what time has brought; called several times a second."""
        site = self._site
        if self._stuck(now_s):
            site.refused(Refusal.SLOW_READER)
            self._abort()
            return
        if self._closing_s is not None:
            if now_s - self._closing_s > CLOSE_S:
                self._abort()
            elif now_s - self._closing_s > LINGER_S:
                self._end_linger()
            return
        if site.age_max_s is not None and now_s - self._made_s > site.age_max_s:
            self._connection.drain(now_s)
            if now_s - self._made_s > site.age_max_s + site.age_grace_s:
                self.expel("the connection is too old")
        self._act(self._connection.tick(now_s))
        self._write(now_s)

    def drain(self) -> None:
        """Ask the peer to leave; close once its streams are over."""
        self._connection.drain(monotonic())
        self._write(monotonic())

    def expel(self, message: str) -> None:
        """End all streams with UNAVAILABLE and close."""
        for stream in tuple(self.streams):
            if stream.call is not None:
                stream.call.expel(message)
        self._connection.leave()
        self._write(monotonic())

    def abort(self) -> None:
        """Drop the connection."""
        self._abort()

    def send(self, stream: Stream, message: bytes) -> None:
        """Send one message on *stream*."""
        if not stream.answered:
            self._connection.respond(stream, HEAD)
        self._connection.send(stream, message)
        if not self._busy:
            self.plan()

    def finish(self, stream: Stream, code: str, message: str = "") -> None:
        """End *stream* with a gRPC status."""
        if code == "OK":
            block = OK_TRAILERS if stream.answered else OK_ONLY
        elif stream.answered:
            block = trailers(code, message)
        else:
            block = trailers_only(code, message)
        self.finish_with(stream, block)

    def refuse(self, stream: Stream, refusal: MessageRefusal) -> None:
        """End *stream* for what the peer has sent on it."""
        if stream.answered:
            block = trailers(refusal.code, refusal.message)
        else:
            block = trailers_only(refusal.code, refusal.message, refusal.extra)
        self.finish_with(stream, block)

    def finish_with(self, stream: Stream, block: bytes) -> None:
        """End *stream* with the field block *block*."""
        self._connection.finish(stream, block)
        self.streams.discard(stream)
        if not self._busy:
            self.plan()

    def hold(self, change_bytes: int) -> bool:
        """Note that more or less is held of incomplete messages; return whether it may be."""
        self._held_bytes += change_bytes
        if change_bytes > 0 and self._held_bytes > self._site.bounds.limits.held_bytes_max:
            self._site.refused(Refusal.MESSAGES_HELD)
            return False
        return True

    def plan(self) -> None:
        """Write in this turn of the loop, together with whatever else comes up in it."""
        if not self._planned:
            self._planned = True
            self._loop.call_soon(self._write_planned)

    def _write_planned(self) -> None:
        self._planned = False
        self._write(monotonic())

    def _act(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Data):
                call = event.stream.call
                if call is not None:
                    call.data(event.payload)
            elif isinstance(event, Opened):
                self._site.open_stream(self, event.stream, event.head)
                if event.stream.call is not None:
                    self.streams.add(event.stream)
            elif isinstance(event, Ended):
                call = event.stream.call
                if call is not None:
                    call.ended()
            elif isinstance(event, Refused):
                self._site.refused(event.kind)
            elif isinstance(event, Closed):
                log.debug("connection ended: %s, %s", event.code.name, event.text)
            else:
                self._gone(event.stream)

    def _gone(self, stream: Stream) -> None:
        self.streams.discard(stream)
        if stream.call is not None:
            stream.call.gone()

    def _write(self, now_s: float) -> None:
        transport, connection = self._transport, self._connection
        if transport is None or self._closing_s is not None:
            return
        while self._paused_s is None:
            octets = connection.take(now_s)
            if octets:
                transport.write(octets)
            if not connection.wants_turn:
                break
        if connection.closed and self._paused_s is not None:
            self._abort()
        elif connection.over:
            self._close(transport)

    def _close(self, transport: asyncio.Transport) -> None:
        self._closing_s = monotonic()
        if self._connection.closed and transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()

    def _end_linger(self) -> None:
        # Once only: closed twice, asyncio's TLS transport cannot be aborted any more.
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()

    def _bug(self, error: Exception) -> None:
        log.error("bug in `transport`: one connection was dropped", exc_info=error)
        self._site.bug("transport")
        self._abort()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _buffered_bytes(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def _stuck(self, now_s: float) -> bool:
        """Return whether the peer has taken nothing for too long."""
        if self._paused_s is None:
            return False
        unsent_bytes = self._buffered_bytes()
        if unsent_bytes < self._unsent_bytes:
            self._paused_s, self._unsent_bytes = now_s, unsent_bytes
        return now_s - self._paused_s > self._site.bounds.limits.write_stall_s
