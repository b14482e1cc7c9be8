"""`make bench`: what the host costs, beside hosts that do no work, through a real Envoy.

The lines of the issues always, everything else with ``--all``; ``--only WORD`` measures just
the comparisons with the word in their names. The result is `bench/out/latest.json` too.
"""

import argparse
import resource
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bench import cluster, costs, decision, guards, multiturn, placement, prefix, workers
from bench.load import Load
from bench.measure import (
    Case,
    Tick,
    added_latency,
    chunk_delay,
    compare,
    concurrent,
    idle,
    memory,
    per_event,
)
from bench.report import Figure, write
from bench.sides import Host, Setup

OUT = Path(__file__).parent / "out" / "latest.json"
PAIR = (Host.HEADRACE, Host.IDLE_GRPCIO)
WHOLE, AT_ONCE, PACED = "whole answer", "32 events at once", "32 events, 10 ms apart"
EVENTS = 33  # with the one of the counts
Step = tuple[str, int, Callable[[Tick], list[Figure]]]  # name, ticks, what to do


def issue_cases(count: int) -> Iterator[Case]:
    """Yield the comparisons that the issues name."""
    streamed = Load(count // 4, stream=True)
    yield Case(WHOLE, Setup(), Load(count))
    yield Case(AT_ONCE, Setup(), streamed)
    yield Case(PACED, Setup(gap_s=0.01), streamed)
    yield Case("64 endpoints", Setup(PAIR, endpoints=64), Load(count))


def more_cases(count: int) -> Iterator[Case]:
    """Yield the comparisons that show what a cost depends on."""
    for endpoints in (8, 512):
        yield Case(f"{endpoints} endpoints", Setup(PAIR, endpoints=endpoints), Load(count))
    for tokens in (1_000, 10_000, 100_000):
        load = Load(max(50, count * 200 // tokens), prompt_tokens=tokens)
        yield Case(f"prompt of {tokens} tokens", Setup(), load)
    for clients in (1, 100):
        yield Case(f"{clients} clients", Setup(), Load(count, clients=clients))
    for ratio in (0.0, 0.01, 1.0):
        yield Case(f"tracing {ratio:.0%}", Setup(PAIR, trace=ratio), Load(count))
    yield Case("without guard", Setup(PAIR, guard=""), Load(count))
    idle_hosts = (Host.IDLE_NATIVE, Host.IDLE_GRPCIO)
    echoed = Setup(idle_hosts, gap_s=0.01, echo=True)
    yield Case("32 events echoed", echoed, Load(count // 4, stream=True))


def steps(given: argparse.Namespace) -> Iterator[Step]:
    """Yield everything to measure, in order."""
    rounds: int = given.rounds
    cases = list(issue_cases(given.requests))
    if given.all or given.only:
        cases += more_cases(given.requests)
    for case in cases:
        run = partial(compare, case, rounds)
        yield case.name, rounds * len(case.setup.hosts), run
    yield "chunk timing", 6, chunk_delay
    yield "guards", guards.ticks(rounds), partial(guards.per_chunk, rounds)
    yield "hold-back", guards.DELAY_TICKS, guards.delay
    yield "idle, 100 endpoints", 1, partial(idle, 100)
    if given.memory_requests:
        yield "memory", 5, partial(memory, given.memory_requests)
    if given.all or given.only:
        yield "latency", 6, partial(added_latency, given.requests)
        for endpoints in (8, 64, 512):
            yield f"idle, {endpoints} endpoints", 1, partial(idle, endpoints)
        for streams in (100, 5_000):
            yield f"{streams} concurrent streams", 1, partial(concurrent, streams)
        yield "placement", 1, partial(told, placement.rows)
    yield "decision", 1, partial(told, decision.rows)
    yield "prefix", 1, partial(told, prefix.rows)
    yield "costs", 1, partial(told, costs.rows)
    yield "multi-turn", 1, partial(told, multiturn.rows)
    yield "cluster", 1, partial(told, cluster.rows)
    if given.all or given.only:
        yield "workers", 1, partial(told, workers.rows)


def told(rows: Callable[[], Iterable[tuple[str, float, str]]], tick: Tick) -> list[Figure]:
    """Return the *rows* of a module that measures without sockets, as figures."""
    figures = [Figure(*row) for row in rows()]
    tick()
    return figures


def measure(given: argparse.Namespace) -> list[Figure]:
    """Return the figures of every step that is asked for."""
    figures: list[Figure] = []
    with Progress(console=Console(stderr=True)) as progress:
        for name, ticks, step in steps(given):
            if given.only and given.only not in name:
                continue
            task = progress.add_task(name, total=ticks)
            figures += step(partial(progress.advance, task))
    names = {figure.name for figure in figures}
    for streamed in (AT_ONCE, PACED):
        if {f"ratio, {streamed}", f"ratio, {WHOLE}"} <= names:
            figures += per_event(figures, WHOLE, streamed, EVENTS)
    return figures


def main() -> None:
    """Run what is asked for, print the table and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="everything; takes a quarter hour")
    parser.add_argument("--only", default="", help="steps with this word in their names")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=600, help="per round and host")
    parser.add_argument("--memory-requests", type=int, default=50_000)
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for us and all that we start
    figures = measure(given)
    write(OUT, figures)
    for figure in figures:
        print(f"{figure.name:<56} {figure.value:>10} {figure.unit}")


if __name__ == "__main__":
    main()
