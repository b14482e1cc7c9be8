"""One of six replicas is killed: answers it has begun are seen to fail, and nothing else does."""

import asyncio
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.rig import fleet
from tests.e2e.rig.fleet import Fleet
from tests.e2e.rig.http1 import Answer, Head, Wire

# Everybody prefers the first, and after it the second: who serves tells which list was followed.
POLICY = """\
sched 1
pool gemma { endpoints "$0", "$1", "$2", "$3", "$4", "$5"  metrics vllm  stale after 60s }
model gemma { route gemma }
scorer order = endpoint.name == "$0" ? 100% : endpoint.name == "$1" ? 50% : 0%
profile default { score order  pick max }
"""
HELD, NEW = 3, 40
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


async def ends(wire: Wire, head: Head) -> str:
    """Return how the answer that *head* began ends."""
    try:
        async for _ in wire.body(head):
            pass
    except (EOFError, ConnectionError):
        return "cut"
    finally:
        await wire.close()
    return "whole"


async def killed(served: Fleet) -> tuple[set[str], set[str], set[str]]:
    """Return what becomes of answers that have begun, of others, and of those after the death."""
    begun = [await served.begin("gemma", LONG) for _ in range(HELD)]
    asked = [asyncio.create_task(served.ask("gemma", LONG)) for _ in range(HELD)]
    until_s = time.monotonic() + 10
    while await asyncio.to_thread(served.count, "upstream_rq_active") < 2 * HELD:
        assert time.monotonic() < until_s, "they never reached the replica"
        await asyncio.sleep(0.02)
    served.mortal.kill()
    await asyncio.to_thread(served.mortal.wait)
    new = await asyncio.gather(*(served.ask("gemma", SHORT) for _ in range(NEW)))
    assert {answer.head.get("x-served-by") for answer in new} == {served.addresses[1]}
    cut = await asyncio.gather(*(ends(*one) for one in begun))
    return set(cut), {became(await one) for one in asked}, set(map(became, new))


def test_a_killed_replica_costs_no_request_more_than_one_retry(served: Fleet) -> None:
    first = served.runner.run(served.ask("gemma", SHORT))

    begun, asked, new = served.runner.run(killed(served))
    retried = served.count("upstream_rq_retry")
    again = [served.runner.run(served.ask("gemma", SHORT)) for _ in range(2 * HELD)]

    assert first.head.get("x-served-by") == served.addresses[0]
    # What comes after the death: nothing worse than Envoy's one retry, at the next of the picked.
    assert new == {"whole"}
    assert HELD <= retried <= NEW + HELD
    # An answer that had begun is lost and seen to be; what had not begun is done elsewhere.
    assert (begun, asked) == ({"cut"}, {"whole"})
    assert set(map(became, again)) == {"whole"}
