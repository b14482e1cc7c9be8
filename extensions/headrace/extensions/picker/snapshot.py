"""What is known of all endpoints at one instant. `Store` alone makes it, in `store`.

A decision takes one Snapshot and so never sees two states of a pool. What is made anew
with every pick is a msgspec struct: as frozen as a dataclass, and far faster to make
and to copy.
"""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from headrace.extensions.picker.cost.ledger import Ledger
from headrace.extensions.picker.cost.load import NOTHING_CARRIED, Carried
from headrace.extensions.picker.cost.outlook import NO_OUTLOOK, Outlook
from headrace.extensions.picker.roster import Roster

if TYPE_CHECKING:
    from headrace.extensions.picker.peers.others import Others

NEVER_S = float("-inf")
NO_LABELS: Mapping[str, str] = MappingProxyType({})
NO_METRICS: Mapping[str, float] = MappingProxyType({})
KV_UNITS = 2.0**60
# When an endpoint counts as saturated. Source: Gateway API Inference Extension, its defaults.
QUEUE_FULL, KV_FULL = 5.0, 0.8


class ServerFacts(Struct, frozen=True):
    """What one scrape told about one model server. None: it did not say, the last value stays.

    waiting       requests in its queue
    adapters      LoRA adapters loaded, in the order the server names them
    adapters_waiting  further ones that requests in its queue wait for
    adapters_max  how many it can hold at once
    kv_cache      used share of the KV cache, 0..1
    block_size    tokens in one KV block
    num_blocks    KV blocks in all
    started_s     when the process started, Unix seconds
    metrics       the values that rules ask for by the server's own names; what it lacks is absent
    problems      what could not be read, and why
    progress      a counter: where it goes backwards, the server was restarted
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
    metrics: Mapping[str, float] = NO_METRICS
    problems: tuple[str, ...] = ()
    progress: float | None = None
    adapters_waiting: tuple[str, ...] = ()


class Endpoint(Struct, frozen=True):
    """One address of one model server; `program.EndpointValues` says what most fields mean.

    ready            the server answers scrapes; False until the first one
    scraped_at_s     when the last good scrape began; minus infinity if there was none
    queue            `waiting_scraped` plus our requests that this scrape cannot have seen
    queue_drift, kv_drift  what `queue` and `kv_cache` have on top because the server's own
                     figures are stale; see `freshness`
    lacking          values that the last page lacked, and when they were last read
    models           what the server says it serves, adapters too; empty if it did not say
    listed           those of them that are adapters
    answered_s       when the server last answered, us or a request
    adapter_slots    free places for adapters that are neither loaded nor waiting to be
    failures         scrapes failed in a row
    error            why the last scrape failed; empty if it did not
    carried          what of ours is open there, for the cost model
    outlook          the cost model itself
    left             requests of ours that this scrape had counted and that are over since
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
    role: str = ""
    labels: Mapping[str, str] = NO_LABELS
    block_size: int | None = None
    num_blocks: int | None = None
    started_s: float | None = None
    failures: int = 0
    error: str = ""
    metrics: Mapping[str, float] = NO_METRICS
    tokens_in_flight: int = 0
    uncached_tokens_in_flight: int = 0
    decoding: int = 0
    carried: Carried = NOTHING_CARRIED
    outlook: Outlook = NO_OUTLOOK
    left: int = 0
    queue_drift: int = 0
    kv_drift: float = 0.0
    lacking: Mapping[str, float] = NO_METRICS
    models: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    progress: float | None = None
    answered_s: float = NEVER_S
    adapters_waiting: tuple[str, ...] = ()

    @property
    def kv_reported(self) -> float:
        """The used share of its KV cache as it was last reported."""
        return self.kv_cache - self.kv_drift

    @property
    def unseen(self) -> int:
        """How many requests were sent there since its last scrape, and are open."""
        return self.queue - self.waiting_scraped - self.queue_drift

    def age_s(self, now_s: float) -> float:
        """Return how old the metrics are; infinite if there are none."""
        return now_s - self.scraped_at_s

    def counted(self, ledger: Ledger, now_s: float) -> "Endpoint":
        """Return this endpoint with the counts of *ledger*, as they are at *now_s*."""
        ours = replace(
            self,
            queue=self.waiting_scraped + self.queue_drift + len(ledger.unseen),
            in_flight=len(ledger.open),
            tokens_in_flight=ledger.tokens,
            uncached_tokens_in_flight=ledger.prefill_tokens,
            decoding=ledger.decoding,
            carried=ledger.carried(now_s),
            left=ledger.left,
        )
        return ours if ledger.others is None else ours.beside(ledger.others)

    def beside(self, others: "Others") -> "Endpoint":
        """Return this endpoint with what other hosts have open there on top."""
        return replace(
            self,
            queue=self.queue + others.unseen,
            in_flight=self.in_flight + others.open,
            tokens_in_flight=self.tokens_in_flight + others.tokens,
            uncached_tokens_in_flight=self.uncached_tokens_in_flight + others.uncached_tokens,
            decoding=self.decoding + others.decoding,
            carried=others.onto(self.carried),
        )


