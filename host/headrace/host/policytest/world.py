"""The endpoints that a decision sees, as a test or a state file gives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from msgspec import structs

from headrace.dsl.cases import Given, GivenEndpoint, GivenPool
from headrace.dsl.program import Program
from headrace.extensions.picker.affinity import Affinity
from headrace.extensions.picker.cost.outlook import Outlook
from headrace.extensions.picker.prefix import PrefixIndex
from headrace.extensions.picker.prompt import BLOCK_BYTES, Prompt, Turn
from headrace.extensions.picker.snapshot import Endpoint, Snapshot, pool_state
from headrace.extensions.picker.staging import OUTLOOK
from headrace.extensions.picker.store import Store
from headrace.extensions.values import Bonds
from headrace.host.policytest.asked import Unaskable
from headrace.host.policytest.told import Told

NOW_S = 1_000_000.0  # the time that stands; far from 0, so that ages can be given
NOW_UNIX_S = 1_767_225_600.0  # what `now` is then: 2026-01-01T00:00:00Z
# Of `endpoint.*`, those that an Endpoint has by the same name.
_PLAIN = frozenset(
    {
        "zone", "role", "labels", "ready", "queue", "running", "in_flight", "kv_cache", "gpu",
        "adapters", "adapters_waiting", "adapter_slots", "tokens_in_flight",
        "uncached_tokens_in_flight", "decoding",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class World:
    """A program whose pools have the endpoints that were given, and what is known of them.

    names  address -> the name in the test
    """

    program: Program
    snapshot: Snapshot
    cached: Mapping[str, Mapping[str, float]]
    bonds: Mapping[str, Bonds] = field(default_factory=dict[str, Bonds])

    def store(self) -> Store:
        """Return a store that shows this world, and no trace of an earlier decision."""
        store = Store.for_program(self.program)
        for pool, shares in self.cached.items():
            # The picker asks an index for four methods only; the store wants the class.
            store.prefixes[pool] = cast(PrefixIndex, Cached(shares))
        for pool, bonds in self.bonds.items():
            store.affinities[pool] = cast(Affinity, Remembered(bonds))
        store.snapshot = self.snapshot
        return store


@dataclass(frozen=True, slots=True)
class Cached:
    """Stands where the index of prompts does: knows what was given, and learns nothing."""

    shares: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def addresses(self) -> tuple[str, ...]:
        """The endpoints that have something."""
        return tuple(self.shares)

    @property
    def block_bytes(self) -> int:
        """Prompts are cut as nobody asks for."""
        return BLOCK_BYTES

    def match(self, hashes: Sequence[int], turns: Sequence[Turn] = ()) -> Mapping[str, float]:
        """Return what was given, whatever is asked."""
        return self.shares

    def insert(self, address: str, hashes: Sequence[int], prompt: Prompt | None = None) -> None:
        """Learn nothing."""

    def withdraw(self, address: str, hashes: Sequence[int]) -> None:
        """Learn nothing."""

    def forget(self, address: str) -> None:
        """Learn nothing."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """Stands where the memory of sessions does: knows what was given, and learns nothing."""

    given: Bonds

    def bonds(self, session: str, now_s: float) -> Bonds:
        """Return what was given, whatever is asked."""
        return self.given

    def media(self, digests: Sequence[int]) -> Mapping[str, float]:
        """Return what was given, whatever is asked."""
        return self.given.media

    def sent(self, address: str, digests: Sequence[int]) -> None:
        """Learn nothing."""

    def bind(self, session: str, address: str, now_s: float) -> None:
        """Learn nothing."""

    def went_cold(self, address: str) -> None:
        """Learn nothing."""


def world(program: Program, given: Sequence[GivenPool], now_s: float = NOW_S) -> World:
    """Return *program* in a world of idle endpoints, but for the pools that are *given*."""
    chosen = {pool.pool: pool for pool in given}
    pools = dict(program.pools)
    states, cached = dict(Snapshot().pools), dict[str, Mapping[str, float]]()
    bonds: dict[str, Bonds] = {}
    for number, (name, pool) in enumerate(program.pools.items()):
        model = Outlook(pool.speed)
        if name in chosen:
            endpoints = _given(number, chosen[name], model, now_s)
            cached[name] = _cached(endpoints, chosen[name])
            bonds[name] = _bonds(endpoints, chosen[name])
        else:
            addresses = pool.endpoints or (f"{name}-1",)
            idle = Endpoint("", "", ready=True, scraped_at_s=now_s, outlook=model)
            endpoints = [structs.replace(idle, name=a, address=a) for a in addresses]
            cached[name] = {}
        states[name] = pool_state(name, endpoints)
        pools[name] = replace(
            pool,
            endpoints=tuple(e.address for e in endpoints),
            inference_pool=None,
            selector=None,
        )
    return World(replace(program, pools=pools), Snapshot(states, 1, now_s), cached, bonds)


def _given(number: int, pool: GivenPool, model: Outlook, now_s: float) -> list[Endpoint]:
    """Return the endpoints of a pool; an address of their own for those that have a name."""
    return [
        _endpoint(_address(number, i, e), e, model, now_s) for i, e in enumerate(pool.endpoints)
    ]


def _address(number: int, place: int, endpoint: GivenEndpoint) -> str:
    """Return the name if it is an address; else one of the range kept for such (RFC 2544)."""
    _, colon, port = endpoint.name.rpartition(":")
    if colon and port.isdigit():
        return endpoint.name
    return f"198.18.{number % 256}.{place % 256}:{8000 + place // 256}"


def _endpoint(address: str, given: GivenEndpoint, model: Outlook, now_s: float) -> Endpoint:
    # The types are right: any other was refused when the test was compiled.
    age_s = cast(float, given.values.get("age", 0.0))
    told: dict[str, Given] = {"ready": True, "queue": 0}
    told |= {name: value for name, value in given.values.items() if name in _PLAIN}
    told |= {"waiting_scraped": told["queue"], "scraped_at_s": now_s - age_s}
    said = {n: v for n, v in given.values.items() if f"endpoint.{n}" in OUTLOOK}
    # A cost model that says what it is told to; it is asked for nothing but by its names.
    told["outlook"] = cast(Given, Told(said, model) if said else model)
    if not told["ready"]:
        told["error"] = "given as not ready"
    return Endpoint(given.name, address, **told)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def _cached(endpoints: Sequence[Endpoint], pool: GivenPool) -> Mapping[str, float]:
    shares = [cast(float, e.values.get("prefix_match", 0.0)) for e in pool.endpoints]
    return {e.address: share for e, share in zip(endpoints, shares, strict=True) if share}


def _bonds(endpoints: Sequence[Endpoint], pool: GivenPool) -> Bonds:
    """Return what ties the request to the endpoints given with `session_match` and the like."""
    pairs = list(zip(endpoints, pool.endpoints, strict=True))
    bound = [e.address for e, given in pairs if given.values.get("session_match")]
    if len(bound) > 1:
        raise Unaskable(f"pool `{pool.pool}`: a session is bound to one endpoint, not {len(bound)}")
    orders = {e.address: cast(int, given.values.get("cold_order", 0)) for e, given in pairs}
    shares = {e.address: cast(float, given.values.get("media_match", 0.0)) for e, given in pairs}
    return Bonds(
        bound[0] if bound else "",
        {a: order for a, order in orders.items() if order},
        {a: share for a, share in shares.items() if share},
    )
