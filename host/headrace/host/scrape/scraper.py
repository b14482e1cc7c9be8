"""The tasks that keep the store fresh: one per endpoint, each on its own.

A server that is slow, broken or gone costs itself its readiness and nobody else
anything. Time is the event loop's clock, the one that exchanges are given.
"""

import asyncio
import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from types import TracebackType
from typing import Protocol

import aiohttp

from headrace.dsl.program import Pool, Program
from headrace.dsl.source import Source, Span
from headrace.extensions.picker.store import Store
from headrace.host.scrape.dialect import Dialect, dialect
from headrace.host.scrape.page import PageFault, read_page

log = logging.getLogger(__name__)
ERROR_CHARS_MAX = 200
_NOWHERE = Span(Source("", ""), 0, 0)


class Counts(Protocol):
    """What a host may want to count."""

    def scraped(self, pool: str, endpoint: str, wall_s: float, ok: bool) -> None:
        """Note that one scrape has ended, after *wall_s*."""
        ...


class NoCounts:
    """Counts nothing."""

    def scraped(self, pool: str, endpoint: str, wall_s: float, ok: bool) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class ScrapeOptions:
    """How often and how much.

    hot_s, idle_s  between the starts of two scrapes, with and without traffic; less where
                   the pool's `stale after` asks for it
    rate_max       scrapes a second of all endpoints together: with more of them, each waits
                   longer; `stale after` goes before this as well
    beat_s         apart are the moments at which scrapes begin, so that some begin together
    together       scrapes that begin at one moment, on average and at most
    growth         from one idle interval to the next
    jitter_ratio   by which every interval varies, so that scrapes do not march in step
    gzip           ask for compressed pages: less network, more CPU
    """

    hot_s: float = 0.25
    idle_s: float = 1.5
    rate_max: float = 128.0
    beat_s: float = 0.05
    together: int = 8
    growth: float = 1.5
    jitter_ratio: float = 0.2
    timeout_s: float = 1.0
    page_bytes_max: int = 4 * 1024 * 1024
    concurrent_max: int = 256  # well above the servers that may hang at once: each holds one
    path: str = "/metrics"
    gzip: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """One endpoint to scrape, how its pool wants it, and what rules ask for by name."""

    pool: Pool
    address: str
    dialect: Dialect
    url: str
    asked: tuple[bytes, ...] = ()


class ScrapeFault(Exception):
    """A scrape failed. *refused*: nobody listens there."""

    def __init__(self, why: str, *, refused: bool = False) -> None:
        self.refused = refused
        super().__init__(why[:ERROR_CHARS_MAX])


