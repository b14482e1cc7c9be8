"""What guards of the response cost per chunk of a stream, and how long they hold text back."""

import asyncio
import json
import statistics
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread

from aiohttp import web

from bench.load import Load, chat
from bench.measure import WARM_UP, Tick, costs_us, drive, standing
from bench.processes import free_ports
from bench.report import Figure
from bench.sides import CHAIN, Host, Setup, Side

EVENTS = 100
GAP_S = 0.01
REQUESTS = 48  # streams of a round; whole answers are cheap, so there are more
PLAIN, NONE = "passed through", "no guard"
LOCAL = "a local pattern guard"
GUARD = 'guard secrets { patterns "-----BEGIN [A-Z ]*PRIVATE KEY-----"  inspect response }'
UNGUARDED = "body_router  picker  observability"
WINDOW_CHARS = 200
PROVIDER_S = 0.05
DELAY_STREAMS = 12
DELAY_TICKS = 3


def ticks(rounds: int) -> int:
    """Return how many ticks `per_chunk` has."""
    return rounds * 3


def _variants() -> Iterator[tuple[str, Setup]]:
    hosts = (Host.HEADRACE,)
    yield PLAIN, Setup(hosts, events=EVENTS, gap_s=GAP_S, guard="", chain=UNGUARDED)
    yield NONE, Setup(hosts, events=EVENTS, gap_s=GAP_S, guard="")
    yield LOCAL, Setup(hosts, events=EVENTS, gap_s=GAP_S, guard=GUARD)


def per_chunk(rounds: int, tick: Tick) -> list[Figure]:
    """Return CPU per chunk with and without guards: all stand side by side and take turns.

    The events come one by one, so that each is a chunk, a message of Envoy, and a reply.
    """
    streams, wholes = Load(REQUESTS, stream=True), Load(REQUESTS * 5)
    found: dict[str, list[float]] = {}
    with ExitStack() as stack:
        stand = [(name, stack.enter_context(standing(one))[0]) for name, one in _variants()]
        for _, side in stand:
            drive(side, Load(WARM_UP))
            drive(side, streams)
        for _ in range(rounds):
            for name, side in stand:
                fixed_us, _ = costs_us(side, wholes)
                all_us, _ = costs_us(side, streams)
                found.setdefault(name, []).append((all_us - fixed_us) / EVENTS)
                tick()
    rows = [
        Figure(f"per chunk, {name}", round(statistics.median(costs), 1), "us CPU/chunk")
        for name, costs in found.items()
    ]
    plain = found[PLAIN]
    for name in (NONE, LOCAL):
        ratio = statistics.median(
            ours / bare for ours, bare in zip(found[name], plain, strict=True)
        )
        rows.append(Figure(f"ratio per chunk, {name} to {PLAIN}", round(ratio, 3), "x"))
    return rows


def delay(tick: Tick) -> list[Figure]:
    """Return by how much a guard delays the first text of a stream, and what its window takes.

    A window is as many characters as the guard judges at once, at the pace of the server.
    """
    with ExitStack() as stack:
        (plain,) = stack.enter_context(standing(_paced("")))
        bare_s = _first_text_s(plain)
        tick()
        local = f'guard local {{ patterns "0451-ALPHA"  inspect response  {_window()} }}'
        (ours,) = stack.enter_context(standing(_paced(local)))
        local_s = _first_text_s(ours) - bare_s
        tick()
        url = stack.enter_context(_provider())
        ask = f"""ask http "{url}" {{ body '{{text}}'  match when answer.bad }}"""
        asking = f"guard asks {{ {ask}  inspect response  timeout 1s  {_window()} }}"
        (remote,) = stack.enter_context(standing(_paced(asking)))
        remote_s = _first_text_s(remote) - bare_s
        tick()
    window_s = WINDOW_CHARS / len("word1 ") * GAP_S
    return [
        Figure("one window at the pace of the server", round(window_s * 1e3), "ms"),
        Figure("first text later by, a local pattern guard", round(local_s * 1e3), "ms"),
        Figure("time of the provider", round(PROVIDER_S * 1e3), "ms"),
        Figure("first text later by, a provider", round(remote_s * 1e3), "ms"),
    ]


def _window() -> str:
    return f"window {WINDOW_CHARS} characters, overlap 64"


def _paced(guard: str) -> Setup:
    return Setup((Host.HEADRACE,), events=EVENTS, gap_s=GAP_S, guard=guard, chain=CHAIN)


def _first_text_s(side: Side) -> float:
    """Return after how long a client has the first text of a stream, of several the median."""
    times = [asyncio.run(_one_stream(side, number)) for number in range(DELAY_STREAMS)]
    return statistics.median(times)


async def _one_stream(side: Side, number: int) -> float:
    reader, writer = await asyncio.open_connection("127.0.0.1", side.port)
    body = chat(number, Load(1, stream=True))
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    began_s = time.monotonic()
    try:
        await reader.readuntil(b'"content":')
        return time.monotonic() - began_s
    finally:
        writer.close()


@contextmanager
def _provider() -> Generator[str]:
    """Run a provider that finds nothing, and takes its time; yield its URL."""
    (port,) = free_ports(1)
    loop = asyncio.new_event_loop()

    async def judge(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(PROVIDER_S)
        return web.Response(body=json.dumps({"bad": False}), content_type="application/json")

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/", judge)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return runner

    runner = loop.run_until_complete(start())
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
