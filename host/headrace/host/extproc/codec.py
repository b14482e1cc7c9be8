"""Protobuf messages to parts, and replies to protobuf messages."""

from functools import lru_cache
from typing import Any

from google.protobuf.message import DecodeError
from msgspec import Struct

from headrace.extensions.headers import Headers, Pairs, value_bytes, value_text
from headrace.extensions.stage import Json
from headrace.host.exchange.part import (
    BodyMode,
    Chunk,
    Context,
    Direction,
    Head,
    Modes,
    Part,
    Trailers,
)
from headrace.host.exchange.reply import (
    NO_CHANGE,
    UNTOUCHED,
    BodyReply,
    ExtendTimeout,
    HeaderMutation,
    HeadersReply,
    ImmediateReply,
    Keep,
    LocalChunk,
    LocalHead,
    LocalTrailers,
    Replace,
    Streamed,
    TrailersReply,
)
from headrace.host.extproc.proto import messages as pb
from headrace.host.extproc.structs import fill_metadata, plain

Message = (
    HeadersReply
    | BodyReply
    | TrailersReply
    | ImmediateReply
    | LocalHead
    | LocalChunk
    | LocalTrailers
    | ExtendTimeout
)
REQUEST, RESPONSE = Direction.REQUEST, Direction.RESPONSE
MODES = {mode.value: mode for mode in BodyMode}
APPEND = pb.BoolValue(value=True)
OVERWRITE = pb.BoolValue(value=False)
OPTION_CHARS_MAX = 256
END_BYTES = 2  # of `end_of_stream`, the last field: its tag and a 1
CONTINUE_AND_REPLACE = 1  # of CommonResponse.ResponseStatus


class WireFault(Exception):
    """The peer sent what no ext_proc client may send. The stream is aborted INVALID_ARGUMENT."""


class Incoming(Struct, frozen=True):
    """One message of the peer.

    part           None if the message only speaks of gRPC flow control, which we need not obey
    modes          the body modes in force, only in the first message
    observability  nothing may be answered
    """

    part: Part | None
    modes: Modes | None = None
    observability: bool = False


def decode(message: bytes, want_context: bool = True) -> Incoming:
    """Return what *message*, a serialized ProcessingRequest, says.

    Without *want_context*, attributes and metadata are not looked at. Envoy repeats them with
    every message; of a response body nobody asks for them, so there they never are.

    Raises:
        WireFault: it is no ProcessingRequest, has no part, or names a body mode we do not speak.
    """
    try:
        request = pb.ProcessingRequest.FromString(message)
    except DecodeError as error:
        raise WireFault("not a `ProcessingRequest`") from error
    kind: str | None = request.WhichOneof("request")
    if kind == "response_body" and not request.HasField("protocol_config"):
        body = request.response_body  # most messages are: every piece of every answer
        chunk = Chunk(RESPONSE, body.body, body.end_of_stream)
        return Incoming(chunk, None, request.observability_mode)
    context = _context(request) if want_context and kind != "response_body" else None
    modes = _modes(request.protocol_config) if request.HasField("protocol_config") else None
    return Incoming(_part(request, kind, context), modes, request.observability_mode)


def _part(request: pb.ProcessingRequest, kind: str | None, context: Context | None) -> Part | None:
    match kind:
        case "response_body":
            body = request.response_body
            return Chunk(RESPONSE, body.body, body.end_of_stream, context)
        case "request_body":
            body = request.request_body
            return Chunk(REQUEST, body.body, body.end_of_stream, context)
        case "request_headers":
            head = request.request_headers
            return Head(REQUEST, _headers(head.headers), head.end_of_stream, context)
        case "response_headers":
            head = request.response_headers
            return Head(RESPONSE, _headers(head.headers), head.end_of_stream, context)
        case "request_trailers":
            return Trailers(REQUEST, _headers(request.request_trailers.trailers), context)
        case "response_trailers":
            return Trailers(RESPONSE, _headers(request.response_trailers.trailers), context)
        case _:
            if request.HasField("flow_control_init") or request.HasField("client_window_update"):
                return None
            raise WireFault("a `ProcessingRequest` without a part that we know")


