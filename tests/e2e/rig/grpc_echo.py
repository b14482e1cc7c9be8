"""The rig's HTTP/2 upstream: a bidirectional gRPC echo, and what else `x-script` names."""

import asyncio

from tests.e2e.rig.http2 import Stream


async def serve(stream: Stream) -> None:
    """Answer one request by its `x-script`: `echo` (gRPC, each piece at once) or another below."""
    match dict(stream.headers).get("x-script", b"echo"):
        case b"early":
            await _early(stream)
        case b"trailers-only":
            await stream.send_headers(
                [
                    (":status", "200"),
                    ("content-type", "application/grpc"),
                    ("grpc-status", "5"),
                    ("grpc-message", "nothing here"),
                ],
                end=True,
            )
        case b"reset":
            await stream.send_headers([(":status", "200"), ("content-type", "text/event-stream")])
            await stream.send(b"data: 1\n\n")
            await asyncio.sleep(0.05)
            await stream.reset(2)
        case _:
            await _echo(stream)


async def _echo(stream: Stream) -> None:
    kind = dict(stream.headers).get("content-type", b"application/octet-stream")
    await stream.send_headers([(":status", "200"), ("content-type", kind)])
    async for piece in stream.pieces():
        await stream.send(piece)
    back = [(f"x-back-{name}", value) for name, value in stream.trailers]
    await stream.send_headers([("grpc-status", "0"), *back], end=True)


async def _early(stream: Stream) -> None:
    """Answer in full before the request ends, then take the rest of it."""
    await stream.send_headers([(":status", "200"), ("content-type", "text/plain")])
    await stream.send(b"early", end=True)
    async for _ in stream.pieces():
        pass
