"""Upstream scripts that several tests use. A script reads its settings from request headers."""

import asyncio
from collections.abc import Iterator, Mapping
from hashlib import sha256

from tests.e2e.rig.upstream import Call, Script

BLOCK = b"".join(sha256(i.to_bytes(4, "big")).digest() for i in range(2048))  # 64 KiB


def noise(size_bytes: int, seed: int = 0) -> Iterator[bytes]:
    """Yield *size_bytes* of incompressible bytes in pieces; equal seeds give equal bytes."""
    at = 0
    while at < size_bytes:
        piece = (at ^ seed << 40).to_bytes(8, "big") + BLOCK[8:]
        yield piece[: size_bytes - at]
        at += len(piece)


def digest(pieces: Iterator[bytes]) -> str:
    """Return the sha256 of *pieces* in hexadecimal."""
    whole = sha256()
    for piece in pieces:
        whole.update(piece)
    return whole.hexdigest()


def event(number: int) -> bytes:
    """Return one server-sent event, told apart by *number*."""
    return b'data: {"n": %d}\n\n' % number


async def echo(call: Call) -> None:
    """Send the request body back, with its content type and what was seen of it."""
    seen = await call.read()
    fields = [
        ("content-type", call.head.get("content-type", "application/octet-stream")),
        ("x-sha256", seen.sha256),
        ("x-size", str(seen.size_bytes)),
    ]
    await call.answer(200, fields, seen.body, length="x-chunked" not in call.head)


async def swap(call: Call) -> None:
    """Take the request's bytes, answer with `x-bytes` bytes of noise and the sha256 taken."""
    seen = await call.read()
    size = int(call.head.get("x-bytes"))
    await call.begin(200, [("x-sha256", seen.sha256), ("content-length", str(size))])
    for piece in noise(size, seed=1):
        await call.wire.send(piece)


async def sse(call: Call) -> None:
    """After `x-late-s` seconds send `x-events` events, `x-gap-s` seconds apart."""
    await call.read()
    await asyncio.sleep(float(call.head.get("x-late-s", "0")))
    gap_s = float(call.head.get("x-gap-s", "0"))
    await call.begin(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
    for number in range(int(call.head.get("x-events", "5"))):
        await call.wire.send_chunk(event(number))
        await asyncio.sleep(gap_s)
    await call.wire.end_chunks()


async def trailers(call: Call) -> None:
    """Echo the body chunked, and the request's trailers too, each renamed `x-back-…`."""
    seen = await call.read()
    await call.begin(200, [("transfer-encoding", "chunked"), ("trailer", "x-back")])
    await call.wire.send_chunk(seen.body)
    fields = [(f"x-back-{name}", value) for name, value in seen.trailers]
    await call.wire.end_chunks([*fields, ("x-end", "yes")])


async def status(call: Call) -> None:
    """Answer with the status `x-status` and, where one is allowed, no body of length 0."""
    await call.read()
    wanted = int(call.head.get("x-status"))
    await call.begin(wanted, [] if wanted in (204, 304) else [("content-length", "0")])


STANDARD: Mapping[str, Script] = {
    "echo": echo,
    "swap": swap,
    "sse": sse,
    "trailers": trailers,
    "status": status,
}
