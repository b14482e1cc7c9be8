"""`make bench`: what the host costs, beside a host that does no work, through a real Envoy.

Both hosts run at once behind an Envoy each, with the same configuration, and take turns,
so that a busy machine disturbs both alike. Quote the ratio and the CPU time, not the clock.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bench.load import Tally, run
from bench.processes import cpu_s, free_ports, process, python, rss_mib
from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from headrace.host.envoy.address import Address
from headrace.host.envoy.binary import envoy_path
from headrace.host.envoy.bootstrap import bootstrap
from headrace.host.envoy.needs import chain_needs
from headrace.host.envoy.options import EnvoyOptions

OUT = Path(__file__).parent / "out" / "latest.json"
ENDPOINTS = 16
CONCURRENCY = 16
POLICY = """sched 1
pool p {{ endpoints {endpoints} }}
model m {{ priority 1  route p }}
filter alive = endpoint.ready && endpoint.age < 2s
scorer prefix = endpoint.prefix_match
scorer kv_free = 1.0 - endpoint.kv_cache
scorer short_queue = 1.0 / (1.0 + double(endpoint.queue))
profile default {{
  require alive
  score 3 * prefix + 2 * kv_free + 2 * short_queue
  pick max ties by endpoint.running
}}
overload when pool.queue > 500.0 {{ shed when request.priority < 0 with 429 "busy" retry after 1s }}
guard secrets {{ patterns "-----BEGIN [A-Z ]*PRIVATE KEY-----" }}
chain default {{ body_router  safety  picker  observability }}
"""


@dataclass(frozen=True, slots=True)
class Side:
    """One host behind its Envoy, and one of the model servers behind both."""

    name: str
    pid: int
    port: int
    server_port: int


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients ask for. *gap_s*: between the events of a streamed answer."""

    name: str
    requests: int
    stream: bool = False
    gap_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result."""

    name: str
    value: float
    unit: str


def without_decision(text: str) -> str:
    """Return the bootstrap for a host that routes nothing and has no health service."""
    tree = json.loads(text)
    for cluster in tree["static_resources"]["clusters"]:
        cluster.pop("health_checks", None)
    manager = tree["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
    virtual_host = manager["typed_config"]["route_config"]["virtual_hosts"][0]
    for route in virtual_host["routes"]:
        route["match"].pop("headers", None)
    return json.dumps(tree)


@contextmanager
def sides(folder: Path, gap_s: float) -> Generator[tuple[Side, Side]]:
    """Start the model servers, both hosts and both Envoys."""
    ports = free_ports(ENDPOINTS + 5)
    servers, (ours, metrics, theirs, our_door, their_door) = ports[:ENDPOINTS], ports[ENDPOINTS:]
    endpoints = ", ".join(f'"127.0.0.1:{port}"' for port in servers)
    policy = folder / "bench.sched"
    policy.write_text(POLICY.format(endpoints=endpoints))
    program = compile_policy([Source(policy.name, policy.read_text())])
    needs = chain_needs(program, "default")
    doors = [(our_door, ours, False), (their_door, theirs, True)]
    with ExitStack() as stack:
        listed = ",".join(map(str, servers))
        upstream = python("bench.upstream", "--ports", listed, "--gap-s", str(gap_s))
        stack.enter_context(process(upstream, servers[-1]))
        serve = python("headrace.host.cli.main", "serve", str(policy), "--log-level", "warning")
        serve += ["--listen", f"127.0.0.1:{ours}", "--metrics-listen", f"127.0.0.1:{metrics}"]
        our_pid = stack.enter_context(process(serve, ours))
        nowork = python("bench.nowork", "--port", str(theirs))
        their_pid = stack.enter_context(process(nowork, theirs))
        for door, host, plain in doors:
            options = EnvoyOptions(Address("127.0.0.1", door), (Address("127.0.0.1", host),))
            text = json.dumps(bootstrap(program, needs, options))
            config = folder / f"envoy-{door}.json"
            config.write_text(without_decision(text) if plain else text)
            command = [str(envoy_path()), "-c", str(config), "--concurrency", "1"]
            command += ["--disable-hot-restart", "--log-level", "off"]
            stack.enter_context(process(command, door))
        server = servers[0]
        yield (
            Side("headrace", our_pid, our_door, server),
            Side("no-work", their_pid, their_door, server),
        )


def cost_us(side: Side, count: int, stream: bool) -> tuple[float, Tally]:
    """Return the host's CPU time per request, in microseconds, and what the clients saw."""
    before_s = cpu_s(side.pid)
    tally = asyncio.run(run(side.port, count, CONCURRENCY, stream))
    return (cpu_s(side.pid) - before_s) / count * 1e6, tally


