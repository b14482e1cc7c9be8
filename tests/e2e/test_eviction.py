"""What runs and can wait is ended for what cannot, behind a real Envoy."""

import asyncio
import json
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.rig import product
from tests.e2e.rig.http1 import Answer
from tests.e2e.rig.product import Product

POLICY = """\
sched 1
pool gemma { endpoints "$0" }
model chat { route gemma }
overload when pool.in_flight >= 1.0 { evict when request.priority < 0 }
class batch when request.header("x-job") == "batch" { priority -1 }
"""
BODY = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hi"}]}).encode()
BATCH = [("content-type", "application/json"), ("x-script", "sse"), ("x-job", "batch")]
URGENT = [("content-type", "application/json"), ("x-script", "sse"), ("x-events", "1")]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Product]:
    folder: Path = tmp_path_factory.mktemp("eviction")
    with (
        asyncio.Runner() as runner,
        product.running(runner, folder, POLICY, (0,)) as running,
    ):
        yield running
        spurious = running.envoy.counters("spurious_msgs_received")
        assert not any(spurious.values()), "\n".join(running.log)


async def runs(served: Product, *fields: tuple[str, str]) -> "asyncio.Task[Answer]":
    """Start a batch request, and wait until it is with its server."""
    asked = served.ask("POST", "/v1/chat/completions", [*BATCH, *fields], BODY)
    task = asyncio.create_task(asked)
    async with asyncio.timeout(5):
        while "headrace_exchanges_active 1.0" not in await asyncio.to_thread(served.page):  # noqa: ASYNC110 - polled
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)
    return task


def test_before_its_response_it_is_answered_429_and_the_urgent_one_is_served(
    served: Product,
) -> None:
    async def main() -> tuple[Answer, Answer]:
        batch = await runs(served, ("x-late-s", "20"))
        urgent = await served.ask("POST", "/v1/chat/completions", URGENT, BODY)
        async with asyncio.timeout(5):
            return await batch, urgent

    batch, urgent = served.runner.run(main())

    assert (batch.status, batch.head.get("x-headrace-reason")) == (429, "evicted")
    assert batch.head.get("x-llm-d-request-dropped-reason") == "evicted-priority"
    assert int(batch.head.get("retry-after")) >= 1
    assert urgent.status == 200
    assert 'reason="evicted"' in served.page()


def test_a_stream_that_has_begun_is_broken_off(served: Product) -> None:
    async def main() -> tuple[Answer, Answer]:
        await asyncio.sleep(1.0)  # after which the next may be ended
        batch = await runs(served, ("x-events", "100"), ("x-gap-s", "0.2"))
        urgent = await served.ask("POST", "/v1/chat/completions", URGENT, BODY)
        async with asyncio.timeout(5):
            return await batch, urgent

    batch, urgent = served.runner.run(main())

    assert (batch.status, batch.complete, urgent.status) == (200, False, 200)
