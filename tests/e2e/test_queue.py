"""Requests that wait for their turn, behind a real Envoy."""

import asyncio
import json
import time
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
overload when pool.in_flight >= 2.0 {
  shed  when request.header("x-job") == "batch" && request.priority < 0
  queue by request.priority fair by request.header("x-tenant") for up to 10s, at most 3
}
class batch when request.header("x-job") == "batch" { priority -1 }
"""
WORK_S = 0.5
RETRIED_S = 2.0  # by when Envoy has opened a stream once more, if it takes the end for a failure
BODY = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hi"}]}).encode()
SLOW = [
    ("content-type", "application/json"),
    ("x-script", "sse"),
    ("x-events", "1"),
    ("x-gap-s", str(WORK_S)),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Product]:
    folder: Path = tmp_path_factory.mktemp("queue")
    with (
        asyncio.Runner() as runner,
        product.running(runner, folder, POLICY, (0,)) as running,
    ):
        yield running
        spurious = running.envoy.counters("spurious_msgs_received")
        assert not any(spurious.values()), "\n".join(running.log)


async def ask(served: Product, *fields: tuple[str, str]) -> tuple[Answer, float]:
    """Return an answer, and how long it took."""
    began_s = time.monotonic()
    answer = await served.ask("POST", "/v1/chat/completions", [*SLOW, *fields], BODY)
    return answer, time.monotonic() - began_s


def test_who_must_wait_waits_and_is_served_and_who_finds_it_full_is_told(served: Product) -> None:
    async def main() -> tuple[list[tuple[Answer, float]], Answer]:
        waiting = [asyncio.create_task(ask(served)) for _ in range(5)]
        await asyncio.sleep(WORK_S / 2)
        (shed, _), (full, _) = await asyncio.gather(ask(served, ("x-job", "batch")), ask(served))
        assert shed.status == 429
        assert shed.head.get("x-headrace-reason") == "shed"
        return [await task for task in waiting], full

    answers, full = served.runner.run(main())
    took_s = sorted(wait_s for _, wait_s in answers)

    assert [answer.status for answer, _ in answers] == [200] * 5
    assert took_s[1] < 2 * WORK_S <= took_s[2]
    assert took_s[4] >= 3 * WORK_S
    assert (full.status, full.head.get("x-headrace-reason")) == (429, "queue-full")
    assert int(full.head.get("retry-after")) >= 1
    assert 'headrace_queue_wait_seconds_count{outcome="served",pool="gemma"} 3' in served.page()


async def shows(served: Product, line: str) -> None:
    """Wait until the host's metrics have *line*."""
    async with asyncio.timeout(5):
        while line not in await asyncio.to_thread(served.page):  # noqa: ASYNC110 - it is polled
            await asyncio.sleep(0.02)


def streams(served: Product) -> float:
    """Return how many streams the host has ended."""
    lines = [x for x in served.page().splitlines() if x.startswith("headrace_streams_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_clients_that_give_up_leave_the_queue_and_envoy_does_not_ask_for_them_again(
    served: Product,
) -> None:
    async def main() -> None:
        before = await asyncio.to_thread(streams, served)
        served_now = [asyncio.create_task(ask(served)) for _ in range(2)]
        await shows(served, "headrace_exchanges_active 2.0")
        waiting = [asyncio.create_task(ask(served)) for _ in range(3)]
        await shows(served, 'headrace_queue_requests{pool="gemma"} 3.0')
        for task in waiting:
            task.cancel()
        await shows(served, 'headrace_queue_wait_seconds_count{outcome="gone",pool="gemma"} 3')
        await shows(served, 'headrace_queue_requests{pool="gemma"} 0.0')
        await asyncio.gather(*served_now)
        await asyncio.sleep(RETRIED_S)

        assert await asyncio.to_thread(streams, served) == before + 5

    served.runner.run(main())
