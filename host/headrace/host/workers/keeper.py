"""Looks after the workers: starts them, passes on signals, and answers operators for all."""

import asyncio
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headrace.host.envoy.address import Address
from headrace.host.telemetry.admin import Admin
from headrace.host.telemetry.readers import Readers
from headrace.host.workers.order import OPERATOR_SOCKET, Order
from headrace.host.workers.pages import Pages
from headrace.host.workers.worker import Worker

SOCKET_BYTES_MAX = 103  # of a path: what the tightest system has, with the 0 at the end

log = logging.getLogger(__name__)


class CannotStart(Exception):
    """The workers, or the operator endpoint, cannot be started.

    code  to exit with; the message is empty if the worker has told why
    """

    def __init__(self, message: str, code: int) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Keeping:
    """What the keeper is told.

    listen        one address per worker, as `--listen` is written
    flags         of `serve`, for the workers
    drain_grace_s how long open exchanges may go on
    """

    listen: Sequence[str]
    metrics_listen: Address
    flags: Mapping[str, object]
    session_key: str = field(repr=False)
    drain_grace_s: float
    admin: Admin
    readers: Readers


class Keeper:
    """Runs the workers, from `start` to `end`. Event loop's thread only.

    Raises:
        CannotStart: there is no folder for the sockets between them.
    """

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping
        self._folder = _folder()
        self._stirred = asyncio.Event()
        self.workers = [self._worker(at, listen) for at, listen in enumerate(keeping.listen, 1)]
        self._tasks: list[asyncio.Task[None]] = []
        self._pages = Pages(self.workers, keeping.admin, keeping.readers)

    async def start(self) -> Address:
        """Start all, answer operators, and return where.

        Raises:
            CannotStart: the address cannot be had.
        """
        address = self._keeping.metrics_listen
        try:
            port = await self._pages.start(address.host, address.port)
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            text = f"--metrics-listen: cannot listen on `{address}`: {why}"
            raise CannotStart(text, 1) from error
        self._tasks = [asyncio.create_task(worker.run()) for worker in self.workers]
        return Address(address.host, port)

    async def ready(self) -> str:
        """Wait until every worker has been ready, and return the digest of their policy.

        Raises:
            CannotStart: one of them has ended instead; it has told why.
        """
        while not all(worker.was_ready for worker in self.workers):
            for worker in self.workers:
                if worker.code is not None:
                    raise CannotStart("", worker.code)
            self._stirred.clear()
            await self._stirred.wait()
        return self.workers[0].ready.get("policy", "")

    def reload(self) -> None:
        """Let every worker look at the policy's files at once."""
        for worker in self.workers:
            worker.tell(signal.SIGHUP)

    async def end(self) -> None:
        """Let all drain at once, then end; metrics can be read to the last."""
        grace_s = self._keeping.drain_grace_s
        await asyncio.gather(*(worker.end(grace_s) for worker in self.workers))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pages.stop()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _worker(self, index: int, listen: str) -> Worker:
        keeping = self._keeping
        count, key = len(keeping.listen), keeping.session_key
        order = Order(index, count, listen, str(self._folder), key, keeping.flags)
        return Worker(order, self._stirred.set)


def _folder() -> Path:
    """Return a new folder, ours alone, in which sockets can be."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="headrace-"))  # mode 0700
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise CannotStart(
            f"--workers: no folder for their sockets: {why}: set TMPDIR", 1
        ) from error
    room = SOCKET_BYTES_MAX - len(f"/{OPERATOR_SOCKET}xx")
    if len(os.fsencode(folder)) > room:
        folder.rmdir()
        text = f"--workers: the path of a socket in `{folder.parent}` is too long: set TMPDIR to "
        raise CannotStart(f"{text}a folder with a shorter name", 1)
    return folder
