"""Who looks after workers: what it needs before there are any, and answers while there are none."""

import asyncio
import tempfile
from pathlib import Path

import aiohttp
import pytest

from headrace.host.envoy.address import Address
from headrace.host.telemetry.admin import Admin
from headrace.host.telemetry.readers import EVERYBODY
from headrace.host.workers.keeper import CannotStart, Keeper, Keeping
from headrace.host.workers.pages import Pages

KEEPING = Keeping([], Address("127.0.0.1", 0), {}, "", 0.0, Admin(True), EVERYBODY)


@pytest.mark.parametrize(
    ("name", "says"), [("x" * 100, "is too long: set TMPDIR to a folder"), ("none", "set TMPDIR")]
)
def test_without_a_folder_for_sockets_it_is_told_where_to_set_one(
    name: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / name
    if name != "none":
        folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(CannotStart, match=says) as caught:
        Keeper(KEEPING)

    assert caught.value.code == 1
    assert list(tmp_path.glob("*/*")) == []


@pytest.mark.parametrize("path", ["/decisions?limit=many", "/decisions", "/policy", "/policies"])
def test_while_no_worker_answers_pages_say_so(path: str) -> None:
    async def main() -> tuple[int, str]:
        pages = Pages([], Admin(True), EVERYBODY)
        port = await pages.start("127.0.0.1", 0)
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{port}{path}") as reply,
            ):
                return reply.status, await reply.text()
        finally:
            await pages.stop()

    assert asyncio.run(main()) == (503, "no worker answers: they are being started\n")
