"""One HTTP/2 connection of a server, without its socket (RFC 9113).

Octets go in by `receive`, events come out; answers are queued by `respond`, `send`, `finish`
and `reset`, and leave by `take`. Time comes as *now_s*. Knows streams, not what they are for.
"""

from headrace.host.extproc.native.events import Closed, Event, Refused, Reset
from headrace.host.extproc.native.faults import (
    ConnectionFault,
    Refusal,
    StreamFault,
    protocol_error,
    size_error,
)
from headrace.host.extproc.native.frame_reader import FieldBlock, Frame, FrameCutter
from headrace.host.extproc.native.frames import (
    ACK,
    CONTINUATION,
    DATA,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_HEADER_LIST_SIZE,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_DEFAULT,
    WINDOW_UPDATE,
    ErrorCode,
    frame,
    goaway,
    rst_stream,
    settings,
    window_update,
)
from headrace.host.extproc.native.limits import Bounds
from headrace.host.extproc.native.past import End
from headrace.host.extproc.native.patience import Leaving, Patience
from headrace.host.extproc.native.sender import FRAME_BYTES_CHOSEN, Sender
from headrace.host.extproc.native.settings import PeerSettings
from headrace.host.extproc.native.stream import Stream
from headrace.host.extproc.native.streams import Streams
from headrace.host.extproc.native.temper import Temper

PING_BYTES = 8
GOAWAY_BYTES_MIN = 8
SETTING_BYTES = 6


