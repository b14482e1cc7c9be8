"""What leaves: the replies to parts, and what the exchange asks of its edge.

Structs, for the reason given in `part`. Those that carry bytes show their size only.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from headrace.extensions.headers import Pairs
from headrace.extensions.stage import Effect, Json
from headrace.host.exchange.part import Direction, Modes

Metadata = Mapping[str, Mapping[str, Json]]


class HeaderMutation(Struct, frozen=True, gc=False):
    """One folded header change: Envoy removes first, then sets.

    set_headers  (name, value, append): append adds beside existing values, else overwrite
    """

    set_headers: tuple[tuple[str, str, bool], ...] = ()
    remove_headers: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.set_headers or self.remove_headers)


NO_CHANGE = HeaderMutation()


class HeadersReply(Struct, frozen=True, gc=False):
    """`request_headers` or `response_headers`, with these changes.

    mode_override  the modes to ask for, both always explicit; None asks for nothing
    body           CONTINUE_AND_REPLACE: goes on in place of the body, and nothing more is asked;
                   trailers follow it as they are. None is CONTINUE
    """

    direction: Direction
    mutation: HeaderMutation = NO_CHANGE
    clear_route_cache: bool = False
    metadata: Metadata | None = None
    mode_override: Modes | None = None
    body: bytes | None = None

    def __repr__(self) -> str:
        body = "" if self.body is None else f", {len(self.body)} bytes in place of the body"
        return f"HeadersReply({self.direction.value}, {self.mutation}{body})"


class Keep(Struct, frozen=True, gc=False):
    """Leave the body message as it is (not in FULL_DUPLEX_STREAMED)."""


class Replace(Struct, frozen=True, gc=False):
    """Put *data* in place of the body message; empty clears it (not in FULL_DUPLEX_STREAMED)."""

    data: bytes

    def __repr__(self) -> str:
        return f"Replace({len(self.data)} bytes)"


class Streamed(Struct, frozen=True, gc=False):
    """Send *data* on (only in FULL_DUPLEX_STREAMED); at most 62,000 bytes."""

    data: bytes
    end_of_stream: bool = False

    def __repr__(self) -> str:
        return f"Streamed({len(self.data)} bytes, end_of_stream={self.end_of_stream})"


class BodyReply(Struct, frozen=True, gc=False):
    """`request_body` or `response_body`. Header changes count only while Envoy holds the head."""

    direction: Direction
    body: Keep | Replace | Streamed
    mutation: HeaderMutation = NO_CHANGE
    clear_route_cache: bool = False
    metadata: Metadata | None = None


# Most replies are: to every piece of every answer that nobody holds back.
UNTOUCHED = BodyReply(Direction.RESPONSE, Keep())


class TrailersReply(Struct, frozen=True, gc=False):
    """`request_trailers` or `response_trailers`."""

    direction: Direction
    mutation: HeaderMutation = NO_CHANGE


class ImmediateReply(Struct, frozen=True, gc=False):
    """`immediate_response`: a whole local answer. Nothing may follow it.

    grpc_status  set for requests whose content type is gRPC, else None
    details      a fixed word for Envoy's access log
    """

    status: int
    headers: Pairs = ()
    body: bytes = b""
    grpc_status: int | None = None
    details: str = ""
    metadata: Metadata | None = None

    def __repr__(self) -> str:
        return f"ImmediateReply({self.status}, {self.details}, {len(self.body)} bytes)"


class LocalHead(Struct, frozen=True, gc=False):
    """`streamed_immediate_response.headers_response`: begins a streamed local answer.

    headers include ``:status``.
    """

    headers: Pairs
    end_of_stream: bool = False


class LocalChunk(Struct, frozen=True, gc=False):
    """`streamed_immediate_response.body_response`."""

    data: bytes
    end_of_stream: bool = False

    def __repr__(self) -> str:
        return f"LocalChunk({len(self.data)} bytes, end_of_stream={self.end_of_stream})"


class LocalTrailers(Struct, frozen=True, gc=False):
    """`streamed_immediate_response.trailers_response`: ends a streamed local answer."""

    headers: Pairs


class ExtendTimeout(Struct, frozen=True, gc=False):
    """`override_message_timeout`: Envoy takes one per state, and nothing else of the message.

    timeout_s  from now on; at least 1 ms
    """

    timeout_s: float


class Perform(Struct, frozen=True, gc=False):
    """Ask the edge to perform *effect* and to `resume` the exchange with *ticket* and the reply."""

    ticket: int
    stage: str
    effect: Effect[Any]


class Watch(Struct, frozen=True, gc=False):
    """Ask the edge to perform *effect* beside all else, and to `interrupt` with its reply."""

    ticket: int
    effect: Effect[Any]


class Cancel(Struct, frozen=True, gc=False):
    """Tell the edge that nobody waits for *ticket* any more."""

    ticket: int


class Abort(Struct, frozen=True, gc=False):
    """End the stream with gRPC status *code*, never OK: Envoy must not take silence for success.

    code  a gRPC status name: ``UNAVAILABLE``, ``INVALID_ARGUMENT``, ``INTERNAL``
    """

    code: str
    message: str


Reply = (
    HeadersReply
    | BodyReply
    | TrailersReply
    | ImmediateReply
    | LocalHead
    | LocalChunk
    | LocalTrailers
    | ExtendTimeout
    | Abort
)
Output = Reply | Perform | Watch | Cancel
