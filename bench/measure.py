"""The measurements: what hosts cost, side by side and in turns; what they delay and hold.

All sides of one comparison run at once and take turns, so that a busy machine disturbs them
alike. Quote ratios and CPU time, not the clock.
"""

import statistics
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import uvloop

from bench.load import Load, Tally, run
from bench.processes import cpu_s, rss_mib, rss_peak_mib
from bench.report import Figure, noise_of
from bench.sides import ISSUE, Host, Setup, Side, sides

WARM_UP = 200  # requests, at least: connections, caches, and the first specialised bytecode
PER_REQUEST = "us CPU/request"
Tick = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison: a name for its rows, what stands side by side, what is asked."""

    name: str
    setup: Setup
    load: Load


def drive(side: Side, load: Load) -> Tally:
    """Send *load* through the Envoy of *side*; every request must be answered 200."""
    tally = uvloop.run(run(side.port, load))
    assert set(tally.statuses) == {200}, (side.host, tally.statuses)
    return tally


def ready(side: Side) -> Side:
    """Return *side* once a request gets through: Envoy must have seen the host's health."""
    deadline_s = time.monotonic() + 20
    while set(uvloop.run(run(side.port, Load(1, clients=1))).statuses) != {200}:
        assert time.monotonic() < deadline_s, f"{side.host.value} does not answer"
        time.sleep(0.1)
    return side


@contextmanager
def standing(setup: Setup) -> Generator[list[Side]]:
    """Start what *setup* says; yield it when all of it answers."""
    with sides(setup) as started:
        yield [ready(side) for side in started]


def costs_us(side: Side, load: Load) -> tuple[float, float]:
    """Return the CPU time per request of the host and of its Envoy, in microseconds."""
    pids = (side.pid, side.envoy_pid)
    before_s = [cpu_s(pid) for pid in pids]
    drive(side, load)
    host_s, envoy_s = (cpu_s(p) - b for p, b in zip(pids, before_s, strict=True))
    return host_s / load.requests * 1e6, envoy_s / load.requests * 1e6


