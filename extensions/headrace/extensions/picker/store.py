"""The one object that may change what is known of endpoints, and makes the snapshots of it.

Its writers are the scraper, and the picker for its own reservations. A change costs the
endpoint it is about; the pool is swapped whole when somebody next looks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec.structs import replace

from headrace.dsl.program import Pool, Program
from headrace.extensions.call import TOKEN_BYTES
from headrace.extensions.picker.affinity import Affinity
from headrace.extensions.picker.cost.ledger import Ledger
from headrace.extensions.picker.cost.outlook import Outlook
from headrace.extensions.picker.feedback import NO_MEANS, Feedback, Means
from headrace.extensions.picker.flow.flows import Flows
from headrace.extensions.picker.kv.book import KvBook
from headrace.extensions.picker.prefix import BYTES_MAX, PrefixIndex
from headrace.extensions.picker.prompt import BLOCK_BYTES
from headrace.extensions.picker.roster import Roster
from headrace.extensions.picker.snapshot import (
    NEVER_S,
    NOTHING,
    Endpoint,
    PoolState,
    Reservation,
    ServerFacts,
    Snapshot,
    Sums,
    sums,
)
from headrace.extensions.work import NO_LOAD, Load, Work

FAILURES_MAX = 2  # one lost scrape is noise, a second in a row is a fault
ADAPTERS_MAX = 64  # as the language bounds `endpoint.adapters`
RESERVED_S_MAX = 3600.0  # what is open for longer has lost its release
SWEEP_S = 60.0


@dataclass(slots=True)
class _Pool:
    """One pool as it is now, and the state last shown of it. Written by the Store only."""

    declared: Pool
    roster: Roster
    endpoints: list[Endpoint]
    ledgers: list[Ledger]
    sums: Sums = NOTHING
    means: Means = NO_MEANS
    shown: PoolState | None = None

    def put(self, position: int, endpoint: Endpoint, *, counts_only: bool = False) -> None:
        """Replace the endpoint at *position*."""
        if not counts_only:
            self.sums = self.sums.changed(self.endpoints[position], endpoint)
        self.endpoints[position] = endpoint
        self.roster.changed(position, counts_only=counts_only)
        self.shown = None

    def recount(self, position: int, now_s: float) -> None:
        """Take over the counts of the ledger at *position*."""
        old, ledger = self.endpoints[position], self.ledgers[position]
        self.put(position, old.counted(ledger, now_s), counts_only=True)

    def state(self) -> PoolState:
        """Return the pool at this instant."""
        if self.shown is None:
            name, endpoints = self.declared.name, tuple(self.endpoints)
            self.shown = PoolState(name, endpoints, self.roster, self.roster.version, self.sums)
        return self.shown


@dataclass(slots=True)
class Store:
    """Holds what is known of all pools. Written from the event loop's thread only.

    prefixes  per pool, which endpoint has probably cached what
    affinities  per pool, which sessions are bound to which endpoint
    blind_streams  answers in a row that were streams, and of which the picker was shown nothing
    flows     who waits, per pool
    watcher   called after every change while it is set
    kv        per pool whose servers report what they cache, what they did
    """

    prefixes: dict[str, PrefixIndex] = field(default_factory=dict[str, PrefixIndex])
    affinities: dict[str, Affinity] = field(default_factory=dict[str, Affinity])
    blind_streams: int = 0
    flows: Flows = field(default_factory=Flows)
    watcher: Callable[[], None] | None = field(default=None, repr=False)
    kv: dict[str, KvBook] = field(default_factory=dict[str, KvBook])
    _pools: dict[str, _Pool] = field(default_factory=dict[str, _Pool])
    _last_id: int = 0
    _swept_s: float = NEVER_S
    _epoch: int = 0
    _changed_s: float = NEVER_S
    _shown: Snapshot | None = None

    @classmethod
    def for_program(cls, program: Program) -> "Store":
        """Return a store of the program's endpoints, none of them ready yet."""
        store = cls()
        store.adopt(program, NEVER_S)
        return store

    @property
    def snapshot(self) -> Snapshot:
        """Everything at this instant; the same object until something changes."""
        if self._shown is None:
            pools = {name: pool.state() for name, pool in self._pools.items()}
            self._shown = Snapshot(pools, self._epoch, self._changed_s)
        return self._shown

    @snapshot.setter
    def snapshot(self, view: Snapshot) -> None:
        """Show *view* until something changes here: what a shadow is to decide by."""
        self._shown = view

    def adopt(self, program: Program, now_s: float) -> None:
        """Go over to the pools of *program*; what is known of endpoints in both is kept."""
        pools = {p.name: _adopted(p, self._pools.get(p.name)) for p in program.pools.values()}
        for name in pools.keys() & self.prefixes.keys():
            for address in self.prefixes[name].addresses:
                if address not in pools[name].roster.positions:
                    self.prefixes[name].forget(address)
        self.prefixes = {
            name: _index(pool.declared, self.prefixes.get(name)) for name, pool in pools.items()
        }
        self.kv = {
            name: _book(self.prefixes[name], len(pool.endpoints), self.kv.get(name))
            for name, pool in pools.items()
            if pool.declared.kv_events
        }
        self.affinities = {name: self.affinities.get(name, Affinity()) for name in pools}
        for name, affinity in self.affinities.items():
            affinity.keep_only(pools[name].roster.positions)
        self._pools = pools
        self.flows.keep(pools)
        self._note(now_s)

    def scraped(self, pool: str, address: str, facts: ServerFacts, now_s: float) -> None:
        """Take over what a good scrape told, which began at *now_s*.

        Requests picked since then stay counted on top; a server that was restarted
        has lost its cache.
        """
        found = self._find(pool, address)
        if found is None:
            return
        live, position = found
        old, ledger = live.endpoints[position], live.ledgers[position]
        if now_s < old.scraped_at_s:
            return
        restarted = (
            None not in (old.started_s, facts.started_s) and old.started_s != facts.started_s
        )
        if restarted:
            self._forget(pool, address)
            ledger.filled_tokens = 0
        fresh = _scraped(old, facts, live.declared.adapters_max, now_s)
        index = self.prefixes[pool]
        index.set_capacity(address, _capacity(fresh))
        if fresh.block_size and not live.declared.block_tokens:
            index.learn_block(fresh.block_size)
        ledger.seen(now_s, fresh.waiting_scraped, fresh.running)
        ledger.advance(now_s)
        live.put(position, fresh.counted(ledger, now_s))
        self._note(now_s)

    def failed(
        self, pool: str, address: str, error: str, now_s: float, *, refused: bool = False
    ) -> None:
        """Note a failed scrape; *refused*: nobody listens there, so the server is gone.

        The endpoint stops being ready at once if refused, else after `FAILURES_MAX`
        failures in a row or when what is known is older than the pool's `stale after`.
        """
        found = self._find(pool, address)
        if found is None:
            return
        live, position = found
        old = live.endpoints[position]
        if refused:
            self._forget(pool, address)
        failures = old.failures + 1
        stale = old.age_s(now_s) > live.declared.stale_after_s
        ready = old.ready and not refused and not stale and failures < FAILURES_MAX
        live.put(position, replace(old, ready=ready, failures=failures, error=error))
        self._note(now_s)

    def reserve(self, pool: str, address: str, now_s: float, load: Load = NO_LOAD) -> Reservation:
        """Count one request of ours at *address*, from now until it is released.

        One that is never released is counted for `RESERVED_S_MAX`.
        """
        self._last_id += 1
        if now_s >= self._swept_s + SWEEP_S:
            self._sweep(now_s)
        found = self._find(pool, address)
        if found is not None:
            live, position = found
            ledger, old = live.ledgers[position], live.endpoints[position]
            ledger.advance(now_s)
            predicted_s = old.outlook.first_token_s(old, load, now_s) if load.output_tokens else 0.0
            ledger.add(self._last_id, load, now_s, predicted_s)
            if load.output_tokens:
                live.means = live.means.after_pick(load.prompt_tokens, load.uncached_tokens)
            live.recount(position, now_s)
            self._note(now_s)
        return Reservation(self._last_id, pool, address, now_s)

    def load(self, pool: str, address: str, work: Work) -> Load:
        """Return what *work* asks of the endpoint at *address*."""
        found = self._find(pool, address)
        if found is None:
            return NO_LOAD
        endpoint = found[0].endpoints[found[1]]
        return endpoint.outlook.load(endpoint, work)

    def release(self, reservation: Reservation, now_s: float) -> None:
        """Stop counting *reservation*. Releasing twice, or after its endpoint went, is no fault."""
        self._release(reservation, now_s)

    def _release(self, reservation: Reservation, now_s: float) -> Load:
        """Stop counting *reservation*; return what it asked."""
        found = self._find(reservation.pool, reservation.address)
        if found is None:
            return NO_LOAD
        live, position = found
        ledger = live.ledgers[position]
        entry = ledger.remove(reservation.id, now_s)
        if entry is None:
            return NO_LOAD
        ledger.advance(now_s)
        live.recount(position, now_s)
        self._note(now_s)
        return entry.load

    def move(self, reservation: Reservation, address: str, now_s: float) -> Reservation:
        """Count the request at *address* instead: Envoy has retried it there.

        To be sent elsewhere counts as a failure of the endpoint that was picked.
        """
        load = self._release(reservation, now_s)
        self.answered(reservation, now_s, failed=True)
        return self.reserve(reservation.pool, address, now_s, load)

    def first_token(self, reservation: Reservation, now_s: float) -> None:
        """Note that the answer of *reservation* has begun, and learn from when it did."""
        found = self._find(reservation.pool, reservation.address)
        if found is None:
            return
        live, position = found
        ledger, old = live.ledgers[position], live.endpoints[position]
        entry = ledger.first_token(reservation.id, now_s)
        if entry is None:
            return
        took_s, outlook = now_s - entry.picked_s, old.outlook
        feedback, error = outlook.feedback.after_first_token(took_s, entry.predicted_s, now_s)
        live.means = live.means.after_error(error) if error else live.means
        self._learn(live, position, feedback, now_s)

    def piece(self, reservation: Reservation) -> None:
        """Note that a piece of the answer of *reservation* has come."""
        found = self._find(reservation.pool, reservation.address)
        if found is not None:
            live, position = found
            live.ledgers[position].piece(reservation.id)

    def answered(
        self, reservation: Reservation, now_s: float, *, failed: bool, output_tokens: int = 0
    ) -> None:
        """Learn from how the answer of *reservation* ended; *output_tokens* 0: not known."""
        found = self._find(reservation.pool, reservation.address)
        if found is None:
            return
        live, position = found
        if output_tokens:
            live.means = live.means.after_answer(output_tokens)
        feedback = live.endpoints[position].outlook.feedback.after_answer(failed, now_s)
        self._learn(live, position, feedback, now_s)

    def _learn(self, live: _Pool, position: int, feedback: Feedback, now_s: float) -> None:
        """Let the endpoint at *position* know what was learnt; the others do with their next."""
        old = live.endpoints[position]
        outlook = old.outlook.learning(feedback, live.means)
        live.endpoints[position] = replace(old, outlook=outlook)
        live.recount(position, now_s)
        self._note(now_s)

    def _sweep(self, now_s: float) -> None:
        """Stop counting what is open for longer than any request lasts."""
        self._swept_s = now_s
        for live in self._pools.values():
            for position, ledger in enumerate(live.ledgers):
                if ledger.expire(now_s - RESERVED_S_MAX):
                    live.recount(position, now_s)

    def _find(self, pool: str, address: str) -> tuple[_Pool, int] | None:
        live = self._pools.get(pool)
        position = None if live is None else live.roster.positions.get(address)
        return None if live is None or position is None else (live, position)

    def _forget(self, pool: str, address: str) -> None:
        """Forget what the server at *address* had cached: it is gone, or began anew."""
        self.prefixes[pool].forget(address)
        if pool in self.kv:
            self.kv[pool].restarted(address)

    def _note(self, now_s: float) -> None:
        self._epoch += 1
        self._changed_s = now_s
        self._shown = None
        if self.watcher is not None:
            self.watcher()


