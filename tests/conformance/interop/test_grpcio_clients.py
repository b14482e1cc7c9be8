"""grpcio's clients, with threads and with asyncio: whole calls, large, late and broken off."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from headrace.host.extproc.proto import messages as pb
from tests.conformance.calls import HEALTH_CHECK, PATH
from tests.conformance.site import TRANSPORTS, Site
from tests.host.extproc.wire import aio, body, grpc, head, run

BOTH = pytest.mark.parametrize("site", TRANSPORTS, indirect=True)
OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
WAIT_S = 5.0


def process(channel: Any) -> Any:  # grpc is untyped here: see tests.host.extproc.wire
    """Return the client's side of Process."""
    return channel.stream_stream(
        PATH,
        request_serializer=pb.ProcessingRequest.SerializeToString,
        response_deserializer=pb.ProcessingResponse.FromString,
    )


def sizes_of(replies: Any) -> list[int]:
    """Return the sizes of the echoed bodies, in order."""
    return [
        len(reply.request_body.response.body_mutation.streamed_response.body)
        for reply in replies
        if reply.WhichOneof("response") == "request_body"
    ]


def says(*sizes: int) -> Iterator[pb.ProcessingRequest]:
    """Say a whole exchange with body chunks of *sizes*."""
    yield head()
    for size in sizes:
        yield body(bytes(size))
    yield body(b"", end_of_stream=True)


@BOTH
def test_many_calls_of_threads_are_answered(site: Site) -> None:
    with (
        grpc.insecure_channel(f"127.0.0.1:{site.port}", options=OPTIONS) as channel,
        ThreadPoolExecutor(8) as threads,
    ):
        method = process(channel)

        def call(size: int) -> list[int]:
            return sizes_of(method(says(size, size + 1), timeout=WAIT_S))

        assert list(threads.map(call, range(100))) == [[n, n + 1, 0] for n in range(100)]


@BOTH
def test_megabytes_go_there_and_back(site: Site) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{site.port}", options=OPTIONS) as channel:
        sizes = [3_000_000, 1, 70_000, 5_000_000]

        assert sizes_of(process(channel)(says(*sizes), timeout=WAIT_S)) == [*sizes, 0]


@BOTH
def test_a_deadline_and_a_cancellation_end_their_calls_only(site: Site) -> None:
    async def test() -> None:
        async with aio.insecure_channel(f"127.0.0.1:{site.port}", options=OPTIONS) as channel:
            owing = [("x-headrace-chain", "owing")]
            late = process(channel)(metadata=owing, timeout=0.1)
            broken = process(channel)(metadata=owing, timeout=WAIT_S)
            whole = process(channel)(timeout=WAIT_S)
            for stream in (late, broken, whole):
                await stream.write(head())
            await broken.read()
            broken.cancel()
            assert (await late.code()).name == "DEADLINE_EXCEEDED"
            await whole.write(body(b"abc", end_of_stream=True))
            await whole.done_writing()
            replies = [reply async for reply in whole]
            assert sizes_of(replies) == [3]
            assert (await whole.code()).name == "OK"

    run(test())


@BOTH
def test_2000_streams_of_two_connections_are_open_at_once_and_answered(site: Site) -> None:
    count = 1000  # per connection

    async def first_reply(method: Any) -> Any:
        stream = method(timeout=8 * WAIT_S)
        await stream.write(head())
        assert isinstance(await stream.read(), pb.ProcessingResponse)
        return stream

    async def last(stream: Any) -> str:
        await stream.write(body(b"x", end_of_stream=True))
        await stream.done_writing()
        assert sizes_of([await stream.read()]) == [1]
        return str((await stream.code()).name)

    async def test() -> None:
        address = f"127.0.0.1:{site.port}"
        async with (
            aio.insecure_channel(address, options=OPTIONS) as one,
            aio.insecure_channel(address, options=OPTIONS) as other,
        ):
            methods = [process(channel) for channel in (one, other) for _ in range(count)]
            streams = await asyncio.gather(*map(first_reply, methods))
            assert site.tally().active == 2 * count
            assert set(await asyncio.gather(*map(last, streams))) == {"OK"}

    run(test())
    assert site.emptied()


@BOTH
def test_health_is_told_to_a_stock_client(site: Site) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{site.port}", options=OPTIONS) as channel:
        check = channel.unary_unary(
            HEALTH_CHECK,
            request_serializer=pb.HealthCheckRequest.SerializeToString,
            response_deserializer=pb.HealthCheckResponse.FromString,
        )

        assert check(pb.HealthCheckRequest(), timeout=WAIT_S).status == 1
