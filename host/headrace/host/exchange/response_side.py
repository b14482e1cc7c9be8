"""The response direction: pass bytes at once, or hold each event until the gating stages agree.

Observing stages are told of an event after its bytes have gone. Under a gating stage the
head waits for the first verdict where Envoy lets it, so that a refusal is a clean answer.
"""

from msgspec import Struct, field

from headrace.extensions.call import Call
from headrace.extensions.headers import EMPTY, Headers
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import (
    Reject,
    ResponseHead,
    ResponseNeed,
)
from headrace.extensions.texts.errors import error_events, error_object
from headrace.host.exchange.chain import Stopped
from headrace.host.exchange.core import Core
from headrace.host.exchange.cut import cut
from headrace.host.exchange.fold import Overlay
from headrace.host.exchange.local import api_asked
from headrace.host.exchange.part import BodyMode, Chunk, Direction, Head, Part, Trailers
from headrace.host.exchange.passes import Change, Passed, head_pass, unchanged
from headrace.host.exchange.reader import Reader
from headrace.host.exchange.reading import Reading
from headrace.host.exchange.refusals import never_ended
from headrace.host.exchange.reply import (
    NO_CHANGE,
    UNTOUCHED,
    BodyReply,
    HeaderMutation,
    HeadersReply,
    Keep,
    Replace,
    Streamed,
    TrailersReply,
)

RESPONSE = Direction.RESPONSE
FDS = BodyMode.FULL_DUPLEX_STREAMED
WHOLE = (BodyMode.BUFFERED, BodyMode.BUFFERED_PARTIAL)
ERROR_FROM = 400  # from here on a status may come of a body that was not read
GATHERED_BYTES_MAX = 1 << 20  # Envoy's own buffers have no more of one stream either


