"""A closed loop of clients on plain sockets: as little CPU beside the host as we can manage."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """What the clients saw. Times are seconds."""

    latencies_s: list[float] = field(default_factory=list[float])
    gaps_s: list[float] = field(default_factory=list[float])
    statuses: dict[int, int] = field(default_factory=dict[int, int])


def chat(number: int, stream: bool) -> bytes:
    """Return request *number*: its prompt's first half is shared by every eighth."""
    shared = f"You are assistant {number % 8}. " + "Answer politely and briefly. " * 20
    content = f"Question {number}: what is the answer to it? " * 4
    messages = [{"role": "system", "content": shared}, {"role": "user", "content": content}]
    body = {"model": "m", "messages": messages, "stream": stream}
    return json.dumps(body).encode()


async def run(port: int, count: int, concurrency: int, stream: bool = False) -> Tally:
    """Send *count* requests through the proxy on *port*, *concurrency* at a time."""
    tally, numbers = Tally(), iter(range(count))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for number in numbers:
                await _exchange(reader, writer, chat(number, stream), tally)
        finally:
            writer.close()

    await asyncio.gather(*(client() for _ in range(concurrency)))
    return tally


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes, tally: Tally
) -> None:
    began_s = time.monotonic()
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    tally.statuses[status] = tally.statuses.get(status, 0) + 1
    if b"transfer-encoding: chunked" in head.lower():
        await _chunks(reader, tally.gaps_s.append)
    else:
        length = next(
            line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        )
        await reader.readexactly(int(length.partition(b":")[2]))
    tally.latencies_s.append(time.monotonic() - began_s)


async def _chunks(reader: asyncio.StreamReader, gap: Callable[[float], None]) -> None:
    before_s = None
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        await reader.readexactly(size + 2)
        now_s = time.monotonic()
        if before_s is not None:
            gap(now_s - before_s)
        before_s = now_s
        if not size:
            return
