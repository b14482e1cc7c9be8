"""What is known of all endpoints at one instant, and the one object that may change it.

Writers (the scraper, and the picker for its own reservations) go through `Store`,
which swaps in a whole new Snapshot on every change. A decision takes one Snapshot
and so never sees two states of a pool. What is made anew with every pick is a msgspec
struct: as frozen as a dataclass, and far faster to make and to copy.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import force_setattr, replace

from headrace.dsl.program import Pool, Program
from headrace.extensions.picker.prefix import PrefixIndex

NEVER_S = float("-inf")
FAILURES_MAX = 2  # one lost scrape is noise, a second in a row is a fault
ADAPTERS_MAX = 64  # as the language bounds `endpoint.adapters`
NO_LABELS: Mapping[str, str] = MappingProxyType({})
NO_POSITIONS: Mapping[str, int] = MappingProxyType({})


class ServerFacts(Struct, frozen=True):
    """What one scrape told about one model server. None: it did not say, the last value stays.

    waiting       requests in its queue
    adapters      LoRA adapters loaded or about to be, in the order the server names them
    adapters_max  how many it can hold at once
    kv_cache      used share of the KV cache, 0..1
    block_size    tokens in one KV block
    num_blocks    KV blocks in all
    started_s     when the process started, Unix seconds
    problems      what could not be read, and why
    """

    waiting: int | None = None
    running: int | None = None
    kv_cache: float | None = None
    gpu: float | None = None
    adapters: tuple[str, ...] = ()
    adapters_max: int | None = None
    block_size: int | None = None
    num_blocks: int | None = None
    started_s: float | None = None
    problems: tuple[str, ...] = ()


class Endpoint(Struct, frozen=True):
    """One address of one model server; `program.EndpointValues` says what most fields mean.

    ready            the server answers scrapes; False until the first one
    scraped_at_s     when the last good scrape began; minus infinity if there was none
    queue            `waiting_scraped` plus our requests that this scrape cannot have seen
    adapter_slots    free places for further adapters
    failures         scrapes failed in a row
    error            why the last scrape failed; empty if it did not
    """

    name: str
    address: str
    ready: bool = False
    scraped_at_s: float = NEVER_S
    queue: int = 0
    running: int = 0
    in_flight: int = 0
    kv_cache: float = 0.0
    gpu: float | None = None
    adapters: tuple[str, ...] = ()
    adapter_slots: int = 0
    waiting_scraped: int = 0
    zone: str = ""
    labels: Mapping[str, str] = NO_LABELS
    block_size: int | None = None
    num_blocks: int | None = None
    started_s: float | None = None
    failures: int = 0
    error: str = ""

    def age_s(self, now_s: float) -> float:
        """Return how old the metrics are; infinite if there are none."""
        return now_s - self.scraped_at_s

    def counted(self, queue: int, in_flight: int) -> "Endpoint":
        """Return this endpoint with other counts."""
        return replace(self, queue=queue, in_flight=in_flight)


class Means(Struct, frozen=True):
    """Means over the ready endpoints of a pool; all zero if none is ready."""

    ready: int = 0
    queue: float = 0.0
    running: float = 0.0
    kv_cache: float = 0.0


def means(endpoints: Iterable[Endpoint]) -> Means:
    """Return the means over the ready ones of *endpoints*, of what they say themselves.

    Our own picks that no scrape has seen spread a burst over the endpoints (`Endpoint.queue`);
    here they would call a pool overloaded that only answers quickly.
    """
    ready = [e for e in endpoints if e.ready]
    if not ready:
        return Means()
    n = len(ready)
    return Means(
        n,
        sum([e.waiting_scraped for e in ready]) / n,
        sum([e.running for e in ready]) / n,
        sum([e.kv_cache for e in ready]) / n,
    )


class PoolState(Struct, frozen=True, eq=False):
    """One pool at one instant. *endpoints* keep the order of the policy.

    The means are computed when first asked for: a pool changes with every pick,
    and most policies do not ask.
    """

    name: str
    endpoints: tuple[Endpoint, ...] = ()
    positions: Mapping[str, int] = NO_POSITIONS
    _means: Means | None = None

    def get(self, address: str) -> Endpoint | None:
        """Return the endpoint at *address*, if it is of this pool."""
        position = self.positions.get(address)
        return None if position is None else self.endpoints[position]

    @property
    def means(self) -> Means:
        """The means over the ready endpoints."""
        known = self._means
        if known is None:
            known = means(self.endpoints)
            force_setattr(self, "_means", known)
        return known

    @property
    def size(self) -> int:
        return len(self.endpoints)

    @property
    def ready(self) -> int:
        return self.means.ready

    @property
    def queue(self) -> float:
        return self.means.queue

    @property
    def running(self) -> float:
        return self.means.running

    @property
    def kv_cache(self) -> float:
        return self.means.kv_cache


def pool_state(name: str, endpoints: Iterable[Endpoint]) -> PoolState:
    """Return the state of a pool of *endpoints*, whose addresses must differ."""
    ordered = tuple(endpoints)
    positions = {e.address: i for i, e in enumerate(ordered)}
    assert len(positions) == len(ordered), f"an address twice in pool {name}"
    return PoolState(name, ordered, positions)


NO_POOLS: Mapping[str, PoolState] = MappingProxyType({})


class Snapshot(Struct, frozen=True):
    """All pools at one instant. *epoch* counts the changes; *taken_at_s* is when the last was."""

    pools: Mapping[str, PoolState] = NO_POOLS
    epoch: int = 0
    taken_at_s: float = NEVER_S


class Reservation(Struct, frozen=True):
    """One request of ours on its way to, or at, an endpoint. Released once."""

    id: int
    pool: str
    address: str
    picked_s: float


@dataclass(slots=True)
class _Ledger:
    """Our open requests at one endpoint, by id. Written by the Store only.

    unseen  picked since the last good scrape began, oldest first: no scrape has counted them
    """

    open: set[int] = field(default_factory=set[int])
    unseen: dict[int, float] = field(default_factory=dict[int, float])


@dataclass(slots=True)
class Store:
    """Holds the current snapshot. Written from the event loop's thread only.

    prefixes  per pool, which endpoint has probably cached what
    """

    snapshot: Snapshot = field(default_factory=Snapshot)
    prefixes: dict[str, PrefixIndex] = field(default_factory=dict[str, PrefixIndex])
    _pools: dict[str, Pool] = field(default_factory=dict[str, Pool])
    _ledgers: dict[tuple[str, str], _Ledger] = field(default_factory=dict[tuple[str, str], _Ledger])
    _last_id: int = 0

    @classmethod
    def for_program(cls, program: Program) -> "Store":
        """Return a store of the program's endpoints, none of them ready yet."""
        store = cls()
        store.adopt(program, NEVER_S)
        return store

    def adopt(self, program: Program, now_s: float) -> None:
        """Go over to the pools of *program*; what is known of endpoints in both is kept."""
        before = self.snapshot.pools
        pools: dict[str, PoolState] = {}
        for pool in program.pools.values():
            old = before.get(pool.name, PoolState(pool.name))
            pools[pool.name] = pool_state(
                pool.name, [old.get(a) or Endpoint(a, a) for a in pool.endpoints]
            )
        self._pools = dict(program.pools)
        keys = [(p.name, e.address) for p in pools.values() for e in p.endpoints]
        self._ledgers = {key: self._ledgers.get(key) or _Ledger() for key in keys}
        for name in pools.keys() & self.prefixes.keys():
            for address in self.prefixes[name].addresses:
                if address not in pools[name].positions:
                    self.prefixes[name].forget(address)
        self.prefixes = {name: self.prefixes.get(name) or PrefixIndex() for name in pools}
        self.snapshot = Snapshot(pools, self.snapshot.epoch + 1, now_s)

    def scraped(self, pool: str, address: str, facts: ServerFacts, now_s: float) -> None:
        """Take over what a good scrape told, which began at *now_s*.

        Requests picked since then stay counted on top; a server that was restarted
        has lost its cache.
        """
        old = self._endpoint(pool, address)
        if old is None or now_s < old.scraped_at_s:
            return
        ledger = self._ledgers[pool, address]
        _drop_seen(ledger, now_s)
        restarted = (
            None not in (old.started_s, facts.started_s) and old.started_s != facts.started_s
        )
        if restarted:
            self.prefixes[pool].forget(address)
        declared = self._pools[pool].adapters_max
        fresh = _scraped(old, facts, declared, now_s)
        waiting = fresh.waiting_scraped
        self._put(pool, fresh.counted(waiting + len(ledger.unseen), len(ledger.open)), now_s)

    def failed(
        self, pool: str, address: str, error: str, now_s: float, *, refused: bool = False
    ) -> None:
        """Note a failed scrape; *refused*: nobody listens there, so the server is gone.

        The endpoint stops being ready at once if refused, else after `FAILURES_MAX`
        failures in a row or when what is known is older than the pool's `stale after`.
        """
        old = self._endpoint(pool, address)
        if old is None:
            return
        if refused:
            self.prefixes[pool].forget(address)
        failures = old.failures + 1
        stale = old.age_s(now_s) > self._pools[pool].stale_after_s
        ready = old.ready and not refused and not stale and failures < FAILURES_MAX
        self._put(pool, replace(old, ready=ready, failures=failures, error=error), now_s)

    def reserve(self, pool: str, address: str, now_s: float) -> Reservation:
        """Count one request of ours at *address*, from now until it is released."""
        self._last_id += 1
        reservation = Reservation(self._last_id, pool, address, now_s)
        ledger = self._ledgers.get((pool, address))
        if ledger is not None:
            ledger.open.add(reservation.id)
            ledger.unseen[reservation.id] = now_s
            self._recount(pool, address, ledger, now_s)
        return reservation

    def release(self, reservation: Reservation, now_s: float) -> None:
        """Stop counting *reservation*. Releasing twice, or after its endpoint went, is no fault."""
        ledger = self._ledgers.get((reservation.pool, reservation.address))
        if ledger is not None and reservation.id in ledger.open:
            ledger.open.discard(reservation.id)
            ledger.unseen.pop(reservation.id, None)
            self._recount(reservation.pool, reservation.address, ledger, now_s)

    def move(self, reservation: Reservation, address: str, now_s: float) -> Reservation:
        """Count the request at *address* instead: Envoy has retried it there."""
        self.release(reservation, now_s)
        return self.reserve(reservation.pool, address, now_s)

    def _endpoint(self, pool: str, address: str) -> Endpoint | None:
        state = self.snapshot.pools.get(pool)
        return None if state is None else state.get(address)

    def _recount(self, pool: str, address: str, ledger: _Ledger, now_s: float) -> None:
        old = self._endpoint(pool, address)
        assert old is not None, "ledgers and pools have the same endpoints"
        queue = old.waiting_scraped + len(ledger.unseen)
        means_known = self.snapshot.pools[pool].means  # a count of ours does not change them
        self._put(pool, old.counted(queue, len(ledger.open)), now_s, means_known)

    def _put(
        self, pool: str, endpoint: Endpoint, now_s: float, means_known: Means | None = None
    ) -> None:
        snapshot = self.snapshot
        state = snapshot.pools[pool]
        endpoints = list(state.endpoints)
        endpoints[state.positions[endpoint.address]] = endpoint
        changed = PoolState(pool, tuple(endpoints), state.positions, means_known)
        self.snapshot = Snapshot({**snapshot.pools, pool: changed}, snapshot.epoch + 1, now_s)


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
    )
