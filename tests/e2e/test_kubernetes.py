"""The product in a cluster: pods come and go, and the API server dies, under a real Envoy."""

import asyncio
import itertools
import json
import os
import re
import time
import urllib.request
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from tests.e2e.rig import client, product, upstream
from tests.e2e.rig.envoy import Envoy
from tests.e2e.rig.http1 import Answer
from tests.e2e.rig.process import free_port
from tests.e2e.rig.upstream import Upstream
from tests.host.cluster.apiserver import PODS, ApiServer
from tests.host.cluster.objects import (
    OBJECTIVES,
    POOLS,
    REWRITES,
    kubeconfig,
    objective,
    pod,
    pool,
    reached,
    rewrite,
)

POLICY = """\
sched 1
pool gemma { %s  metrics vllm }
model chatbot { route gemma }
trust { objective from true }
filter alive       = endpoint.ready
scorer short_queue = 1.0 / (1.0 + double(endpoint.in_flight))
profile default { require alive  score 1 * short_queue  pick max }
"""
HOSTS = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
WORKERS = 4
NO_NEW_S = 0.2
# How long the API server is away: a minute and more takes as long, so it is asked for by hand.
AWAY_S = float(os.environ.get("OUTAGE_SECONDS", "3"))
PATIENCE_S = 10.0
JSON = ("content-type", "application/json")
CHAT = {"model": "chatbot", "messages": [{"role": "user", "content": "hello"}]}


@dataclass(slots=True)
class Site:
    """The product with its cluster. *answers*: of the load, with when each was asked for."""

    runner: asyncio.Runner
    envoy: Envoy
    api: ApiServer
    servers: Sequence[Upstream]
    metrics: str
    log: Sequence[str]
    answers: list[tuple[float, Answer | BaseException]] = field(
        default_factory=list[tuple[float, Answer | BaseException]]
    )

    def page(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{self.metrics}{path}", timeout=5) as reply:
            return str(reply.read(), "utf-8")

    def ages(self) -> dict[str, float]:
        """Return for how long nothing was said of each resource, as the metric has it."""
        pattern = r'headrace_cluster_age_seconds\{resource="([^"]*)"\} (\S+)'
        return {name: float(age) for name, age in re.findall(pattern, self.page("/metrics"))}

    def status(self) -> dict[str, Any]:
        return cast("dict[str, Any]", json.loads(self.page("/status")))

    async def ask(self, **fields: str) -> Answer:
        named = [JSON, *((name.replace("_", "-"), value) for name, value in fields.items())]
        body = json.dumps(CHAT).encode()
        port = self.envoy.ports["inference"]
        return await client.fetch(port, "POST", "/v1/chat/completions", named, body)

    def line(self, request_id: str) -> dict[str, Any] | None:
        """Return the log line of one exchange."""
        for text in tuple(self.log):
            if text.startswith("{") and (line := json.loads(text))["id"] == request_id:
                return cast("dict[str, Any]", line)
        return None

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)

    def served(self, server: int) -> int:
        """Return how many requests of the load a server has had."""
        return len(self.servers[server].seen.of("load"))

    @asynccontextmanager
    async def load(self) -> AsyncGenerator[None]:
        """Ask without a pause, from several sides."""
        going = True

        async def worker() -> None:
            while going:
                at_s = time.monotonic()
                try:
                    self.answers.append((at_s, await self.ask(x_id="load")))
                except (OSError, EOFError) as error:
                    self.answers.append((at_s, error))
                await asyncio.sleep(0.005)

        tasks = [asyncio.create_task(worker()) for _ in range(WORKERS)]
        try:
            yield
        finally:
            going = False
            await asyncio.gather(*tasks)

    def failed(self) -> list[object]:
        return [
            one
            for _, one in self.answers
            if not (isinstance(one, Answer) and one.status == 200 and one.complete)
        ]


@contextmanager
def site(folder: Path, source: str, *flags: str, real: Any = None) -> Generator[Site]:
    """Run the product by a pool of *source*, on the servers of `HOSTS`, at one port.

    real  stands in for the double, as far as a test uses it; Any: it is none
    """
    port = free_port()
    listed = ", ".join(f'"{host}:{port}"' for host in HOSTS)
    known = nullcontext((real, None)) if real else reached(folder)
    with asyncio.Runner() as runner, known as (api, _):
        stack = AsyncExitStack()
        try:
            servers = [
                runner.run(
                    stack.enter_async_context(
                        upstream.serving(product.scripts(0, asyncio.Event()), host, port)
                    )
                )
                for host in HOSTS
            ]
            api.shelf.put(POOLS, pool(ports=(port,)))
            for number, host in enumerate(HOSTS[:2]):
                api.shelf.put(PODS, pod(f"p{number}", host))
            policy = POLICY % (source % port if "%" in source else source)
            config = real.config() if real else kubeconfig(folder, api)
            flags = ("--kube", "--kubeconfig", str(config), *flags)
            with _deciding(runner, folder, policy, flags, POLICY % f"endpoints {listed}") as found:
                envoy, metrics, log = found
                yield Site(runner, envoy, api, servers, metrics, log)
        finally:
            runner.run(stack.aclose())


