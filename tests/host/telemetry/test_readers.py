"""Who reads metrics and decisions where that is not for everybody."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from headrace.host.telemetry.endpoint import OperatorEndpoint
from headrace.host.telemetry.readers import (
    ALLOWED_S,
    AWAY_S,
    DENIED_S,
    KNOWN_MAX,
    Readers,
    Refusal,
    Reviewed,
    Ruling,
    TokenFile,
    Unasked,
)
from headrace.host.telemetry.telemetry import Telemetry

SECRET = "a-token-of-somebody"


def status_of(readers: Readers, path: str, authorization: str = "") -> int:
    """Return how *path* is answered."""

    async def go() -> int:
        endpoint = OperatorEndpoint(Telemetry(0.0), lambda: True, readers=readers)
        port = await endpoint.start("127.0.0.1", 0)
        headers = {"authorization": authorization} if authorization else {}
        try:
            url = f"http://127.0.0.1:{port}{path}"
            async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as got:
                assert SECRET not in await got.text()
                return got.status
        finally:
            await endpoint.stop()

    return asyncio.run(go())


@pytest.mark.parametrize("path", ["/metrics", "/decisions", "/decisions/last", "/status"])
def test_who_shows_the_token_reads_and_nobody_else(tmp_path: Path, path: str) -> None:
    file = tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    readers = TokenFile(file)

    assert status_of(readers, path) == 401
    assert status_of(readers, path, f"Bearer {SECRET}x") == 401
    assert status_of(readers, path, f"Basic {SECRET}") == 401
    assert status_of(readers, path, f"bearer {SECRET}") in (200, 404)


def test_health_is_for_everybody(tmp_path: Path) -> None:
    assert status_of(TokenFile(tmp_path / "none"), "/healthz") == 200
    assert status_of(TokenFile(tmp_path / "none"), "/readyz") == 200


def test_a_token_that_is_written_anew_counts_at_once(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    readers = TokenFile(file)
    before = asyncio.run(readers.refuses(SECRET, "/metrics"))
    file.write_text(SECRET)

    assert before is not None
    assert asyncio.run(readers.refuses(SECRET, "/metrics")) is None


@pytest.mark.parametrize("content", [None, ""])
def test_a_file_that_is_gone_or_empty_lets_nobody_in(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)

    assert asyncio.run(TokenFile(file).refuses(SECRET, "/metrics")) is not None


class Asked:
    """An API server: says what it is told to, and counts."""

    def __init__(self, *says: Ruling | None) -> None:
        self.says = list(says)
        self.count = 0

    def __call__(self, token: str, path: str) -> Ruling:
        self.count += 1
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if said is None:
            raise Unasked("it is away")
        return said


MAY, MAY_NOT, NOBODY = Ruling("prometheus", True), Ruling("somebody", False), Ruling("", False)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def after(readers: Reviewed, clock: Clock, *times_s: float) -> list[Refusal | None]:
    """Return how the same client is answered at each of *times_s*."""

    async def go() -> list[Refusal | None]:
        found: list[Refusal | None] = []
        for now_s in times_s:
            clock.now_s = now_s
            found.append(await readers.refuses(SECRET, "/metrics"))
        return found

    return asyncio.run(go())


def statuses(found: list[Refusal | None]) -> list[int]:
    return [200 if refusal is None else refusal.status for refusal in found]


def test_who_is_allowed_reads_and_is_asked_about_once_a_minute() -> None:
    clock, asked = Clock(), Asked(MAY)
    found = after(Reviewed(asked, clock), clock, 0.0, 1.0, ALLOWED_S, ALLOWED_S + 1)

    assert statuses(found) == [200] * 4
    assert asked.count == 2


def test_who_is_not_allowed_is_told_so_and_who_is_nobody_too() -> None:
    clock, asked = Clock(), Asked(MAY_NOT, NOBODY, MAY)
    found = after(Reviewed(asked, clock), clock, 0.0, 1.0, DENIED_S + 1, 3 * DENIED_S)

    assert statuses(found) == [403, 403, 401, 200]
    assert found[0] is not None
    assert "`somebody` may not `get` the URL `/metrics`" in found[0].text


def test_while_the_api_server_is_away_only_who_was_allowed_lately_reads() -> None:
    clock = Clock()
    known = Reviewed(Asked(MAY, None), clock)
    unknown = Reviewed(Asked(None), clock)

    assert statuses(after(known, clock, 0.0, ALLOWED_S + 1, AWAY_S, AWAY_S + 1)) == [
        *(200, 200, 200),
        503,
    ]
    assert statuses(after(unknown, clock, 0.0)) == [503]


def test_many_tokens_take_no_more_room_than_agreed() -> None:
    readers = Reviewed(Asked(MAY_NOT))

    async def go() -> None:
        for number in range(2 * KNOWN_MAX):
            await readers.refuses(f"token-{number}", "/metrics")

    asyncio.run(go())
    assert readers.known == KNOWN_MAX
