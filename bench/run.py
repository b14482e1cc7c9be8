"""`make bench`: what the host costs, beside hosts that do no work, through a real Envoy.

What a change should be judged by always, what a cost depends on with ``--all``, two lines in a
minute with ``--quick``; ``--only WORD`` measures just the steps with the word in their names,
which ``--list`` prints. The result is `bench/out/latest.json` too.
"""

import argparse
import resource
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench import cluster, costs, decision, guards, large, multiturn, placement, prefix, workers
from bench.growth import growth
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
QUICK = (WHOLE, "decision")
EVENTS = 33  # with the one of the counts
Step = tuple[str, int, Callable[[Tick], list[Figure]]]  # name, ticks, what to do


def main_cases(count: int) -> Iterator[Case]:
    """Yield the comparisons that a change should be judged by."""
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
    cases = list(main_cases(given.requests))
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
        yield "100 MB bodies", 2, large.bodies
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


def asked(given: argparse.Namespace) -> Iterator[Step]:
    """Yield the steps that *given* asks for."""
    for step in steps(given):
        if step[0] in QUICK if given.quick else given.only in step[0]:
            yield step


def measure(given: argparse.Namespace) -> list[Figure]:
    """Return the figures of every step that is asked for."""
    figures: list[Figure] = []
    with Progress(console=Console(stderr=True)) as progress:
        for name, ticks, step in asked(given):
            task = progress.add_task(name, total=ticks)
            figures += step(partial(progress.advance, task))
    names = {figure.name for figure in figures}
    for streamed in (AT_ONCE, PACED):
        if {f"ratio, {streamed}", f"ratio, {WHOLE}"} <= names:
            figures += per_event(figures, WHOLE, streamed, EVENTS)
    return [*figures, *growth(figures)]


def shown(figures: Iterable[Figure]) -> Table:
    """Return the table of *figures*, for a person."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("figure", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("+-", justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    for figure in figures:
        noise = "" if figure.noise is None else f"{figure.noise:.2g}"
        table.add_row(figure.name, f"{figure.value:g}", noise, figure.unit)
    return table


def main() -> None:
    """Run what is asked for, print the table and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="everything; takes half an hour")
    parser.add_argument("--only", default="", help="steps with this word in their names")
    parser.add_argument("--quick", action="store_true", help=f"{' and '.join(QUICK)} alone")
    parser.add_argument("--list", action="store_true", help="the steps' names, and measure nothing")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=600, help="per round and host")
    parser.add_argument("--memory-requests", type=int, default=50_000)
    given = parser.parse_args()
    if given.list:
        given.all = given.all or not given.quick
        print("\n".join(name for name, _, _ in asked(given)))
        return
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for us and all that we start
    figures = measure(given)
    write(OUT, figures)
    Console(width=max(Console().width, 110)).print(shown(figures))  # a name is never cut


if __name__ == "__main__":
    main()
