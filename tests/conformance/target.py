"""The process under attack: `python -m tests.conformance.target`, told what to do on stdin.

One JSON object per line, and one line back for each. What went wrong inside, a traceback or a
warning of asyncio, is kept and told by ``tally``: the host must never have any.
"""

import asyncio
import gc
import json
import logging
import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any, Protocol

from headrace.host.exchange.part import Head, Part
from headrace.host.exchange.reply import Abort, HeadersReply, Output
from headrace.host.extproc.opening import Opening
from tests.host.extproc.wire import Play, Tally, echo

LINE_BYTES_MAX = 1 << 16
NASTY_MESSAGE = "50% caf\u00e9\r\nand \u2603 more"
Json = dict[str, Any]  # a JSON object of the control channel


class Listener(Protocol):
    """What both transports are to this process."""

    @property
    def active_exchanges(self) -> int: ...
    async def start(self, address: str) -> int: ...
    def set_serving(self, serving: bool) -> None: ...
    async def drain(self, grace_s: float) -> None: ...


def script(opening: Opening, now_s: float) -> Play:
    """Open the exchange that the chain's name asks for."""
    match opening.chain:
        case "mute":
            return Play(on_part=lambda part: []).open(opening, now_s)
        case "abort":
            return Play(on_part=lambda part: [Abort("INTERNAL", NASTY_MESSAGE)])
        case "late abort":
            return Play(on_part=_abort_at_the_body)
        case "owing":  # never done, so that half-closing it is an abort
            return Play(due_s=now_s + 3600.0)
        case "twice":
            return Play(on_part=lambda part: [*echo(part), *echo(part)])
        case _:
            return Play().open(opening, now_s)


def _abort_at_the_body(part: Part) -> list[Output]:
    if isinstance(part, Head):
        return [HeadersReply(part.direction)]
    return [Abort("RESOURCE_EXHAUSTED", "enough")]


@dataclass(slots=True)
class Target:
    """Mutable; the event loop's thread only."""

    counts: Tally = field(default_factory=Tally)
    listeners: dict[int, Listener] = field(default_factory=dict[int, Listener])
    drains: dict[int, "asyncio.Task[None]"] = field(default_factory=dict[int, "asyncio.Task[None]"])
    complaints: list[str] = field(default_factory=list[str])
    opened: int = 0
    parts: int = 0

    async def obey(self, order: Json) -> Json:
        """Do what *order* says and return the answer."""
        match order["do"]:
            case "start":
                return await self._start(order)
            case "serving":
                self.listeners[order["port"]].set_serving(order["on"])
                return {}
            case "drain":
                listener = self.listeners[order["port"]]
                drain = asyncio.ensure_future(listener.drain(order["grace_s"]))
                self.drains[order["port"]] = drain
                await asyncio.sleep(0)
                return {}
            case "drained":
                await self.drains.pop(order["port"])
                del self.listeners[order["port"]]
                return {}
            case "calm":
                calm()
                return self._tally()
            case _:
                return self._tally()

    async def _start(self, order: Json) -> Json:
        listener = make(order["transport"], self._open, self.counts, order["options"])
        port = await listener.start("127.0.0.1:0")
        listener.set_serving(True)
        self.listeners[port] = listener
        return {"port": port}

    def _open(self, opening: Opening, now_s: float) -> Play:
        self.opened += 1
        play = script(opening, now_s)
        answer = play.on_part

        def counted(part: Part) -> list[Output]:
            self.parts += 1
            return answer(part)

        play.on_part = counted
        return play

    def _tally(self) -> Json:
        usage = getrusage(RUSAGE_SELF)
        return {
            "sessions": self.counts.active
            + sum(n for word, n in self.counts.counted.items() if word.startswith("closed")),
            "active": sum(listener.active_exchanges for listener in self.listeners.values()),
            "opened": self.opened,
            "parts": self.parts,
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "memory_bytes": memory_bytes("VmRSS"),
            "peak_bytes": memory_bytes("VmHWM"),
            "complaints": self.complaints + [w for w in self.counts.counted if w[:3] == "bug"],
        }


def calm() -> None:
    """Collect garbage, and measure the peak of memory anew: proc(5), clear_refs."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")


def memory_bytes(what: str) -> int:
    """Return a figure of proc(5) about this process, such as ``VmRSS``."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) * 1024


def make(transport: str, factory: Any, counts: Tally, options: Json) -> Listener:
    """Return a listener; *options* by name, the others as they are by default.

    ``limits`` of the native transport are given by name as well, a rate as its two numbers.
    """
    # Any: a listener's options come by name, and each module is imported only if asked for.
    given = dict(options)
    if "limits" in given:
        limits: Any = import_module("headrace.host.extproc.native.limits")
        named = {
            name: limits.Rate(*value) if isinstance(value, list) else value
            for name, value in given["limits"].items()
        }
        given["limits"] = limits.Limits(**named)
    kinds: Any = import_module("headrace.host.extproc.options")
    module, name = {
        "grpcio": ("grpcio", "GrpcServer"),
        "native": ("native.server", "NativeServer"),
    }[transport]
    served: Any = import_module(f"headrace.host.extproc.{module}")
    made: Listener = getattr(served, name)(
        factory, options=kinds.GrpcOptions(**given), counts=counts
    )
    return made


class Ear(logging.Handler):
    """Keeps every record from WARNING up. grpc's own debug chatter never gets there."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._complaints = complaints

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record, bounded."""
        if len(self._complaints) < 20:
            self._complaints.append(self.format(record)[:2000])


async def serve() -> None:
    """Obey stdin until it ends."""
    loop, target = asyncio.get_running_loop(), Target()
    logging.getLogger().addHandler(Ear(target.complaints))
    orders = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        reply = await target.obey(json.loads(line))
        print(json.dumps(reply), flush=True)
    for listener in target.listeners.values():
        await listener.drain(0.0)


if __name__ == "__main__":
    asyncio.run(serve())
