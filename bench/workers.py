"""What it costs that several workers know of each other: `headrace serve --workers N`.

CPU of all workers per request, through a real Envoy. One worker alone tells nobody anything, so
what more costs is the state between them. How many requests a core bears follows from it; that
cannot be seen directly where Envoy, clients and servers share the cores with the workers.
"""

import asyncio
import json
import tempfile
import time
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import yaml
from rich import print as show

from bench.load import Load, run
from bench.processes import cpu_s, free_ports, process, python
from bench.sides import CHAIN, GUARD, POLICY
from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from headrace.host.envoy.address import Address
from headrace.host.envoy.binary import envoy_path
from headrace.host.envoy.bootstrap import bootstrap
from headrace.host.envoy.needs import chain_needs
from headrace.host.envoy.options import EnvoyOptions

ENDPOINTS = 16
COUNTS = (1, 2, 4)
APART = "2 processes that know nothing of each other"
WARM, WAIT_S = 300, 20.0
Row = tuple[str, float, str]


@dataclass(frozen=True, slots=True)
class Served:
    """Hosts behind an Envoy at *door*; *pids* are theirs."""

    door: int
    pids: tuple[int, ...]


def rows(requests: int = 2_000, rounds: int = 3) -> Generator[Row]:
    """Yield CPU per request by number of workers, and what a core bears against one alone."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = free_ports(ENDPOINTS)
        upstream = python("bench.upstream", "--ports", ",".join(map(str, ports)))
        stack.enter_context(process([*upstream, "--gap-s", "0", "--events", "32"], ports[-1]))
        endpoints = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
        policy = folder / "bench.sched"
        policy.write_text(POLICY.format(endpoints=endpoints, guard=GUARD, chain=CHAIN))
        found: dict[int, list[float]] = {count: [] for count in COUNTS}
        apart: list[float] = []
        for _ in range(rounds):
            for count in COUNTS:
                with _served(count, policy) as served:
                    found[count].append(_cost_us(served, Load(requests, clients=32)))
            with _apart(policy) as served:
                apart.append(_cost_us(served, Load(requests, clients=32)))
    alone = median(found[1])
    yield f"CPU per request, {APART}", round(median(apart), 1), "us"
    yield "CPU per request, 2 workers by these", round(median(found[2]) / median(apart), 3), "x"
    for count in COUNTS:
        cost = median(found[count])
        yield f"CPU per request, workers: {count}", round(cost, 1), "us"
        if count > 1:
            yield f"CPU per request, {count} workers by 1", round(cost / alone, 3), "x"
            yield f"requests that {count} cores bear by 1", round(count * alone / cost, 2), "x"


def _cost_us(served: Served, load: Load) -> float:
    asyncio.run(run(served.door, Load(WARM, clients=32)))
    before_s = sum(map(cpu_s, served.pids))
    tally = asyncio.run(run(served.door, load))
    assert set(tally.statuses) == {200}, tally.statuses
    return (sum(map(cpu_s, served.pids)) - before_s) / load.requests * 1e6


@contextmanager
def _served(count: int, policy: Path) -> Generator[Served]:
    metrics, listen = free_ports(2)
    listen = listen if count == 1 else 0  # the port after a free one may be taken
    with process(_serve(policy, listen, metrics, count), metrics) as pid:
        found = _workers(metrics, count) if count > 1 else [(pid, listen)]
        with _envoy(policy, [port for _, port in found]) as door:
            yield Served(door, tuple(pid for pid, _ in found))


@contextmanager
def _apart(policy: Path) -> Generator[Served]:
    ports = free_ports(4)
    with (
        process(_serve(policy, ports[0], ports[1], 1), ports[1]) as one,
        process(_serve(policy, ports[2], ports[3], 1), ports[3]) as other,
        _envoy(policy, [ports[0], ports[2]]) as door,
    ):
        yield Served(door, (one, other))


def _serve(policy: Path, listen: int, metrics: int, count: int) -> list[str]:
    flags = ["--listen", f"127.0.0.1:{listen}", "--metrics-listen", f"127.0.0.1:{metrics}"]
    flags += ["--workers", str(count), "--log-level", "warning", "--drain-grace", "0"]
    return python("headrace.host.cli.main", "serve", str(policy), *flags)


@contextmanager
def _envoy(policy: Path, ports: list[int]) -> Generator[int]:
    """Run an Envoy before the hosts at *ports*, once it knows that they are well."""
    (door,) = free_ports(1)
    program = compile_policy([Source(policy.name, policy.read_text())])
    hosts = tuple(Address("127.0.0.1", port) for port in ports)
    options = EnvoyOptions(Address("127.0.0.1", door), hosts)
    config = policy.with_name(f"envoy-{door}.yaml")
    config.write_text(yaml.safe_dump(bootstrap(program, chain_needs(program, "default"), options)))
    envoy = [str(envoy_path()), "-c", str(config), "--concurrency", "1"]
    envoy += ["--disable-hot-restart", "--log-level", "off"]
    with process(envoy, door):
        time.sleep(3.0)
        yield door


def _workers(metrics: int, count: int) -> list[tuple[int, int]]:
    """Return process and port of each worker, once all are ready."""
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/status", timeout=5) as reply:
            page = json.loads(reply.read())
        if page["workers_ready"] == count:
            return [(w["pid"], int(w["listen"].rpartition(":")[2])) for w in page["workers"]]
        time.sleep(0.1)
    raise TimeoutError(f"{count} workers are not ready")


if __name__ == "__main__":
    for name, value, unit in rows():
        show(f"{name:44} {value:>8} {unit}")
