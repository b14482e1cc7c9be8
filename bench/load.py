"""Clients on plain sockets, a closed loop or paced: as little CPU beside the host as we can."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

TOKENS = 200
SHARED = "Answer politely and briefly. "
ASKED = "what is the answer to it? Question "


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients ask for.

    clients        requests under way at once, at most
    prompt_tokens  about, at four characters each
    rate_s         requests a second; 0: as fast as they are answered
    """

    requests: int
    clients: int = 16
    stream: bool = False
    prompt_tokens: int = TOKENS
    rate_s: float = 0.0


@dataclass(slots=True)
class Tally:
    """What the clients saw. Times are seconds."""

    took_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list[float])
    gaps_s: list[float] = field(default_factory=list[float])
    statuses: dict[int, int] = field(default_factory=dict[int, int])


def chat(number: int, load: Load) -> bytes:
    """Return request *number*: its prompt's first part is shared by every eighth."""
    size = load.prompt_tokens / TOKENS
    shared = f"You are assistant {number % 8}. " + SHARED * round(20 * size)
    content = f"Question {number}: " + ASKED * round(4 * size)
    messages = [{"role": "system", "content": shared}, {"role": "user", "content": content}]
    return json.dumps({"model": "m", "messages": messages, "stream": load.stream}).encode()


async def run(port: int, load: Load) -> Tally:
    """Send the requests of *load* through the proxy on *port*."""
    tally, numbers = Tally(), iter(range(load.requests))
    began_s = time.monotonic()

    async def client() -> None:
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        for number in numbers:
            body = chat(number, load)
            due_s = await _due(began_s, number, load.rate_s)
            if connection is None:
                connection = await asyncio.open_connection("127.0.0.1", port)
            await _exchange(*connection, body, tally, due_s)
        if connection is not None:
            connection[1].close()

    await asyncio.gather(*(client() for _ in range(load.clients)))
    tally.took_s = time.monotonic() - began_s
    return tally


async def _due(began_s: float, number: int, rate_s: float) -> float:
    """Wait for the turn of request *number*; return since when its client has waited."""
    now_s = time.monotonic()
    due_s = began_s + number / rate_s if rate_s else now_s
    if due_s <= now_s:
        return due_s  # a client that had no time then has waited since
    await asyncio.sleep(due_s - now_s)
    return time.monotonic()


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    body: bytes,
    tally: Tally,
    began_s: float,
) -> None:
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
