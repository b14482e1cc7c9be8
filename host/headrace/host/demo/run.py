"""The demo from start to end."""

import asyncio
import contextlib
import signal
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from headrace.dsl.source import Source
from headrace.host.demo.client import send_all
from headrace.host.demo.processes import Processes
from headrace.host.demo.stack import Stack, start
from headrace.host.demo.tally import Tally
from headrace.host.demo.view import View
from headrace.host.demo.words import in_words, read_decisions
from headrace.host.demo.workload import (
    BATCH,
    PHASES,
    REQUESTS_FOR_OVERLOAD,
    Phase,
    planned,
    shares,
)

_REFRESH_S = 0.25
_QUESTION = "last-question"
_TELLING_POLLS_MAX = 20
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the demo plays: *requests* in all, of a load that is a function of *seed*."""

    source: Source
    requests: int
    seed: int = 0


@dataclass(frozen=True, slots=True)
class DemoEnd:
    """What came of it. *explained*: the last decision of the host in words and numbers."""

    tally: Tally
    explained: str


async def play(options: DemoOptions, view: View) -> DemoEnd:
    """Start everything, send the load, and end everything, whatever happens.

    Raises:
        PolicyError, ChildDied, EnvoyMissing, NotReady, NoFreePort: it could not start.
    """
    with TemporaryDirectory(prefix="headrace-demo-") as folder, _ends_by_signal():
        # No limit on connections: an open-loop client never waits for its own pool.
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            Processes(Path(folder)) as processes,
        ):
            try:
                stack = await start(options.source, processes, session, view.say)
                tally = Tally(stack.backdrop.pool_of)
                for phase, count in zip(PHASES, shares(options.requests).values(), strict=True):
                    view.phase(phase)
                    await _play_phase(phase, count, options.seed, stack, session, tally, view)
                    processes.check()
                _judge(tally, options.requests)
                return DemoEnd(tally, await _explained(session, stack, options.seed))
            finally:
                view.close()


async def _play_phase(
    phase: Phase,
    count: int,
    seed: int,
    stack: Stack,
    session: aiohttp.ClientSession,
    tally: Tally,
    view: View,
) -> None:
    loop = asyncio.get_running_loop()

    def sent() -> None:
        tally.sent += 1

    async def keep_fresh() -> None:
        while True:
            view.refresh(tally, loop.time())
            await asyncio.sleep(_REFRESH_S)

    fresh = asyncio.create_task(keep_fresh())
    try:
        await send_all(session, stack.url, planned(phase, count, seed), sent, tally.add)
    finally:
        fresh.cancel()
    view.refresh(tally, loop.time())


def _judge(tally: Tally, requests: int) -> None:
    """Note what must have happened and did not."""
    if requests >= REQUESTS_FOR_OVERLOAD and not tally.shed[BATCH]:
        tally.fault("the overload shed no batch request")
    if tally.done != requests:
        tally.fault(f"{requests - tally.done} requests have no result")


async def _explained(session: aiohttp.ClientSession, stack: Stack, seed: int) -> str:
    """Ask one more question, now that it is quiet, and return how the host decided on it."""

    def nothing(_: object = None) -> None:
        return

    (first,) = planned(PHASES[0], 1, seed)
    question = replace(first, headers=(*first.headers, ("x-request-id", _QUESTION)))
    await send_all(session, stack.url, [question], nothing, nothing)
    for _ in range(_TELLING_POLLS_MAX):  # the host tells of an exchange once Envoy has closed it
        async with session.get(f"{stack.host_url}/decisions") as response:
            decisions = read_decisions(await response.read())
        if decisions and decisions[0].request == _QUESTION:
            async with session.get(f"{stack.host_url}/decisions/last") as response:
                return f"{in_words(decisions[0])}\n\n{await response.text()}"
        await asyncio.sleep(_REFRESH_S)
    return ""


@contextlib.contextmanager
def _ends_by_signal() -> Generator[None, None, None]:
    """End by SIGTERM and SIGHUP as by Ctrl-C: cleanly, children first."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in _ENDINGS:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in _ENDINGS:
            loop.remove_signal_handler(number)
