"""The policy changes ten times under a real Envoy, with a hundred exchanges in flight."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Generator, Mapping
from pathlib import Path
from typing import cast

import pytest

from tests.e2e.rig import product
from tests.e2e.rig.http1 import Answer
from tests.e2e.rig.product import Product
from tests.host.serve.house import policy, swap_in

RELOADS, EXCHANGES = 10, 100
LOOK_S = 0.05
EVENTS = 8
CHAT = {"model": "chatbot", "messages": [{"role": "user", "content": "hello"}]}
FIELDS = [("content-type", "application/json")]


@pytest.fixture
def served(tmp_path: Path) -> Generator[Product]:
    """The product, looking at its file often."""
    with (
        asyncio.Runner() as runner,
        product.running(
            runner,
            tmp_path,
            policy(1, ["$0", "$1"]),
            (0, 0),
            *("--reload-interval", str(LOOK_S)),
        ) as running,
    ):
        yield running


async def slowly(data: bytes) -> AsyncIterator[bytes]:
    """Yield *data* in pieces, so that several policies may come while it is on its way."""
    size = len(data) // 4
    for at in range(0, len(data), size):
        yield data[at : at + size]
        await asyncio.sleep(0.1)


async def exchange(served: Product, number: int) -> tuple[str, Answer]:
    """Make one exchange: with a slow request or a slow answer. Return its id too."""
    await asyncio.sleep(number * 0.02)
    name, raw = f"reload-{number}", json.dumps(CHAT).encode()
    fields = [*FIELDS, ("x-request-id", name)]
    if number % 2:
        script = [("x-script", "sse"), ("x-events", str(EVENTS)), ("x-gap-s", "0.05")]
        return name, await served.ask("POST", "/v1/chat/completions", [*fields, *script], raw)
    return name, await served.ask("POST", "/v1/chat/completions", fields, slowly(raw))


async def change(served: Product, path: Path) -> Mapping[str, int]:
    """Let one version follow the other; return digest -> version."""
    first = path.read_text()  # noqa: ASYNC240 - a small file, on a loop of our own
    digests = {_digest(first): 1}
    for version in range(2, RELOADS + 2):
        text = first.replace("upstream-1", f"upstream-{version}")
        swap_in(path, text)
        digests[_digest(text)] = version
        async with asyncio.timeout(10):
            while f"headrace_policy_generation {version}.0" not in await _page(served):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    return digests


def test_ten_reloads_during_a_hundred_exchanges_fail_none_and_mix_none(
    served: Product, tmp_path: Path
) -> None:
    async def main() -> tuple[list[tuple[str, Answer]], Mapping[str, int]]:
        changing = asyncio.create_task(change(served, tmp_path / "product.sched"))
        answers = await asyncio.gather(*(exchange(served, n) for n in range(EXCHANGES)))
        return answers, await changing

    answers, digests = served.runner.run(main())
    lines = served.runner.run(_lines(served, EXCHANGES))

    assert {answer.status for _, answer in answers} == {200}
    assert all(answer.complete for _, answer in answers)
    assert len(lines) == EXCHANGES
    for name, answer in answers:
        line = lines[name]
        assert digests[str(line["policy"])] == line["generation"]
        assert (line["termination"], line["reason"]) == ("complete", "")
        if answer.head.get("content-type").startswith("text/event-stream"):
            assert answer.body.count(b"data: ") == EVENTS
        else:
            assert json.loads(answer.body)["model"] == f"upstream-{line['generation']}"
    assert len({line["generation"] for line in lines.values()}) > RELOADS // 2
    assert "headrace_bugs_total{" not in served.page()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


async def _page(served: Product) -> str:
    return await asyncio.to_thread(served.page)


async def _lines(served: Product, count: int) -> dict[str, dict[str, object]]:
    """Return the log lines of *count* exchanges by the exchange's id, once all are written."""
    found: dict[str, dict[str, object]] = {}
    async with asyncio.timeout(10):
        while len(found) < count:
            await asyncio.sleep(0.05)
            for text in tuple(served.log):
                if text.startswith("{"):
                    line = cast("dict[str, object]", json.loads(text))
                    found[str(line["id"])] = line
    return found
