"""The grpcio transport on loopback, with a real client."""

import asyncio

from headrace.host.exchange.part import Chunk, Head, Modes
from headrace.host.extproc.opening import Opening
from headrace.host.extproc.options import GrpcOptions
from headrace.host.extproc.proto import messages as pb
from tests.host.extproc.wire import (
    Play,
    Stream,
    Tally,
    aio,
    body,
    client,
    ends,
    fresh,
    head,
    reply,
    run,
    serving,
    status,
    until,
)


def test_parts_and_replies_travel_and_the_stream_ends_with_ok() -> None:
    async def test() -> None:
        play, tally = Play(), Tally()
        metadata = (("x-headrace-chain", "safety"), ("traceparent", "00-ab-cd-01"))
        async with (
            serving(play.open, options=GrpcOptions(listener="main"), counts=tally) as (_, address),
            client(address, metadata) as stream_of,
        ):
            stream = stream_of()
            await stream.write(head())
            await stream.write(body(b"abc", end_of_stream=True))
            first, second = await reply(stream), await reply(stream)
            await stream.done_writing()

            assert await status(stream) == "OK"
            assert first.WhichOneof("response") == "request_headers"
            streamed = second.request_body.response.body_mutation.streamed_response
            assert (streamed.body, streamed.end_of_stream) == (b"abc", True)
            assert await ends(play) == ["complete"]
            modes = Modes()
            assert play.opening == Opening(modes, "safety", "00-ab-cd-01", play.parts[0], "main")
        assert tally.counted == {"received": 2, "sent": 2, "closed complete": 1}

    run(test())


def test_flow_control_messages_are_counted_and_ignored() -> None:
    async def test() -> None:
        play, tally = Play(), Tally()
        window = pb.ProcessingRequest()
        window.client_window_update.SetInParent()
        async with (
            serving(play.open, counts=tally) as (_, address),
            client(address) as stream_of,
        ):
            stream = stream_of()
            await stream.write(window)
            await stream.write(head())
            await reply(stream)
            await stream.done_writing()
            assert await status(stream) == "OK"
        assert tally.counted["ignored"] == 1

    run(test())


def test_in_observability_mode_parts_are_fed_and_nothing_is_answered() -> None:
    async def test() -> None:
        play = Play()
        async with serving(play.open) as (_, address), client(address) as stream_of:
            stream = stream_of()
            await stream.write(head(observability_mode=True))
            await stream.write(body(b"abc", end_of_stream=True))
            await stream.done_writing()
            assert await stream.read() is aio.EOF
            assert await status(stream) == "OK"
            assert [type(p) for p in play.parts] == [Head, Chunk]

    run(test())


def test_200_streams_at_once_get_their_own_bytes() -> None:
    async def test() -> None:
        async def talk(stream: Stream, number: int) -> None:
            await stream.write(head())
            await reply(stream)
            for step in range(3):
                data = b"%d/%d" % (number, step)
                await stream.write(body(data))
                out = await reply(stream)
                assert out.request_body.response.body_mutation.streamed_response.body == data
            await stream.done_writing()
            assert await status(stream) == "OK"

        async with (
            serving(fresh) as (server, address),
            client(address) as stream_of,
        ):
            await asyncio.gather(*(talk(stream_of(), n) for n in range(200)))
            await until(lambda: not (server.active_exchanges))

    run(test())
