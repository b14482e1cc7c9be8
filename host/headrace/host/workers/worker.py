"""One worker as its keeper sees it: a process that is started, watched, and started again."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec.structs import replace

from headrace.host.workers.order import Order, encoded

BACKOFF_S, BACKOFF_S_MAX = 0.1, 10.0
LIVED_S = 30.0  # who lived for so long was well: it is started again at once
KILL_S = 5.0  # beyond the grace, before a worker that does not end is killed
COMMAND = (sys.executable, "-m", "headrace.host.cli.worker")
LINE_BYTES_MAX = 1 << 16

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Worker:
    """Runs one worker until told to end. Event loop's thread only.

    order     what it is told; `listen` is where it listens in fact, once it is known
    changed   called when it has become ready, or has ended
    restarts  how often it was started again
    code      what it ended with before it was ever ready; None while that did not happen
    """

    order: Order
    changed: Callable[[], None]
    restarts: int = 0
    ready: dict[str, str] = field(default_factory=dict[str, str])
    was_ready: bool = False
    code: int | None = None
    _process: asyncio.subprocess.Process | None = None
    _ending: bool = False

    @property
    def index(self) -> int:
        return self.order.index

    @property
    def pid(self) -> int:
        """The process that runs, 0 without one."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else 0

    async def run(self) -> None:
        """Start it, again and again, until `end`; but not if it cannot even start."""
        delay_s, loop = BACKOFF_S, asyncio.get_running_loop()
        while not self._ending:
            began_s = loop.time()
            code = await self._live()
            self.ready = {}
            if self._ending:
                break
            if not self.was_ready:
                self.code = code or 1
                break
            self.restarts += 1
            if loop.time() - began_s > LIVED_S:
                delay_s = BACKOFF_S
            log.warning(
                "worker %d ended with %d: starting it again in %g s", self.index, code, delay_s
            )
            self.changed()
            await asyncio.sleep(delay_s)
            delay_s = min(BACKOFF_S_MAX, 2 * delay_s)
        self.changed()

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self.pid and self._process is not None:
            self._process.send_signal(number)

    async def end(self, grace_s: float) -> None:
        """Let it drain for *grace_s*, then kill it; it is not started again."""
        self._ending = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        self.tell(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), grace_s + KILL_S)
        except TimeoutError:
            log.error("worker %d does not end: it is killed", self.index)
            self.tell(signal.SIGKILL)
            await process.wait()

    async def _live(self) -> int:
        """Run the process once, and return what it ended with."""
        self._process = process = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES_MAX,
            start_new_session=True,  # Ctrl-C is for us, who let them drain
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            # It stays open: a worker that reads its end has lost its keeper, and ends too.
            process.stdin.write(encoded(self.order))
            await process.stdin.drain()
            while line := await process.stdout.readline():
                self._heard(line.decode("utf-8", "replace"))
        except (ConnectionError, ValueError) as error:
            log.warning("worker %d: its words cannot be read: %s", self.index, error)
        finally:
            if process.returncode is None and not process.stdin.is_closing() and not self.pid:
                process.stdin.close()
        return await process.wait()

    def _heard(self, line: str) -> None:
        word, *fields = line.split() or [""]
        if word == "ready":
            self.ready = dict(field.split("=", 1) for field in fields)
            # Another start must find Envoy's way to it as it was, also where the port was free.
            self.order = replace(self.order, listen=self.ready["listen"])
            self.was_ready = True
            self.changed()