def compare(case: Case, rounds: int, tick: Tick) -> list[Figure]:
    """Return CPU per request of every host of *case*, and ratios to the grpc.aio yardstick."""
    found: dict[Host, list[float]] = {host: [] for host in case.setup.hosts}
    envoy: list[float] = []
    with standing(case.setup) as all_sides:
        warm_up = replace(case.load, requests=max(WARM_UP, case.load.requests // 4))
        for side in all_sides:
            drive(side, warm_up)
        for at in range(rounds):
            turn = at % len(all_sides)  # nobody always comes after the same neighbour
            for side in all_sides[turn:] + all_sides[:turn]:
                host_us, envoy_us = costs_us(side, case.load)
                found[side.host].append(host_us)
                if side.host is Host.HEADRACE:
                    envoy.append(envoy_us)
                tick()
    rows = [
        _median(f"{host.value}, {case.name}", costs, PER_REQUEST, 1)
        for host, costs in found.items()
    ]
    if envoy:
        rows.append(_median(f"envoy of headrace, {case.name}", envoy, PER_REQUEST, 1))
    return rows + _ratios(found, case.name)


def _ratios(found: Mapping[Host, Sequence[float]], name: str) -> list[Figure]:
    yardstick = found.get(Host.IDLE_GRPCIO)
    if yardstick is None:
        return []
    words = {Host.HEADRACE: "ratio", Host.ON_GRPCIO: "ratio on grpcio"}
    words[Host.IDLE_NATIVE] = "ratio without work"
    return [
        _median(f"{word}, {name}", list(map(_by, found[host], yardstick)), "x", 3)
        for host, word in words.items()
        if host in found
    ]


def _median(name: str, rounds: Sequence[float], unit: str, digits: int) -> Figure:
    return Figure(name, round(statistics.median(rounds), digits), unit, noise_of(rounds))


def _by(cost: float, yardstick: float) -> float:
    return cost / yardstick


def per_event(rows: Sequence[Figure], whole: str, streamed: str, events: int) -> list[Figure]:
    """Return what one event costs: a streamed answer less a whole one, by the events in it."""
    values = {row.name: row.value for row in rows}
    each = {
        host: (values[f"{host.value}, {streamed}"] - values[f"{host.value}, {whole}"]) / events
        for host in ISSUE
    }
    name = f"per event, {streamed}"
    found = [Figure(f"{host.value}, {name}", round(us, 1), "us") for host, us in each.items()]
    for host, word in ((Host.HEADRACE, "ratio"), (Host.IDLE_NATIVE, "ratio without work")):
        found.append(Figure(f"{word}, {name}", round(each[host] / each[Host.IDLE_GRPCIO], 3), "x"))
    return found


def idle(endpoints: int, tick: Tick, seconds: float = 4.0) -> list[Figure]:
    """Return what the host costs when nobody asks anything: scraping, mostly."""
    with standing(Setup((Host.HEADRACE,), endpoints=endpoints)) as (side,):
        time.sleep(5.0)  # from the pace of the start to that of an idle pool
        before_s = cpu_s(side.pid)
        time.sleep(seconds)
        share = (cpu_s(side.pid) - before_s) / seconds
    tick()
    return [Figure(f"idle, {endpoints} endpoints", round(share * 100, 2), "% of a core")]


def added_latency(requests: int, tick: Tick) -> list[Figure]:
    """Return what Envoy waits for the host at half of what both can do together."""
    hosts = (Host.HEADRACE, Host.NOBODY)
    found: dict[Host, list[float]] = {host: [] for host in hosts}
    with standing(Setup(hosts)) as both:
        drive(both[1], Load(WARM_UP))
        capacity = drive(both[0], Load(requests))
        load = Load(requests, rate_s=0.5 * requests / capacity.took_s)
        for _ in range(3):
            for side in both:
                found[side.host] += drive(side, load).latencies_s
                tick()
    rows = [Figure("requests a second at capacity", round(load.rate_s * 2), "1/s")]
    for word, ratio in (("p50", 0.5), ("p99", 0.99)):
        ours, bare = (quantile(found[host], ratio) for host in hosts)
        name = f"added to the {word} at half of capacity"
        rows.append(Figure(name, round((ours - bare) * 1e3, 2), "ms"))
    return rows


def chunk_delay(tick: Tick) -> list[Figure]:
    """Return what Envoy and the host add to the p99 of the time between chunks, hardly busy.

    The same streams, with events 10 ms apart, are read from a model server itself and through
    Envoy, in turns; what an event loop's own timers add is in both.
    """
    direct: list[float] = []
    through: list[float] = []
    with standing(Setup((Host.HEADRACE,), gap_s=0.01)) as (side,):
        for _ in range(3):
            for gaps, port in ((direct, side.server_port), (through, side.port)):
                gaps += uvloop.run(run(port, Load(20, clients=2, stream=True))).gaps_s
                tick()
    added_ms = (quantile(through, 0.99) - quantile(direct, 0.99)) * 1e3
    return [Figure("added to the p99 of a chunk's gap", round(added_ms, 2), "ms")]


def memory(count: int, tick: Tick) -> list[Figure]:
    """Return the host's memory after a fifth of *count* requests and after all of them."""
    marks: list[float] = []
    with standing(Setup((Host.HEADRACE,))) as (side,):
        for _ in range(5):
            drive(side, Load(count // 5))
            marks.append(rss_mib(side.pid))
            tick()
    return [
        Figure(f"memory after {count // 5} requests", round(marks[0], 1), "MiB"),
        Figure(f"memory after {count} requests", round(marks[-1], 1), "MiB"),
    ]


def concurrent(streams: int, tick: Tick) -> list[Figure]:
    """Return the memory and CPU of *streams* streamed answers that are all open at once."""
    opening_s = streams / 800  # Envoy and the servers share the machine with the clients
    events = 6
    gap_s = max(0.2, opening_s * 1.5 / events)  # the first is still open when the last begins
    setup = Setup((Host.HEADRACE,), events=events, gap_s=gap_s)
    with standing(setup) as (side,):
        empty_mib, before_s = rss_mib(side.pid), cpu_s(side.pid)
        load = Load(streams, clients=streams, stream=True, rate_s=streams / opening_s)
        began_s = time.monotonic()
        drive(side, load)
        used_s, took_s = cpu_s(side.pid) - before_s, time.monotonic() - began_s
        peak_mib = rss_peak_mib(side.pid)
    tick()
    name = f"{streams} concurrent streams"
    return [
        Figure(f"memory before, {name}", round(empty_mib, 1), "MiB"),
        Figure(f"memory at most, {name}", round(peak_mib, 1), "MiB"),
        Figure(f"headrace, {name}", round(used_s / streams * 1e6, 1), PER_REQUEST),
        Figure(f"took, {name}", round(took_s, 1), "s"),
    ]


def quantile(values: list[float], ratio: float) -> float:
    """Return the value that *ratio* of *values* do not exceed."""
    return sorted(values)[int(len(values) * ratio)]