class ResponseSide(Struct):
    """One exchange's response. Written by its Exchange only.

    parts         what came while a stage waits for an effect about the head
    replies_owed  counted body messages without a reply, outside FULL_DUPLEX_STREAMED
    released      gated bytes that are decided and not sent yet
    cut_short     the body was ended by an error of ours; the rest is dropped
    gathers       the body is sent on whole, if it is not too long, and what has come of it
    """

    core: Core
    mode: BodyMode
    need: ResponseNeed = ResponseNeed.NONE
    gated: bool = False
    head: Head | None = None
    head_owed: bool = False
    head_decided: bool = False
    ended: bool = False
    reading: Reading | None = None
    parts: list[Chunk | Trailers] = []
    replies_owed: int = 0
    released: list[bytes] = []
    cut_short: bool = False
    gathers: bool = False
    gathered: list[bytes] = []
    body_bytes: int = 0
    head_s: float | None = None
    trailers: Headers = EMPTY
    trailed: bool = False
    change: Change = field(default_factory=unchanged)

    @property
    def event_stream(self) -> bool:
        return self.reading is not None and self.reading.reader.event_stream

    @property
    def owes(self) -> bool:
        """Whether Envoy waits for a reply, or bytes are held."""
        held = self.gated and (any(self.released) or not self.ended)
        return (
            self.head_owed or bool(self.parts or self.gathered) or (held and self.head is not None)
        )

    def receive(self, part: Part) -> None:
        """Take one part of the response, in an order that has been checked."""
        core = self.core
        if not core.opened:
            core.open(EMPTY)
        if isinstance(part, Head):
            self._begin(part)
            return
        if self.reading is None:
            self._open_reading(EMPTY)
        if isinstance(part, Chunk):
            self.body_bytes += len(part.data)
            self.ended = self.ended or part.end_of_stream
        else:
            self.ended = self.trailed = True
            self.trailers = part.headers
        if self.head_owed and not self.head_decided:
            self._hold(part)
        else:
            self._take(part)

    def _hold(self, part: Chunk | Trailers) -> None:
        """Keep *part* while a stage still waits for an effect about the head."""
        self.parts.append(part)
        if self.body_bytes > self.core.plan.limits.gate_bytes_max:
            self.parts.clear()
            message = "the response came faster than the policy could decide on its head"
            self.core.reject(Reject(Reason.RESPONSE_TOO_LARGE, message))

    def _begin(self, head: Head) -> None:
        core = self.core
        self.head, self.head_owed, self.ended = head, True, head.end_of_stream
        self.head_s = core.now_s
        status = head.headers.get(":status")
        core.status = int(status) if status.isdecimal() else 0
        self._open_reading(head.headers)
        if core.withheld and core.status < ERROR_FROM:
            core.reject(never_ended())
            return
        if self.gated and self.mode is BodyMode.NONE and not head.end_of_stream:
            core.reject(_unseen())
            return
        self.gathers = not self.gated and self.mode is FDS and self._is_whole(head.headers)
        self.change.overlay = Overlay(head.headers)
        seen = ResponseHead(core.status, head.headers, metadata=core.metadata)
        steps = head_pass(core.chain, seen, self.change)
        core.run(steps, self._head_done, self.mode, (RESPONSE, True))

    def _is_whole(self, headers: Headers) -> bool:
        """Return whether the body is one JSON value that nobody reads before its end."""
        call = self.core.request.call
        if not self.core.plan.as_reference or (isinstance(call, Call) and call.stream):
            return False
        return headers.get("content-type").partition(";")[0].strip() == "application/json"

    def _open_reading(self, headers: Headers) -> None:
        core = self.core
        self.need = core.plan.needs.response
        self.gated = self.need is ResponseNeed.GATE
        if core.chain.slots and self.need is not ResponseNeed.NONE:
            reader = Reader(headers, self.gated, core.plan.limits)
            self.reading = Reading(core, self.mode, self.gated, reader, self)
            if self.gated and self.mode is FDS:  # elsewhere bytes go with a counted reply only
                waits = [at.idle_s for at in core.chain.slots if at.idle_s is not None]
                self.reading.idle_s = min(waits, default=None)

    def _head_done(self, result: Passed | Stopped) -> None:
        core = self.core
        if isinstance(result, Stopped):
            core.stop(result, self.change.metadata)
            return
        limit = core.plan.limits.headers_max
        if self.change.overlay.exceeds(limit):
            core.reject(Reject(Reason.CHANGE_REFUSED, f"more than {limit} response headers"))
            return
        self.head_decided = True
        if self.reading is not None and self.reading.reader.rewrites:
            self.change.overlay.strip(("content-encoding",))
        assert self.head is not None
        waits = self.gated and self.mode is FDS and not self.head.end_of_stream
        if not waits:
            self._send_head()
        if self.head.end_of_stream:
            self._finish(None)
        parts, self.parts = self.parts, []
        for part in parts:
            self._take(part)

    def _send_head(self) -> None:
        if self.head_owed:
            self.head_owed = False
            mutation = self.change.overlay.mutation()
            self.core.outputs.append(
                HeadersReply(RESPONSE, mutation, metadata=self.change.metadata)
            )

    def _take(self, part: Chunk | Trailers) -> None:
        if self.core.silent:
            return
        if self.cut_short:
            self._swallow(part)
        elif isinstance(part, Chunk):
            self._take_chunk(part)
        elif self.gated and self.mode not in WHOLE:
            self._finish(None)
        else:
            if not self.gated:
                self._send_gathered(False)
                self._finish(None)
            self.core.outputs.append(TrailersReply(RESPONSE))

    def _take_chunk(self, chunk: Chunk) -> None:
        self.replies_owed += 1
        if not self.gated:
            self._pass(chunk)
        elif self.mode is BodyMode.BUFFERED_PARTIAL and not chunk.end_of_stream:
            self.core.reject(_unseen())
            return
        whole = chunk.end_of_stream or (self.gated and self.mode in WHOLE)
        if self.reading is not None:
            self.reading.push(chunk.data, self.gated and self.mode is not FDS and not whole)
        if whole:
            self._finish(chunk.data)

    def _swallow(self, part: Chunk | Trailers) -> None:
        """Drop what comes after an error of ours has ended the body."""
        if isinstance(part, Trailers):
            self.core.outputs.append(TrailersReply(RESPONSE))
        else:
            self.core.outputs.append(BodyReply(RESPONSE, Replace(b"")))

    def _pass(self, chunk: Chunk) -> None:
        """Send a chunk on untouched, at once."""
        if self.mode is not FDS:
            self.replies_owed -= 1
            self.core.outputs.append(UNTOUCHED)
            return
        if self.gathers:
            self._gather(chunk)
        else:
            self._pass_streamed(chunk)

    def _gather(self, chunk: Chunk) -> None:
        """Keep a piece of a body that is sent on whole; give that up for a long one."""
        self.gathered.append(chunk.data)
        self.gathers = self.body_bytes <= GATHERED_BYTES_MAX
        if chunk.end_of_stream or not self.gathers:
            self._send_gathered(chunk.end_of_stream)

    def _send_gathered(self, end_of_stream: bool) -> None:
        if self.gathered:
            data, self.gathered = b"".join(self.gathered), []
            self._pass_streamed(Chunk(RESPONSE, data, end_of_stream))

    def _pass_streamed(self, chunk: Chunk) -> None:
        outputs = self.core.outputs
        size = self.core.plan.limits.chunk_bytes_max
        pieces = [chunk.data] if 0 < len(chunk.data) <= size else list(cut([chunk.data], size))
        last = len(pieces) - 1
        for at, data in enumerate(pieces):
            end = chunk.end_of_stream and at == last
            outputs.append(BodyReply(RESPONSE, Streamed(data, end)))
        if not pieces and chunk.end_of_stream:
            outputs.append(BodyReply(RESPONSE, Streamed(b"", True)))

    def _finish(self, data: bytes | None) -> None:
        if self.reading is not None and not self.cut_short and not self.core.silent:
            self.reading.finish(data, self.trailers)

    def release(self, data: bytes) -> None:
        """Take gated bytes that may go on."""
        self.released.append(data)

    def flush(self) -> None:
        """Send what may go on, if there is no counted reply to send it with."""
        if self.released and self.mode is FDS and not self.core.silent:
            self._send_released(False)

    def _send_released(self, end_of_stream: bool) -> None:
        self._send_head()
        size = self.core.plan.limits.chunk_bytes_max
        pieces = list(cut(self.released, size))
        self.released = []
        if end_of_stream and not pieces:
            pieces = [b""]
        for at, data in enumerate(pieces):
            end = end_of_stream and at == len(pieces) - 1
            self.core.outputs.append(BodyReply(RESPONSE, Streamed(data, end)))

    def reply(self, data: bytes) -> None:
        """Reply to the counted body message *data* with what its events came to."""
        self.replies_owed -= 1
        released, self.released = b"".join(self.released), []
        if released == data and not self.cut_short:
            self.core.outputs.append(BodyReply(RESPONSE, Keep()))
            return
        mutation = NO_CHANGE
        sized = self.head is not None and "content-length" in self.head.headers
        # Envoy refuses a body that its length does not fit.
        if self.mode is BodyMode.BUFFERED and sized:
            mutation = HeaderMutation((("content-length", str(len(released)), False),))
        self.core.outputs.append(BodyReply(RESPONSE, Replace(released), mutation))

    def close(self, data: bytes | None) -> None:
        """Send the end of a gated body."""
        if self.head is not None and self.head.end_of_stream:
            return
        if self.mode is FDS:
            self._send_released(data is not None)
        elif data is not None:
            self.reply(data)
        elif any(self.released):
            self.core.abort("UNAVAILABLE", "held bytes remain behind the last body message")
            return
        if data is None:
            self.core.outputs.append(TrailersReply(RESPONSE))

    def refuse(self, reject: Reject) -> None:
        """Answer with *reject*: cleanly while Envoy holds the head, else inside the body."""
        core = self.core
        if not self.gated:
            return
        if self.head_owed or self.mode in WHOLE:
            core.reject(reject)
            return
        core.reason, core.refusal = reject.reason, reject
        reading, api = self.reading, api_asked(core.request)
        assert reading is not None
        streams = reading.event_stream
        error = error_events(api, reject, reading.begun) if streams else error_object(api, reject)
        reading.work.clear()
        self.cut_short, self.released = True, [error]
        if self.mode is FDS:
            self._send_released(not self.trailed)
            if self.trailed:
                core.outputs.append(TrailersReply(RESPONSE))
            core.silent = True
        elif self.replies_owed:
            while self.replies_owed:  # the first carries the error, the others nothing
                self.reply(b"")
        else:
            core.abort("UNAVAILABLE", "a response was refused after its last body message")


def _unseen() -> Reject:
    cure = "set response_body_mode to FULL_DUPLEX_STREAMED"
    return Reject(Reason.BODY_UNAVAILABLE, f"the response cannot be screened; {cure}")
