"""`Http` and `Together`: bounds, slots, TLS, and secrets that stay where they are."""

import asyncio
import datetime
import logging
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from headrace.extensions.safety.contract import Http, HttpReply, Kind, Secret, Together, Trouble
from headrace.host.clients.clients import Clients
from headrace.host.extproc.tls import self_signed, server_context
from headrace.host.standins.faults import Fault
from tests.host.clients.house import ENVIRONMENT, HOUSES, SECRET, run

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncGenerator[str]:
    """Serve every path by *handler*, and give the URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    scheme = "http" if tls is None else "https"
    try:
        yield f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def perform(clients: Clients, effect: Any) -> Any:
    """Return the reply to *effect*; Any: of any type."""
    return await clients.performers[type(effect)](effect)


def call(url: str, guard: str = "g", **fields: Any) -> Http:
    return replace(Http(guard, "POST", url, b"{}"), **fields)


def test_a_reply_has_status_headers_by_lower_case_name_and_body() -> None:
    async def answer(request: web.Request) -> web.Response:
        assert (await request.read(), request.headers["x-a"]) == (b"{}", "1")
        assert request.headers["user-agent"] == "headrace"
        return web.Response(status=418, headers={"X-Name": "v"}, body=b"tea")

    async def whole() -> HttpReply:
        async with serving(answer) as url, Clients({}) as clients:
            return await perform(clients, call(url, headers=(("x-a", "1"),)))

    reply = run(whole)

    assert (reply.status, reply.headers["x-name"], reply.body) == (418, "v", b"tea")


@pytest.mark.parametrize(
    ("size", "is_reply"), [(999, True), (1000, True), (1001, False), (5 << 20, False)]
)
def test_an_answer_is_read_up_to_its_bound(size: int, is_reply: bool) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * size)

    async def whole() -> HttpReply | Trouble:
        async with serving(answer) as url, Clients({}) as clients:
            return await perform(clients, call(url, answer_bytes_max=1000))

    assert isinstance(run(whole), HttpReply) is is_reply


def test_a_coding_that_was_not_asked_for_is_not_unpacked() -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["accept-encoding"] == "identity"
        return web.Response(body=b"\x1f\x8b", headers={"content-encoding": "gzip"})

    async def whole() -> HttpReply | Trouble:
        async with serving(answer) as url, Clients({}) as clients:
            return await perform(clients, call(url))

    said = run(whole)

    assert isinstance(said, Trouble)
    assert (said.kind, "coding" in said.detail) == (Kind.ERROR, True)


def test_a_redirect_is_not_followed_and_no_secret_goes_elsewhere() -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=307, headers={"location": "/elsewhere"})

    async def whole() -> HttpReply | Trouble:
        async with serving(answer) as url, Clients(ENVIRONMENT) as clients:
            return await perform(clients, call(f"{url}/here", secrets=(Secret("a", "TOKEN"),)))

    reply = run(whole)

    assert isinstance(reply, HttpReply)
    assert (reply.status, seen) == (307, ["/here"])


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"direct")

    async def whole() -> HttpReply:
        async with serving(answer) as url, Clients({}) as clients:
            return await perform(clients, call(url))

    assert run(whole).body == b"direct"


def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    async def answer(request: web.Request) -> web.Response:
        raise AssertionError("the request got through")

    async def whole() -> HttpReply | Trouble:
        context = server_context(self_signed(["127.0.0.1"], datetime.datetime.now(datetime.UTC)))
        context.set_alpn_protocols(["http/1.1"])
        async with serving(answer, context) as url, Clients({}) as clients:
            return await perform(clients, call(url))

    assert run(whole) == Trouble(Kind.UNREACHABLE, "the server's certificate is not trusted")


@pytest.mark.parametrize("url", ["http://", "no url", "ftp://x", "http://h:99999/"])
def test_what_is_no_url_is_trouble(url: str) -> None:
    async def whole() -> HttpReply | Trouble:
        async with Clients({}) as clients:
            return await perform(clients, call(url))

    assert isinstance(run(whole), Trouble)


class Crowd:
    """A server that notes how many are there at once. Written by its handler."""

    def __init__(self) -> None:
        self.there = self.most = self.served = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.there += 1
        self.most = max(self.most, self.there)
        await asyncio.sleep(0.02)
        self.there -= 1
        self.served += 1
        return web.Response()

    def serving(self) -> AbstractAsyncContextManager[str]:
        return serving(self.answer)


def test_no_more_calls_of_a_guard_are_under_way_than_it_allows() -> None:
    crowd = Crowd()

    async def whole() -> list[HttpReply | Trouble]:
        async with crowd.serving() as url, Clients({}) as clients:
            calls = [call(url, at_once=3, timeout_s=10.0) for _ in range(20)]
            return await asyncio.gather(*(perform(clients, one) for one in calls))

    replies = run(whole)

    assert all(isinstance(reply, HttpReply) for reply in replies)
    assert (crowd.most, crowd.served) == (3, 20)


def test_who_finds_no_slot_in_time_is_told_so_and_other_guards_are_not_kept() -> None:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(5.0)
        return web.Response()

    async def whole() -> list[Trouble]:
        async with serving(answer) as url, Clients({}) as clients:
            calls = [
                call(url, at_once=1, timeout_s=0.4),
                call(url, at_once=1, timeout_s=0.1),
                call(url, "other", at_once=1, timeout_s=0.2),
            ]
            return await asyncio.gather(*(perform(clients, one) for one in calls))

    kinds = [trouble.kind for trouble in run(whole)]

    assert kinds == [Kind.TIMEOUT, Kind.BUSY, Kind.TIMEOUT]


def test_a_queue_that_is_too_long_is_not_joined() -> None:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(5.0)
        return web.Response()

    async def whole() -> list[Trouble]:
        async with serving(answer) as url, Clients({}) as clients:
            waits_s = [0.5, *[0.2] * 17]
            calls = [call(url, at_once=1, timeout_s=wait_s) for wait_s in waits_s]
            return await asyncio.gather(*(perform(clients, one) for one in calls))

    said = run(whole)

    assert said[-1] == Trouble(Kind.BUSY, "1 calls at once, and others wait for long")
    assert [trouble.kind for trouble in said] == [Kind.TIMEOUT] + [Kind.BUSY] * 17


def test_a_call_that_is_left_frees_its_slot() -> None:
    crowd = Crowd()

    async def whole() -> HttpReply | Trouble:
        async with crowd.serving() as url, Clients({}) as clients:
            for _ in range(5):
                left = asyncio.ensure_future(perform(clients, call(url, at_once=1)))
                waits = asyncio.ensure_future(perform(clients, call(url, at_once=1)))
                await asyncio.sleep(0.005)
                left.cancel()
                waits.cancel()
                await asyncio.gather(left, waits, return_exceptions=True)
            return await perform(clients, call(url, at_once=1))

    assert isinstance(run(whole), HttpReply)


def test_together_replies_come_in_the_order_of_the_effects() -> None:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(0.05 if request.path == "/0" else 0.0)
        return web.Response(body=request.path.encode())

    async def whole() -> Any:  # replies, and replies in replies
        async with serving(answer) as url, Clients({}) as clients:
            calls = tuple(call(f"{url}/{n}") for n in range(8))
            return await perform(clients, Together((*calls, Together(calls[:2]))))

    *replies, nested = run(whole)

    assert [reply.body for reply in replies] == [b"/%d" % n for n in range(8)]
    assert [reply.body for reply in nested] == [b"/0", b"/1"]


def test_a_host_that_ends_asks_nobody() -> None:
    async def whole() -> Trouble:
        async with Clients({}) as clients:
            pass
        return await perform(clients, call("http://127.0.0.1:1"))

    assert run(whole) == Trouble(Kind.UNREACHABLE, "the host is ending")


@pytest.mark.parametrize(
    "value", ["", "  ", "two\nlines", "nul\0", "caf\N{LATIN SMALL LETTER E}\xe9"]
)
def test_a_secret_that_cannot_be_a_header_is_trouble_that_does_not_tell_it(value: str) -> None:
    async def whole() -> Trouble:
        async with Clients({"TOKEN": value}) as clients:
            secret = Secret("authorization", "TOKEN", "Bearer ")
            return await perform(clients, call("http://127.0.0.1:1", secrets=(secret,)))

    said = run(whole)

    assert said.kind is Kind.ERROR
    assert "`TOKEN`" in said.detail
    assert not value.strip() or value not in said.detail


def test_a_planted_secret_is_in_no_log_reply_error_or_repr(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    faults = ["html", "half", "cut", "error", "reset", "wrong", "hang"]

    async def whole() -> None:
        house = replace(HOUSES["lakera"], secrets={"authorization": "TOKEN", "x-key": "TOKEN"})
        async with house.stand_in() as server, Clients(ENVIRONMENT) as clients:
            secrets = (Secret("authorization", "TOKEN", "Bearer "), Secret("x-key", "TOKEN"))
            urls = [f"{server.url}/v2/guard"] * len(faults)
            server.script.add([Fault(kind) for kind in faults])
            for url in (*urls, "http://127.0.0.1:1", "no url", "http://nobody.invalid"):
                asked = call(url, secrets=secrets, timeout_s=0.3)
                shown.extend((repr(asked), str(asked), repr(await perform(clients, asked))))
            assert server.asked[0].headers["x-key"] == SECRET
            assert server.asked[0].headers["authorization"] == f"Bearer {SECRET}"

    run(whole)
    out, err = capsys.readouterr()

    assert not [text for text in (*shown, caplog.text, out, err) if SECRET in text]
