"""The one object that may change what is known of endpoints, and makes the snapshots of it.

Its writers are the scraper, and the picker for its own reservations. A change costs the
endpoint it is about; the pool is swapped whole when somebody next looks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from headrace.dsl.program import Pool, Program
from headrace.extensions.picker.affinity import Affinity
from headrace.extensions.picker.eviction import Stays
from headrace.extensions.picker.feedback import Feedback
from headrace.extensions.picker.flow.flows import Flows
from headrace.extensions.picker.indexes import book_of, index_of
from headrace.extensions.picker.intake import (
    ADAPTERS_MAX,
    capacity,
    is_restarted,
    scraped,
    with_listed,
)
from headrace.extensions.picker.kv.book import KvBook
from headrace.extensions.picker.live_pool import LivePool, adopted
from headrace.extensions.picker.membership import DECLARED, EndpointSource
from headrace.extensions.picker.prefix import PrefixIndex
from headrace.extensions.picker.snapshot import (
    NEVER_S,
    Reservation,
    ServerFacts,
    Snapshot,
)
from headrace.extensions.work import NO_LOAD, Load, Work

RESERVED_S_MAX = 3600.0  # what is open for longer has lost its release
SWEEP_S = 60.0
BASES_MAX = 4096  # adapters of one pool


@dataclass(slots=True)
class Store:
    """Holds what is known of all pools. Written from the event loop's thread only.

    prefixes  per pool, which endpoint has probably cached what
    affinities  per pool, which sessions are bound to which endpoint
    blind_streams  answers in a row that were streams, and of which the picker was shown nothing
    flows     who waits, per pool
    stays     those that run and may be ended for more urgent ones, per pool
    source    who is in a pool
    watcher   called after every change while it is set
    bases     per pool, adapters that its servers list -> the base model of each
    kv        per pool whose servers report what they cache, what they did
    """

    prefixes: dict[str, PrefixIndex] = field(default_factory=dict[str, PrefixIndex])
    affinities: dict[str, Affinity] = field(default_factory=dict[str, Affinity])
    blind_streams: int = 0
    flows: Flows = field(default_factory=Flows)
    stays: dict[str, Stays] = field(default_factory=dict[str, Stays])
    source: EndpointSource = DECLARED
    watcher: Callable[[], None] | None = field(default=None, repr=False)
    kv: dict[str, KvBook] = field(default_factory=dict[str, KvBook])
    bases: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]], repr=False)
    _pools: dict[str, LivePool] = field(default_factory=dict[str, LivePool])
    _last_id: int = 0
    _swept_s: float = NEVER_S
    _epoch: int = 0
    _changed_s: float = NEVER_S
    _shown: Snapshot | None = None

    @classmethod
    def for_program(cls, program: Program, source: EndpointSource = DECLARED) -> "Store":
        """Return a store of the program's endpoints, none of them ready yet."""
        store = cls(source=source)
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

    @property
    def declared(self) -> dict[str, Pool]:
        """What the policy says of each pool, by name."""
        return {name: pool.declared for name, pool in self._pools.items()}

    def adopt(self, program: Program, now_s: float) -> None:
        """Go over to the pools of *program*; what is known of endpoints in both is kept."""
        pools = {
            p.name: adopted(p, self.source.members(p), self._pools.get(p.name))
            for p in program.pools.values()
        }
        for name in pools.keys() & self.prefixes.keys():
            self.prefixes[name].keep_only(pools[name].roster.positions)
        self.prefixes = {
            name: index_of(pool.declared, self.prefixes.get(name)) for name, pool in pools.items()
        }
        self.kv = {
            name: book_of(self.prefixes[name], len(pool.endpoints), self.kv.get(name))
            for name, pool in pools.items()
            if pool.declared.kv_events
        }
        for name, book in self.kv.items():
            book.keep_only(pools[name].roster.positions)
        self.affinities = {name: self.affinities.get(name, Affinity()) for name in pools}
        for name, affinity in self.affinities.items():
            old, now = self._pools.get(name), pools[name].roster.positions
            if old is None or not old.roster.positions.keys() <= now.keys():
                affinity.keep_only(now)
        self._pools = pools
        self.bases = {name: self.bases[name] for name in pools if name in self.bases}
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
        if is_restarted(old, facts):
            self._forget(pool, address)
            ledger.filled_tokens = 0
        fresh = scraped(old, with_listed(facts, old.listed), live.declared, now_s)
        if fresh.lacking:
            fresh = live.aged(fresh, now_s)
        index = self.prefixes[pool]
        index.set_capacity(address, capacity(fresh))
        if fresh.block_size and not live.declared.block_tokens:
            index.learn_block(fresh.block_size)
        ledger.seen(now_s, fresh.waiting_scraped, fresh.running)
        ledger.advance(now_s)
        live.put(position, fresh.counted(ledger, now_s))
        self._note(now_s)

    def listed(
        self, pool: str, address: str, models: tuple[str, ...], bases: Mapping[str, str]
    ) -> None:
        """Take over what a server's list of models says.

        models  all that it serves, adapters too
        bases   those of them that are adapters, each with its base model; they count where the
                server's metrics tell of none
        """
        found = self._find(pool, address)
        if found is None:
            return
        adapters = tuple(bases)
        self._base(pool, bases)
        live, position = found
        old, bounded = live.endpoints[position], adapters[:ADAPTERS_MAX]
        if (old.models, old.listed) != (models, bounded):
            live.put(position, replace(old, models=models, listed=bounded))
            self._note(self._changed_s)

    def _base(self, pool: str, bases: Mapping[str, str]) -> None:
        """Note what adapters are of: the newest `BASES_MAX`, whichever server said so last."""
        known = self.bases.setdefault(pool, {})
        for adapter, base in bases.items():
            if known.get(adapter) != base:
                known.pop(adapter, None)
                known[adapter] = base
        while len(known) > BASES_MAX:
            del known[next(iter(known))]

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
            live.endpoints[position] = replace(live.endpoints[position], answered_s=now_s)
            self.failed(pool, address, error, now_s)

    def failed(
        self, pool: str, address: str, error: str, now_s: float, *, refused: bool = False
    ) -> None:
        """Note a scrape without an answer; *refused*: nobody listens there, the server is gone.

        The endpoint stops being ready at once if refused, else when it has not answered, us or
        a request, for the pool's `dead after`. Until then what is known of it ages, and where
        that is stale it is taken to be busier than it was.
        """
        found = self._find(pool, address)
        if found is None:
            return
        live, position = found
        old = live.endpoints[position]
        if refused:
            self._forget(pool, address)
        alive = now_s - old.answered_s <= live.declared.dead_after_s
        ready = old.ready and alive and not refused
        known = live.aged(old, now_s)
        live.put(position, replace(known, ready=ready, failures=old.failures + 1, error=error))
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
            if ledger.blind:
                ledger.advance(now_s)
            predicted_s = 0.0
            if load.output_tokens:
                predicted_s = load.comes_s + old.outlook.first_token_s(old, load, now_s)
            ledger.add(self._last_id, load, now_s, predicted_s)
            if load.output_tokens:
                live.means = live.means.after_pick(load.prompt_tokens, load.kept_tokens)
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

    def expects(self, pool: str, address: str, work: Work, now_s: float) -> float:
        """Return the seconds until the endpoint at *address* would have the prompt of *work*."""
        found = self._find(pool, address)
        if found is None:
            return 0.0
        endpoint = found[0].endpoints[found[1]]
        return endpoint.outlook.predicted_ttft(endpoint, work, now_s)

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
        if ledger.blind:
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
        # What another server computes and sends says nothing of how fast this one is.
        predicted_s = 0.0 if entry.load.received_tokens else entry.predicted_s
        feedback, error = outlook.feedback.after_first_token(took_s, predicted_s, now_s)
        live.means = live.means.after_error(error) if error else live.means
        self._learn(live, position, feedback, now_s, alive=True)

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
        self._learn(live, position, feedback, now_s, alive=not failed)

    def _learn(
        self, live: LivePool, position: int, feedback: Feedback, now_s: float, *, alive: bool
    ) -> None:
        """Let the endpoint at *position* know what was learnt; the others do with their next."""
        old = live.endpoints[position]
        outlook = old.outlook.learning(feedback, live.means)
        answered_s = now_s if alive else old.answered_s
        live.endpoints[position] = replace(old, outlook=outlook, answered_s=answered_s)
        live.recount(position, now_s)
        self._note(now_s)

    def _sweep(self, now_s: float) -> None:
        """Stop counting what is open for longer than any request lasts."""
        self._swept_s = now_s
        for live in self._pools.values():
            for position, ledger in enumerate(live.ledgers):
                if ledger.expire(now_s - RESERVED_S_MAX):
                    live.recount(position, now_s)

    def _find(self, pool: str, address: str) -> tuple[LivePool, int] | None:
        live = self._pools.get(pool)
        position = None if live is None else live.roster.positions.get(address)
        return None if live is None or position is None else (live, position)

    def _forget(self, pool: str, address: str) -> None:
        """Forget what the server at *address* had cached: it is gone, or began anew."""
        self.prefixes[pool].forget(address)
        self.affinities[pool].restarted(address)
        if pool in self.kv:
            self.kv[pool].restarted(address)

    def _note(self, now_s: float) -> None:
        self._epoch += 1
        self._changed_s = now_s
        self._shown = None
        if self.watcher is not None:
            self.watcher()
