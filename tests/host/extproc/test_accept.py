"""The acceptor: certificates change under it, handshakes are bounded, descriptors run out."""

import asyncio
import datetime
import errno
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from typing import Any, cast

import pytest
import uvloop

from headrace.host.extproc import accept
from headrace.host.extproc.accept import Acceptor
from headrace.host.extproc.tls import self_signed, server_context
from tests.host.extproc.wire import until

NOW = datetime.datetime.now(datetime.UTC)
FIRST, SECOND = (server_context(self_signed(["127.0.0.1"], NOW)) for _ in range(2))
WAIT_S = 5.0
LOOPS = pytest.mark.parametrize(
    "loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
Loop = Callable[[], asyncio.AbstractEventLoop]


class Hello(asyncio.Protocol):
    """Says hello; counts the connections that are open."""

    open = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Hello.open += 1
        cast("asyncio.WriteTransport", transport).write(b"hello")  # of uvloop no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        Hello.open -= 1


class Full(socket.socket):
    """A socket that finds no descriptor left, once."""

    faults = 1

    def accept(self) -> tuple[socket.socket, Any]:
        if self.faults:
            self.faults -= 1
            raise OSError(errno.EMFILE, "too many open files")
        return super().accept()


@asynccontextmanager
async def accepting(
    context: ssl.SSLContext | None, kind: type[socket.socket] = socket.socket
) -> AsyncGenerator[tuple[Acceptor, int, list[str]]]:
    """Accept on a free port; tell the acceptor, the port, and what was cut."""
    cut: list[str] = []
    with kind() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        acceptor = Acceptor(listening, Hello, context, lambda: cut.append("cut"))
        acceptor.begin()
        try:
            yield acceptor, listening.getsockname()[1], cut
        finally:
            acceptor.close()
            await until(lambda: not Hello.open)
            await asyncio.sleep(0)


def trusting() -> ssl.SSLContext:
    """Return the context of a client that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def greeted(port: int, context: ssl.SSLContext | None) -> bytes:
    """Return what a new connection hears first."""
    async with asyncio.timeout(WAIT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        heard = await reader.readexactly(5)
        writer.transport.abort()
        return heard


def run(loop: Loop, test: Coroutine[Any, Any, None]) -> None:
    """Run *test* on *loop*."""
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(test)


@LOOPS
@pytest.mark.parametrize("context", [None, FIRST], ids=["plain", "TLS"])
def test_many_connections_at_once_are_all_served(
    loop: Loop, context: ssl.SSLContext | None
) -> None:
    async def test() -> None:
        client = None if context is None else trusting()
        async with accepting(context) as (_, port, cut):
            heard = await asyncio.gather(*(greeted(port, client) for _ in range(100)))
            assert set(heard) == {b"hello"}
            assert cut == []

    run(loop, test())


@LOOPS
def test_no_connection_is_lost_while_certificates_change(loop: Loop) -> None:
    async def test() -> None:
        client, over = trusting(), asyncio.Event()
        async with accepting(FIRST) as (acceptor, port, cut):

            async def caller() -> int:
                calls = 0
                while not over.is_set():
                    assert await greeted(port, client) == b"hello"
                    calls += 1
                return calls

            callers = [asyncio.create_task(caller()) for _ in range(8)]
            for number in range(100):
                acceptor.context = (FIRST, SECOND)[number % 2]
                await asyncio.sleep(0.003)
            over.set()
            assert sum(await asyncio.gather(*callers)) > 20
            assert cut == []

    run(loop, test())


@LOOPS
def test_of_too_many_handshakes_the_oldest_gives_way(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accept, "HANDSHAKES_MAX", 3)

    async def test() -> None:
        async with accepting(FIRST) as (_, port, cut):
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
            async with asyncio.timeout(WAIT_S):
                for reader, _writer in silent[:2]:
                    assert await reader.read() == b""
            assert cut == ["cut"] * 2
            assert await greeted(port, trusting()) == b"hello"
            for _reader, writer in silent:
                writer.transport.abort()

    run(loop, test())


@LOOPS
def test_of_many_silent_ones_that_come_at_once_only_the_newest_stay(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accept, "HANDSHAKES_MAX", 3)

    async def test() -> None:
        async with accepting(FIRST) as (_, port, cut):
            with ExitStack() as silent:
                for _ in range(40):
                    silent.enter_context(socket.create_connection(("127.0.0.1", port)))
                async with asyncio.timeout(WAIT_S):
                    await until(lambda: len(cut) == 37)
                assert await greeted(port, trusting()) == b"hello"

    run(loop, test())


@LOOPS
def test_a_handshake_that_fails_is_told_and_harms_nobody(loop: Loop) -> None:
    async def test() -> None:
        async with accepting(FIRST) as (_, port, cut):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            async with asyncio.timeout(WAIT_S):
                await reader.read()
            writer.close()
            assert await greeted(port, trusting()) == b"hello"
            assert cut == ["cut"]

    run(loop, test())


@LOOPS
def test_who_leaves_before_the_handshake_is_no_failure(loop: Loop) -> None:
    async def test() -> None:
        async with accepting(FIRST) as (_, port, cut):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.transport.abort()
            assert await greeted(port, trusting()) == b"hello"
            assert cut == []

    run(loop, test())


@LOOPS
def test_without_descriptors_it_rests_and_comes_back(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(accept, "REST_S", 0.05)

    async def test() -> None:
        async with accepting(None, Full) as (_, port, _cut):
            assert await greeted(port, None) == b"hello"

    run(loop, test())
    assert [r.message for r in caplog.records if r.name == accept.__name__] == [
        "no connection is accepted for 0.05 s: too many open files"
    ]


@LOOPS
def test_at_the_end_those_who_have_not_shaken_hands_are_let_go(loop: Loop) -> None:
    async def test() -> None:
        async with accepting(FIRST) as (_, port, _cut):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.05)
        async with asyncio.timeout(WAIT_S):
            assert await reader.read() == b""
        writer.close()

    run(loop, test())
