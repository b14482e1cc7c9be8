"""Bodies of 100 MB through Envoy and a host, and how much of them the host holds.

Both ways in full duplex through the no-work host, whose transport sees every byte; and an answer
through the whole chain, which observes it. What a stage reads of a request has a limit far below.
"""

import asyncio

import uvloop

from bench.measure import Tick, standing
from bench.processes import cpu_s, rss_mib, rss_peak_mib
from bench.report import Figure
from bench.sides import Host, Setup, Side

BODY_BYTES = 100_000_000
PIECE = bytes(range(256)) * 256
CHAT = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'
HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
    b"x-answer-bytes: %d\r\ncontent-length: %d\r\n\r\n"
)


def bodies(tick: Tick) -> list[Figure]:
    """Return the memory and the CPU that each host needs for 100 MB."""
    cases = (
        (Setup((Host.IDLE_NATIVE,), echo=True), BODY_BYTES, "100 MB each way"),
        (Setup((Host.HEADRACE,)), 0, "100 MB answered"),
    )
    figures: list[Figure] = []
    for setup, sent_bytes, name in cases:
        with standing(setup) as (side,):
            figures += _measured(side, sent_bytes, name)
        tick()
    return figures


def _measured(side: Side, sent_bytes: int, name: str) -> list[Figure]:
    before_mib, before_s = rss_mib(side.pid), cpu_s(side.pid)
    uvloop.run(_swap(side.port, sent_bytes))
    used_s, peak_mib = cpu_s(side.pid) - before_s, rss_peak_mib(side.pid)
    who = f"{side.host.value}, {name}"
    return [
        Figure(f"memory before, {who}", round(before_mib, 1), "MiB"),
        Figure(f"memory at most, {who}", round(peak_mib, 1), "MiB"),
        Figure(f"CPU, {who}", round(used_s, 2), "s"),
    ]


async def _swap(port: int, sent_bytes: int) -> None:
    """Send so many bytes, or a question, and take 100 MB; the answer must be whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    size = sent_bytes or len(CHAT)
    writer.write(HEAD % (BODY_BYTES, size))
    sending = asyncio.ensure_future(_send(writer, sent_bytes))
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    received = await _received(reader, chunked=b"transfer-encoding: chunked" in head.lower())
    await sending
    writer.close()
    assert received == BODY_BYTES, f"{received} bytes of {BODY_BYTES} came"


async def _send(writer: asyncio.StreamWriter, left_bytes: int) -> None:
    if not left_bytes:
        writer.write(CHAT)
    while left_bytes:
        writer.write(PIECE[:left_bytes])
        left_bytes -= min(left_bytes, len(PIECE))
        await writer.drain()


async def _received(reader: asyncio.StreamReader, *, chunked: bool) -> int:
    if not chunked:
        return await _discarded(reader, BODY_BYTES)
    total = 0
    while size := int(await reader.readuntil(b"\r\n"), 16):
        total += await _discarded(reader, size)
        await reader.readexactly(2)
    return total


async def _discarded(reader: asyncio.StreamReader, left_bytes: int) -> int:
    """Read so many bytes, or to the end; return how many came."""
    found = 0
    while found < left_bytes and (piece := await reader.read(min(left_bytes - found, 1 << 18))):
        found += len(piece)
    return found
