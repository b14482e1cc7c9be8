"""The native server, asked over real sockets by grpcio's clients, sync and async."""

import asyncio
import gc
import random
import socket
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from headrace.host.exchange.part import Chunk, Part
from headrace.host.exchange.reply import HeadersReply, Output, Perform
from headrace.host.extproc.edge import Performer
from headrace.host.extproc.grpcio import SERVICE
from headrace.host.extproc.health import HEALTH_SERVICE
from headrace.host.extproc.listen import ListenError, open_socket
from headrace.host.extproc.native import frames as f
from headrace.host.extproc.native.limits import Limits
from headrace.host.extproc.native.server import NativeServer
from headrace.host.extproc.native.wire import Wire
from headrace.host.extproc.options import GrpcOptions
from headrace.host.extproc.proto import messages as pb
from tests.host.extproc.native import speech
from tests.host.extproc.native.speech import HELLO, block, data, headers, message
from tests.host.extproc.wire import (
    REQUEST,
    Ask,
    Play,
    Sleeper,
    Tally,
    aio,
    body,
    client,
    echo,
    ends,
    fresh,
    grpc,
    head,
    on_head,
    reply,
    run,
    serving,
    status,
    until,
)

TRANSPORTS = ["native"]
LARGE = random.Random(1).randbytes(3_000_000)


def test_a_large_message_goes_both_ways_whole() -> None:
    async def test() -> None:
        async with serving(fresh) as (_, address), client(address) as stream_of:
            stream = stream_of()
            await stream.write(head())
            await reply(stream)
            await stream.write(body(LARGE, end_of_stream=True))
            out = await reply(stream)
            await stream.done_writing()

            assert out.request_body.response.body_mutation.streamed_response.body == LARGE
            assert await status(stream) == "OK"

    run(test())


def test_a_sync_client_is_served_as_well() -> None:
    def talk(address: str) -> list[bytes]:
        with grpc.insecure_channel(address) as channel:
            method: Any = channel.stream_stream(
                f"/{SERVICE}/Process",
                request_serializer=pb.ProcessingRequest.SerializeToString,
                response_deserializer=pb.ProcessingResponse.FromString,
            )
            answers: list[pb.ProcessingResponse] = list(
                method(iter([head(), *(body(b"%d" % n) for n in range(500))]), timeout=5)
            )
            return [a.request_body.response.body_mutation.streamed_response.body for a in answers]

    async def test() -> None:
        async with serving(fresh) as (_, address):
            told = await asyncio.to_thread(talk, address)

        assert told == [b"", *(b"%d" % n for n in range(500))]

    run(test())


def test_a_deadline_of_the_client_ends_the_exchange() -> None:
    async def test() -> None:
        sleeper = Sleeper()
        play, tally = Play(on_part=on_head(HeadersReply(REQUEST), Perform(1, "s", Ask()))), Tally()
        async with (
            serving(play.open, Performer({Ask: sleeper.sleep}), counts=tally) as (
                _,
                address,
            ),
            aio.insecure_channel(address) as channel,
        ):
            began_s = monotonic()
            call: Any = channel.stream_stream(f"/{SERVICE}/Process")(timeout=0.2)
            await call.write(head().SerializeToString())
            await call.read()
            assert await status(call) == "DEADLINE_EXCEEDED"
            assert await ends(play) == ["client-gone"]
            assert 0.1 < monotonic() - began_s < 4.0
            await until(lambda: sleeper.cancelled == 1)
        assert tally.active == 0

    run(test())


def test_a_client_that_cancels_ends_the_exchange_at_once() -> None:
    async def test() -> None:
        play = Play()
        async with serving(play.open) as (server, address), client(address) as stream_of:
            stream = stream_of()
            await stream.write(head())
            await reply(stream)
            stream.cancel()

            assert await ends(play) == ["client-gone"]
            assert server.active_exchanges == 0

    run(test())


def test_a_client_that_does_not_read_holds_up_itself_and_not_the_memory() -> None:
    async def test() -> None:
        taken = 0

        def on_part(part: Part) -> list[Output]:
            nonlocal taken
            taken += len(part.data) if isinstance(part, Chunk) else 0
            return echo(part)

        play = Play(on_part=on_part)
        async with serving(play.open) as (_, address), client(address) as stream_of:
            stream = stream_of()
            await stream.write(head())
            sent = 0

            async def pour() -> None:
                nonlocal sent
                while True:
                    await stream.write(body(bytes(60_000)))
                    sent += 60_000

            pouring = asyncio.create_task(pour())
            await asyncio.sleep(0.5)
            stuck = taken
            await asyncio.sleep(0.2)
            pouring.cancel()
            # grpcio's client takes some unread megabytes by itself; then we stop taking more.
            assert taken == stuck
            assert taken < 16 << 20
            stream.cancel()

    run(test())


CALLS: dict[str, tuple[str, bytes, str]] = {
    "unknown method": (f"/{SERVICE}/Other", b"", "UNIMPLEMENTED"),
    "unknown service": ("/a.B/C", b"", "UNIMPLEMENTED"),
    "no health request": (f"/{HEALTH_SERVICE}/Check", b"\xff", "INVALID_ARGUMENT"),
    "health request too large": (f"/{HEALTH_SERVICE}/Check", bytes(5000), "RESOURCE_EXHAUSTED"),
}


@pytest.mark.parametrize("case", CALLS)
def test_what_is_not_served_is_told_in_words_of_grpc(case: str) -> None:
    path, request, code = CALLS[case]

    async def test() -> None:
        async with serving(fresh) as (_, address), aio.insecure_channel(address) as channel:
            with pytest.raises(aio.AioRpcError) as error:
                await channel.unary_unary(path)(request)
            assert error.value.code().name == code

    run(test())


