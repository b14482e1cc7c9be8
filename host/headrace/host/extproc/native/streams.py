"""The streams of a connection and the frames that concern one: the receiving half of HTTP/2.

Tells apart a fault of the stream from one of the connection as RFC 9113 sections 5.1, 6 and 8.1
do. Where the RFC leaves a choice, the harsher end is for what no sane peer does.
"""

from headrace.host.extproc.native.events import Data, Ended, Event, Opened, Refused, Reset
from headrace.host.extproc.native.faults import (
    ConnectionFault,
    Refusal,
    StreamFault,
    protocol_error,
    size_error,
)
from headrace.host.extproc.native.fields import FieldReader, RequestHead
from headrace.host.extproc.native.frame_reader import (
    FieldBlock,
    Frame,
    priority_dependency,
    unpad,
)
from headrace.host.extproc.native.frames import (
    END_STREAM,
    ErrorCode,
    number_at,
    rst_stream,
    window_update,
)
from headrace.host.extproc.native.limits import Bounds
from headrace.host.extproc.native.past import End, Past
from headrace.host.extproc.native.sender import Sender
from headrace.host.extproc.native.stream import Stream
from headrace.host.extproc.native.temper import Temper

NUMBER_BYTES = 4


class Streams:
    """The table of streams. Mutable; written by its Connection.

    table        those that are not over, by number
    last_id      the highest number the peer has used
    taken_id     the highest that was taken; once the door is closed it stays (section 6.8)
    events       what is to be told; the Connection sets a new list for every `receive`
    closed_door  no stream is taken any more
    send_window  what a new stream may be sent, by the peer's settings
    """

    __slots__ = (
        "_bounds",
        "_creditors",
        "_fields",
        "_half_connection",
        "_half_stream",
        "_owed",
        "_past",
        "_sender",
        "_temper",
        "_window",
        "closed_door",
        "events",
        "last_id",
        "send_window",
        "table",
        "taken_id",
    )

    def __init__(self, bounds: Bounds, sender: Sender, temper: Temper, send_window: int) -> None:
        limits = bounds.limits
        self._bounds = bounds
        self._sender = sender
        self._temper = temper
        self._fields = FieldReader(bounds.header_list_bytes_max * limits.header_list_factor)
        self._past = Past()
        self._window = limits.connection_window_bytes
        self._owed = 0
        self._half_connection = limits.connection_window_bytes // 2
        self._half_stream = bounds.window_bytes // 2
        self._creditors: set[Stream] = set()
        self.closed_door = False
        self.events: list[Event] = []
        self.last_id = self.taken_id = 0
        self.send_window = send_window
        self.table: dict[int, Stream] = {}

    def data(self, frame: Frame) -> None:
        """Take a DATA frame (section 6.1). Its padding counts for the windows, too."""
        size, stream_id = frame.end - frame.at, frame.stream_id
        if not stream_id:
            raise protocol_error("DATA on stream 0")
        self._window -= size
        self._owed += size
        if self._window < 0:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "connection window exceeded")
        at, end = unpad(frame) if frame.flags else (frame.at, frame.end)
        last = frame.flags & END_STREAM
        stream = self.table.get(stream_id)
        if stream is None:
            self._late(stream_id, "DATA", ended=bool(last))
            if at == end and not last:
                self._temper.spend(Refusal.EMPTY_FRAMES)
            return
        if stream.remote_closed:
            raise StreamFault(ErrorCode.STREAM_CLOSED, stream_id, "DATA after END_STREAM")
        stream.receive_window -= size
        stream.owed += size
        if stream.receive_window < 0:
            raise StreamFault(ErrorCode.FLOW_CONTROL_ERROR, stream_id, "stream window exceeded")
        if stream.owed >= self._half_stream:
            self._creditors.add(stream)
        if stream.length_left is not None:
            stream.length_left -= end - at
            self._check_length(stream, ended=bool(last))
        if end > at:
            stream.heard = True
            if not stream.finished:
                self.events.append(Data(stream, frame.data[at:end]))
        elif not last:
            self._temper.spend(Refusal.EMPTY_FRAMES)
        if last:
            self._end(stream)

    def field_block(self, block: FieldBlock) -> None:
        """Take a whole field block: a request's head, or its trailers (section 6.2)."""
        stream_id = block.stream_id
        stream = self.table.get(stream_id)
        if stream is None and stream_id > self.last_id and stream_id & 1:
            self._open(block, self._fields.request(block.octets))
            return
        # Decompressed in any case: HPACK's table is the connection's.
        malformed = self._fields.trailers(block.octets)
        if stream is None:
            if not stream_id & 1:
                raise protocol_error("a client's streams are odd")
            self._late(stream_id, "HEADERS", ended=bool(block.flags & END_STREAM))
            self._temper.spend(Refusal.STREAM_ERRORS)
            return
        if stream.remote_closed:
            raise StreamFault(ErrorCode.STREAM_CLOSED, stream_id, "HEADERS after END_STREAM")
        if malformed or not block.flags & END_STREAM:
            raise StreamFault(ErrorCode.PROTOCOL_ERROR, stream_id, malformed or "not the end")
        self._check_length(stream, ended=True)
        self._end(stream)

    def reset_by_peer(self, frame: Frame) -> None:
        """Take a RST_STREAM (section 6.4)."""
        if frame.end - frame.at != NUMBER_BYTES:
            raise size_error("RST_STREAM has four octets")
        self._check_not_idle(frame.stream_id, "RST_STREAM")
        stream = self.table.get(frame.stream_id)
        if stream is None:
            self._temper.spend_reset(heard=True)
            return
        if not stream.answered:
            self._temper.spend_reset(heard=stream.heard)
        self.forget(stream, End.RESET_BY_PEER)
        self.events.append(Reset(stream))

    def window_update(self, frame: Frame) -> None:
        """Take a WINDOW_UPDATE (section 6.9)."""
        if frame.end - frame.at != NUMBER_BYTES:
            raise size_error("WINDOW_UPDATE has four octets")
        increment = number_at(frame.data, frame.at) & 0x7FFF_FFFF
        if increment < self._bounds.limits.small_update_bytes:
            self._temper.spend(Refusal.WINDOW_UPDATES)
        stream_id = frame.stream_id
        if not stream_id:
            if not increment:
                raise protocol_error("WINDOW_UPDATE of 0")
            self._sender.widen_all(increment)
            return
        self._check_not_idle(stream_id, "WINDOW_UPDATE")
        stream = self.table.get(stream_id)
        if stream is None:
            return
        if not increment:
            raise StreamFault(ErrorCode.PROTOCOL_ERROR, stream_id, "WINDOW_UPDATE of 0")
        if not self._sender.widen(stream, increment):
            raise StreamFault(ErrorCode.FLOW_CONTROL_ERROR, stream_id, "window over the limit")

    def priority(self, frame: Frame) -> None:
        """Take a PRIORITY, which means nothing any more but can still be wrong (section 6.3)."""
        self._temper.spend(Refusal.PRIORITIES)
        if not frame.stream_id:
            raise protocol_error("PRIORITY on stream 0")
        depends = priority_dependency(frame)
        if depends is None:
            self._wrong(frame.stream_id, ErrorCode.FRAME_SIZE_ERROR, "PRIORITY has five octets")
        elif depends == frame.stream_id:
            self._wrong(frame.stream_id, ErrorCode.PROTOCOL_ERROR, "a stream depends on itself")

    def rewindow(self, send_window: int) -> None:
        """Change the window of all streams as the peer's settings say (section 6.9.2)."""
        change = send_window - self.send_window
        self.send_window = send_window
        if change:
            for stream in self.table.values():
                if not self._sender.widen(stream, change):
                    raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "window over the limit")

    def fail(self, fault: StreamFault) -> None:
        """Reset the stream of *fault*, which the peer has made us do."""
        self._temper.spend(Refusal.STREAM_ERRORS)
        stream = self.table.get(fault.stream_id)
        self._sender.control(rst_stream(fault.stream_id, fault.code))
        if stream is None:
            self._past.note(fault.stream_id, End.RESET_BY_US)
        else:
            self.forget(stream, End.RESET_BY_US)
            self.events.append(Reset(stream))

    def forget(self, stream: Stream, end: End) -> None:
        """Drop *stream*, which ended by *end*, with all that it has to send."""
        if self.table.pop(stream.id, None) is not None:
            self._sender.drop(stream)
            self._creditors.discard(stream)
            self._past.note(stream.id, end)

    def grant(self) -> None:
        """Give windows back for what was taken in, unless our own answers are not taken."""
        limits, sender = self._bounds.limits, self._sender
        if self._owed >= self._half_connection and sender.queued_bytes <= limits.output_bytes_max:
            sender.control(window_update(0, self._owed))
            self._window += self._owed
            self._owed = 0
        if not self._creditors:
            return
        for stream in tuple(self._creditors):
            if stream.remote_closed or stream.finished:
                self._creditors.discard(stream)
            elif stream.queued_bytes <= limits.stream_output_bytes_max:
                self._creditors.discard(stream)
                sender.control(window_update(stream.id, stream.owed))
                stream.receive_window += stream.owed
                stream.owed = 0

    def _open(self, block: FieldBlock, head: RequestHead) -> None:
        stream_id, bounds = block.stream_id, self._bounds
        self.last_id = stream_id
        if not self.closed_door:
            self.taken_id = stream_id
        if self.closed_door or len(self.table) >= bounds.streams_max:
            self._refuse(stream_id)
            return
        ended = bool(block.flags & END_STREAM)
        if block.depends == stream_id:
            raise StreamFault(ErrorCode.PROTOCOL_ERROR, stream_id, "a stream depends on itself")
        if head.malformed or (ended and head.content_length):
            fault = head.malformed or "content without content"
            raise StreamFault(ErrorCode.PROTOCOL_ERROR, stream_id, fault)
        stream = Stream(stream_id, bounds.window_bytes, self.send_window)
        stream.length_left = head.content_length
        self.table[stream_id] = stream
        self.events.append(Opened(stream, head))
        if ended:
            self._end(stream)

    def _refuse(self, stream_id: int) -> None:
        if not self.closed_door:
            self.events.append(Refused(Refusal.STREAMS))
        self._temper.spend(Refusal.STREAM_ERRORS)
        self._sender.control(rst_stream(stream_id, ErrorCode.REFUSED_STREAM))
        self._past.note(stream_id, End.RESET_BY_US)

    def _end(self, stream: Stream) -> None:
        stream.remote_closed = True
        if not stream.finished:
            self.events.append(Ended(stream))

    def _check_length(self, stream: Stream, *, ended: bool) -> None:
        left = stream.length_left
        if left is not None and (left < 0 or (ended and left)):
            raise StreamFault(ErrorCode.PROTOCOL_ERROR, stream.id, "not as long as it said")

    def _check_not_idle(self, stream_id: int, what: str) -> None:
        if stream_id > self.last_id or not stream_id & 1:
            raise protocol_error(f"{what} on an idle stream")

    def _late(self, stream_id: int, what: str, *, ended: bool) -> None:
        """Take DATA or HEADERS on a stream that is not in the table (section 5.1)."""
        self._check_not_idle(stream_id, what)
        end = self._past.of(stream_id)
        if end is End.RESET_BY_US:  # sent before the peer knew
            if ended:
                self._past.note(stream_id, End.BOTH)
            return
        if end is not None:
            raise ConnectionFault(ErrorCode.STREAM_CLOSED, f"{what} on a closed stream")
        if what == "HEADERS":
            raise protocol_error("stream numbers go up")

    def _wrong(self, stream_id: int, code: ErrorCode, text: str) -> None:
        # A stream that is not open cannot be reset.
        if stream_id in self.table:
            raise StreamFault(code, stream_id, text)
        raise ConnectionFault(code, text)
