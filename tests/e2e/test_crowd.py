"""Six replicas are asked for 1.3 times what they can do, by three classes of callers."""

import asyncio
import itertools
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.rig import fleet
from tests.e2e.rig.fleet import REPLICAS, SEQS, Fleet
from tests.e2e.rig.http1 import Answer

POLICY = """\
sched 1
pool gemma { endpoints "$0", "$1", "$2", "$3", "$4", "$5"  metrics vllm  stale after 60s }
model critical { priority 10  route gemma }
model standard { priority 0  route gemma }
model batch { priority -1  route gemma }
scorer idle = 1.0 / (1.0 + double(endpoint.in_flight))
profile default { score idle  pick max }
overload when request.priority < 0 && pool.in_flight > 2.0 {
  queue by request.priority for up to 30s, at most 60
}
overload when pool.in_flight > 2.0 {
  queue by request.priority for up to 30s, at most 500
}
"""
BATCH_MAX = 60  # of them wait, as the policy says
TOKENS = 40
SERVICE_S = fleet.service_s(TOKENS)
CAPACITY_PER_S = REPLICAS * SEQS / SERVICE_S
RATE_PER_S = 1.3 * CAPACITY_PER_S
CROWD_S = 4.0
LAST = 20  # of the batch callers: they come when nobody comes any more
CLASSES = {"c": "critical", "s": "standard", "b": "batch"}
CALLERS = "sbscbsbscsbsbcsbscbs"  # one after the other; without batch, 0.85 of the capacity


@dataclass(frozen=True, slots=True)
class Call:
    """One request and its answer. Times are those of the loop's clock."""

    model: str
    sent_s: float
    ended_s: float
    answer: Answer

    @property
    def shed(self) -> bool:
        return self.answer.status == 429

    @property
    def began_s(self) -> float:
        """When a replica began to work on it, as near as a caller can know."""
        return self.ended_s - SERVICE_S


@pytest.fixture
def served(tmp_path: Path) -> Generator[Fleet]:
    """Six replicas that work on two requests each."""
    with fleet.running(tmp_path, POLICY, ("critical", "standard", "batch")) as running:
        yield running


async def crowd(served: Fleet) -> tuple[list[Call], list[Call]]:
    """Return the calls of the crowd, and those of the last batch callers."""
    loop = asyncio.get_running_loop()
    start_s = loop.time()

    async def one(model: str, at_s: float) -> Call:
        await asyncio.sleep(start_s + at_s - loop.time())
        sent_s = loop.time()
        answer = await served.ask(model, TOKENS)
        return Call(model, sent_s, loop.time(), answer)

    callers = itertools.islice(itertools.cycle(CALLERS), int(CROWD_S * RATE_PER_S))
    # A pile of batch work is there already, so that its queue is full before long.
    early = [one("batch", 0.0) for _ in range(BATCH_MAX)]
    during = [one(CLASSES[who], number / RATE_PER_S) for number, who in enumerate(callers)]
    late = [one("batch", CROWD_S) for _ in range(LAST)]
    calls = await asyncio.gather(*early, *during, *late)
    return calls[:-LAST], calls[-LAST:]


def wait_s(call: Call, calls: Sequence[Call]) -> float:
    """Return how long after *call* it took until all that waited then were being served."""
    return max(c.began_s for c in calls if not c.shed and c.sent_s <= call.sent_s) - call.sent_s


def test_in_a_crowd_batch_work_alone_is_shed_and_told_when_to_come_back(served: Fleet) -> None:
    calls, last = served.runner.run(crowd(served))
    shed = [call for call in (*calls, *last) if call.shed]

    assert {call.answer.status for call in (*calls, *last)} == {200, 429}
    assert {call.model for call in shed} == {"batch"}
    assert any(call.shed for call in calls)
    assert any(call.shed for call in last)
    assert {call.answer.head.get("x-headrace-reason") for call in shed} == {"queue-full"}
    for call in filter(lambda call: call.shed, last):
        told_s = float(call.answer.head.get("retry-after"))
        assert told_s / 2 <= wait_s(call, [*calls, *last]) <= told_s * 2
