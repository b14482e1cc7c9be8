"""The one object that may change what is known of endpoints, and makes the snapshots of it.

Its writers are the scraper, and the picker for its own reservations. A change costs the
endpoint it is about; the pool is swapped whole when somebody next looks.
"""

from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from headrace.dsl.program import Pool, Program
from headrace.extensions.call import TOKEN_BYTES
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

FAILURES_MAX = 2  # one lost scrape is noise, a second in a row is a fault
ADAPTERS_MAX = 64  # as the language bounds `endpoint.adapters`


class _Ledger(Struct):
    """Our open requests at one endpoint, by id. Written by the Store only.

    unseen  picked since the last good scrape began, oldest first: no scrape has counted them
    """

    open: set[int]
    unseen: dict[int, float]


@dataclass(slots=True)
class _Pool:
    """One pool as it is now, and the state last shown of it. Written by the Store only."""

    declared: Pool
    roster: Roster
    endpoints: list[Endpoint]
    ledgers: list[_Ledger]
    sums: Sums = NOTHING
    shown: PoolState | None = None

    def put(self, position: int, endpoint: Endpoint, *, counts_only: bool = False) -> None:
        """Replace the endpoint at *position*."""
        if not counts_only:
            self.sums = self.sums.changed(self.endpoints[position], endpoint)
        self.endpoints[position] = endpoint
        self.roster.changed(position, counts_only=counts_only)
        self.shown = None

    def recount(self, position: int) -> None:
        """Take over the counts of the ledger at *position*."""
        old, ledger = self.endpoints[position], self.ledgers[position]
        queue = old.waiting_scraped + len(ledger.unseen)
        self.put(position, old.counted(queue, len(ledger.open)), counts_only=True)

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
    kv        per pool whose servers report what they cache, what they did
    """

    prefixes: dict[str, PrefixIndex] = field(default_factory=dict[str, PrefixIndex])
    kv: dict[str, KvBook] = field(default_factory=dict[str, KvBook])
    _pools: dict[str, _Pool] = field(default_factory=dict[str, _Pool])
    _last_id: int = 0
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
        self._pools = pools
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
        _drop_seen(ledger, now_s)
        restarted = (
            None not in (old.started_s, facts.started_s) and old.started_s != facts.started_s
        )
        if restarted:
            self._forget(pool, address)
        fresh = _scraped(old, facts, live.declared.adapters_max, now_s)
        index = self.prefixes[pool]
        index.set_capacity(address, _capacity(fresh))
        if fresh.block_size and not live.declared.block_tokens:
            index.learn_block(fresh.block_size)
        queue = fresh.waiting_scraped + len(ledger.unseen)
        live.put(position, fresh.counted(queue, len(ledger.open)))
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

    def reserve(self, pool: str, address: str, now_s: float) -> Reservation:
        """Count one request of ours at *address*, from now until it is released."""
        self._last_id += 1
        found = self._find(pool, address)
        if found is not None:
            live, position = found
            ledger = live.ledgers[position]
            ledger.open.add(self._last_id)
            ledger.unseen[self._last_id] = now_s
            live.recount(position)
            self._note(now_s)
        return Reservation(self._last_id, pool, address, now_s)

    def release(self, reservation: Reservation, now_s: float) -> None:
        """Stop counting *reservation*. Releasing twice, or after its endpoint went, is no fault."""
        found = self._find(reservation.pool, reservation.address)
        if found is None:
            return
        live, position = found
        ledger = live.ledgers[position]
        if reservation.id in ledger.open:
            ledger.open.discard(reservation.id)
            ledger.unseen.pop(reservation.id, None)
            live.recount(position)
            self._note(now_s)

    def move(self, reservation: Reservation, address: str, now_s: float) -> Reservation:
        """Count the request at *address* instead: Envoy has retried it there."""
        self.release(reservation, now_s)
        return self.reserve(reservation.pool, address, now_s)

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
    endpoints: list[Endpoint] = []
    ledgers: list[_Ledger] = []
    for address in declared.endpoints:
        position = known.get(address)
        if old is None or position is None:
            endpoints.append(Endpoint(address, address))
            ledgers.append(_Ledger(set(), {}))
        else:
            endpoints.append(old.endpoints[position])
            ledgers.append(old.ledgers[position])
    return _Pool(declared, roster, endpoints, ledgers, sums(endpoints))


def _drop_seen(ledger: _Ledger, began_s: float) -> None:
    """Forget the picks from before *began_s*: the scrape that began then has counted them."""
    for reservation, picked_s in list(ledger.unseen.items()):
        if picked_s >= began_s:
            break
        del ledger.unseen[reservation]


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
