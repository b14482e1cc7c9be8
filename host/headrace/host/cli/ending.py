"""Ending on purpose: SIGINT and SIGTERM as an event that a command waits for."""

import asyncio
import contextlib
import signal
from collections.abc import Generator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def asked_to_end() -> Generator[asyncio.Event, None, None]:
    """Yield an event that is set by the first SIGINT or SIGTERM; the second ends at once."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()

    def ask() -> None:
        asked.set()
        _restore(loop)

    for number in SIGNALS:
        loop.add_signal_handler(number, ask)
    try:
        yield asked
    finally:
        _restore(loop)


def _restore(loop: asyncio.AbstractEventLoop) -> None:
    """Give the signals back their own meaning: ending the process."""
    for number in SIGNALS:
        loop.remove_signal_handler(number)