@contextmanager
def _deciding(
    runner: asyncio.Runner, folder: Path, policy: str, flags: Sequence[str], known: str
) -> Generator[tuple[Envoy, str, Sequence[str]]]:
    """Start the product while the servers' loop turns: it is ready when it has scraped them."""
    opened = product.deciding(folder, policy, flags, known_to_envoy=known)
    found = runner.run(asyncio.to_thread(opened.__enter__))
    try:
        yield found
    finally:
        opened.__exit__(None, None, None)


def test_pods_of_a_selector_come_and_go_and_no_request_fails(tmp_path: Path) -> None:
    with site(tmp_path, 'select app = "gemma"  port %d', "--log-level", "warning") as running:
        api = running.api

        async def main() -> None:
            async with running.load():
                await running.until(lambda: running.served(0) and running.served(1))
                api.shelf.put(PODS, pod("p2", HOSTS[2]))
                await running.until(lambda: running.served(2))
                api.shelf.delete(PODS, "p0")
                await asyncio.sleep(NO_NEW_S)
                before = running.served(0)
                await asyncio.sleep(NO_NEW_S)
                assert running.served(0) == before

        running.runner.run(main())

        assert running.failed() == []


def test_pods_come_and_go_and_the_api_server_dies_and_no_request_fails(tmp_path: Path) -> None:
    with site(tmp_path, "inferencepool gemma", "--log-level", "warning") as running:
        api = running.api

        async def main() -> None:
            async with running.load():
                await running.until(lambda: running.served(0) and running.served(1))
                api.shelf.put(PODS, pod("p2", HOSTS[2]))
                await running.until(lambda: running.served(2))
                api.shelf.put(PODS, pod("p0", HOSTS[0], ready=False))
                await asyncio.sleep(NO_NEW_S)
                before = running.served(0)
                await asyncio.sleep(0.5)
                assert running.served(0) == before
                api.down()
                await asyncio.sleep(AWAY_S)
                status = await asyncio.to_thread(running.status)
                assert status["pools"]["gemma"] == {"endpoints": 2, "ready": 2}
                ages = [one["age_s"] for one in status["cluster"]["resources"] if one["objects"]]
                assert min(ages) > AWAY_S / 2
                assert status["ready"]
                ages = await asyncio.to_thread(running.ages)
                assert min(ages.values()) > AWAY_S / 2
                api.shelf.put(PODS, pod("p0", HOSTS[0]))
                api.shelf.delete(PODS, "p1")
                api.up()
                await running.until(lambda: running.served(0) > before)

        running.runner.run(main())

        assert running.failed() == []
        assert len(running.answers) > 100
        assert "headrace_bugs_total{" not in running.page("/metrics")
        assert any("s old" in line for line in running.log)


def test_an_objective_and_a_rewrite_count_from_when_they_are_there(tmp_path: Path) -> None:
    with site(tmp_path, "inferencepool gemma") as running:
        api = running.api

        async def main() -> None:
            api.shelf.put(OBJECTIVES, objective("urgent", 7))
            api.shelf.put(OBJECTIVES, objective("chat", 3, models="chatbot"))
            api.shelf.put(REWRITES, rewrite("canary", {"chatbot-v2": None}, ("chatbot",)))
            async with asyncio.timeout(PATIENCE_S):
                for number in itertools.count():
                    if await said(running, f"plain-{number}") == ("chatbot-v2", 3):
                        break
            asked = {"x_llm_d_inference_objective": "urgent"}
            assert await said(running, "named", **asked) == ("chatbot-v2", 7)

        running.runner.run(main())


async def said(running: Site, request_id: str, **fields: str) -> tuple[str, int]:
    """Make a request; return the model that the server was asked for, and the priority."""
    answer = await running.ask(x_request_id=request_id, **fields)
    await running.until(lambda: running.line(request_id))
    line = running.line(request_id)
    assert line is not None
    return str(json.loads(answer.body)["model"]), int(line["priority"])