class Connection:
    """The state of one connection. Mutable; used from one thread.

    closed  nothing more is received; what `take` returns next ends with the GOAWAY
    """

    __slots__ = (
        "_block",
        "_bounds",
        "_cutter",
        "_patience",
        "_peer",
        "_sender",
        "_streams",
        "_temper",
        "closed",
    )

    def __init__(self, bounds: Bounds, now_s: float) -> None:
        limits = bounds.limits
        self._bounds = bounds
        self._cutter = FrameCutter()
        self._sender = Sender()
        self._temper = Temper(limits, now_s)
        self._patience = Patience(limits, now_s)
        self._peer = PeerSettings()
        self._streams = Streams(bounds, self._sender, self._temper, self._peer.window_bytes)
        self._block: FieldBlock | None = None
        self.closed = False
        self._greet()

    @property
    def over(self) -> bool:
        """Whether the socket may be closed once all that `take` returned is written."""
        left = self.closed or (self._patience.leaving is Leaving.LEFT and not self._streams.table)
        return left and not self._sender.wants_turn

    @property
    def wants_turn(self) -> bool:
        """Whether `take` would return something."""
        return self._sender.wants_turn

    @property
    def stream_count(self) -> int:
        """How many streams are not over."""
        return len(self._streams.table)

    def receive(self, data: bytes, now_s: float) -> list[Event]:
        """Take octets of the peer; return what they say, in order.

        Never raises: what is wrong ends its stream (`Reset`) or the connection (`Closed`).
        """
        if self.closed:
            return []
        events = self._begin(now_s)
        self._patience.heard(now_s)
        cutter, streams = self._cutter, self._streams
        size = cutter.feed(data)
        try:
            while (received := cutter.next()) is not None:
                try:
                    if received.kind == DATA and self._block is None:
                        streams.data(received)
                    else:
                        self._frame(received)
                except StreamFault as fault:
                    streams.fail(fault)
                if received.end == size:
                    break
            if self._sender.control_bytes > self._bounds.limits.control_bytes_max:
                raise ConnectionFault(
                    ErrorCode.ENHANCE_YOUR_CALM, "answers are not read", Refusal.SLOW_READER
                )
        except ConnectionFault as fault:
            self._close(fault)
        self._patience.greeted = cutter.greeted
        return events

    def tick(self, now_s: float) -> list[Event]:
        """Note that time has passed; to be called about every quarter of a second."""
        if self.closed:
            return []
        events = self._begin(now_s)
        patience, sender = self._patience, self._sender
        try:
            patience.check(now_s)
        except ConnectionFault as fault:
            self._close(fault)
            return events
        if self._streams.table:
            patience.idle_since_s = now_s
        elif patience.is_idle(now_s):
            events.append(Refused(Refusal.IDLE))
            self.drain(now_s)
        for octets in patience.due(now_s, self._streams.taken_id):
            sender.control(octets)
        for stream in patience.stalled(now_s, sender.stalled):
            events.append(Refused(Refusal.STALLED_STREAM))
            self.reset(stream, ErrorCode.CANCEL)
            events.append(Reset(stream))
        self._follow_leave()
        return events

    def respond(self, stream: Stream, block: bytes) -> None:
        """Begin the answer of *stream* with the field block *block*."""
        if stream.id in self._streams.table:  # it may have died in the same read
            self._sender.head(stream, block)

    def send(self, stream: Stream, message: bytes) -> None:
        """Send one gRPC message on *stream*, after `respond`."""
        if stream.id in self._streams.table:  # it may have died in the same read
            self._sender.message(stream, message)

    def finish(self, stream: Stream, block: bytes) -> None:
        """End *stream* with the field block *block*; it may be the only one."""
        if stream.id in self._streams.table:  # it may have died in the same read
            self._sender.finish(stream, block)

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """End *stream* at once, whatever it has to send."""
        self._sender.control(rst_stream(stream.id, code))
        self._streams.forget(stream, End.RESET_BY_US)

    def drain(self, now_s: float) -> None:
        """Ask the peer to open no more streams here; what is open may finish."""
        if not self.closed:
            for octets in self._patience.drain(now_s):
                self._sender.control(octets)

    def leave(self) -> None:
        """Take no more streams, at once; what is open may finish."""
        if not self.closed and self._patience.leaving is not Leaving.LEFT:
            self._sender.control(self._patience.leave(self._streams.taken_id))
            self._follow_leave()

    def take(self, now_s: float) -> bytes:
        """Return the octets to write now; call it again while `wants_turn`, as the socket can."""
        sender, streams = self._sender, self._streams
        if not self.closed:
            streams.grant()
        octets = sender.take(now_s)
        if sender.done:
            for stream in sender.done:
                streams.forget(stream, End.BOTH if stream.remote_closed else End.RESET_BY_US)
            sender.done.clear()
        if not self.closed:  # what has just gone out may be what a window waited for
            streams.grant()
        return octets

    def _greet(self) -> None:
        bounds = self._bounds
        promises = (
            (MAX_CONCURRENT_STREAMS, bounds.streams_max),
            (INITIAL_WINDOW_SIZE, bounds.window_bytes),
            (MAX_HEADER_LIST_SIZE, bounds.header_list_bytes_max),
        )
        self._sender.control(settings(promises))
        more = bounds.limits.connection_window_bytes - WINDOW_DEFAULT
        self._sender.control(window_update(0, more))

    def _begin(self, now_s: float) -> list[Event]:
        self._temper.now_s = now_s
        events: list[Event] = []
        self._streams.events = events
        return events

    def _close(self, fault: ConnectionFault) -> None:
        self.closed = True
        streams, events = self._streams, self._streams.events
        if fault.refusal is not None:
            events.append(Refused(fault.refusal))
        for stream in tuple(streams.table.values()):
            streams.forget(stream, End.RESET_BY_US)
            events.append(Reset(stream))
        self._sender.control(goaway(streams.taken_id, fault.code, fault.text))
        events.append(Closed(fault.code, fault.text))

    def _follow_leave(self) -> None:
        if self._patience.leaving is Leaving.LEFT:
            self._streams.closed_door = True

    def _frame(self, received: Frame) -> None:
        """Take a frame that is no DATA, or that should have been a CONTINUATION."""
        block = self._block
        if block is not None:
            self._proceed(block, received)
            return
        streams, kind = self._streams, received.kind
        if kind == HEADERS:
            self._headers(received)
        elif kind == WINDOW_UPDATE:
            streams.window_update(received)
        elif kind == RST_STREAM:
            streams.reset_by_peer(received)
        elif kind == PING:
            self._ping(received)
        elif kind == SETTINGS:
            self._settings(received)
        elif kind == PRIORITY:
            streams.priority(received)
        elif kind == GOAWAY:
            self._goaway(received)
        elif kind in (PUSH_PROMISE, CONTINUATION):
            raise protocol_error("a frame that may not come here")
        else:  # section 4.1: unknown types are ignored
            self._temper.spend(Refusal.UNKNOWN_FRAMES)

    def _headers(self, received: Frame) -> None:
        if not received.stream_id:
            raise protocol_error("HEADERS on stream 0")
        block = FieldBlock(received)
        if block.complete:
            self._streams.field_block(block)
        else:
            self._block = block
            self._patience.block_since_s = self._temper.now_s

    def _proceed(self, block: FieldBlock, received: Frame) -> None:
        limits = self._bounds.limits
        size_max = self._bounds.header_list_bytes_max * limits.header_list_factor
        if block.proceed(received, limits.continuations_max, size_max):
            self._block = self._patience.block_since_s = None
            self._streams.field_block(block)

    def _settings(self, received: Frame) -> None:
        size = received.end - received.at
        if received.stream_id:
            raise protocol_error("SETTINGS on a stream")
        if received.flags & ACK:
            if size:
                raise size_error("a SETTINGS ACK has no payload")
            self._patience.settled = True
            return
        if size % SETTING_BYTES:
            raise size_error("SETTINGS come in six octets")
        self._temper.spend(Refusal.SETTINGS)
        self._peer = peer = self._peer.changed(received.payload)
        self._sender.frame_bytes_max = min(peer.frame_bytes_max, FRAME_BYTES_CHOSEN)
        self._sender.control(frame(SETTINGS, ACK, 0))
        self._streams.rewindow(peer.window_bytes)

    def _ping(self, received: Frame) -> None:
        if received.stream_id:
            raise protocol_error("PING on a stream")
        if received.end - received.at != PING_BYTES:
            raise size_error("PING has eight octets")
        ack = bool(received.flags & ACK)
        self._temper.spend(Refusal.PINGS)
        last_id = self._streams.taken_id
        answer = self._patience.pinged(received.payload, ack=ack, last_id=last_id)
        if answer:
            self._sender.control(answer)
            self._follow_leave()

    def _goaway(self, received: Frame) -> None:
        """Take the peer's farewell: it opens no more streams, so neither need we stay."""
        if received.stream_id:
            raise protocol_error("GOAWAY on a stream")
        if received.end - received.at < GOAWAY_BYTES_MIN:
            raise size_error("GOAWAY has eight octets at least")
        self.leave()
