"""Puts one policy in the place of another while exchanges are open.

What is known of endpoints survives: the store goes over to the new program's pools, and
keeps those that only older generations use until the last of their exchanges has ended.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from time import monotonic
from typing import Protocol

from headrace.dsl.program import Pool, Program
from headrace.extensions.picker.snapshot import NEVER_S
from headrace.extensions.picker.store import Store
from headrace.extensions.registry import Site, UnknownStage, builders, unannounced
from headrace.host.clients.lacking import lacking, ready
from headrace.host.cluster.origin import Cluster, of_cluster
from headrace.host.generation import Generation, build_generation, request_ids
from headrace.host.kv_events.listener import Counts as KvCounts
from headrace.host.kv_events.listener import KvListener, missing
from headrace.host.roles.plans import RoleMisfit, cautions, with_roles
from headrace.host.scrape.scraper import Counts as ScrapeCounts
from headrace.host.scrape.scraper import ScrapeOptions, Scraper
from headrace.host.serve.current import Current
from headrace.host.serve.load import VACANT
from headrace.host.serve.options import ServeOptions
from headrace.host.serve.soak import Shadow, SoakReport
from headrace.host.serve.trial import Trial

NO_NAMES: frozenset[str] = frozenset()
WARM_S = 1.0  # how long a swap waits for the first metrics of new endpoints
FOLLOW_S = 0.25  # how often the scraper looks who is there, while pods come and go
SYNC_S = 5.0  # how long a swap waits for a cluster to tell who is in its pools

log = logging.getLogger(__name__)


class Unservable(Exception):
    """A program that compiles but cannot serve here. The message says why."""


class Counts(ScrapeCounts, KvCounts, Protocol):
    """What a host may want to count of what is told of endpoints."""


@dataclass(frozen=True, slots=True)
class World:
    """What all generations of a host share.

    site    where stages find the live store and report
    counts  of the scrapes, and of the servers' events
    noted   takes the kind of each verdict of a soak
    cluster  who knows the pools that are not listed; None: nobody does
    older_max  generations that open exchanges may keep alive
    """

    site: Site
    options: ServeOptions
    scraping: ScrapeOptions
    counts: Counts
    noted: Callable[[str], None]
    older_max: int = 256
    cluster: Cluster | None = None


class Succession:
    """The line of generations of one host. Mutable; event loop's thread only.

    current  what serves
    soak     the report of the trial under way; else of the last one
    trial    the one under way
    """

    def __init__(self, program: Program, world: World) -> None:
        """Build the first generation; nothing is scraped yet.

        Raises:
            Unservable: a stage is not installed.
        """
        self._world = world
        self._store: Store = world.site.store
        self._next_id = request_ids()
        self._installed = builders()  # once: it reads what every installed package says
        self._count = -1 if program is VACANT else 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._tried = NO_NAMES
        self._following = asyncio.Lock()
        self._due = False
        self._followed_s = NEVER_S
        self.trial: Trial | None = None
        self.soak: SoakReport | None = None
        self.current = Current(self._build(program, world.site), self._vacated)
        ready(program)
        self.scraper = Scraper(self._store, program, world.scraping, world.counts)
        self.listener = KvListener(self._store, world.counts)

    @property
    def generation(self) -> Generation:
        """The generation that serves."""
        return self.current.generation

    async def take_over(
        self, program: Program, soak_s: float, swapped: Callable[[Generation], None]
    ) -> None:
        """Let *program* serve, once its endpoints are known and it has soaked.

        *swapped* is told in the same turn as it happens. Cancelling before that leaves
        everything as it was.

        Raises:
            Unservable: it cannot; the one that serves goes on.
        """
        world, older = self._world, len(self.current.older)
        if older >= world.older_max:
            raise Unservable(f"{older} older generations have exchanges open: try again later")
        async with AsyncExitStack() as exits:
            if world.cluster is not None:
                exits.callback(self._watch_served)
                await self._meet(world.cluster, program)
            made = Trial(
                program, self.generation.program, self._store, world.scraping, world.counts
            )
            trial = await exits.enter_async_context(made)
            exits.callback(self._end_trial)
            self.trial = trial
            exits.push_async_callback(self._read, NO_NAMES)
            await asyncio.to_thread(ready, program)
            await self._read(frozenset(program.metrics))
            cold = await trial.warm(WARM_S)
            if cold:
                log.warning("policy: new endpoints without metrics yet: %s", ", ".join(cold[:8]))
            if soak_s:
                await self._soak(program, trial, soak_s)
            generation = self._build(program, world.site)
            self._swap(generation, trial)
            swapped(generation)

    async def close(self) -> None:
        """Stop what is under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _build(self, program: Program, site: Site) -> Generation:
        options = self._world.options
        why_not = missing(program) or lacking(program, os.environ) or self._homeless(program)
        if why_not:
            raise Unservable(why_not)
        try:
            generation = build_generation(
                program,
                site,
                options.limits,
                options.modes,
                self._count + 1,
                self._next_id,
                self._installed,
            )
            if options.roles and program is not VACANT:
                generation = with_roles(generation, site, options.roles, self._installed)
        except RoleMisfit as error:
            raise Unservable(f"role {error}") from error
        except UnknownStage as error:
            raise Unservable(str(error)) from error
        except Exception as error:  # a builder may be anybody's code
            raise Unservable(f"a stage cannot be built: {type(error).__name__}: {error}") from error
        if site is self._world.site:
            self._count += 1
            shares_key = bool(options.session_key)
            for line in cautions(program, options.roles, shares_key=shares_key):
                log.warning("roles: %s", line)
        return generation

    def endpoints_changed(self) -> None:
        """Go over to the endpoints that the cluster has now, and leave those that it has not."""
        self._store.adopt(self._served(), monotonic())
        # Nobody is sent to who is gone already: that the scraper knows of it is less urgent.
        self._spawn_follow(self._followed_s + FOLLOW_S - monotonic())

    async def settled(self) -> None:
        """Wait until what is served is scraped, as far as it is known."""
        await self._follow()

    def _homeless(self, program: Program) -> str:
        """Return why nobody knows the endpoints of a pool of *program*; "" if somebody does."""
        pool = "" if self._world.cluster is not None else of_cluster(program)
        if not pool:
            return ""
        return (
            f"pool `{pool}` has its endpoints from Kubernetes: start with `--kube`, or list them "
            'as `endpoints "10.0.0.1:8000"`'
        )

    async def _meet(self, cluster: Cluster, program: Program) -> None:
        """Wait until *cluster* has told who is in the pools of *program*."""
        served = self._served()
        cluster.follow(replace(program, pools={**served.pools, **_renamed(program)}))
        why = await cluster.synced(program, SYNC_S)
        if why:
            raise Unservable(f"the cluster does not tell who serves: {why}; SIGHUP tries again")

    def _watch_served(self) -> None:
        if self._world.cluster is not None:
            self._world.cluster.follow(self._served())

    def _end_trial(self) -> None:
        self.trial = None

    async def _soak(self, program: Program, trial: Trial, soak_s: float) -> None:
        crash: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def crashed(reason: str) -> None:
            if not crash.done():
                crash.set_result(reason)

        world = self._world
        site = replace(world.site, store=trial.store, report=_tell_nobody, announce=unannounced)
        report = self.soak = SoakReport(monotonic(), soak_s)
        generation = self._build(program, site)
        self.current.shadow = Shadow(generation, trial.refresh, report, world.noted, crashed)
        try:
            async with asyncio.timeout(soak_s):
                reason = await crash
        except TimeoutError:
            log.info(
                "policy: soaked for %g s: %d of %d decisions differ",
                *(soak_s, report.differing, report.decisions),
            )
            return
        finally:
            self.current.shadow = None
        raise Unservable(reason)

    def _swap(self, generation: Generation, trial: Trial) -> None:
        """Swap, without a pause in which an exchange could see half of it."""
        self.current.succeed(generation)
        self._store.adopt(self._served(), monotonic())
        trial.hand_over()
        self._spawn_follow()

    async def _read(self, metrics: frozenset[str]) -> None:
        """Let what is scraped already tell the *metrics* of a trial too, and wait until it has."""
        known, self._tried = self._tried | self.current.metrics(), metrics
        if known == self._tried | self.current.metrics():
            return
        await self._follow()
        if metrics:
            await self.scraper.first_round(WARM_S)

    def _served(self) -> Program:
        """Return the serving program, with what older exchanges and a trial may need."""
        current = self.current
        metrics = tuple(sorted(current.metrics() | self._tried))
        return replace(self.generation.program, pools=current.pools(), metrics=metrics)

    def _spawn_follow(self, after_s: float = 0.0) -> None:
        if self._due:
            return  # one that has not begun will see what is served then
        self._due = True
        task = asyncio.create_task(self._follow(after_s), name="scrape what is served")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, after_s: float = 0.0) -> None:
        await asyncio.sleep(after_s)
        async with self._following:
            self._due, self._followed_s = False, monotonic()
            if self.trial is not None:
                await self.trial.follow()
            await self.scraper.adopt(self._served())
            await self.listener.adopt(self._served())

    def _vacated(self) -> None:
        """Retire in a turn of its own: the caller is in the middle of an exchange's end."""
        asyncio.get_running_loop().call_soon(self._retire)

    def _retire(self) -> None:
        before = self._served()
        if self.current.retire() and self._served() != before:
            self._watch_served()
            self._store.adopt(self._served(), monotonic())
            self._spawn_follow()


def _renamed(program: Program) -> dict[str, Pool]:
    """Return the pools of *program* under names that no policy has."""
    return {f"new {name}": pool for name, pool in program.pools.items()}


def _tell_nobody(outcome: object) -> None:
    """Report nothing: the exchanges of a shadow are not served."""
