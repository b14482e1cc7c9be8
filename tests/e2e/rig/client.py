"""The rig's HTTP/1.1 client: one request on one connection, sent while the answer is read."""

import asyncio
from collections.abc import AsyncIterable, Iterable
from contextlib import suppress

from tests.e2e.rig.http1 import Answer, Fields, Wire, connect, read_answer

Body = bytes | Iterable[bytes] | AsyncIterable[bytes] | None
FETCH_S_MAX = 30.0
PIECE_BYTES = 256 * 1024


async def fetch(
    port: int,
    method: str = "GET",
    path: str = "/",
    fields: Fields = (),
    body: Body = None,
    trailers: Fields = (),
) -> Answer:
    """Return the answer to one request.

    body  bytes go with a content-length, an iterable as one chunk per item; None: no body

    Raises:
        TimeoutError: nothing came back in time.
        EOFError, ConnectionError: the connection ended before a head came back.
    """
    wire = await connect(port)
    sending = asyncio.create_task(_send(wire, f"{method} {path} HTTP/1.1", fields, body, trailers))
    try:
        async with asyncio.timeout(FETCH_S_MAX):
            return await read_answer(wire, method)
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError, ConnectionError):
            await sending
        await wire.close()


async def _send(wire: Wire, start: str, fields: Fields, body: Body, trailers: Fields) -> None:
    fields = [("host", "rig"), *fields]
    match body:
        case None:
            await wire.send_head(start, fields)
        case bytes():
            fields = [*fields, ("content-length", str(len(body)))]
            await wire.send_head(start, fields, body[:PIECE_BYTES])
            for at in range(PIECE_BYTES, len(body), PIECE_BYTES):
                await wire.send(body[at : at + PIECE_BYTES])
        case _:
            await wire.send_head(start, [*fields, ("transfer-encoding", "chunked")])
            async for piece in _pieces(body):
                await wire.send_chunk(piece)
            await wire.end_chunks(trailers)


async def _pieces(body: Iterable[bytes] | AsyncIterable[bytes]) -> AsyncIterable[bytes]:
    if isinstance(body, AsyncIterable):
        async for piece in body:
            yield piece
    else:
        for piece in body:
            yield piece
