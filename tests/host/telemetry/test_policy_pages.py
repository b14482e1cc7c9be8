"""The pages about the policy, and who may change it through them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import aiohttp
import pytest
from aiohttp import web

from headrace.host.telemetry.admin import Admin
from headrace.host.telemetry.endpoint import OperatorEndpoint
from headrace.host.telemetry.policy_pages import Page, PolicyRefused
from headrace.host.telemetry.telemetry import Telemetry

TOKEN = "a token of twenty chars"
BEARER = {"authorization": f"Bearer {TOKEN}"}
OPEN, CLOSED, WITH_TOKEN = Admin(True), Admin(False), Admin(False, TOKEN)


@dataclass(slots=True)
class Desk:
    """Policies that remember what was asked of them."""

    asked: list[str] = field(default_factory=list[str])

    def page(self) -> Page:
        """Return something."""
        return {"digest": "abc", "valid": True}

    def kept(self) -> Sequence[Page]:
        """Return something."""
        return [{"digest": "old"}]

    async def roll_back(self, digest: str) -> Page:
        """Go back, but not to `unknown`."""
        if digest == "unknown":
            raise PolicyRefused("no earlier policy `unknown` is kept", 404)
        self.asked.append(f"rollback {digest}")
        return {"digest": digest or "old", "generation": 2}

    def ask(self) -> None:
        """Note it."""
        self.asked.append("reload")


def send(
    desk: Desk, admin: Admin, method: str, path: str, headers: dict[str, str] | None = None
) -> tuple[int, str]:
    """Return status and text of one answer."""

    async def go() -> tuple[int, str]:
        endpoint = OperatorEndpoint(Telemetry(0.0), lambda: True, desk, admin)
        port = await endpoint.start("127.0.0.1", 0)
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, f"http://127.0.0.1:{port}{path}", headers=headers) as got,
            ):
                return got.status, await got.text()
        finally:
            await endpoint.stop()

    return asyncio.run(go())


@pytest.mark.parametrize("admin", [OPEN, CLOSED, WITH_TOKEN])
def test_everybody_may_read(admin: Admin) -> None:
    assert send(Desk(), admin, "GET", "/policy") == (
        200,
        '{\n  "digest": "abc",\n  "valid": true\n}\n',
    )
    assert send(Desk(), admin, "GET", "/policies")[0] == 200


@pytest.mark.parametrize(
    ("admin", "headers", "status"),
    [
        (OPEN, {}, 200),
        (OPEN, {"origin": "http://evil.example"}, 403),
        (OPEN, {"sec-fetch-site": "cross-site"}, 403),
        (CLOSED, {}, 403),
        (CLOSED, BEARER, 403),
        (WITH_TOKEN, {}, 401),
        (WITH_TOKEN, {"authorization": "Bearer wrong"}, 401),
        (WITH_TOKEN, {"authorization": "Bearer \xfc"}, 401),
        (WITH_TOKEN, BEARER, 200),
        (Admin(True, TOKEN), {}, 401),
    ],
)
def test_who_may_change_something(admin: Admin, headers: dict[str, str], status: int) -> None:
    desk = Desk()
    rolled = send(desk, admin, "POST", "/policy/rollback?to=abc", headers)
    asked = send(desk, admin, "POST", "/policy/reload", headers)

    assert rolled[0] == status
    assert asked[0] == (202 if status == 200 else status)
    assert desk.asked == (["rollback abc", "reload"] if status == 200 else [])


def test_reading_is_not_writing_and_what_is_not_kept_is_said() -> None:
    desk = Desk()

    assert send(desk, OPEN, "GET", "/policy/rollback")[0] == 405
    assert send(desk, OPEN, "POST", "/policy/rollback?to=unknown") == (
        404,
        "no earlier policy `unknown` is kept\n",
    )
    assert desk.asked == []


def test_octets_that_are_no_text_are_no_token() -> None:
    request = SimpleNamespace(headers={"authorization": "Bearer \udcff"})
    refusal = WITH_TOKEN.refuses(cast("web.Request", request))

    assert refusal is not None
    assert refusal.status == 401
