"""Lets a host hear the others, and them hear it."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from time import monotonic

from headrace.extensions.picker.peers.company import Company
from headrace.host.bus.port import BusCounts, Channel

TELL_S = 0.02  # a turn costs as much as some requests, so that a shorter one would be felt

log = logging.getLogger(__name__)


class Bus:
    """Carries what *company* has to tell, as an `async with`. Event loop's thread only."""

    def __init__(self, company: Company, channels: Sequence[Channel], counts: BusCounts) -> None:
        self.company = company
        self.channels = channels
        self._counts = counts
        self._timer: asyncio.TimerHandle | None = None
        self._dropped = 0
        self._failing = self._deaf = False

    async def __aenter__(self) -> "Bus":
        for channel in self.channels:
            await channel.start(partial(self._hear, channel.name))
        self._tick()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._send(self.company.farewell(monotonic()))
        for channel in self.channels:
            await channel.stop()

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TELL_S, self._tick)
        try:
            self._tell()
        except Exception:
            if not self._failing:
                log.exception("bug: the state is not told")
            self._failing = True
        else:
            self._failing = False

    def _tell(self) -> None:
        for message in self.company.to_tell(monotonic()):
            self._send(message)
        dropped = self.company.outbox.dropped
        if dropped > self._dropped:
            self._counts.state_message("outbox", "dropped", dropped - self._dropped)
            self._dropped = dropped

    def _send(self, message: bytes) -> None:
        for channel in self.channels:
            missed = channel.send(message)
            self._counts.state_message(channel.name, "sent")
            if missed:
                self._counts.state_message(channel.name, "dropped", missed)

    def _hear(self, channel: str, message: bytes) -> None:
        try:
            heed = self.company.hear(message, monotonic())
        except Exception:  # the channel must not end by it
            if not self._deaf:
                log.exception("bug: a note from %s is not heeded", channel)
            self._deaf = True
        else:
            self._counts.state_message(channel, heed.value)