def _headers(fields: pb.HeaderMap) -> Headers:
    # Envoy fills raw_value, others (agentgateway) value. Names come in lower case from Envoy.
    try:  # the strict decoder is the faster one
        return Headers([(h.key.lower(), h.raw_value.decode() or h.value) for h in fields.headers])
    except UnicodeDecodeError:
        return Headers(
            [(h.key.lower(), value_text(h.raw_value) or h.value) for h in fields.headers]
        )


def _modes(config: pb.ProtocolConfiguration) -> Modes:
    try:
        return Modes(MODES[config.request_body_mode], MODES[config.response_body_mode])
    except KeyError as error:
        raise WireFault(f"body mode {error} in `protocol_config`: use 0 to 4") from error


def _context(request: pb.ProcessingRequest) -> Context | None:
    # Maps are walked by key: their `items` and `values` are generators written in Python.
    structs, spaces = request.attributes, request.metadata_context.filter_metadata
    if not structs and not spaces:
        return None
    attributes: dict[str, Json] = {}
    for filter_name in structs:
        attributes |= plain(structs[filter_name])
    return Context(attributes, {namespace: plain(spaces[namespace]) for namespace in spaces})


def encode(reply: Message) -> bytes:
    """Return *reply* as a serialized ProcessingResponse."""
    if reply is UNTOUCHED:
        return KEEP[RESPONSE]
    if isinstance(reply, BodyReply):
        return _body_reply(reply)
    match reply:
        case HeadersReply():
            return _headers_reply(reply)
        case TrailersReply():
            return _trailers_reply(reply)
        case ImmediateReply():
            return _immediate_reply(reply)
        case ExtendTimeout():
            return _extension(reply)
        case _:
            return _local_reply(reply)


def _body_reply(reply: BodyReply) -> bytes:
    body, direction = reply.body, reply.direction
    plain_reply = (
        reply.mutation is NO_CHANGE or not reply.mutation
    ) and not reply.clear_route_cache
    if plain_reply and reply.metadata is None:
        if isinstance(body, Streamed):
            before, behind = _around(direction, len(body.data), body.end_of_stream)
            return b"".join((before, body.data, behind))
        if isinstance(body, Keep):
            return KEEP[direction]
    message = pb.ProcessingResponse()
    out = message.request_body if direction is REQUEST else message.response_body
    common = out.response
    match body:
        case Streamed():
            streamed = common.body_mutation.streamed_response
            streamed.body = body.data
            streamed.end_of_stream = body.end_of_stream
        case Replace():
            if body.data:
                common.body_mutation.body = body.data
            else:
                common.body_mutation.clear_body = True
        case Keep():
            common.SetInParent()
    if not plain_reply:
        _mutate(common.header_mutation, reply.mutation)
        common.clear_route_cache = reply.clear_route_cache
    if reply.metadata is not None:
        fill_metadata(message.dynamic_metadata, reply.metadata)
    return message.SerializeToString()


@lru_cache(maxsize=4096)
def _around(direction: Direction, size: int, end_of_stream: bool) -> tuple[bytes, bytes]:
    """Return what a reply that streams *size* bytes on has before them, and behind them.

    Events of a stream have a few sizes, and to make the message takes longer than to copy it.
    """
    message = pb.ProcessingResponse()
    out = message.request_body if direction is REQUEST else message.response_body
    streamed = out.response.body_mutation.streamed_response
    streamed.body, streamed.end_of_stream = bytes(size), end_of_stream
    octets = message.SerializeToString()
    behind = octets[len(octets) - END_BYTES :] if end_of_stream else b""
    return octets[: len(octets) - len(behind) - size], behind


def _headers_reply(reply: HeadersReply) -> bytes:
    changed = bool(reply.mutation) or reply.clear_route_cache
    asks = reply.mode_override is not None or reply.body is not None
    if not changed and reply.metadata is None and not asks:
        return GO_ON[reply.direction]
    message = pb.ProcessingResponse()
    request = reply.direction is REQUEST
    common = (message.request_headers if request else message.response_headers).response
    common.SetInParent()
    if changed:
        _mutate(common.header_mutation, reply.mutation)
        common.clear_route_cache = reply.clear_route_cache
    if reply.metadata is not None:
        fill_metadata(message.dynamic_metadata, reply.metadata)
    if reply.body is not None:
        common.status = CONTINUE_AND_REPLACE
        common.body_mutation.body = reply.body
    if reply.mode_override is not None:
        _override(message.mode_override, reply.mode_override)
    return message.SerializeToString()