class Scraper:
    """Scrapes every endpoint of a program, from entering to leaving its ``async with``.

    Its tasks write to the store, on the loop's thread.
    """

    def __init__(
        self,
        store: Store,
        program: Program,
        options: ScrapeOptions | None = None,
        counts: Counts | None = None,
    ) -> None:
        """Make ready to scrape.

        Raises:
            UnknownDialect: a pool names metrics that nothing here reads.
        """
        self._store = store
        self._options = options or ScrapeOptions()
        self._counts = counts or NoCounts()
        self._targets = _targets(program, self._options.path)
        self._random = Random(self._options.seed)  # noqa: S311 - spreads load, hides nothing
        self._gate = asyncio.Semaphore(self._options.concurrent_max)
        self._tasks: dict[Target, asyncio.Task[None]] = {}
        self._first: dict[Target, asyncio.Event] = {}
        self._session: aiohttp.ClientSession | None = None

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
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # `_fetch` has its own
            headers={
                "accept": "text/plain;version=0.0.4",
                "accept-encoding": "gzip" if self._options.gzip else "identity",
            },
        )
        self._spawn()

    async def stop(self) -> None:
        """End all tasks and connections. May be called twice."""
        await _cancelled(list(self._tasks.values()))
        self._tasks.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def adopt(self, program: Program) -> None:
        """Go over to the endpoints of *program*; the store must have adopted it before.

        Where it asks for other metrics, all are scraped anew at once.

        Raises:
            UnknownDialect: a pool names metrics that nothing here reads; nothing has changed.
        """
        self._targets = _targets(program, self._options.path)
        gone = [t for t in self._tasks if t not in self._targets]
        await _cancelled([self._tasks.pop(t) for t in gone])
        for target in gone:
            del self._first[target]
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

    def _spawn(self) -> None:
        for target in self._targets:
            if target not in self._tasks:
                first = self._first[target] = asyncio.Event()
                self._tasks[target] = asyncio.create_task(
                    self._follow(target, first), name=f"scrape {target.address}"
                )

    async def _follow(self, target: Target, first: asyncio.Event) -> None:
        """Scrape *target* again and again, less often while nothing happens."""
        clock = asyncio.get_running_loop().time
        interval_s = self._options.hot_s
        while True:
            async with self._gate:
                began_s = clock()
                await self._scrape(target, began_s, clock)
            first.set()
            interval_s = self._interval(target, interval_s)
            due_s = self._due(began_s, interval_s)
            await asyncio.sleep(max(0.0, due_s - clock()))

    def _due(self, began_s: float, interval_s: float) -> float:
        """Return when to scrape again what was scraped at *began_s*, on the beat before it.

        A scrape that follows others finds code and data in the caches, which halves its cost.
        """
        options = self._options
        vary = options.jitter_ratio * (2 * self._random.random() - 1)
        due_s = began_s + interval_s * (1 + vary)
        beat_s = interval_s * min(0.25, options.together / len(self._targets))
        return due_s - due_s % min(options.beat_s, beat_s)

    def _interval(self, target: Target, last_s: float) -> float:
        """Return how long to wait; with jitter always less than half of `stale after`."""
        longest_s = 0.5 * target.pool.stale_after_s / (1 + self._options.jitter_ratio) * 0.95
        state = self._store.snapshot.pools.get(target.pool.name)
        endpoints = state.endpoints if state else ()
        busy = any(e.in_flight or e.running or e.waiting_scraped for e in endpoints)
        options = self._options
        hot_s = max(options.hot_s, len(self._targets) / options.rate_max)
        wanted_s = hot_s if busy else max(hot_s, last_s * options.growth)
        return min(wanted_s, max(hot_s, options.idle_s), longest_s)

    async def _scrape(self, target: Target, began_s: float, clock: Callable[[], float]) -> None:
        """Scrape once and write down how it went."""
        pool, address = target.pool.name, target.address
        ok = False
        try:
            page = await self._fetch(target)
            self._store.scraped(
                pool, address, read_page(page, target.dialect, target.asked), began_s
            )
            ok = True
        except (ScrapeFault, PageFault) as fault:
            refused = isinstance(fault, ScrapeFault) and fault.refused
            self._store.failed(pool, address, str(fault), clock(), refused=refused)
        except Exception as error:  # ours: it must not end the scraping of this endpoint
            log.exception("bug: scrape of %s", address)
            self._store.failed(pool, address, f"bug: {type(error).__name__}", clock())
        self._counts.scraped(pool, address, clock() - began_s, ok)

    async def _fetch(self, target: Target) -> bytes:
        """Return the metrics page of *target*, decoded.

        Raises:
            ScrapeFault: there is none, or not in time, or it is too large.
        """
        session, options = self._session, self._options
        assert session is not None, "tasks live between start and stop"
        timeout_s = min(options.timeout_s, target.pool.stale_after_s / 2)
        try:
            async with (
                asyncio.timeout(timeout_s),
                session.get(target.url, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    raise ScrapeFault(f"`{options.path}` answered {response.status}")
                return await _bounded(response, options.page_bytes_max)
        except TimeoutError:
            raise ScrapeFault(f"no metrics within {timeout_s:g} s") from None
        except aiohttp.ClientConnectorError as error:
            refused = error.os_error.errno == errno.ECONNREFUSED
            why = "connection refused" if refused else f"cannot connect: {error.os_error}"
            raise ScrapeFault(why, refused=refused) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ScrapeFault(f"{type(error).__name__}: {error}") from None


async def _bounded(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > bytes_max:
            raise ScrapeFault(f"the metrics page is larger than {bytes_max} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


async def _cancelled(tasks: list["asyncio.Task[None]"]) -> None:
    """Cancel *tasks* and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _targets(program: Program, path: str) -> frozenset[Target]:
    # Where a pool stands in its file is no reason to scrape it anew.
    pools = [replace(pool, span=_NOWHERE) for pool in program.pools.values()]
    asked = tuple(name.encode() for name in program.metrics)
    return frozenset(
        Target(pool, address, dialect(pool.name, pool.metrics), f"http://{address}{path}", asked)
        for pool in pools
        for address in pool.endpoints
    )
