"""Limits of the grpcio transport, and how it stops."""

import asyncio
import gc
from time import monotonic

import pytest

from headrace.host.exchange.reply import HeadersReply, Perform
from headrace.host.extproc.edge import Performer
from headrace.host.extproc.grpcio import EXPEL_S, GrpcServer, ListenError
from headrace.host.extproc.options import GrpcOptions
from headrace.host.extproc.session import Session
from tests.host.extproc.wire import (
    PATIENCE_S,
    REQUEST,
    Ask,
    Play,
    Sleeper,
    body,
    client,
    each,
    ends,
    fresh,
    head,
    on_head,
    reply,
    run,
    serving,
    status,
    until,
)


def test_a_message_over_the_limit_ends_its_stream_only() -> None:
    async def test() -> None:
        play = Play()
        options = GrpcOptions(message_bytes_max=10_000)
        async with (
            serving(play.open, options=options) as (_, address),
            client(address) as stream_of,
        ):
            stream = stream_of()
            await stream.write(head())
            await reply(stream)
            await stream.write(body(bytes(20_000)))
            assert await status(stream) == "RESOURCE_EXHAUSTED"
            again = stream_of()
            await again.write(head())
            await reply(again)
            again.cancel()

    run(test())


def test_streams_over_the_limit_are_turned_away() -> None:
    async def test() -> None:
        async with (
            serving(fresh, options=GrpcOptions(exchanges_max=1)) as (_, address),
            client(address) as stream_of,
        ):
            first = stream_of()
            await first.write(head())
            await reply(first)
            assert await status(stream_of()) == "RESOURCE_EXHAUSTED"
            first.cancel()

    run(test())


def test_a_connection_of_age_is_sent_away_and_its_streams_finish() -> None:
    async def test() -> None:
        options = GrpcOptions(connection_age_max_s=0.1, connection_age_grace_s=PATIENCE_S)
        async with (
            serving(fresh, options=options) as (_, address),
            client(address) as stream_of,
        ):
            old = stream_of()
            await old.write(head())
            await reply(old)
            await asyncio.sleep(0.3)  # GOAWAY has come; new streams get a new connection
            new = stream_of()
            for stream in (new, old):
                await stream.write(head() if stream is new else body(b"abc", end_of_stream=True))
                await reply(stream)
                await stream.done_writing()
                assert await status(stream) == "OK"

    run(test())


def test_an_address_that_is_taken_is_an_error_that_says_so() -> None:
    async def test() -> None:
        async with serving(Play().open) as (_, address):
            other = GrpcServer(Play().open)
            with pytest.raises(ListenError, match=f"cannot listen on `{address}`"):
                await other.start(address)

    run(test())


def test_drain_lets_streams_finish_and_takes_no_new_ones() -> None:
    async def test() -> None:
        play = Play()
        async with serving(play.open) as (server, address), client(address) as stream_of:
            stream = stream_of()
            await stream.write(head())
            await reply(stream)
            draining = asyncio.ensure_future(server.drain(PATIENCE_S))
            await asyncio.sleep(0.05)
            async with client(address) as late_of:
                assert await status(late_of()) == "UNAVAILABLE"
            await stream.write(body(b"last", end_of_stream=True))
            await reply(stream)
            await stream.done_writing()
            assert await status(stream) == "OK"
            await draining
            assert await ends(play) == ["complete"]

    run(test())


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "effect pending"])
def test_drain_aborts_what_is_left_after_the_grace_with_unavailable(busy: bool) -> None:
    async def test() -> None:
        sleeper = Sleeper()
        script = on_head(HeadersReply(REQUEST), *([Perform(1, "s", Ask("?"))] if busy else []))
        plays = [Play(on_part=script) for _ in range(10)]
        async with (
            serving(each(plays), Performer({Ask: sleeper.sleep})) as (server, address),
            client(address) as stream_of,
        ):
            streams = [stream_of() for _ in plays]
            for stream in streams:
                await stream.write(head())
                await reply(stream)
            began_s = monotonic()
            await server.drain(0.1)
            assert 0.1 <= monotonic() - began_s < 0.1 + EXPEL_S
            for stream in streams:
                assert await status(stream) == "UNAVAILABLE"
                assert await stream.details() == "the host is shutting down"
            assert [await ends(play) for play in plays] == [["processor-abort"]] * 10
            assert (server.active_exchanges, sleeper.asleep) == (0, 0)

    run(test())


def test_a_stream_that_is_over_is_freed_without_the_garbage_collector() -> None:
    async def test() -> None:
        async with (
            serving(fresh) as (server, address),
            client(address) as stream_of,
        ):
            gc.collect()
            gc.disable()
            try:
                for _ in range(5):
                    stream = stream_of()
                    await stream.write(head())
                    await reply(stream)
                    await stream.done_writing()
                    await status(stream)
                await until(lambda: not (server.active_exchanges))
                await asyncio.sleep(0.01)
                assert [o for o in gc.get_objects() if isinstance(o, Session)] == []
            finally:
                gc.enable()

    run(test())