def compare(load: Load, rounds: int, tick: Progress) -> list[Figure]:
    """Return CPU per request of both hosts under *load*, and their ratio."""
    costs: dict[str, list[float]] = {"headrace": [], "no-work": []}
    with tempfile.TemporaryDirectory() as folder, sides(Path(folder), load.gap_s) as both:
        for side in both:
            cost_us(side, load.requests // 4, load.stream)
        task = tick.add_task(load.name, total=rounds * 2)
        for _ in range(rounds):
            for side in both:
                cost, tally = cost_us(side, load.requests, load.stream)
                assert set(tally.statuses) == {200}, tally.statuses
                costs[side.name].append(cost)
                tick.advance(task)
    ours, theirs = (statistics.median(costs[name]) for name in ("headrace", "no-work"))
    pairs = zip(costs["headrace"], costs["no-work"], strict=True)
    ratio = statistics.median(a / b for a, b in pairs)
    return [
        Figure(f"headrace, {load.name}", round(ours, 1), "us CPU/request"),
        Figure(f"no-work grpc.aio host, {load.name}", round(theirs, 1), "us CPU/request"),
        Figure(f"ratio, {load.name}", round(ratio, 3), "x"),
    ]


def chunk_delay(tick: Progress) -> list[Figure]:
    """Return what Envoy and the host add to the p99 of the time between chunks, hardly busy.

    The same streams, with events 10 ms apart, are read from a model server itself and through
    Envoy, in turns; what an event loop's own timers add is in both.
    """
    task = tick.add_task("chunk timing", total=6)
    direct: list[float] = []
    through: list[float] = []
    with tempfile.TemporaryDirectory() as folder, sides(Path(folder), 0.01) as both:
        for _ in range(3):
            for gaps, port in ((direct, both[0].server_port), (through, both[0].port)):
                gaps += asyncio.run(run(port, 20, 2, stream=True)).gaps_s
                tick.advance(task)
    added_ms = (p99(through) - p99(direct)) * 1e3
    return [Figure("added to the p99 of a chunk's gap", round(added_ms, 2), "ms")]


def p99(values: list[float]) -> float:
    """Return the value that one in a hundred exceeds."""
    return sorted(values)[int(len(values) * 0.99)]


def memory(count: int, tick: Progress) -> list[Figure]:
    """Return the host's memory after a fifth of *count* requests and after all of them."""
    task = tick.add_task("memory", total=5)
    marks: list[float] = []
    with tempfile.TemporaryDirectory() as folder, sides(Path(folder), 0.0) as both:
        for _ in range(5):
            cost_us(both[0], count // 5, stream=False)
            marks.append(rss_mib(both[0].pid))
            tick.advance(task)
    return [
        Figure(f"memory after {count // 5} requests", round(marks[0], 1), "MiB"),
        Figure(f"memory after {count} requests", round(marks[-1], 1), "MiB"),
    ]


def main() -> None:
    """Run everything and write `bench/out/latest.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=1000, help="per round and host")
    parser.add_argument("--memory-requests", type=int, default=50_000)
    given = parser.parse_args()
    console = Console(stderr=True)
    with Progress(console=console) as tick:
        count: int = given.requests
        loads = (
            Load("whole answer", count),
            Load("32 events at once", count // 4, stream=True),
            Load("32 events, 10 ms apart", count // 4, stream=True, gap_s=0.01),
        )
        figures = [figure for load in loads for figure in compare(load, given.rounds, tick)]
        figures += chunk_delay(tick)
        if given.memory_requests:
            figures += memory(given.memory_requests, tick)
    rows = [{"name": f.name, "value": f.value, "unit": f.unit} for f in figures]
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1) + "\n")
    for figure in figures:
        print(f"{figure.name:<48} {figure.value:>10} {figure.unit}")


if __name__ == "__main__":
    main()
