"""The product as an operator runs it: `headrace serve` behind the Envoy of `envoy-config`."""

import asyncio
import subprocess
import sys
import threading
import urllib.request
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from tests.e2e.rig import client, envoy, upstream
from tests.e2e.rig.client import Body
from tests.e2e.rig.config import LOOPBACK, Config
from tests.e2e.rig.envoy import Envoy
from tests.e2e.rig.http1 import Answer, Fields
from tests.e2e.rig.process import end, free_port
from tests.e2e.rig.scripts import STANDARD, echo
from tests.e2e.rig.upstream import Call, Script, Upstream

HEADRACE = (sys.executable, "-m", "headrace.host.cli.main")
READY_S_MAX = 10.0
LOG_LINES = 200
PAGE = """\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{model_name="m",engine="0"} 0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{model_name="m",engine="0"} %d
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{model_name="m",engine="0"} 0.25
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{block_size="16",num_gpu_blocks="1000",engine="0"} 1
"""


@dataclass(frozen=True, slots=True)
class Product:
    """A running product with its endpoints. Its loop turns only inside `run`."""

    runner: asyncio.Runner
    envoy: Envoy
    endpoints: Sequence[Upstream]
    metrics: str
    log: deque[str]

    async def ask(
        self,
        method: str = "POST",
        path: str = "/",
        fields: Fields = (),
        body: Body = None,
        trailers: Fields = (),
    ) -> Answer:
        """Await the answer to one request through Envoy."""
        port = self.envoy.ports["inference"]
        return await client.fetch(port, method, path, fields, body, trailers)

    def fetch(
        self,
        method: str = "POST",
        path: str = "/",
        fields: Fields = (),
        body: Body = None,
        trailers: Fields = (),
    ) -> Answer:
        """Return the answer to one request through Envoy."""
        return self.runner.run(self.ask(method, path, fields, body, trailers))

    def page(self) -> str:
        """Return the host's own metrics page."""
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=5) as reply:
            return str(reply.read(), "utf-8")


@contextmanager
def running(
    runner: asyncio.Runner, folder: Path, policy: str, queues: Sequence[int], *flags: str
) -> Generator[Product]:
    """Run the product by *policy*, in which `$0`, `$1`, … stand for its endpoints.

    queues  what the metrics page of each endpoint says of its waiting requests
    flags   more flags for `headrace serve`
    """
    stack = AsyncExitStack()
    try:
        scraped = [asyncio.Event() for _ in queues]
        endpoints = [
            runner.run(_endpoint(stack, queue, seen))
            for queue, seen in zip(queues, scraped, strict=True)
        ]
        for at, one in enumerate(endpoints):
            policy = policy.replace(f"${at}", f"{LOOPBACK}:{one.port}")
        with deciding(folder, policy, flags) as (running, metrics, log):
            for seen in scraped:
                runner.run(asyncio.wait_for(seen.wait(), READY_S_MAX))
            yield Product(runner, running, endpoints, metrics, log)
    finally:
        runner.run(stack.aclose())


@contextmanager
def deciding(
    folder: Path, policy: str, flags: Sequence[str] = (), *, known_to_envoy: str = ""
) -> Generator[tuple[Envoy, str, deque[str]]]:
    """Run `headrace serve` by *policy*, and before it the Envoy that `envoy-config` writes.

    known_to_envoy  the policy that Envoy's configuration is written for; empty: the same

    Yields that Envoy, where the host has its pages, and the host's log as it grows.
    """
    path, envoys = folder / "product.sched", folder / "envoy.sched"
    path.write_text(policy)
    envoys.write_text(known_to_envoy or policy)
    with (
        _serving(path, flags) as (ready, log),
        envoy.running(_bootstrap(envoys, ready["listen"]), folder) as running,
    ):
        yield running, ready["metrics"], log


async def _endpoint(stack: AsyncExitStack, queue: int, scraped: asyncio.Event) -> Upstream:
    return await stack.enter_async_context(upstream.serving(scripts(queue, scraped)))


def scripts(queue: int, scraped: asyncio.Event) -> dict[str, Script]:
    """Return what a model server does; *scraped* is set once its metrics were taken in."""
    scrapes = 0

    async def answer(call: Call) -> None:
        nonlocal scrapes
        if call.head.path == "/metrics":
            await call.read()
            await call.answer(200, [("content-type", "text/plain")], (PAGE % queue).encode())
            scrapes += 1
            if scrapes == 2:  # by the second one the first has been taken in
                scraped.set()
        else:
            await echo(call)

    return {**STANDARD, "echo": answer}


def _bootstrap(policy: Path, processor: str) -> Config:
    addresses = (f"{LOOPBACK}:{free_port()}", f"{LOOPBACK}:{free_port()}")
    done = subprocess.run(
        [
            *(*HEADRACE, "envoy-config", str(policy), "--processor", processor),
            *("--listen", addresses[0], "--admin", addresses[1]),
        ],
        capture_output=True,
        check=True,
    )
    return cast(Config, yaml.safe_load(done.stdout))


@contextmanager
def _serving(policy: Path, flags: Sequence[str]) -> Generator[tuple[dict[str, str], deque[str]]]:
    """Run `headrace serve`; yield the fields of its ready line and its log, as it grows."""
    process = subprocess.Popen(
        [
            *(*HEADRACE, "serve", str(policy), "--listen", f"{LOOPBACK}:0"),
            *("--metrics-listen", f"{LOOPBACK}:0", "--drain-grace", "1"),
            *flags,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log: deque[str] = deque(maxlen=LOG_LINES)
    out, err = cast(Any, process.stdout), cast(Any, process.stderr)  # pipes, as asked for above
    reader = threading.Thread(target=log.extend, args=(err,))
    reader.start()
    try:
        word, *fields = out.readline().split() or [""]
        assert word == "ready", "\n".join(log)
        yield dict(field.split("=", 1) for field in fields), log
    finally:
        end(process)
        reader.join()
        out.close()
        err.close()


async def broken(call: Call) -> None:
    """Be an endpoint that dies in the middle of an event stream."""
    await call.read()
    fields = [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")]
    await call.begin(200, fields)
    await call.wire.send_chunk(b"data: 1\n\n")
    await asyncio.sleep(0.05)
    await call.hang_up()
