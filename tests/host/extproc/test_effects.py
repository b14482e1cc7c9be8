"""Effects and deadlines of streams over grpcio."""

import asyncio
from collections.abc import Callable
from time import monotonic

import pytest

from headrace.extensions.stage import Effect, Run
from headrace.host.exchange.part import Chunk, Head, Part
from headrace.host.exchange.reply import Cancel, HeadersReply, Output, Perform
from headrace.host.extproc.edge import Performer
from tests.host.extproc.wire import (
    REQUEST,
    Ask,
    Play,
    Sleeper,
    body,
    client,
    each,
    ends,
    head,
    on_head,
    reply,
    run,
    serving,
    status,
    until,
)


def test_messages_are_read_while_an_effect_is_pending() -> None:
    async def test() -> None:
        asked = asyncio.Event()
        answer = asyncio.get_running_loop().create_future()

        async def perform(ask: Ask) -> str:
            asked.set()
            return f"{ask.question} {await answer}"

        heard: list[object] = []

        def on_reply(value: object) -> list[Output]:
            heard.append(value)
            return [HeadersReply(REQUEST)]

        def on_part(part: Part) -> list[Output]:
            if isinstance(part, Chunk) and part.end_of_stream:
                answer.set_result("42")  # only if the body is read before the effect is over
            return [Perform(1, "s", Ask("what?"))] if isinstance(part, Head) else []

        play = Play(on_part=on_part, on_reply=on_reply)
        async with (
            serving(play.open, Performer({Ask: perform})) as (_, address),
            client(address) as stream_of,
        ):
            stream = stream_of()
            await stream.write(head())
            await asked.wait()
            await stream.write(body(b"abc", end_of_stream=True))
            assert (await reply(stream)).WhichOneof("response") == "request_headers"
            await stream.done_writing()
            assert await status(stream) == "OK"
            assert heard == ["what? 42"]

    run(test())


async def _fail() -> str:
    raise ValueError("a prompt")


async def _sulk() -> str:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        (lambda: Ask("?"), "no performer for the effect `Ask`"),
        (lambda: Run(_fail()), "ValueError"),
        (lambda: Run(_sulk()), "the effect was cancelled"),
        (lambda: Run("none"), "no performer for the effect `Run`"),  # pyright: ignore[reportArgumentType]
    ],
    ids=["unknown", "raised", "cancelled", "misused"],
)
def test_an_effect_that_fails_is_refused_without_its_text(
    effect: Callable[[], Effect[object]], error: str
) -> None:
    async def test() -> None:
        play = Play(
            on_part=lambda part: [Perform(7, "s", effect())],
            on_refusal=lambda _: [HeadersReply(REQUEST)],
        )
        async with serving(play.open) as (_, address), client(address) as stream_of:
            stream = stream_of()
            await stream.write(head())
            assert (await reply(stream)).WhichOneof("response") == "request_headers"
            assert play.refusals == [error]
            await stream.done_writing()
            assert await status(stream) == "OK"

    run(test())


def test_a_cancelled_effect_stops_and_is_not_resumed() -> None:
    async def test() -> None:
        sleeper = Sleeper()

        def on_part(part: Part) -> list[Output]:
            if isinstance(part, Head):
                return [Perform(1, "s", Ask("?"))]
            return [Cancel(1), Cancel(9), HeadersReply(REQUEST)]

        play = Play(on_part=on_part)
        async with (
            serving(play.open, Performer({Ask: sleeper.sleep})) as (_, address),
            client(address) as stream_of,
        ):
            stream = stream_of()
            await stream.write(head())
            await until(lambda: bool(sleeper.asleep))
            await stream.write(body(b""))
            await reply(stream)
            assert (sleeper.asleep, sleeper.cancelled, play.refusals) == (0, 1, [])
            await stream.done_writing()
            assert await status(stream) == "OK"

    run(test())


@pytest.mark.parametrize("leave", ["cancel", "half-close"])
def test_a_client_that_goes_leaves_no_effect_and_no_task_behind(leave: str) -> None:
    async def test() -> None:
        sleeper = Sleeper()
        plays = [Play(on_part=on_head(Perform(1, "s", Ask("?")))) for _ in range(20)]
        async with (
            serving(
                each(plays),
                Performer({Ask: sleeper.sleep}),
            ) as (server, address),
            client(address) as stream_of,
        ):
            streams = [stream_of() for _ in plays]
            for stream in streams:
                await stream.write(head())
            await until(lambda: sleeper.asleep == len(plays))
            assert server.active_exchanges == len(plays)
            for stream in streams:
                if leave == "cancel":
                    stream.cancel()
                else:
                    await stream.done_writing()
                    assert await status(stream) == "CANCELLED"  # an answer was owed
            for play in plays:
                assert await ends(play) == ["client-gone"]
            await until(lambda: not (server.active_exchanges or sleeper.asleep))
            assert sleeper.cancelled == len(plays)

    run(test())


def test_the_deadline_expires_on_time_and_a_moved_one_is_obeyed() -> None:
    async def test() -> None:
        expired: list[float] = []

        def on_expire() -> list[Output]:
            expired.append(monotonic())
            return [HeadersReply(REQUEST)]

        play = Play(on_part=lambda part: [], on_expire=on_expire)
        async with serving(play.open) as (_, address), client(address) as stream_of:
            stream = stream_of()
            play.due_s = monotonic() + 60.0
            await stream.write(head())
            await until(lambda: bool(play.parts))
            play.due_s = due_s = monotonic() + 0.1  # earlier
            await stream.write(body(b""))
            await asyncio.sleep(0.02)
            play.due_s = due_s = due_s + 0.1  # later: the first timer finds nothing due
            assert (await reply(stream)).WhichOneof("response") == "request_headers"
            await stream.done_writing()
            assert await status(stream) == "OK"
            assert len(expired) == 1
            assert due_s <= expired[0] <= due_s + 2.0

    run(test())
