"""The yardstick: the least that an ext_proc host can do. ``python -m bench.nowork``.

It answers every message so that the HTTP exchange goes through unchanged, and decides
nothing. On grpc.aio its CPU time per request is what grpc.aio costs any host written in
Python; on the native transport, what is left of that.
"""

import argparse
import asyncio
import signal
from importlib import import_module
from typing import Any

import uvloop

from headrace.extensions.stage import Reject
from headrace.host.exchange.part import BodyMode, Chunk, Head, Modes, Part
from headrace.host.exchange.reply import (
    BodyReply,
    HeadersReply,
    Keep,
    Output,
    Streamed,
    TrailersReply,
)
from headrace.host.extproc.opening import Opening
from headrace.host.extproc.options import GrpcOptions
from headrace.host.extproc.proto import messages as pb
from headrace.host.extproc.transport import Transport, make_server

SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"
FULL_DUPLEX_STREAMED = 4

_COMMON = pb.CommonResponse()
REQUEST_HEADERS = pb.ProcessingResponse(request_headers=pb.HeadersResponse(response=_COMMON))
RESPONSE_HEADERS = pb.ProcessingResponse(response_headers=pb.HeadersResponse(response=_COMMON))
REQUEST_BODY = pb.ProcessingResponse(request_body=pb.BodyResponse(response=_COMMON))
RESPONSE_BODY = pb.ProcessingResponse(response_body=pb.BodyResponse(response=_COMMON))
REQUEST_TRAILERS = pb.ProcessingResponse(request_trailers=pb.TrailersResponse())
RESPONSE_TRAILERS = pb.ProcessingResponse(response_trailers=pb.TrailersResponse())


def _echo(body: pb.HttpBody) -> pb.BodyResponse:
    streamed = pb.StreamedBodyResponse(body=body.body, end_of_stream=body.end_of_stream)
    mutation = pb.BodyMutation(streamed_response=streamed)
    return pb.BodyResponse(response=pb.CommonResponse(body_mutation=mutation))


def answer(
    request: pb.ProcessingRequest, request_mode: int, response_mode: int
) -> pb.ProcessingResponse:
    """Return the answer that changes nothing."""
    match request.WhichOneof("request"):
        case "request_headers":
            return REQUEST_HEADERS
        case "response_headers":
            return RESPONSE_HEADERS
        case "request_body":
            if request_mode == FULL_DUPLEX_STREAMED:
                return pb.ProcessingResponse(request_body=_echo(request.request_body))
            return REQUEST_BODY
        case "response_body":
            if response_mode == FULL_DUPLEX_STREAMED:
                return pb.ProcessingResponse(response_body=_echo(request.response_body))
            return RESPONSE_BODY
        case "request_trailers":
            return REQUEST_TRAILERS
        case _:
            return RESPONSE_TRAILERS


async def process(_requests: object, context: Any) -> None:  # grpc.aio's own context
    """Answer one stream."""
    request_mode = response_mode = FULL_DUPLEX_STREAMED
    read, write = context.read, context.write
    while isinstance(request := await read(), pb.ProcessingRequest):
        if request.HasField("protocol_config"):
            request_mode = request.protocol_config.request_body_mode
            response_mode = request.protocol_config.response_body_mode
        await write(answer(request, request_mode, response_mode))


class Unchanged:
    """The exchange that changes nothing, for a transport of ours. Mutable as any exchange."""

    closed = True

    def __init__(self, opening: Opening, now_s: float) -> None:
        self._modes = opening.modes or Modes()

    def receive(self, part: Part, now_s: float) -> list[Output]:
        """Answer *part* with itself."""
        if isinstance(part, Head):
            return [HeadersReply(part.direction)]
        if not isinstance(part, Chunk):
            return [TrailersReply(part.direction)]
        if self._modes.of(part.direction) is BodyMode.FULL_DUPLEX_STREAMED:
            return [BodyReply(part.direction, Streamed(part.data, part.end_of_stream))]
        return [BodyReply(part.direction, Keep())]

    def resume(self, ticket: int, reply: object, now_s: float) -> list[Output]:
        """Do nothing: no effect is ever asked for."""
        return []

    def interrupt(self, ticket: int, reject: Reject, now_s: float) -> list[Output]:
        return []

    def refuse(self, ticket: int, error: str, now_s: float) -> list[Output]:
        """Do nothing, as `resume`."""
        return []

    def deadline(self) -> float | None:
        """Return None: nothing is waited for."""
        return None

    def expire(self, now_s: float) -> list[Output]:
        """Do nothing."""
        return []

    def end(self, termination: str, now_s: float) -> list[Output]:
        """Do nothing."""
        return []


async def serve_native(port: int) -> None:
    """Serve on loopback, on the native transport, until SIGTERM or SIGINT."""
    options = GrpcOptions(wants_context=lambda chain: False)
    server = make_server(Transport.NATIVE, Unchanged, options=options)
    await server.start(f"127.0.0.1:{port}")
    server.set_serving(True)
    await _asked_to_stop()
    await server.drain(1.0)


async def serve(port: int) -> None:
    """Serve on loopback, on grpc.aio, until SIGTERM or SIGINT."""
    rpc: Any = import_module("grpc")  # untyped: its published types differ
    aio: Any = import_module("grpc.aio")
    method = rpc.stream_stream_rpc_method_handler(
        process, pb.ProcessingRequest.FromString, pb.ProcessingResponse.SerializeToString
    )
    server: Any = aio.server(
        handlers=(rpc.method_handlers_generic_handler(SERVICE, {"Process": method}),),
        options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 64 << 20)],
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await _asked_to_stop()
    await server.stop(1.0)


async def _asked_to_stop() -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="serve ext_proc without doing anything")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--transport", choices=("grpcio", "native"), default="grpcio")
    given = parser.parse_args()
    uvloop.run((serve if given.transport == "grpcio" else serve_native)(given.port))


if __name__ == "__main__":
    main()