def _index(declared: Pool, old: PrefixIndex | None) -> PrefixIndex:
    """Return the index of a pool, with what *old* knows if its blocks are the same."""
    bytes_max = declared.prefix_bytes_max or BYTES_MAX
    block_bytes = (declared.block_tokens or 0) * TOKEN_BYTES
    if old is None or (block_bytes and block_bytes != old.block_bytes):
        return PrefixIndex(bytes_max, block_bytes or BLOCK_BYTES)
    old.bytes_max = bytes_max
    return old


def _book(index: PrefixIndex, servers: int, old: KvBook | None) -> KvBook:
    """Return the book of a pool; *old* if it is of the same *index*."""
    if old is None or old.index is not index:
        return KvBook(index, servers)
    old.servers_max = servers
    return old


def _capacity(endpoint: Endpoint) -> int | None:
    """Return how many tokens the KV cache of *endpoint* holds, if it says so."""
    if endpoint.num_blocks is None or endpoint.block_size is None:
        return None
    return endpoint.num_blocks * endpoint.block_size


def _adopted(declared: Pool, old: _Pool | None) -> _Pool:
    """Return *declared* as a pool, with what *old* knows of its endpoints."""
    known = {} if old is None else old.roster.positions
    if old is not None and old.roster.addresses == declared.endpoints:
        roster = old.roster
    else:
        roster = Roster.of(declared.endpoints)
    means = NO_MEANS if old is None else old.means
    endpoints: list[Endpoint] = []
    ledgers: list[Ledger] = []
    for address in declared.endpoints:
        position = known.get(address)
        if old is None or position is None:
            outlook = Outlook(declared.speed, means=means)
            endpoints.append(Endpoint(address, address, outlook=outlook))
            ledgers.append(Ledger())
        else:
            kept = old.endpoints[position]
            outlook = replace(kept.outlook, speeds=declared.speed)
            endpoints.append(replace(kept, outlook=outlook))
            ledgers.append(old.ledgers[position])
    return _Pool(declared, roster, endpoints, ledgers, sums(endpoints), means)


def _scraped(old: Endpoint, facts: ServerFacts, declared: int | None, now_s: float) -> Endpoint:
    """Return *old* with what a scrape told, its counts aside; *declared* bounds its adapters."""
    adapters = facts.adapters[:ADAPTERS_MAX]
    adapters_max = declared if facts.adapters_max is None else facts.adapters_max
    if declared is not None and adapters_max is not None:
        adapters_max = min(declared, adapters_max)
    return replace(
        old,
        ready=True,
        scraped_at_s=now_s,
        waiting_scraped=old.waiting_scraped if facts.waiting is None else facts.waiting,
        running=old.running if facts.running is None else facts.running,
        kv_cache=old.kv_cache if facts.kv_cache is None else facts.kv_cache,
        gpu=facts.gpu,
        adapters=adapters,
        adapter_slots=max(0, (adapters_max or 0) - len(adapters)),
        block_size=facts.block_size or old.block_size,
        num_blocks=facts.num_blocks or old.num_blocks,
        started_s=facts.started_s,
        failures=0,
        error="; ".join(facts.problems),
        metrics=facts.metrics,
    )
