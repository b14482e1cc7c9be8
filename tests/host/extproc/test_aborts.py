"""How streams end badly: aborts, bugs and messages that may not come."""

import logging
from collections.abc import Callable
from time import monotonic

import pytest

from headrace.host.exchange.reply import Abort, HeadersReply, Output, Perform
from headrace.host.extproc.proto import messages as pb
from tests.host.extproc.wire import (
    REQUEST,
    Ask,
    Play,
    Tally,
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


@pytest.mark.parametrize("code", ["UNAVAILABLE", "INVALID_ARGUMENT", "INTERNAL"])
def test_an_abort_ends_the_stream_with_its_status_after_the_replies(code: str) -> None:
    async def test() -> None:
        play, tally = Play(on_part=on_head(HeadersReply(REQUEST), Abort(code, "because"))), Tally()
        async with (
            serving(play.open, counts=tally) as (_, address),
            client(address) as stream_of,
        ):
            stream = stream_of()
            await stream.write(head())
            await reply(stream)
            assert await status(stream) == code
            assert await stream.details() == "because"
            assert await ends(play) == ["processor-abort"]
        assert tally.counted[f"aborted {code}"] == 1
        assert tally.active == 0

    run(test())


def test_an_abort_from_a_deadline_reaches_a_client_that_says_nothing() -> None:
    async def test() -> None:
        play = Play(on_part=lambda part: [], on_expire=lambda: [Abort("UNAVAILABLE", "late")])
        async with serving(play.open) as (server, address), client(address) as stream_of:
            stream = stream_of()
            play.due_s = monotonic() + 0.02
            await stream.write(head())
            assert await status(stream) == "UNAVAILABLE"
            await until(lambda: not (server.active_exchanges))

    run(test())


def _bug(*_: object) -> list[Output]:
    raise AssertionError("an invariant")


@pytest.mark.parametrize(
    ("play", "where"),
    [
        (lambda: Play(on_part=_bug), "receive"),
        (lambda: Play(on_part=lambda part: [], due_s=0.0, on_expire=_bug), "expire"),
        (lambda: Play(on_part=on_head(Perform(1, "s", Ask("?"))), on_refusal=_bug), "resume"),
        (lambda: Play(on_part=lambda part: [HeadersReply(REQUEST, metadata=_WRONG)]), "receive"),
    ],
    ids=["receive", "expire", "refuse", "encode"],
)
def test_a_bug_ends_one_exchange_and_no_other(
    play: Callable[[], Play], where: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        good, bad, tally = Play(), play(), Tally()
        async with (
            serving(each([good, bad]), counts=tally) as (_, address),
            client(address) as stream_of,
        ):
            healthy, sick = stream_of(), stream_of()
            await healthy.write(head())
            await reply(healthy)
            await sick.write(head())
            assert await status(sick) == "INTERNAL"
            assert await ends(bad) == ["bug"]
            await healthy.write(body(b"still here"))
            await reply(healthy)
            await healthy.done_writing()
            assert await status(healthy) == "OK"
        assert tally.counted[f"bug {where}"] == 1

    with caplog.at_level(logging.CRITICAL, "headrace"):
        run(test())


_WRONG = {"envoy.lb": {"x": object()}}


@pytest.mark.parametrize("message", [pb.ProcessingRequest(), head().protocol_config])
def test_a_message_without_a_part_is_an_invalid_argument(message: object) -> None:
    async def test() -> None:
        play = Play()
        async with serving(play.open) as (_, address), client(address) as stream_of:
            stream = stream_of()
            request = pb.ProcessingRequest()
            if isinstance(message, pb.ProtocolConfiguration):
                request.protocol_config.CopyFrom(message)
            await stream.write(request)
            assert await status(stream) == "INVALID_ARGUMENT"
            again = stream_of()
            await again.write(head())
            await reply(again)
            again.cancel()

    run(test())
