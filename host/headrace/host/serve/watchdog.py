"""Measures whether the event loop is held up: by a stage that blocks, or by too little CPU."""

import asyncio
import logging
from collections.abc import Callable

EVERY_S = 0.25
LATE_S = 0.1  # a tenth of a second is felt by every stream

log = logging.getLogger(__name__)


class Watchdog:
    """Asks the loop for a timer again and again and tells *note* how late each came, in seconds."""

    def __init__(self, note: Callable[[float], None]) -> None:
        self._note = note
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Watchdog":
        self._task = asyncio.create_task(self._watch(), name="watchdog")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + EVERY_S
            await asyncio.sleep(EVERY_S)
            lag_s = max(0.0, loop.time() - due_s)
            self._note(lag_s)
            if lag_s > LATE_S:
                log.warning("the event loop was held up for %.2f s: a stage may block", lag_s)
