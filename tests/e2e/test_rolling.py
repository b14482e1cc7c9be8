"""Two hosts behind one real Envoy, replaced one after the other under load."""

import asyncio
import json
import subprocess
import threading
import urllib.request
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from headrace.host.envoy.clusters import PROCESSOR
from tests.e2e.rig import client, envoy, product, upstream
from tests.e2e.rig.config import LOOPBACK, Config
from tests.e2e.rig.envoy import Envoy
from tests.e2e.rig.http1 import Answer
from tests.e2e.rig.process import end, free_port
from tests.host.cluster.apiserver import LEASES, PODS, ApiServer
from tests.host.cluster.objects import POOLS, kubeconfig, pod, pool, reached

POLICY = """\
sched 1
pool gemma { %s  metrics vllm  stale after 60s }
model chatbot { route gemma }
scorer short_queue = 1.0 / (1.0 + double(endpoint.in_flight))
profile default { score short_queue  pick max }
"""
SERVERS = ("127.0.0.2", "127.0.0.3")
WORKERS = 4
PATIENCE_S = 20.0
CHECK = "0.2s"  # between two questions of Envoy for a host's health; a second or two in life
EVENTS, GAP_S = 15, 0.04  # of a stream: it is open while its host is told to end
JSON = ("content-type", "application/json")
CHAT = {"model": "chatbot", "messages": [{"role": "user", "content": "hello"}]}

CHECKS = 6  # of both hosts, three each


@dataclass(slots=True)
class Replica:
    """A `headrace serve`, and its log as it grows."""

    process: subprocess.Popen[str]
    fields: dict[str, str] = field(default_factory=dict[str, str])
    log: list[str] = field(default_factory=list[str])
    reader: threading.Thread | None = None

    def end(self) -> None:
        """End it, if it has not ended, and read all it says."""
        end(self.process)
        if self.reader is not None:
            self.reader.join()
        for pipe in (self.process.stdout, self.process.stderr):
            cast(Any, pipe).close()  # as it was opened with pipes

    @property
    def leads(self) -> bool:
        with urllib.request.urlopen(f"http://{self.fields['metrics']}/status", timeout=5) as reply:
            return bool(json.load(reply)["leader"]["leads"])

    def decided(self) -> bool:
        with urllib.request.urlopen(f"http://{self.fields['metrics']}/metrics", timeout=5) as reply:
            return b"headrace_picks_total{" in reply.read()


@dataclass(slots=True)
class Site:
    """Two places for a host, behind one Envoy."""

    folder: Path
    api: ApiServer
    ports: Sequence[int]
    answers: list[Answer | BaseException] = field(default_factory=list[Answer | BaseException])
    replicas: list[Replica] = field(default_factory=list[Replica])

    def known(self, running: Envoy) -> int:
        """Return how often Envoy has found a host well, if it holds both for healthy, else 0."""
        found = running.counters(f"cluster.{PROCESSOR}.")
        healthy = found[f"cluster.{PROCESSOR}.membership_healthy"] == len(self.ports)
        return found[f"cluster.{PROCESSOR}.health_check.success"] if healthy else 0

    def begin(self, place: int, transport: str) -> Replica:
        """Start a host at *place*, and wait until it is ready."""
        flags = (
            *("--listen", f"{LOOPBACK}:{self.ports[place]}", "--metrics-listen", f"{LOOPBACK}:0"),
            *("--kube", "--kubeconfig", str(self.folder / "kubeconfig")),
            *("--leader-elect", "--leader-elect-retry-period", "200ms"),
            *("--transport", transport, "--drain-grace", "10"),
        )
        command = (*product.HEADRACE, "serve", str(self.folder / "p.sched"), *flags)
        pipe = subprocess.PIPE
        made = Replica(subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True))
        self.replicas.append(made)
        out, err = cast(Any, made.process.stdout), cast(Any, made.process.stderr)  # pipes
        made.reader = threading.Thread(target=made.log.extend, args=(err,))
        made.reader.start()
        word, *fields = out.readline().split() or [""]
        assert word == "ready", made.log
        made.fields |= dict(one.split("=", 1) for one in fields)
        return made

    @asynccontextmanager
    async def load(self, running: Envoy) -> AsyncGenerator[None]:
        """Ask without a pause, half of it for streams, from several sides."""
        going, port = True, running.ports["inference"]
        stream = [("x-script", "sse"), ("x-events", str(EVENTS)), ("x-gap-s", str(GAP_S))]
        body = json.dumps(CHAT).encode()

        async def worker(fields: Sequence[tuple[str, str]]) -> None:
            while going:
                try:
                    path = "/v1/chat/completions"
                    asked = client.fetch(port, "POST", path, [JSON, *fields], body)
                    self.answers.append(await asked)
                except (OSError, EOFError) as error:
                    self.answers.append(error)
                await asyncio.sleep(0.005)

        tasks = [asyncio.create_task(worker(stream if n % 2 else ())) for n in range(WORKERS)]
        try:
            yield
        finally:
            going = False
            await asyncio.gather(*tasks)

    def failed(self) -> list[object]:
        return [
            one
            for one in self.answers
            if not (isinstance(one, Answer) and one.status == 200 and one.complete)
        ]


