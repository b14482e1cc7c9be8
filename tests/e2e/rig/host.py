"""The host under test: the real transport, exchange and chain, with the rig's stages.

Run as ``python -m tests.e2e.rig.host --port N --journal FILE``. Notes the end of every
exchange in FILE, one JSON line each; on SIGUSR1 notes how many exchanges and tasks there are;
on SIGTERM drains for the grace and exits.
"""

import argparse
import asyncio
import json
import logging
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import uvloop

from headrace.extensions.control import forged
from headrace.extensions.stage import ExchangeInfo, Filter, Needs, OnFailure, Outcome, union
from headrace.host.exchange.exchange import Exchange
from headrace.host.exchange.part import Modes
from headrace.host.exchange.plan import Plan
from headrace.host.extproc.edge import Performer
from headrace.host.extproc.opening import Opening
from headrace.host.extproc.options import MIB, GrpcOptions
from headrace.host.extproc.transport import Transport, make_server
from tests.e2e.rig.config import LOOPBACK
from tests.e2e.rig.stages import Sleep, parse


@dataclass(frozen=True, slots=True)
class Journal:
    """Writes notes, one JSON object a line, each in one write."""

    out: TextIO

    def note(self, **fields: object) -> None:
        """Write one note."""
        self.out.write(json.dumps(fields) + "\n")
        self.out.flush()

    def exchange(self, outcome: Outcome) -> None:
        """Note the end of an exchange."""
        runs = [
            {"stage": run.stage, "hook": run.hook, "result": run.result, "road": run.road}
            for run in outcome.runs
        ]
        self.note(
            kind="exchange",
            id=outcome.request.headers.get("x-id"),
            status=outcome.status,
            termination=outcome.termination,
            reason=outcome.reason.word if outcome.reason else "",
            request_bytes=outcome.request_bytes,
            response_bytes=outcome.response_bytes,
            events=outcome.event_count,
            runs=runs,
        )


@dataclass(frozen=True, slots=True)
class Audit:
    """The last stage of every chain: notes how each exchange ended, changes nothing."""

    journal: Journal
    name: str = "audit"
    needs: Needs = field(default_factory=Needs)
    deadline_s: float = 1.0
    on_failure: OnFailure = OnFailure.CLOSED

    def open(self, info: ExchangeInfo) -> Filter:
        return _Audit(self.journal)


@dataclass(slots=True)
class _Audit(Filter):
    journal: Journal

    def on_end(self, outcome: Outcome, now_s: float) -> None:
        self.journal.exchange(outcome)


def opener(journal: Journal) -> Callable[[Opening, float], Exchange]:
    """Return the factory that opens an exchange with the chain its stream names."""

    def open_exchange(opening: Opening, now_s: float) -> Exchange:
        stages, limits = parse(opening.chain)
        chain = (*stages, Audit(journal))
        plan = Plan(
            chain=opening.chain,
            stages=chain,
            limits=limits,
            forged=lambda headers: forged(headers, frozenset()),
            needs=union(stage.needs for stage in chain),
            clock=time.monotonic,
        )
        modes = opening.modes or Modes()
        return Exchange(plan, modes, "rig", opening.traceparent, now_s)

    return open_exchange


async def serve(port: int, journal: Journal, grace_s: float, transport: Transport) -> None:
    """Serve until SIGTERM, then drain."""
    sleep: Callable[[Sleep], Awaitable[object]] = lambda effect: asyncio.sleep(effect.s)  # noqa: E731
    options = GrpcOptions(message_bytes_max=128 * MIB, metadata_bytes_max=256 * 1024)
    server = make_server(transport, opener(journal), Performer({Sleep: sleep}), options)
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)

    def report() -> None:
        tasks = len(asyncio.all_tasks())
        journal.note(kind="report", active=server.active_exchanges, tasks=tasks)

    loop.add_signal_handler(signal.SIGUSR1, report)
    await server.start(f"{LOOPBACK}:{port}")
    server.set_serving(True)
    await stop.wait()
    await server.drain(grace_s)


def main() -> None:
    """Run the host under test."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--grace-s", type=float, default=1.0)
    parser.add_argument("--transport", type=Transport, default=Transport.NATIVE)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    with given.journal.open("a") as out, asyncio.Runner(loop_factory=uvloop.new_event_loop) as run:
        run.run(serve(given.port, Journal(out), given.grace_s, given.transport))


if __name__ == "__main__":
    main()
