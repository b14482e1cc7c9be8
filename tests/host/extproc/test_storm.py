"""Clients that behave badly, many at a time: nothing may be left, crash, or be logged as error."""

import asyncio
import logging
import random
from contextlib import suppress
from time import monotonic

import pytest

from headrace.host.exchange.part import Head, Part
from headrace.host.exchange.reply import Abort, HeadersReply, Output, Perform
from headrace.host.extproc.edge import Performer
from headrace.host.extproc.opening import Opening
from tests.host.extproc.wire import (
    REQUEST,
    Ask,
    Play,
    Stream,
    Tally,
    aio,
    body,
    client,
    echo,
    head,
    run,
    serving,
    until,
)

STREAMS, AT_ONCE = 300, 16


def moody(chance: random.Random) -> Play:
    """Return an exchange that asks, waits, expires and aborts as it likes."""
    play = Play()

    def on_part(part: Part) -> list[Output]:
        mood = chance.random()
        play.due_s = monotonic() + chance.random() * 0.01 if mood < 0.5 else None
        if mood < 0.1:
            return [Abort("UNAVAILABLE", "mood")]
        if isinstance(part, Head) and mood < 0.6:
            return [Perform(1, "s", Ask()), HeadersReply(REQUEST)]
        return echo(part)

    def late(*_: object) -> list[Output]:
        return [HeadersReply(REQUEST)] * chance.randrange(3)

    play.on_part, play.on_reply = on_part, late
    play.on_expire = lambda: late() if chance.random() < 0.5 else [Abort("INTERNAL", "late")]
    return play


async def annoy(stream: Stream, chance: random.Random) -> None:
    """Talk, and stop at any point in any way."""
    impatience = (TimeoutError, asyncio.CancelledError)  # a wait cancels its stream as well
    with suppress(*impatience, aio.AioRpcError, asyncio.InvalidStateError):
        await stream.write(head())
        for _ in range(chance.randrange(6)):
            await asyncio.sleep(chance.random() * 0.02)
            await stream.write(body(bytes(chance.randrange(20_000))))
            if chance.random() < 0.5:
                await asyncio.wait_for(stream.read(), chance.random() * 0.2)
        if chance.random() < 0.5:
            await stream.done_writing()
            await asyncio.wait_for(stream.read(), 0.2)
    stream.cancel()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_storm_of_broken_streams_leaves_nothing(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        chance, tally = random.Random(seed), Tally()

        def factory(opening: Opening, now_s: float) -> Play:
            return moody(chance).open(opening, now_s)

        async def perform(_: Ask) -> str:
            await asyncio.sleep(chance.random() * 0.02)
            return ""

        gate = asyncio.Semaphore(AT_ONCE)
        async with (
            serving(factory, Performer({Ask: perform}), counts=tally) as (server, address),
            client(address) as stream_of,
        ):

            async def one() -> None:
                async with gate:
                    await annoy(stream_of(), chance)

            await asyncio.gather(*(one() for _ in range(STREAMS)))
            await until(lambda: server.active_exchanges == 0)
            await asyncio.sleep(0.1)  # grpc settles what was cancelled before the loop closes
            assert tally.active == 0
            assert {"closed client-gone", "closed complete"} <= tally.counted.keys()
            assert {"aborted UNAVAILABLE", "aborted INTERNAL"} <= tally.counted.keys()
            assert not any(word.startswith("bug") for word in tally.counted)

    with caplog.at_level(logging.WARNING):
        run(test())
    # asyncio's logger is left out: grpc's poller serves the loops of all tests of this process,
    # and complains there about what an earlier loop left open.
    assert [r for r in caplog.records if r.name.startswith(("grpc", "headrace"))] == []