@contextmanager
def site(runner: asyncio.Runner, folder: Path) -> Generator[tuple[Site, Envoy]]:
    port = free_port()
    stack = AsyncExitStack()
    with reached(folder) as (api, _):
        try:
            for host in SERVERS:
                scripts = product.scripts(0, asyncio.Event())
                served = upstream.serving(scripts, host, port)
                runner.run(stack.enter_async_context(served))
                api.shelf.put(PODS, pod(f"p{host[-1]}", host))
            api.shelf.installed.add(LEASES)
            api.shelf.put(POOLS, pool(ports=(port,)))
            kubeconfig(folder, api)
            (folder / "p.sched").write_text(POLICY % "inferencepool gemma")
            made = Site(folder, api, (free_port(), free_port()))
            with envoy.running(_bootstrap(made, port), folder) as running:
                try:
                    yield made, running
                finally:
                    for one in made.replicas:
                        one.end()
        finally:
            runner.run(stack.aclose())


def _bootstrap(made: Site, port: int) -> Config:
    """Return the configuration of an Envoy that knows both places."""
    listed = ", ".join(f'"{host}:{port}"' for host in SERVERS)
    path = made.folder / "envoy.sched"
    path.write_text(POLICY % f"endpoints {listed}")
    processors = ",".join(f"{LOOPBACK}:{one}" for one in made.ports)
    command = [*product.HEADRACE, "envoy-config", str(path), "--processor", processors]
    command += ["--listen", f"{LOOPBACK}:{free_port()}", "--admin", f"{LOOPBACK}:{free_port()}"]
    done = subprocess.run(command, capture_output=True, check=True)
    found = cast(Config, yaml.safe_load(done.stdout))
    clusters = cast(dict[str, list[Config]], found["static_resources"])["clusters"]
    (asked,) = (c for c in clusters if c["name"] == PROCESSOR)
    (check,) = cast(list[dict[str, object]], asked["health_checks"])
    check |= dict.fromkeys(("interval", "unhealthy_interval", "no_traffic_interval"), CHECK)
    return found


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.02)


def test_hosts_are_replaced_one_after_the_other_without_a_failed_request(tmp_path: Path) -> None:
    with asyncio.Runner() as runner, site(runner, tmp_path) as (here, running):

        async def replace(old: Replica, place: int, transport: str) -> Replica:
            """End one that has streams open, put another in its place, and wait for its share."""
            old.process.terminate()
            assert await asyncio.to_thread(old.process.wait, PATIENCE_S) == 0
            new = await asyncio.to_thread(here.begin, place, transport)
            await until(lambda: here.known(running))
            well = here.known(running)
            # What Envoy asked before the host was there may still fail; a rollout waits, too.
            await until(lambda: here.known(running) >= well + CHECKS)
            await until(new.decided)
            return new

        async def main() -> None:
            begun = (
                asyncio.to_thread(here.begin, n, t) for n, t in enumerate(("grpcio", "native"))
            )
            first, second = await asyncio.gather(*begun)
            await until(lambda: first.leads is not second.leads and here.known(running))
            async with here.load(running):
                await until(lambda: first.decided() and second.decided())
                third = await replace(first, 0, "native")
                await until(lambda: third.leads is not second.leads)
                fourth = await replace(second, 1, "grpcio")
                await until(lambda: third.leads is not fourth.leads)

        runner.run(main())

        assert here.failed() == []
        assert len(here.answers) > 100
