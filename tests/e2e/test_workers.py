"""Workers behind one real Envoy: they spread load as one process would, and outlive one another."""

import asyncio
import json
import os
import re
import signal
import urllib.request
from collections import Counter
from collections.abc import Generator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from headrace.host.sim.options import ModelServerOptions
from headrace.host.sim.server import ModelServer
from tests.e2e.rig import client, product
from tests.e2e.rig.envoy import Envoy
from tests.e2e.rig.http1 import Answer

REPLICAS = 4
WORKERS = 3
CHAT = "/v1/chat/completions"
JSON = ("content-type", "application/json")
# What has no session is spread as if there were none: the filter then lets all endpoints pass.
POLICY = """\
sched 1
pool gemma { endpoints "$0", "$1", "$2", "$3"  metrics vllm  stale after 60s }
model gemma { route gemma }
scorer free = 1.0 / (1.0 + double(endpoint.in_flight))
profile default { prefer session_affinity_filter  score free  pick max }
"""


class Served:
    """Workers before replicas. The loop, and that of the replicas, turns only inside `run`."""

    def __init__(
        self, runner: asyncio.Runner, envoy: Envoy, metrics: str, addresses: list[str]
    ) -> None:
        self.run = runner.run
        self.envoy, self.metrics, self.addresses = envoy, metrics, addresses

    async def ask(self, tokens: int, *fields: tuple[str, str]) -> Answer:
        message = {"role": "user", "content": "hello"}
        body = {"model": "gemma", "messages": [message], "max_tokens": tokens}
        port = self.envoy.ports["inference"]
        return await client.fetch(port, "POST", CHAT, [JSON, *fields], json.dumps(body).encode())

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{self.metrics}{path}", timeout=5) as reply:
            return str(reply.read(), "utf-8")

    def workers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.get("/status"))["workers"]
        return found

    def active(self) -> int:
        """Return how many exchanges the first worker has open."""
        found = re.search(r'headrace_exchanges_active{worker="1"} (\S+)', self.get("/metrics"))
        assert found, "no such metric"
        return int(float(found[1]))

    def decided(self) -> Counter[str]:
        """Return how many requests each worker has decided."""
        pattern = r'headrace_picks_total\{worker="(\d)",.*\} (\S+)'
        found: Counter[str] = Counter()
        for worker, count in re.findall(pattern, self.get("/metrics")):
            found[worker] += int(float(count))
        return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Workers that the tests of this module share; the last of them kills one."""
    stack, policy = AsyncExitStack(), POLICY
    with asyncio.Runner() as runner:
        try:
            options = ModelServerOptions(port=0, models=("gemma",), max_num_seqs=64)
            servers = [
                runner.run(stack.enter_async_context(ModelServer(options))) for _ in range(REPLICAS)
            ]
            addresses = [server.address for server in servers]
            for at, address in enumerate(addresses):
                policy = policy.replace(f"${at}", address)
            flags, folder = ("--workers", str(WORKERS)), tmp_path_factory.mktemp("workers")
            with product.deciding(folder, policy, flags) as (envoy, metrics, _):
                yield Served(runner, envoy, metrics, addresses)
        finally:
            runner.run(stack.aclose())


def test_workers_spread_what_is_open_as_one_process_would(served: Served) -> None:
    """Alone, each would begin at the same replica, and give it one more than the others."""

    async def burst() -> Counter[str]:
        asked: list[asyncio.Task[Answer]] = []
        for _ in range(5 * REPLICAS):
            asked.append(asyncio.create_task(served.ask(200)))
            await asyncio.sleep(0.04)  # longer than it takes to tell the others
        answers = await asyncio.gather(*asked)
        assert {answer.status for answer in answers} == {200}
        return Counter(str(answer.head.get("x-served-by")) for answer in answers)

    before, placed = served.decided(), served.run(burst())
    decided = served.decided() - before

    assert sum(decided.values()) == 5 * REPLICAS
    assert len(decided) == WORKERS, decided
    assert sorted(placed.values()) == [5] * REPLICAS, placed


def test_a_session_stays_where_it_is_whichever_worker_decides(served: Served) -> None:
    async def talk(session: str) -> set[str]:
        places: set[str] = set()
        for _ in range(6):
            answer = await served.ask(2, ("x-session-id", session))
            assert answer.status == 200
            places.add(str(answer.head.get("x-served-by")))
            await asyncio.sleep(0.05)
        return places

    async def talks() -> list[set[str]]:
        return await asyncio.gather(*(talk(f"s{n}") for n in range(8)))

    before, places = served.decided(), served.run(talks())
    decided = served.decided() - before

    assert [len(each) for each in places] == [1] * 8
    assert len(set[str]().union(*places)) > 1
    assert len(decided) == WORKERS, decided


def test_a_killed_worker_takes_its_own_exchanges_only_and_comes_back(served: Served) -> None:
    async def load() -> tuple[list[Answer], int]:
        asked = [asyncio.create_task(served.ask(200)) for _ in range(30)]
        await asyncio.sleep(0.7)
        own = await asyncio.to_thread(served.active)
        victim = (await asyncio.to_thread(served.workers))[0]
        os.kill(victim["pid"], signal.SIGKILL)
        later = await asyncio.gather(*(served.ask(2) for _ in range(30)))
        # Envoy has not yet seen that the worker is gone, and tries another.
        assert {answer.status for answer in later} == {200}
        return await asyncio.gather(*asked), own

    async def again() -> set[int]:
        await asyncio.sleep(3.0)  # Envoy asks for the health of each every second or two
        answers = await asyncio.gather(*(served.ask(2) for _ in range(30)))
        return {answer.status for answer in answers}

    answers, own = served.run(load())
    broken = [a for a in answers if a.status != 200 or not a.complete]
    served.run(until(lambda: served.workers()[0]["status"] is not None))
    found, last = served.workers(), served.run(again())

    assert 0 < own < 30, "each worker has some"
    assert len(broken) <= own, [answer.status for answer in broken]
    assert [worker["restarts"] for worker in found] == [1, 0, 0]
    assert last == {200}
    assert served.decided()["1"] > 0, "Envoy finds its way back to the worker"


async def until(holds: Any) -> None:
    async with asyncio.timeout(15):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.1)