class Sums(Struct, frozen=True):
    """Sums over the ready endpoints of a pool, of what they report themselves.

    Our own picks that no scrape has seen spread a burst over the endpoints (`Endpoint.queue`);
    here they would call a pool overloaded that only answers quickly. All are ints, *kv_cache*
    and *saturation* in units of 2**-60, so that taking one endpoint out and another in leaves
    no rounding error.
    """

    ready: int = 0
    queue: int = 0
    running: int = 0
    kv_cache: int = 0
    saturation: int = 0

    def changed(self, old: Endpoint, new: Endpoint) -> "Sums":
        """Return the sums after *old* became *new*."""
        return self._plus(old, -1)._plus(new, 1)

    def _plus(self, e: Endpoint, by: int) -> "Sums":
        if not e.ready:
            return self
        return Sums(
            self.ready + by,
            self.queue + by * e.waiting_scraped,
            self.running + by * e.running,
            self.kv_cache + by * round(e.kv_reported * KV_UNITS),
            self.saturation + by * _saturation(e),
        )


def sums(endpoints: Iterable[Endpoint]) -> Sums:
    """Return the sums over the ready ones of *endpoints*."""
    ready = [e for e in endpoints if e.ready]
    return Sums(
        len(ready),
        sum([e.waiting_scraped for e in ready]),
        sum([e.running for e in ready]),
        sum([round(e.kv_reported * KV_UNITS) for e in ready]),
        sum(map(_saturation, ready)),
    )


def _saturation(e: Endpoint) -> int:
    return round(max(e.waiting_scraped / QUEUE_FULL, e.kv_reported / KV_FULL) * KV_UNITS)


NOTHING = Sums()


class Figures(Struct, frozen=True):
    """One figure of each kind over the ready endpoints of a pool, e.g. the highest; else 0.

    queue  as the endpoints report it, like `Sums.queue`

    Counts are whole: ints where the language has ints, in `PoolState.max` and `min`.
    """

    queue: float = 0
    running: float = 0
    in_flight: float = 0
    kv_cache: float = 0.0


class PoolState(Struct, frozen=True, eq=False):
    """One pool at one instant. *endpoints* keep the order of the policy.

    roster   the same object as long as the pool has the same endpoints
    version  how many changes the roster had seen at this instant
    """

    name: str
    endpoints: tuple[Endpoint, ...] = ()
    roster: Roster = msgspec.field(default_factory=Roster)
    version: int = 0
    sums: Sums = NOTHING
    _known: dict[float, Figures] = msgspec.field(default_factory=dict[float, Figures])

    def get(self, address: str) -> Endpoint | None:
        """Return the endpoint at *address*, if it is of this pool."""
        position = self.roster.positions.get(address)
        return None if position is None else self.endpoints[position]

    @property
    def positions(self) -> Mapping[str, int]:
        """Address -> position among the endpoints."""
        return self.roster.positions

    @property
    def size(self) -> int:
        return len(self.endpoints)

    @property
    def ready(self) -> int:
        return self.sums.ready

    @property
    def queue(self) -> float:
        """The mean over the ready endpoints; 0 if none is ready, like the others."""
        return self.sums.queue / (self.sums.ready or 1)

    @property
    def running(self) -> float:
        return self.sums.running / (self.sums.ready or 1)

    @property
    def in_flight(self) -> float:
        return sum([e.in_flight for e in self.endpoints if e.ready]) / (self.sums.ready or 1)

    @property
    def tokens_in_flight(self) -> float:
        tokens = sum([e.tokens_in_flight for e in self.endpoints if e.ready])
        return tokens / (self.sums.ready or 1)

    @property
    def saturation(self) -> float:
        """The mean over all endpoints; 1 for one that is not ready, and of none."""
        size = len(self.endpoints)
        if not size:
            return 1.0
        return (self.sums.saturation / KV_UNITS + size - self.sums.ready) / size

    @property
    def kv_cache(self) -> float:
        return self.sums.kv_cache / KV_UNITS / (self.sums.ready or 1)

    @property
    def max(self) -> Figures:
        """The highest figures."""
        return self._figures(1.0)

    @property
    def min(self) -> Figures:
        """The lowest figures."""
        return self._figures(0.0)

    @property
    def p90(self) -> Figures:
        """The lowest figures that nine in ten of the ready endpoints do not exceed."""
        return self._figures(0.9)

    def _figures(self, share: float) -> Figures:
        """Return the lowest figures that *share* of the ready endpoints do not exceed."""
        found = self._known.get(share)
        if found is None:
            found = self._known[share] = _figures([e for e in self.endpoints if e.ready], share)
        return found


def _figures(ready: list[Endpoint], share: float) -> Figures:
    place = max(0, math.ceil(share * len(ready)) - 1)
    found = Figures()
    if ready:
        found = Figures(
            sorted([e.waiting_scraped for e in ready])[place],
            sorted([e.running for e in ready])[place],
            sorted([e.in_flight for e in ready])[place],
            sorted([e.kv_reported for e in ready])[place],
        )
    if share in (0.0, 1.0):
        return found
    # A quantile is a double in expressions, like a mean.
    return Figures(float(found.queue), float(found.running), float(found.in_flight), found.kv_cache)


def pool_state(name: str, endpoints: Iterable[Endpoint]) -> PoolState:
    """Return the state of a pool of *endpoints*, whose addresses must differ."""
    ordered = tuple(endpoints)
    return PoolState(name, ordered, Roster.of([e.address for e in ordered]), 0, sums(ordered))


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
