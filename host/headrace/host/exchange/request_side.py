"""The request direction: hold the body until the stages have decided, then let it go, unchanged.

Which replies are owed, and when, depends on the body mode (Envoy's ext_proc.proto,
`ProcessingMode.BodySendMode`); the stages never notice it.
"""

from enum import Enum

from msgspec import Struct, field

from headrace.extensions.call import Call, CallFault, parse_call
from headrace.extensions.headers import EMPTY
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Reject, Request
from headrace.host.exchange.chain import Stopped
from headrace.host.exchange.coding import CodingFault, CodingUnknown, Decoder, TooLarge
from headrace.host.exchange.core import ENVELOPE_BYTES, Core
from headrace.host.exchange.cut import cut
from headrace.host.exchange.fold import Overlay
from headrace.host.exchange.part import BodyMode, Chunk, Direction, Head, Modes, Part
from headrace.host.exchange.passes import Change, Passed, request_pass, unchanged
from headrace.host.exchange.refusals import too_large, unavailable, whole_too_large
from headrace.host.exchange.reply import (
    NO_CHANGE,
    BodyReply,
    HeaderMutation,
    HeadersReply,
    Keep,
    Replace,
    Streamed,
    TrailersReply,
)

REQUEST = Direction.REQUEST
FDS = BodyMode.FULL_DUPLEX_STREAMED
WHOLE = (BodyMode.BUFFERED, BodyMode.BUFFERED_PARTIAL)


class Stand(Enum):
    """How far the stages are with the request."""

    COLLECTING = "collecting"  # the body, or waiting for the first part
    DECIDING = "deciding"
    PASSING = "passing"


