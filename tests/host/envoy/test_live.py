"""What `envoy-config` promises, kept by a real Envoy before a real host and real replicas."""

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from headrace.dsl.source import Source
from headrace.host.demo.processes import Processes
from headrace.host.demo.stack import Stack, start

pytestmark = pytest.mark.e2e
POLICY = Path(__file__).parents[3] / "examples" / "envoy" / "first.sched"
QUESTION = {"model": "chatbot", "max_tokens": 2, "messages": [{"role": "user", "content": "hi"}]}


@dataclass(frozen=True, slots=True)
class Live:
    """A running stack and the loop it lives in."""

    runner: asyncio.Runner
    session: aiohttp.ClientSession
    processes: Processes
    stack: Stack

    def ask(self, **headers: str) -> tuple[int, str]:
        """Return the status of one question and who answered it."""
        return self.runner.run(self._ask(headers))

    async def _ask(self, headers: dict[str, str]) -> tuple[int, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self.stack.url}/v1/chat/completions"
        async with self.session.post(url, json=QUESTION, headers=named) as response:
            await response.read()
            return response.status, response.headers.get("x-served-by", "")

    def kill(self, name: str) -> None:
        """Kill the process whose name begins with *name*, without warning."""
        child = next(c for c in self.processes.children if c.name.startswith(name))
        os.killpg(child.process.pid, signal.SIGKILL)
        self.runner.run(child.process.wait())


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Two replicas, a host and an Envoy by the example policy."""
    source = Source(str(POLICY), POLICY.read_text())
    with asyncio.Runner() as runner:
        processes = Processes(tmp_path_factory.mktemp("live"))
        session = runner.run(_session())
        try:
            stack = runner.run(start(source, processes, session, lambda _: None))
            yield Live(runner, session, processes, stack)
        finally:
            runner.run(processes.stop())
            runner.run(session.close())


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


def test_a_request_reaches_an_endpoint_of_the_policy(live: Live) -> None:
    status, endpoint = live.ask()

    assert status == 200
    assert endpoint in live.stack.backdrop.pool_of


@pytest.mark.parametrize(
    "header",
    ["x_gateway_destination_endpoint", "x_headrace_pool", "x_gateway_model_name"],
)
def test_a_forged_control_header_steers_nothing(live: Live, header: str) -> None:
    elsewhere = live.stack.host_url.removeprefix("http://")

    status, endpoint = live.ask(**{header: elsewhere})

    assert status == 200
    assert endpoint in live.stack.backdrop.pool_of


def test_an_answer_of_the_host_needs_no_route(live: Live) -> None:
    async def unknown() -> tuple[int, str]:
        body = {**QUESTION, "model": "nobody"}
        async with live.session.post(f"{live.stack.url}/v1/chat/completions", json=body) as got:
            return got.status, got.headers["x-headrace-reason"]

    assert live.runner.run(unknown()) == (404, "unknown-model")


def test_a_killed_endpoint_costs_no_request(live: Live) -> None:
    _, preferred = live.ask()

    live.kill(f"model-server-{preferred}")
    answers = [live.ask() for _ in range(10)]

    (other,) = set(live.stack.backdrop.pool_of) - {preferred}
    assert answers == [(200, other)] * 10


def test_without_a_host_nothing_passes(live: Live) -> None:
    live.kill("headrace-serve")

    assert live.ask() == (503, "")
