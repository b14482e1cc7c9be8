"""Runs a replica against the clock: simulated time is monotonic time, scaled."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from headrace.host.sim.blocks import CacheChange
from headrace.host.sim.replica import Replica
from headrace.host.sim.request import Finished, FinishReason, SimRequest, Step


class Stream:
    """The tokens of one request as they leave the replica. Written by the `Driver`."""

    __slots__ = ("_changed", "_streamed", "finished", "ready")

    def __init__(self, streamed: bool) -> None:
        self.ready = 0
        self.finished: Finished | None = None
        self._streamed = streamed
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Wait until there is more: tokens if the request is streamed, else only the end."""
        await self._changed.wait()
        self._changed.clear()

    def wake(self) -> None:
        """Wake who waits, if what there is concerns it."""
        if self._streamed or self.finished:
            self._changed.set()


class Driver:
    """Sleeps until a step ends and hands out its tokens.

    A sleep lasts at least *tick_s*; the steps that fell due meanwhile run at one go, and each
    stream is woken once. Used from one event loop.

    told  takes what the cache changed in a step, before its tokens are handed out
    """

    def __init__(self, replica: Replica, time_scale: float, tick_s: float) -> None:
        self._replica = replica
        self._time_scale = time_scale
        self._tick_s = tick_s
        self._streams: dict[int, Stream] = {}
        self._touched: dict[Stream, None] = {}
        self._work = asyncio.Event()
        self._epoch_s = time.monotonic()
        self._rested_s = self._epoch_s
        self.told: Callable[[Sequence[CacheChange]], None] | None = None

    @property
    def now_s(self) -> float:
        """The simulated seconds since the driver was made."""
        return (time.monotonic() - self._epoch_s) * self._time_scale

    def submit(self, request: SimRequest, streamed: bool) -> Stream:
        """Let *request* wait for a step and return where its tokens will appear."""
        self._replica.submit(request, self.now_s)
        stream = self._streams[request.number] = Stream(streamed)
        self._work.set()
        return stream

    def abort(self, number: int) -> None:
        """Forget request *number*; if it has ended already, nothing happens."""
        self._replica.abort(number, self.now_s)
        stream = self._streams.pop(number, None)
        if stream:
            self._touched.pop(stream, None)

    async def run(self) -> None:
        """Step the replica until cancelled; requests left then end as aborted."""
        try:
            at_s = 0.0
            while True:
                at_s = await self._step(at_s)
        finally:
            for number, stream in self._streams.items():
                stream.finished = stream.finished or Finished(number, FinishReason.ABORT, 0)
                stream.wake()

    async def _step(self, at_s: float) -> float:
        """Run the next step, not before *at_s*; return when the one after it may start."""
        start_s = self._replica.start_s(at_s)
        if start_s is None:
            self._flush()
            self._work.clear()
            await self._work.wait()
            return at_s
        await self._reach(start_s)
        batch = self._replica.start(start_s)
        if batch is None:  # what was to start then is aborted by now
            return at_s
        end_s = start_s + batch.duration_s
        await self._reach(end_s)
        step = self._replica.finish(batch)
        changes = self._replica.pool.changes()
        if changes and self.told:
            self.told(changes)
        self._deliver(step)
        return end_s

    async def _reach(self, time_s: float) -> None:
        """Sleep until the simulated *time_s*; if that is past, only let others run at times."""
        ahead_s = (time_s - self.now_s) / self._time_scale
        if ahead_s <= 0 and time.monotonic() - self._rested_s < self._tick_s:
            return
        self._flush()
        await asyncio.sleep(max(ahead_s, self._tick_s) if ahead_s > 0 else 0)
        self._rested_s = time.monotonic()

    def _deliver(self, step: Step) -> None:
        self._count(step.emitted)
        for finished in step.finished:
            stream = self._streams.pop(finished.number, None)
            if stream:
                stream.finished = finished
                self._touched[stream] = None

    def _count(self, numbers: Iterable[int]) -> None:
        streams, touched = self._streams, self._touched
        for number in numbers:
            stream = streams.get(number)
            if stream:
                stream.ready += 1
                touched[stream] = None

    def _flush(self) -> None:
        for stream in self._touched:
            stream.wake()
        self._touched.clear()