class RequestSide(Struct):
    """One exchange's request. Written by its Exchange only.

    held        the parts that wait for the decision, as they came
    head_owed   Envoy waits for the headers reply
    late        the head has gone upstream before the stages decided
    released    the header changes that went with it
    """

    core: Core
    mode: BodyMode
    stand: Stand = Stand.COLLECTING
    head: Head | None = None
    head_owed: bool = False
    held: list[bytes] = []
    held_bytes: int = 0
    body_bytes: int = 0
    replies_owed: int = 0
    ended: bool = False
    trailers_owed: bool = False
    late: bool = False
    truncated: bool = False
    begun: bool = False
    heard_s: float = 0.0
    released: HeaderMutation = NO_CHANGE
    change: Change = field(default_factory=unchanged)

    def receive(self, part: Part) -> None:
        """Take one part of the request, in an order that has been checked."""
        self.begun, self.heard_s = True, self.core.now_s
        if isinstance(part, Head):
            self._begin(part)
            return
        if not self.core.opened:
            self.core.open(EMPTY)
        if isinstance(part, Chunk):
            self._chunk(part)
        else:
            self._trailers()

    @property
    def owes(self) -> bool:
        """Whether Envoy waits for a reply, or bytes are held."""
        return self.begun and self.stand is not Stand.PASSING

    def idle_due_s(self) -> float | None:
        """Return when a held body has paused for too long; None while none is held."""
        if self.stand is not Stand.COLLECTING or not self.begun or self.mode in WHOLE:
            return None
        return self.heard_s + self.core.plan.limits.body_idle_s

    def _begin(self, head: Head) -> None:
        core = self.core
        self.head, self.head_owed, self.ended = head, True, head.end_of_stream
        self.change.overlay = Overlay(head.headers)
        self.change.overlay.strip(core.plan.forged(head.headers))
        core.head_seen = True
        core.open(self.change.overlay.headers())
        if core.announced or (core.plan.as_reference and not head.headers.get("x-request-id")):
            self._join()
        if head.end_of_stream or self.mode is BodyMode.NONE or not core.plan.needs.request_body:
            self._decide()
        elif self.mode is not FDS:
            self._release_head()

    def _join(self) -> None:
        """Let the upstream know the request by the name and the span that we know it by."""
        core, overlay = self.core, self.change.overlay
        headers = overlay.headers()
        if core.plan.as_reference and not headers.get("x-request-id"):
            overlay.put("x-request-id", core.id)
        if core.announced:
            overlay.put("traceparent", core.announced)
            if not _same_trace(headers.get("traceparent"), core.announced):
                overlay.strip(("tracestate",))  # it speaks of another trace

    def _release_head(self) -> None:
        """Let Envoy go on to the body: in these modes it comes after the headers reply only."""
        override = None
        if self.mode is BodyMode.STREAMED and self.core.modes.response is not FDS:
            # Envoy takes this only if `allow_mode_override` is set; else the body comes in chunks.
            override = Modes(BodyMode.BUFFERED, self.core.modes.response)
        mutation = self.change.overlay.mutation()
        self.core.outputs.append(HeadersReply(REQUEST, mutation, mode_override=override))
        self.head_owed, self.released = False, mutation

    def _chunk(self, chunk: Chunk) -> None:
        self.body_bytes += len(chunk.data)
        self.ended = self.ended or chunk.end_of_stream
        if self.stand is Stand.PASSING:
            self._pass_chunk(chunk)
            return
        if self.core.local is not None:
            return  # a stage is answering: nobody will read the rest
        first = not self.held
        self.held.append(chunk.data)
        self.held_bytes += len(chunk.data)
        self.replies_owed += 1
        if self.held_bytes > self.core.plan.limits.body_bytes_max:
            self.core.reject(too_large(self.core.plan.limits.body_bytes_max))
        elif self.stand is Stand.COLLECTING:
            self._collect(chunk, first)

    def _collect(self, chunk: Chunk, first: bool) -> None:
        if not self.core.plan.needs.request_body:
            self._decide()
        elif self.mode in WHOLE:
            self.truncated = self.mode is BodyMode.BUFFERED_PARTIAL and not chunk.end_of_stream
            self._decide()
        elif chunk.end_of_stream:
            self.late = not first and self.mode is BodyMode.STREAMED
            self._decide()
        elif self.mode is BodyMode.STREAMED:
            self.core.outputs.append(BodyReply(REQUEST, Replace(b"")))
            self.replies_owed -= 1
            self.core.withheld = self.held_bytes > 0

    def _trailers(self) -> None:
        self.trailers_owed = self.ended = True
        if self.stand is Stand.PASSING:
            self._pass_trailers()
        elif self.stand is Stand.COLLECTING:
            if self.mode is BodyMode.STREAMED and self.held_bytes and self.replies_owed == 0:
                self.core.reject(unavailable("came in pieces that end with trailers"))
                return
            self.late = self.mode in (BodyMode.STREAMED, *WHOLE)
            self._decide()

    def _decide(self) -> None:
        core = self.core
        self.stand, core.withheld = Stand.DECIDING, False
        headers = self.change.overlay.headers()
        body: bytes | None = None
        if core.plan.needs.request_body and (self.mode is not BodyMode.NONE or self.ended):
            read = self._read()
            if isinstance(read, Reject):
                core.reject(read)
                return
            body = read
        core.request = Request(
            core.id,
            headers,
            body,
            self._call(body),
            None,
            core.attributes,
            core.metadata,
            core.request.unix_s,
        )
        state = (REQUEST, self.head_owed)
        core.run(request_pass(core.chain, core.request, self.change), self._done, self.mode, state)

    def _read(self) -> bytes | Reject:
        """Return the content of the held body; keep the held bytes as one piece."""
        raw = self.held[0] if len(self.held) == 1 else b"".join(self.held)
        if len(self.held) > 1 and self.mode is FDS:
            self.held = [raw]
        if self.head is None or not raw or "content-encoding" not in self.head.headers:
            return raw
        bound = self.core.plan.limits.body_bytes_max
        try:
            decoder = Decoder(",".join(self.head.headers.all("content-encoding")), bound)
            content = decoder.push(raw)
            decoder.finish()
        except CodingUnknown:
            known = "send gzip, br, zstd, deflate or no content-encoding"
            return Reject(Reason.UNSUPPORTED_MEDIA_TYPE, f"content-encoding is not known; {known}")
        except CodingFault:
            return Reject(Reason.INVALID_ENCODING, "body is not what its content-encoding says")
        except TooLarge:
            return too_large(bound)
        return content

    def _call(self, body: bytes | None) -> Call | CallFault | None:
        if body is None or self.head is None or (self.head.end_of_stream and not body):
            return None
        headers = self.head.headers
        limits = self.core.plan.limits
        call = parse_call(
            headers.get(":path"), headers.get("content-type"), body, limits.json_depth_max
        )
        if self.truncated and isinstance(call, CallFault) and call.reason is Reason.MALFORMED_JSON:
            return CallFault(Reason.BODY_TOO_LARGE, "body is larger than the proxy buffers")
        return call

    def _done(self, result: Passed | Stopped) -> None:
        core = self.core
        core.decided_s = core.now_s
        if isinstance(result, Stopped):
            core.stop(result, self.change.metadata)
            return
        if core.local is not None:
            core.abort("UNAVAILABLE", "a stage began a streamed answer and did not end it")
            return
        if result.request is not None:
            core.request = result.request
        refusal = self._refusal()
        if refusal is not None:
            core.reject(refusal)
            return
        self.stand = Stand.PASSING
        if self.mode is FDS:
            self._flush_streamed()
        else:
            self._flush_counted()
        self.held = []
        if self.change.watch is not None:
            core.watch(self.change.watch)

    def _refusal(self) -> Reject | None:
        """Return why the stages' changes cannot take effect in this mode, if they cannot."""
        change = self.change
        limit = self.core.plan.limits.headers_max
        if change.overlay.exceeds(limit):
            return Reject(Reason.CHANGE_REFUSED, f"more than {limit} request headers")
        wanted = change.overlay.mutation() != self.released or change.clear_route_cache
        gone = self.late or (self.head is None and self.mode not in WHOLE)
        if wanted and gone and not self.head_owed:
            return unavailable("or its head passed before the policy could decide")
        size = self.core.plan.limits.reply_bytes_max
        if self.mode is not FDS and self._replaces_more():
            return unavailable(f"is changed, and a reply takes at most {size} bytes of it")
        if self._goes_whole() and len(self._body()) + ENVELOPE_BYTES > size:
            return whole_too_large(size)
        if self.truncated and change.body is not None:
            return too_large(self.held_bytes)
        if change.body is not None and self.head is not None and self.head.end_of_stream:
            return Reject(Reason.CHANGE_REFUSED, "a request without a body was given one")
        return None

    def _replaces_more(self) -> bool:
        """Return whether the body would have to go on in a reply that is too large."""
        body = self.change.body
        size = self.held_bytes if self.late else 0
        size = size if body is None else len(body)
        return size + ENVELOPE_BYTES > self.core.plan.limits.reply_bytes_max

    def _flush_streamed(self) -> None:
        core, change = self.core, self.change
        encoded = self.head is not None and "content-encoding" in self.head.headers
        if change.body is not None and encoded:
            change.overlay.strip(("content-encoding",))
        if self._goes_whole():
            self._reply_head(self._body())
            self.trailers_owed = False
            return
        if self.head_owed:
            self._reply_head()
        ended_by_chunk = self.ended and not self.trailers_owed
        if self.replies_owed:
            pieces = self.held if change.body is None else [change.body]
            size = core.plan.limits.chunk_bytes_max
            self._stream(list(cut(pieces, size)), ended_by_chunk)
        if self.trailers_owed:
            self._pass_trailers()

    def _stream(self, pieces: list[bytes], end_of_stream: bool) -> None:
        outputs = self.core.outputs
        for data in pieces[:-1]:
            outputs.append(BodyReply(REQUEST, Streamed(data)))
        if pieces or end_of_stream:
            last = pieces[-1] if pieces else b""
            outputs.append(BodyReply(REQUEST, Streamed(last, end_of_stream)))

    def _reply_head(self, body: bytes | None = None) -> None:
        change = self.change
        mutation = change.overlay.mutation()
        size = self._whole_bytes()
        if size:
            length = ("content-length", str(size), False)
            mutation = HeaderMutation((*mutation.set_headers, length), mutation.remove_headers)
        self.core.outputs.append(
            HeadersReply(REQUEST, mutation, change.clear_route_cache, change.metadata, body=body)
        )
        self.head_owed = False

    def _goes_whole(self) -> bool:
        """Return whether the body is to go with the head, as trailers came behind it.

        Where a route retries, Envoy's router keeps what it was sent, and is sent all of it once
        more when the filter lets trailers go on (envoy#45470). A body that comes with the head
        is sent and kept in one step, and the trailers follow it without being asked for.
        """
        owed = self.mode is FDS and self.head_owed and self.trailers_owed
        return owed and bool(self.held_bytes or self.change.body)

    def _body(self) -> bytes:
        """Return the whole body as it goes on."""
        return b"".join(self.held) if self.change.body is None else self.change.body

    def _whole_bytes(self) -> int:
        """Return the size of the body as it goes on, if it is known to be all of it; else 0.

        Envoy drops its own length in FULL_DUPLEX_STREAMED, and ours too unless it is set to
        `allow_content_length_header`.
        """
        known = self.core.plan.as_reference and self.mode is FDS and self.ended
        return len(self._body()) if known and not self.trailers_owed else 0

    def _flush_counted(self) -> None:
        """Reply to what Envoy has counted: the head, or the one body message it waits for."""
        change = self.change
        if self.head_owed:
            self._reply_head()
        body = self._counted_body()
        if self.replies_owed:
            mutation = NO_CHANGE if self.late else change.overlay.mutation()
            clear = change.clear_route_cache and not self.late
            reply = BodyReply(REQUEST, body, mutation, clear, change.metadata)
            self.core.outputs.append(reply)
        for _ in range(1, self.replies_owed):  # the first has the whole body, if it was changed
            rest = Keep() if isinstance(body, Keep) else Replace(b"")
            self.core.outputs.append(BodyReply(REQUEST, rest))
        self.replies_owed = 0
        if self.trailers_owed:
            self._pass_trailers()

    def _counted_body(self) -> Keep | Replace:
        change = self.change
        if change.body is not None:
            if self.head is not None and "content-encoding" in self.head.headers:
                change.overlay.strip(("content-encoding",))
            self._fit_length(len(change.body))
            return Replace(change.body)
        return Replace(b"".join(self.held)) if self.late else Keep()

    def _fit_length(self, size: int) -> None:
        """See to it that a replaced body fits its `content-length`, which Envoy may still hold."""
        if self.head is None or "content-length" not in self.head.headers:
            return
        if self.mode is BodyMode.BUFFERED:
            self.change.overlay.put("content-length", str(size))
        else:
            self.change.overlay.strip(("content-length",))

    def _pass_chunk(self, chunk: Chunk) -> None:
        if self.mode is FDS:
            size = self.core.plan.limits.chunk_bytes_max
            self._stream(list(cut([chunk.data], size)), chunk.end_of_stream)
        else:
            self.core.outputs.append(BodyReply(REQUEST, Keep()))

    def _pass_trailers(self) -> None:
        self.trailers_owed = False
        self.core.outputs.append(TrailersReply(REQUEST))


def _same_trace(one: str, other: str) -> bool:
    """Return whether two `traceparent` values have the same trace id."""
    return one.strip()[3:35] == other[3:35]
