"""One of six replicas is killed: what it was working on is seen to fail, and nothing else does."""

import asyncio
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.rig import fleet
from tests.e2e.rig.fleet import Fleet
from tests.e2e.rig.http1 import Answer

# Everybody prefers the first, and after it the second: who serves tells which list was followed.
POLICY = """\
sched 1
pool gemma { endpoints "$0", "$1", "$2", "$3", "$4", "$5"  metrics vllm  stale after 60s }
model gemma { route gemma }
scorer order = endpoint.name == "$0" ? 100% : endpoint.name == "$1" ? 50% : 0%
profile default { score order  pick max }
"""
HELD, NEW = 6, 40
LONG, SHORT = 400, 2  # tokens


@pytest.fixture
def served(tmp_path: Path) -> Generator[Fleet]:
    """Six replicas, of which the first is a process of its own."""
    with fleet.running(tmp_path, POLICY) as running:
        yield running


def became(answer: Answer) -> str:
    """Return what a client sees of *answer*, in the words of docs/failure-matrix.md."""
    if not answer.complete:
        return "cut"
    return "whole" if answer.status == 200 else str(answer.status)


async def killed(served: Fleet) -> tuple[list[Answer], list[Answer]]:
    """Return what came of those in flight at the death of a replica, and of those after it."""
    held = [asyncio.create_task(served.ask("gemma", LONG, stream=True)) for _ in range(HELD)]
    until_s = time.monotonic() + 10
    while await asyncio.to_thread(served.count, "upstream_rq_active") < HELD:
        assert time.monotonic() < until_s, "they never reached the replica"
        await asyncio.sleep(0.02)
    served.mortal.kill()
    await asyncio.to_thread(served.mortal.wait)
    new = [asyncio.create_task(served.ask("gemma", SHORT)) for _ in range(NEW)]
    return await asyncio.gather(*held), await asyncio.gather(*new)


def test_a_killed_replica_costs_no_request_more_than_one_retry(served: Fleet) -> None:
    first = served.runner.run(served.ask("gemma", SHORT))

    held, new = served.runner.run(killed(served))
    again = [served.runner.run(served.ask("gemma", SHORT)) for _ in held]

    assert first.head.get("x-served-by") == served.addresses[0]
    # What comes after the death: Envoy's one retry, at the next endpoint of the picked list.
    assert set(map(became, new)) == {"whole"}
    assert {answer.head.get("x-served-by") for answer in new} == {served.addresses[1]}
    retried = served.count("upstream_rq_retry")
    assert 0 < retried == served.count("upstream_rq_retry_success") <= NEW + len(again)
    # What the dead replica was working on is lost and seen to be; repeated once, it is answered.
    assert set(map(became, held)) == {"cut", "503"}
    assert set(map(became, again)) == {"whole"}