def _override(slot: pb.ProcessingMode, modes: Modes) -> None:
    slot.request_body_mode = modes.request
    slot.response_body_mode = modes.response
    # Envoy refuses full duplex without trailers; 0 keeps what is configured.
    if modes.request is BodyMode.FULL_DUPLEX_STREAMED:
        slot.request_trailer_mode = 1
    if modes.response is BodyMode.FULL_DUPLEX_STREAMED:
        slot.response_trailer_mode = 1


def _trailers_reply(reply: TrailersReply) -> bytes:
    if not reply.mutation:
        return END[reply.direction]
    message = pb.ProcessingResponse()
    request = reply.direction is REQUEST
    out = message.request_trailers if request else message.response_trailers
    _mutate(out.header_mutation, reply.mutation)
    return message.SerializeToString()


def _immediate_reply(reply: ImmediateReply) -> bytes:
    message = pb.ProcessingResponse()
    out = message.immediate_response
    out.status.code = reply.status
    seen: set[str] = set()
    for name, value in reply.headers:  # a repeated name is one more field, not a correction
        _set(out.headers, name, value, append=name in seen)
        seen.add(name)
    out.body = reply.body
    out.details = reply.details
    if reply.grpc_status is not None:
        out.grpc_status.status = reply.grpc_status
    if reply.metadata is not None:
        fill_metadata(message.dynamic_metadata, reply.metadata)
    return message.SerializeToString()


def _extension(reply: ExtendTimeout) -> bytes:
    message = pb.ProcessingResponse()
    seconds, rest = divmod(round(reply.timeout_s * 1e9), 10**9)
    message.override_message_timeout.seconds = seconds
    message.override_message_timeout.nanos = rest
    return message.SerializeToString()


def _local_reply(reply: LocalHead | LocalChunk | LocalTrailers) -> bytes:
    message = pb.ProcessingResponse()
    out = message.streamed_immediate_response
    match reply:
        case LocalHead():
            out.headers_response.end_of_stream = reply.end_of_stream
            _list(out.headers_response.headers, reply.headers)
        case LocalChunk():
            out.body_response.body = reply.data
            out.body_response.end_of_stream = reply.end_of_stream
        case LocalTrailers():
            out.trailers_response.SetInParent()
            _list(out.trailers_response, reply.headers)
    return message.SerializeToString()


def _mutate(out: pb.HeaderMutation, mutation: HeaderMutation) -> None:
    for name, value, append in mutation.set_headers:
        _set(out, name, value, append)
    out.remove_headers.extend(mutation.remove_headers)


def _set(out: pb.HeaderMutation, name: str, value: str, append: bool) -> None:
    short = len(value) <= OPTION_CHARS_MAX
    out.set_headers.append(_known(name, value, append) if short else _option(name, value, append))


def _option(name: str, value: str, append: bool) -> pb.HeaderValueOption:
    # Envoy's ext_proc obeys `append`, other data planes `append_action`: say both.
    return pb.HeaderValueOption(
        header=pb.HeaderValue(key=name, raw_value=value_bytes(value)),
        append=APPEND if append else OVERWRITE,
        append_action=0 if append else 2,
        keep_empty_value=not value,
    )


# A policy sets the same few headers again and again; making one takes longer than a look-up.
_known = lru_cache(maxsize=2048)(_option)


def _list(out: pb.HeaderMap, pairs: Pairs) -> None:
    for name, value in pairs:
        out.headers.add(key=name, raw_value=value_bytes(value))


def _constant(**fields: Any) -> bytes:  # one field of the oneof, named by the caller
    return pb.ProcessingResponse(**fields).SerializeToString()


_COMMON = pb.CommonResponse()
GO_ON = {
    REQUEST: _constant(request_headers=pb.HeadersResponse(response=_COMMON)),
    RESPONSE: _constant(response_headers=pb.HeadersResponse(response=_COMMON)),
}
KEEP = {
    REQUEST: _constant(request_body=pb.BodyResponse(response=_COMMON)),
    RESPONSE: _constant(response_body=pb.BodyResponse(response=_COMMON)),
}
END = {
    REQUEST: _constant(request_trailers=pb.TrailersResponse()),
    RESPONSE: _constant(response_trailers=pb.TrailersResponse()),
}