def test_metadata_over_the_limit_ends_its_stream_only() -> None:
    async def test() -> None:
        tally = Tally()
        options = GrpcOptions(metadata_bytes_max=2000)
        large = (("x-large", "x" * 2000),)
        async with serving(fresh, options=options, counts=tally) as (_, address):
            async with client(address, large) as stream_of:
                assert await status(stream_of()) in ("RESOURCE_EXHAUSTED", "UNKNOWN")
            async with client(address) as stream_of:
                stream = stream_of()
                await stream.write(head())
                await reply(stream)
                stream.cancel()
        assert tally.counted["refused headers"] == 1

    run(test())


def test_incomplete_messages_are_held_up_to_a_bound() -> None:
    async def test() -> None:
        tally, options = Tally(), GrpcOptions(limits=Limits(held_bytes_max=1 << 20))
        async with (
            serving(fresh, options=options, counts=tally) as (_, address),
            client(address) as stream_of,
        ):
            stream = stream_of()
            await stream.write(body(LARGE))
            assert await status(stream) == "RESOURCE_EXHAUSTED"
        assert tally.counted["refused messages-held"] == 1

    run(test())


async def closed(reader: asyncio.StreamReader) -> bool:
    """Return whether the server closes the connection without a word."""
    try:
        return await asyncio.wait_for(reader.read(), 5) == b""
    except ConnectionError:
        return True


def test_connections_over_the_limit_are_closed() -> None:
    async def test() -> None:
        tally, options = Tally(), GrpcOptions(limits=Limits(connections_max=1))
        async with serving(fresh, options=options, counts=tally) as (_, address):
            host, port = address.split(":")
            first, second = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
            assert await first[0].readexactly(3) == b"\0\0\x12"  # our SETTINGS
            assert await closed(second[0])
            for _, writer in (first, second):
                writer.close()
        assert tally.counted["refused connections"] == 1

    run(test())


def test_who_speaks_http_1_is_told_so_and_counted() -> None:
    async def test() -> None:
        tally = Tally()
        async with serving(fresh, counts=tally) as (_, address):
            host, port = address.split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(), 5)
            writer.close()

        assert answer.endswith(b"this port speaks HTTP/2 only")
        assert tally.counted == {"refused not-http2": 1}

    run(test())


def test_a_unix_socket_is_served_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def test() -> None:
        server = NativeServer(fresh)
        assert await server.start(f"unix:{path}") == 0
        async with client(f"unix:{path}") as stream_of:
            stream = stream_of()
            await stream.write(head())
            await reply(stream)
            await stream.done_writing()
            assert await status(stream) == "OK"
        await server.drain(1.0)

    run(test())
    assert not path.exists()


def test_a_unix_socket_is_taken_over_from_the_dead_only(tmp_path: Path) -> None:
    path = str(tmp_path / "s")

    async def test() -> None:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        server = NativeServer(fresh)
        await server.start(f"unix:{path}")
        with pytest.raises(ListenError, match="another process listens there"):
            await NativeServer(fresh).start(f"unix:{path}")
        await server.drain(0.0)

    run(test())


def test_a_file_in_the_place_of_a_unix_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("a file")

    with pytest.raises(ListenError, match="a file is there, remove it"):
        open_socket(f"unix:{path}")
    with pytest.raises(ListenError, match="no such file or directory"):
        open_socket(f"unix:{tmp_path}/nowhere/s")
    assert path.read_text() == "a file"


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "256.0.0.1:1", "nothing", "[::9]:1"])
def test_an_address_that_is_none_is_an_error_that_says_so(address: str) -> None:
    with pytest.raises(ListenError) as error:
        open_socket(address)
    assert str(error.value).startswith(f"cannot listen on `{address}`: ")


def test_a_peer_that_takes_nothing_is_dropped_and_the_others_are_served() -> None:
    window = 64 << 20
    question = data(1, message(body(bytes(16_000)).SerializeToString()))
    wide = f.settings(((f.INITIAL_WINDOW_SIZE, f.WINDOW_MAX),)) + f.window_update(0, 1 << 30)

    async def test() -> None:
        tally = Tally()
        limits = Limits(write_stall_s=0.3, connection_window_bytes=window)
        options = GrpcOptions(window_bytes=window, limits=limits)
        async with serving(fresh, options=options, counts=tally) as (_, address):
            host, port = address.split(":")
            with socket.socket() as deaf:
                deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                deaf.connect((host, int(port)))
                deaf.setblocking(False)
                loop = asyncio.get_running_loop()
                # More than the kernel takes off the server's hands.
                await loop.sock_sendall(deaf, HELLO + wide + headers(1) + question * 600)
                async with asyncio.timeout(5):
                    await until(lambda: "refused slow-reader" in tally.counted)
            async with client(address) as stream_of:
                stream = stream_of()
                await stream.write(head())
                await reply(stream)
                stream.cancel()
        assert tally.active == 0

    run(test())


def test_a_connection_that_is_over_is_freed_without_the_garbage_collector() -> None:
    asked = block((*speech.REQUEST, ("grpc-timeout", "1H")))
    question = data(1, message(head().SerializeToString()), end=True)

    async def test() -> None:
        async with serving(fresh) as (server, address):
            host, port = address.split(":")
            gc.collect()
            gc.disable()
            try:
                for _ in range(3):
                    reader, writer = await asyncio.open_connection(host, int(port))
                    writer.write(HELLO + headers(1, f.END_HEADERS, asked) + question)
                    await reader.readuntil(b"grpc-status")
                    writer.close()
                await until(lambda: not [o for o in gc.get_objects() if isinstance(o, Wire)])
                assert server.active_exchanges == 0
            finally:
                gc.enable()

    run(test())
