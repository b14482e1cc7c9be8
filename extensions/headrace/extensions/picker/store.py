"""The one object that may change what is known of endpoints, and makes the snapshots of it.

Its writers are the scraper, and the picker for its own reservations. A change costs the
endpoint it is about; the pool is swapped whole when somebody next looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from headrace.dsl.program import Pool, Program
from headrace.dsl.serving import Member
from headrace.extensions.picker.intake import (
    ADAPTERS_MAX,
    described,
    is_restarted,
    scraped,
    with_listed,
)
from headrace.extensions.picker.membership import DECLARED, EndpointSource
from headrace.extensions.picker.prefix import PrefixIndex
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
from headrace.extensions.picker.staleness import drifted


class _Ledger(Struct):
    """Our open requests at one endpoint, by id. Written by the Store only.

    unseen  picked since the last good scrape began, oldest first: no scrape has counted them
    answered_s  when the server last answered us, readable or not
    listed      the adapters that its list of models has, for where its metrics name none
    """

    open: set[int]
    unseen: dict[int, float]
    answered_s: float = NEVER_S
    listed: tuple[str, ...] = ()


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
        queue = old.waiting_scraped + old.queue_drift + len(ledger.unseen)
        self.put(position, old.counted(queue, len(ledger.open)), counts_only=True)

    def aged(self, endpoint: Endpoint, now_s: float) -> Endpoint:
        """Return *endpoint* with what is stale of it taken to be worse than it was."""
        longest = max((e.waiting_scraped for e in self.endpoints if e.ready), default=0)
        return drifted(endpoint, self.declared, longest, now_s)

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
    source    who is in a pool
    """

    prefixes: dict[str, PrefixIndex] = field(default_factory=dict[str, PrefixIndex])
    source: EndpointSource = DECLARED
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
        pools = {
            p.name: _adopted(p, self.source.members(p), self._pools.get(p.name))
            for p in program.pools.values()
        }
        for name in pools.keys() & self.prefixes.keys():
            for address in self.prefixes[name].addresses:
                if address not in pools[name].roster.positions:
                    self.prefixes[name].forget(address)
        self.prefixes = {name: self.prefixes.get(name) or PrefixIndex() for name in pools}
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
        ledger.answered_s = now_s
        if is_restarted(old, facts):
            self.prefixes[pool].forget(address)
        fresh = scraped(old, with_listed(facts, ledger.listed), live.declared, now_s)
        if fresh.lacking:
            fresh = live.aged(fresh, now_s)
        queue = fresh.waiting_scraped + len(ledger.unseen)
        queue += fresh.queue_drift
        live.put(position, fresh.counted(queue, len(ledger.open)))
        self._note(now_s)

    def listed(
        self, pool: str, address: str, models: tuple[str, ...], adapters: tuple[str, ...]
    ) -> None:
        """Take over what a server's list of models says.

        models    all that it serves, adapters too
        adapters  those of them that are adapters; they count where its metrics name none
        """
        found = self._find(pool, address)
        if found is None:
            return
        live, position = found
        old, ledger = live.endpoints[position], live.ledgers[position]
        ledger.listed = adapters[:ADAPTERS_MAX]
        if old.models != models:
            live.put(position, replace(old, models=models))
            self._note(self._changed_s)

    def utilised(self, pool: str, addresses: Sequence[str], gpu: float | None) -> None:
        """Take over how busy the accelerators of a host are, 0..1, by which *addresses* stand.

        None: nobody tells any more.
        """
        for address in addresses:
            found = self._find(pool, address)
            if found is not None and found[0].endpoints[found[1]].gpu != gpu:
                live, position = found
                live.put(position, replace(live.endpoints[position], gpu=gpu))
                self._note(self._changed_s)

    def unreadable(self, pool: str, address: str, error: str, now_s: float) -> None:
        """Note a scrape that was answered with what cannot be read: a sign of life all the same."""
        found = self._find(pool, address)
        if found is not None:
            live, position = found
            live.ledgers[position].answered_s = now_s
            self.failed(pool, address, error, now_s)

    def failed(
        self, pool: str, address: str, error: str, now_s: float, *, refused: bool = False
    ) -> None:
        """Note a scrape without an answer; *refused*: nobody listens there, the server is gone.

        The endpoint stops being ready at once if refused, else when it has not answered for
        the pool's `dead after`. Until then what is known of it ages, and where that is stale
        it is taken to be busier than it was.
        """
        found = self._find(pool, address)
        if found is None:
            return
        live, position = found
        old = live.endpoints[position]
        if refused:
            self.prefixes[pool].forget(address)
        silent_s = now_s - live.ledgers[position].answered_s
        alive = silent_s <= live.declared.dead_after_s
        ready = old.ready and alive and not refused
        known = live.aged(old, now_s)
        live.put(position, replace(known, ready=ready, failures=old.failures + 1, error=error))
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

    def _note(self, now_s: float) -> None:
        self._epoch += 1
        self._changed_s = now_s
        self._shown = None


def _adopted(declared: Pool, members: Sequence[Member], old: _Pool | None) -> _Pool:
    """Return *declared* as a pool of *members*, with what *old* knows of its endpoints."""
    known = {} if old is None else old.roster.positions
    addresses = tuple(member.address for member in members)
    if old is not None and old.roster.addresses == addresses:
        roster = old.roster
    else:
        roster = Roster.of(addresses)
    endpoints: list[Endpoint] = []
    ledgers: list[_Ledger] = []
    for at, member in enumerate(members):
        position = known.get(member.address)
        if old is None or position is None:
            endpoints.append(described(Endpoint(member.name, member.address), member))
            ledgers.append(_Ledger(set(), {}))
        else:
            endpoints.append(described(old.endpoints[position], member))
            ledgers.append(old.ledgers[position])
            if roster is old.roster and endpoints[-1] is not old.endpoints[position]:
                roster.changed(at, counts_only=False)
    return _Pool(declared, roster, endpoints, ledgers, sums(endpoints))


def _drop_seen(ledger: _Ledger, began_s: float) -> None:
    """Forget the picks from before *began_s*: the scrape that began then has counted them."""
    for reservation, picked_s in list(ledger.unseen.items()):
        if picked_s >= began_s:
            break
        del ledger.unseen[reservation]
