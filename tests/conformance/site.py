"""The target process from the outside: started, asked, always ended."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from select import select
from time import monotonic
from typing import Any

ROOT = Path(__file__).parents[2]
WAIT_S_MAX = 15.0
TRANSPORTS = ("native", "grpcio")

Json = dict[str, Any]  # a JSON object of the control channel


@dataclass(frozen=True, slots=True)
class Tally:
    """What the target has counted since it started."""

    sessions: int
    active: int
    opened: int
    parts: int
    cpu_s: float
    memory_bytes: int
    peak_bytes: int
    complaints: list[str]


@dataclass(slots=True)
class Site:
    """A running target with one listener of default options at *port*."""

    process: "subprocess.Popen[bytes]"
    transport: str
    port: int = 0
    _out: bytes = b""

    def start(self, **options: object) -> int:
        """Start one more listener, with these options; return its port."""
        port: int = self._ask(do="start", transport=self.transport, options=options)["port"]
        return port

    def tally(self) -> Tally:
        """Return the counts."""
        return Tally(**self._ask(do="tally"))

    def emptied(self) -> bool:
        """Wait until no exchange is open; return whether that came true."""
        due_s = monotonic() + WAIT_S_MAX / 5
        while (active := self.tally().active) and monotonic() < due_s:
            continue
        return not active

    def calm(self) -> Tally:
        """Return the counts, and measure the peak of memory anew."""
        return Tally(**self._ask(do="calm"))

    def set_serving(self, port: int, on: bool) -> None:
        """Say by health whether streams are welcome."""
        self._ask(do="serving", port=port, on=on)

    def drain(self, port: int, grace_s: float) -> None:
        """Begin to drain a listener."""
        self._ask(do="drain", port=port, grace_s=grace_s)

    def drained(self, port: int) -> None:
        """Wait until a listener that drains has stopped."""
        self._ask(do="drained", port=port)

    def _ask(self, **order: object) -> Json:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.poll() is None, "the target has died"
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        while b"\n" not in self._out:
            ready, _, _ = select([self.process.stdout], [], [], WAIT_S_MAX)
            assert ready, f"the target's loop does not turn: no answer to {order}"
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            assert data, "the target has died"
            self._out += data
        line, _, self._out = self._out.partition(b"\n")
        reply: Json = json.loads(line)
        return reply


@contextmanager
def running(transport: str, log: Path) -> Generator[Site]:
    """Give a target; at the end it must have no complaint and must go by itself."""
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.conformance.target"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    try:
        site = Site(process, transport)
        site.port = site.start()
        yield site
        assert site.tally().complaints == []
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(WAIT_S_MAX) == 0, log.read_text()[-4000:]
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
