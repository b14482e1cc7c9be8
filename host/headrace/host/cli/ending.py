"""Ending on purpose: SIGINT and SIGTERM as an event that a command waits for."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Generator

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


@contextlib.contextmanager
def on_hangup(act: Callable[[], None]) -> Generator[None, None, None]:
    """Let *act* be called by SIGHUP, where there is such a signal, instead of ending."""
    loop, number = asyncio.get_running_loop(), getattr(signal, "SIGHUP", None)
    if number is None:
        yield
        return
    loop.add_signal_handler(number, act)
    try:
        yield
    finally:
        loop.remove_signal_handler(number)


def _restore(loop: asyncio.AbstractEventLoop) -> None:
    """Give the signals back their own meaning: ending the process."""
    for number in SIGNALS:
        loop.remove_signal_handler(number)
