"""A peer that plays Envoy over real gRPC: it also says what a real one never would."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import grpc.aio

from headrace.host.exchange.part import BodyMode, Direction
from headrace.host.extproc.proto import messages as pb
from tests.e2e.rig.config import FDS, LOOPBACK

METHOD = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
HEAR_S_MAX = 5.0
QUIET_S = 0.15
POST: tuple[tuple[str, str], ...] = (
    (":method", "POST"),
    (":path", "/"),
    (":authority", "rig"),
    (":scheme", "http"),
)
OK: tuple[tuple[str, str], ...] = ((":status", "200"),)
REQUEST, RESPONSE = Direction.REQUEST, Direction.RESPONSE
MESSAGE_BYTES: list[tuple[str, object]] = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]
Fields = Iterable[tuple[str, str]]
Call = grpc.aio.StreamStreamCall[bytes, bytes]


class Peer:
    """One ext_proc stream, seen from Envoy's end."""

    def __init__(self, call: Call, modes: tuple[BodyMode, BodyMode] | None) -> None:
        self._call = call
        self._modes = modes

    async def say(self, *messages: pb.ProcessingRequest) -> None:
        """Send *messages*; the first of the stream tells the body modes."""
        for message in messages:
            if self._modes is not None:
                message.protocol_config.request_body_mode = self._modes[0]
                message.protocol_config.response_body_mode = self._modes[1]
                self._modes = None
            await self.say_raw(message.SerializeToString())

    async def say_raw(self, message: bytes) -> None:
        """Send bytes that may be no message at all."""
        await self._call.write(message)

    async def hear(self, count: int = 1) -> list[str]:
        """Return the next *count* replies, each described.

        Raises:
            TimeoutError: fewer come in time.
        """
        async with asyncio.timeout(HEAR_S_MAX):
            return [describe(await self.hear_raw()) for _ in range(count)]

    async def hear_raw(self) -> pb.ProcessingResponse:
        """Return the next reply.

        Raises:
            EOFError: the host ended the stream instead.
        """
        raw = await self._call.read()
        if not isinstance(raw, bytes):
            raise EOFError("the host ended the stream")
        return pb.ProcessingResponse.FromString(raw)

    async def quiet(self) -> bool:
        """Return whether the host says nothing for a while."""
        reading = asyncio.ensure_future(self._call.read())
        done, _ = await asyncio.wait({reading}, timeout=QUIET_S)
        return not done

    async def half_close(self) -> None:
        """Say that nothing more will be said."""
        await self._call.done_writing()

    def cancel(self) -> None:
        """Reset the stream."""
        self._call.cancel()

    async def status(self) -> str:
        """Return the name of the status that the host ended the stream with.

        What is still to hear is not listened to; gRPC gives the status only after it.
        """
        async with asyncio.timeout(HEAR_S_MAX):
            with suppress(grpc.aio.AioRpcError):
                while isinstance(await self._call.read(), bytes):
                    pass
            return (await self._call.code()).name


@asynccontextmanager
async def talking(
    port: int, chain: str = "pass", modes: tuple[BodyMode, BodyMode] | None = (FDS, FDS)
) -> AsyncGenerator[Peer]:
    """Open a stream to the host at *port* for a while; None as *modes* sends no protocol_config."""
    async with grpc.aio.insecure_channel(f"{LOOPBACK}:{port}", options=MESSAGE_BYTES) as channel:
        # Without serializers the stream carries bytes, which the stubs cannot say.
        open_stream = cast(Any, channel).stream_stream(METHOD)
        call: Call = open_stream(metadata=(("x-headrace-chain", chain),))
        try:
            yield Peer(call, modes)
        finally:
            call.cancel()


def head(
    direction: Direction, fields: Fields = (), *, end: bool = False, raw: bool = True
) -> pb.ProcessingRequest:
    """Return a headers message; pseudo headers go first. Not *raw*: in `value` (agentgateway)."""
    pairs = [*(POST if direction is REQUEST else OK), *fields]
    headers = pb.HeaderMap(
        headers=[
            pb.HeaderValue(key=name, raw_value=value.encode())
            if raw
            else pb.HeaderValue(key=name, value=value)
            for name, value in pairs
        ]
    )
    message = pb.HttpHeaders(headers=headers, end_of_stream=end)
    if direction is REQUEST:
        return pb.ProcessingRequest(request_headers=message)
    return pb.ProcessingRequest(response_headers=message)


def chunk(direction: Direction, data: bytes, *, end: bool = False) -> pb.ProcessingRequest:
    """Return a body message."""
    message = pb.HttpBody(body=data, end_of_stream=end)
    if direction is REQUEST:
        return pb.ProcessingRequest(request_body=message)
    return pb.ProcessingRequest(response_body=message)


def trailers(direction: Direction, fields: Fields = ()) -> pb.ProcessingRequest:
    """Return a trailers message."""
    pairs = [pb.HeaderValue(key=name, raw_value=value.encode()) for name, value in fields]
    message = pb.HttpTrailers(trailers=pb.HeaderMap(headers=pairs))
    if direction is REQUEST:
        return pb.ProcessingRequest(request_trailers=message)
    return pb.ProcessingRequest(response_trailers=message)


def describe(reply: pb.ProcessingResponse) -> str:
    """Return *reply* as a few words: its kind, what it does to the body, the headers it sets."""
    kind = str(reply.WhichOneof("response") or "empty")
    match kind:
        case "request_headers" | "response_headers":
            headers = reply.request_headers if kind[2] == "q" else reply.response_headers
            return " ".join([kind, *_changes(headers.response.header_mutation)])
        case "request_body" | "response_body":
            body = reply.request_body if kind[2] == "q" else reply.response_body
            return f"{kind} {_body(body.response.body_mutation)}"
        case "immediate_response":
            return f"immediate {reply.immediate_response.status.code}"
        case "streamed_immediate_response":
            return f"local {reply.streamed_immediate_response.WhichOneof('response')}"
        case _:
            return kind


def _body(mutation: pb.BodyMutation) -> str:
    match mutation.WhichOneof("mutation"):
        case "streamed_response":
            streamed = mutation.streamed_response
            return f"{streamed.body!r}{' end' if streamed.end_of_stream else ''}"
        case "body":
            return f"replace {mutation.body!r}"
        case "clear_body":
            return "clear"
        case _:
            return "keep"


def _changes(mutation: pb.HeaderMutation) -> list[str]:
    sets = [f"{one.header.key}={one.header.raw_value.decode()}" for one in mutation.set_headers]
    return [*(f"-{name}" for name in mutation.remove_headers), *sets]
