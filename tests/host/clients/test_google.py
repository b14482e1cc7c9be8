"""The token of Google's credentials: fetched once for all, off the loop, and never shown."""

import asyncio
import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from headrace.extensions.safety.contract import Http, HttpReply, Kind, Trouble
from headrace.host.clients import google
from headrace.host.clients.clients import Clients
from headrace.host.clients.google import Credentials, GoogleToken
from tests.host.clients.house import run
from tests.host.clients.test_http import perform, serving

PLANTED = "ya29.planted-token"


class Fake:
    """Credentials that count how often they were refreshed. Written by the fetching thread."""

    def __init__(self, token: str | None = PLANTED, error: Exception | None = None) -> None:
        self.token: str | None = None
        self.valid = False
        self.refreshed = 0
        self.threads: set[int] = set()
        self._next, self._error = token, error

    def refresh(self, request: Any) -> None:
        """Take a while, then have a token, or fail."""
        time.sleep(0.05)
        self.refreshed += 1
        self.threads.add(threading.get_ident())
        if self._error is not None:
            raise self._error
        self.token, self.valid = self._next, True


def source(fake: Credentials) -> Any:
    return lambda: (fake, None)


def test_all_who_need_a_token_wait_for_one_fetch_which_blocks_nobody() -> None:
    fake = Fake()

    async def whole() -> tuple[list[str | Trouble], float]:
        token, ticks = GoogleToken(source(fake)), 0.0
        waiting = asyncio.gather(*(token.token() for _ in range(50)))
        while not waiting.done():
            await asyncio.sleep(0.005)
            ticks += 1
        return [*await waiting, await token.token()], ticks

    tokens, ticks = run(whole)

    assert set(tokens) == {PLANTED}
    assert fake.refreshed == 1
    assert fake.threads != {threading.get_ident()}
    assert ticks >= 3


def test_a_token_that_is_no_longer_valid_is_fetched_anew() -> None:
    fake = Fake()

    async def whole() -> None:
        token = GoogleToken(source(fake))
        await token.token()
        fake.valid = False
        await token.token()

    run(whole)

    assert fake.refreshed == 2


def test_who_leaves_does_not_end_the_fetch_of_the_others() -> None:
    fake = Fake()

    async def whole() -> str | Trouble:
        token = GoogleToken(source(fake))
        leaves = asyncio.ensure_future(token.token())
        stays = asyncio.ensure_future(token.token())
        await asyncio.sleep(0.01)
        leaves.cancel()
        return await stays

    assert run(whole) == PLANTED


@pytest.mark.parametrize(
    "fake", [Fake(error=OSError(f"cannot refresh {PLANTED}")), Fake(token=None), Fake(token="")]
)
def test_a_failure_is_trouble_that_is_not_asked_for_again_at_once(
    fake: Fake, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)

    async def whole() -> list[str | Trouble]:
        token = GoogleToken(source(fake))
        first = [await token.token(), await token.token()]
        monkeypatch.setattr(google, "RETRY_S", 0.0)
        return [*first, await token.token()]

    first, second, third = run(whole)

    assert isinstance(first, Trouble)
    assert first.kind is Kind.ERROR
    assert first.detail.startswith("no Google credentials: ")
    assert (second, third) == (first, first)
    assert fake.refreshed == 2
    assert PLANTED not in caplog.text + repr(first)


def test_a_call_of_google_has_the_token_and_shows_it_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    async def answer(request: Any) -> Any:
        from aiohttp import web

        return web.Response(body=request.headers["authorization"].encode())

    async def whole() -> tuple[HttpReply, Http]:
        clients = Clients({}, GoogleToken(source(Fake())))
        async with serving(answer) as url, clients:
            call = Http("g", "POST", url, google=True)
            return await perform(clients, call), call

    reply, call = run(whole)

    assert reply.body == f"Bearer {PLANTED}".encode()
    assert PLANTED not in repr(reply) + repr(call) + caplog.text


def test_without_credentials_a_call_of_google_is_not_sent() -> None:
    async def answer(request: Any) -> Any:
        raise AssertionError("the request got through")

    async def whole() -> Trouble:
        clients = Clients({}, GoogleToken(source(Fake(error=LookupError()))))
        async with serving(answer) as url, clients:
            return await perform(clients, Http("g", "POST", url, google=True))

    assert run(whole) == Trouble(Kind.ERROR, "no Google credentials: LookupError")


def test_application_default_credentials_are_found_by_google_auth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service account's key whose token server is ours: google-auth as it is."""
    from aiohttp import web
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    file = tmp_path / "key.json"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))

    async def token(request: web.Request) -> web.Response:
        assert "assertion" in await request.post()
        return web.json_response({"access_token": PLANTED, "expires_in": 3600})

    async def whole() -> str | Trouble:
        async with serving(token) as url:
            account = {
                "type": "service_account",
                "client_email": "robot@acme.example",
                "private_key": pem,
                "token_uri": url,
                "project_id": "acme",
            }
            file.write_text(json.dumps(account))
            return await GoogleToken().token()

    assert run(whole) == PLANTED
