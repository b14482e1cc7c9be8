"""A policy that is about to serve: its new endpoints are scraped before anybody is sent there."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import cast

from headrace.dsl.program import Pool, Program
from headrace.extensions.picker.affinity import Affinity
from headrace.extensions.picker.intake import described
from headrace.extensions.picker.prefix import PrefixIndex
from headrace.extensions.picker.prompt import BLOCK_BYTES, Prompt, Turn
from headrace.extensions.picker.snapshot import (
    NEVER_S,
    Endpoint,
    PoolState,
    ServerFacts,
    Snapshot,
    pool_state,
)
from headrace.extensions.picker.store import Store
from headrace.extensions.values import NO_BONDS, Bonds
from headrace.host.scrape.scraper import Counts, ScrapeOptions, Scraper


class Trial:
    """Scrapes the endpoints that *program* has and *serving* has not, as an `async with`."""

    def __init__(
        self,
        program: Program,
        serving: Program,
        live: Store,
        options: ScrapeOptions,
        counts: Counts,
    ) -> None:
        self._live = live
        self._program = program
        self._serving = serving
        self.added = self._added()
        self._fresh = Store.for_program(self.added)
        self._scraper = Scraper(self._fresh, self.added, options, counts)
        self.store = Store.for_program(program, live.source)
        self._seen = (-1, -1)
        self._view = self.store.snapshot

    async def __aenter__(self) -> "Trial":
        await self._scraper.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._scraper.stop()

    async def follow(self) -> None:
        """Go over to the endpoints that there are now, where a cluster says who they are."""
        self.added = self._added()
        self._fresh.adopt(self.added, monotonic())
        await self._scraper.adopt(self.added)

    async def warm(self, timeout_s: float) -> tuple[str, ...]:
        """Wait until the new endpoints were scraped, and return those that are not ready."""
        await self._scraper.first_round(timeout_s)
        states = self._fresh.snapshot.pools.values()
        return tuple(e.address for state in states for e in state.endpoints if not e.ready)

    def refresh(self) -> None:
        """Bring `store` to what is known now: of the live store, and of the new endpoints.

        The shadow's own reservations vanish by it; what it would learn of prompts is dropped.
        """
        seen = (self._live.snapshot.epoch, self._fresh.snapshot.epoch)
        if seen != self._seen:
            self._view = Snapshot(
                {name: self._state(pool) for name, pool in self._program.pools.items()}, *seen
            )
            self.store.prefixes = {
                name: _borrowed(self._live.prefixes.get(name)) for name in self._program.pools
            }
            self.store.affinities = {
                name: _borrowed_memory(self._live.affinities.get(name))
                for name in self._program.pools
            }
            self._seen = seen
        self.store.snapshot = self._view

    def hand_over(self) -> None:
        """Tell the live store, which has adopted the program, what was scraped meanwhile."""
        for pool, state in self._fresh.snapshot.pools.items():
            for endpoint in state.endpoints:
                if endpoint.scraped_at_s > NEVER_S and endpoint.ready:
                    facts = facts_of(endpoint)
                    self._live.scraped(pool, endpoint.address, facts, endpoint.scraped_at_s)
                    if endpoint.models:
                        known = self._fresh.bases.get(pool, {})
                        bases = {name: known.get(name, "") for name in endpoint.listed}
                        self._live.listed(pool, endpoint.address, endpoint.models, bases)

    def _added(self) -> Program:
        """Return the program with those endpoints only that are not scraped for it yet."""
        source, serving = self._live.source, self._serving.pools
        pools: dict[str, Pool] = {}
        for name, pool in self._program.pools.items():
            old = serving.get(name)
            same = old is not None and old.dialect == pool.dialect
            known = {m.address for m in source.members(old)} if old is not None and same else ()
            added = tuple(m for m in source.members(pool) if m.address not in known)
            if added:
                addresses = tuple(member.address for member in added)
                pools[name] = replace(pool, endpoints=addresses, described=added)
        return replace(self._program, pools=pools)

    def _state(self, pool: Pool) -> PoolState:
        live = self._live.snapshot.pools.get(pool.name)
        fresh = self._fresh.snapshot.pools.get(pool.name)
        members = self._live.source.members(pool)
        known = [described(_known(m.address, fresh, live), m) for m in members]
        if live is not None and fresh is None and live.size == len(known):
            same = all(a is b for a, b in zip(known, live.endpoints, strict=True))
            if same:
                return live
        return pool_state(pool.name, known)


def facts_of(endpoint: Endpoint) -> ServerFacts:
    """Return the facts that made *endpoint* what it is."""
    held = (endpoint.adapters, endpoint.adapters_waiting)
    return ServerFacts(
        waiting=endpoint.waiting_scraped,
        running=endpoint.running,
        kv_cache=endpoint.kv_reported,
        gpu=endpoint.gpu,
        adapters=endpoint.adapters,
        adapters_waiting=endpoint.adapters_waiting,
        adapters_max=sum(map(len, held)) + endpoint.adapter_slots,
        block_size=endpoint.block_size,
        num_blocks=endpoint.num_blocks,
        started_s=endpoint.started_s,
        progress=endpoint.progress,
        metrics=endpoint.metrics,
    )


class BorrowedIndex:
    """A prefix index that is read and not written: what a shadow believes must stay no belief."""

    def __init__(self, live: PrefixIndex | None) -> None:
        self._live = live
        self.block_bytes = BLOCK_BYTES if live is None else live.block_bytes

    def match(self, hashes: list[int], turns: Sequence[Turn] = ()) -> Mapping[str, float]:
        """Return what the live index knows of *hashes*."""
        return {} if self._live is None else self._live.match(hashes, turns)

    def insert(self, address: str, hashes: list[int], prompt: Prompt | None = None) -> None:
        """Learn nothing."""

    def withdraw(self, address: str, hashes: list[int]) -> None:
        """Learn nothing."""

    def forget(self, address: str) -> None:
        """Learn nothing."""


class BorrowedMemory:
    """What a live pool remembers of sessions, read and not written."""

    def __init__(self, live: Affinity | None) -> None:
        self._live = live

    def bonds(self, session: str, now_s: float) -> Bonds:
        """Return what ties *session* in the live pool."""
        return NO_BONDS if self._live is None else self._live.bonds(session, now_s)

    def bind(self, session: str, address: str, now_s: float) -> None:
        """Learn nothing."""

    def went_cold(self, address: str) -> None:
        """Learn nothing."""


def _borrowed_memory(live: Affinity | None) -> Affinity:
    # The picker asks a memory for these methods only; the store wants the class.
    return cast(Affinity, BorrowedMemory(live))


def _borrowed(live: PrefixIndex | None) -> PrefixIndex:
    # The picker asks an index for these four methods only; the store wants the class.
    return cast(PrefixIndex, BorrowedIndex(live))


def _known(address: str, fresh: PoolState | None, live: PoolState | None) -> Endpoint:
    found = (fresh.get(address) if fresh else None) or (live.get(address) if live else None)
    return found or Endpoint(address, address)
