"""The tasks that keep the store fresh: one per endpoint, each on its own.

A server that is slow, broken or gone costs itself its freshness and nobody else
anything. Time is the event loop's clock, the one that exchanges are given.
"""

import asyncio
import logging
from collections.abc import Coroutine
from types import TracebackType
from typing import Any

from msgspec.structs import replace

from headrace.dsl.program import Program
from headrace.extensions.picker.snapshot import Endpoint
from headrace.extensions.picker.store import Store
from headrace.host.scrape.fetch import Fetcher, ScrapeFault, Wanted
from headrace.host.scrape.models import BYTES_MAX as MODELS_BYTES_MAX
from headrace.host.scrape.models import ListFault, read_models
from headrace.host.scrape.options import Counts, NoCounts, ScrapeOptions
from headrace.host.scrape.pace import Key, Pace, Rest
from headrace.host.scrape.page import PageFault, read_gpu, read_page
from headrace.host.scrape.target import Device, Target, devices, targets

__all__ = ["Counts", "NoCounts", "ScrapeOptions", "Scraper"]

log = logging.getLogger(__name__)
GPU_FAILURES_MAX = 3  # in a row; then what a host's page said is too old to believe
Task = asyncio.Task[None]


class Scraper:
    """Scrapes every endpoint of a program, from entering to leaving its ``async with``.

    Its tasks write to the store, on the loop's thread. The store must have adopted the
    program before: it knows the endpoints.
    """

    def __init__(
        self,
        store: Store,
        program: Program,
        options: ScrapeOptions | None = None,
        counts: Counts | None = None,
    ) -> None:
        self._store = store
        self._program = program
        self._options = options or ScrapeOptions()
        self._counts = counts or NoCounts()
        self._pace = Pace(self._options)
        self._gate = asyncio.Semaphore(self._options.concurrent_max)
        self._tasks: dict[Target | Device, Task] = {}
        self._first: dict[Target, asyncio.Event] = {}
        self._resting: dict[Key, Rest] = {}
        self._alarms: dict[Key, asyncio.Future[None]] = {}
        self._listing: dict[Target, Task] = {}
        self._watcher: Task | None = None
        self._fetcher: Fetcher | None = None

    async def __aenter__(self) -> "Scraper":
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begin to scrape; the first round starts at once."""
        self._fetcher = Fetcher()
        self._spawn()
        self._watcher = asyncio.create_task(self._watch(), name="scrape: who has work")

    async def stop(self) -> None:
        """End all tasks and connections. May be called twice."""
        watcher = [self._watcher] if self._watcher else []
        try:
            await _cancelled([*self._tasks.values(), *self._listing.values(), *watcher])
        finally:  # who stops us may be cancelled meanwhile
            self._tasks.clear()
            self._listing.clear()
            self._watcher = None
            if self._fetcher is not None:
                fetcher, self._fetcher = self._fetcher, None
                await fetcher.close()

    async def adopt(self, program: Program) -> None:
        """Go over to the endpoints of *program*; the store must have adopted it before.

        Where it asks for other metrics, all are scraped anew at once.
        """
        self._program = program
        wanted = self._wanted()
        gone = [t for t in self._tasks if t not in wanted]
        await _cancelled([self._tasks.pop(t) for t in gone])
        for target in gone:
            if isinstance(target, Target):
                del self._first[target]
                await _cancelled([t for t in [self._listing.pop(target, None)] if t])
            else:
                self._store.utilised(target.pool, target.addresses, None)
        self._spawn()

    async def first_round(self, timeout_s: float) -> bool:
        """Wait until every endpoint was scraped or failed once; False if *timeout_s* passed."""
        try:
            async with asyncio.timeout(timeout_s):
                for event in list(self._first.values()):
                    await event.wait()
        except TimeoutError:
            return False
        return True

    def _wanted(self) -> frozenset[Target | Device]:
        snapshot = self._store.snapshot
        return targets(self._program, snapshot) | devices(self._program, snapshot)

    def _spawn(self) -> None:
        wanted = self._wanted()
        self._pace.count = len(wanted)
        for target in wanted:
            if target in self._tasks:
                continue
            # Any: what a coroutine yields to its loop
            follow: Coroutine[Any, Any, None]
            if isinstance(target, Target):
                first = self._first[target] = asyncio.Event()
                name, follow = target.address, self._follow(target, first)
            else:
                name, follow = target.url, self._follow_device(target)
            self._tasks[target] = asyncio.create_task(follow, name=f"scrape {name}")

    async def _watch(self) -> None:
        """Wake the scraping of endpoints whose figures are asked for while they are resting."""
        clock = asyncio.get_running_loop().time
        seen, asked = -1, set[Key]()
        while True:
            await asyncio.sleep(self._options.beat_s)
            snapshot, crowded = self._store.snapshot, self._store.flows.crowded
            if snapshot.epoch != seen or crowded:
                seen = snapshot.epoch
                asked = self._pace.asked(snapshot, crowded)
            for key in self._pace.due(asked, self._resting, clock()):
                _end(self._alarms[key])

    async def _follow(self, target: Target, first: asyncio.Event) -> None:
        """Scrape *target* again and again, less often while nothing happens."""
        clock = asyncio.get_running_loop().time
        pace, interval_s = self._pace, self._pace.hot_s
        listed_s, started_s = float("-inf"), None
        spots: dict[bytes, int] = {}
        while True:
            async with self._gate:
                began_s = clock()
                await self._scrape(target, spots, began_s)
            first.set()
            endpoint = self._endpoint(target)
            if target.models and endpoint is not None and endpoint.failures == 0:
                again_s = listed_s + self._options.models_s * (1 + pace.jitter())
                if began_s >= again_s or endpoint.started_s != started_s:
                    listed_s, started_s = began_s, endpoint.started_s
                    self._start_listing(target)
            interval_s = pace.interval_s(target, endpoint, interval_s)
            rest = Rest(began_s, pace.due_s(began_s, interval_s))
            await self._rest((target.pool, target.address), rest)

    async def _rest(self, key: Key, rest: Rest) -> None:
        """Wait until the *rest* is over, or until the watcher ends it."""
        loop = asyncio.get_running_loop()
        alarm = self._alarms[key] = loop.create_future()
        timer = loop.call_at(rest.due_s, _end, alarm)
        self._resting[key] = rest
        try:
            await alarm
        finally:
            timer.cancel()
            del self._resting[key], self._alarms[key]

    def _endpoint(self, target: Target) -> Endpoint | None:
        pool = self._store.snapshot.pools.get(target.pool)
        return pool.get(target.address) if pool else None

    async def _scrape(self, target: Target, spots: dict[bytes, int], began_s: float) -> None:
        """Scrape once and write down how it went."""
        clock = asyncio.get_running_loop().time
        assert self._fetcher is not None, "tasks live between start and stop"
        pool, address, store, ok = target.pool, target.address, self._store, False
        timeout_s = min(self._options.timeout_s, target.stale_after_s / 2)
        bytes_max, gzip = self._options.page_bytes_max, target.dialect.gzip
        try:
            page = await self._fetcher.page(Wanted(target.url, timeout_s, bytes_max, gzip))
            try:
                facts = read_page(page.body, target.dialect, target.asked, spots)
            except PageFault as fault:
                raise ScrapeFault(page.flaw or str(fault), answered=True) from fault
            if page.flaw:
                facts = replace(facts, problems=(page.flaw, *facts.problems))
            store.scraped(pool, address, facts, began_s)
            ok = True
        except ScrapeFault as fault:
            if fault.answered:
                store.unreadable(pool, address, str(fault), clock())
            else:
                store.failed(pool, address, str(fault), clock(), refused=fault.refused)
        except Exception as error:  # ours: it must not end the scraping of this endpoint
            log.exception("bug: scrape of %s", address)
            store.failed(pool, address, f"bug: {type(error).__name__}", clock())
        self._counts.scraped(pool, address, clock() - began_s, ok)

    def _start_listing(self, target: Target) -> None:
        """Ask for the models of *target* beside its scraping, unless that is still under way."""
        running = self._listing.get(target)
        if running is None or running.done():
            name = f"scrape models of {target.address}"
            self._listing[target] = asyncio.create_task(self._list(target), name=name)

    async def _list(self, target: Target) -> None:
        """Ask which models *target* has; if it does not say, what it said before stays."""
        assert self._fetcher is not None, "tasks live between start and stop"
        wanted = Wanted(
            target.models, self._options.timeout_s, MODELS_BYTES_MAX, accept="application/json"
        )
        try:
            page = await self._fetcher.page(wanted)
            found = read_models(page.body)
        except (ScrapeFault, ListFault) as fault:
            log.debug("models of %s: %s", target.address, fault)
            return
        except Exception:  # ours
            log.exception("bug: models of %s", target.address)
            return
        self._store.listed(target.pool, target.address, found.models, found.bases)

    async def _follow_device(self, device: Device) -> None:
        """Look at a host's accelerators again and again; when that fails, nothing is known."""
        assert self._fetcher is not None, "tasks live between start and stop"
        failures, gpu_s = 0, self._options.gpu_s
        while True:
            wanted = Wanted(device.url, self._options.timeout_s, self._options.page_bytes_max)
            gpu: float | None = None
            try:
                async with self._gate:
                    page = await self._fetcher.page(wanted)
                gpu, failures = read_gpu(page.body, device.dialect), 0
            except (ScrapeFault, PageFault) as fault:
                failures += 1
                # Once for each time that it is lost: rules that read it go by nothing then.
                level = logging.WARNING if failures == GPU_FAILURES_MAX else logging.DEBUG
                text = "pool `%s`: nobody tells `endpoint.gpu` at %s: %s"
                log.log(level, text, device.pool, device.url, fault)
            except Exception:  # ours
                log.exception("bug: accelerators at %s", device.url)
                failures += 1
            if failures in (0, GPU_FAILURES_MAX):
                self._store.utilised(device.pool, device.addresses, gpu)
            await asyncio.sleep(gpu_s * (1 + self._pace.jitter()))


def _end(alarm: "asyncio.Future[None]") -> None:
    if not alarm.done():
        alarm.set_result(None)


async def _cancelled(tasks: list[Task]) -> None:
    """Cancel *tasks* and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
