"""What is known of the endpoints and queues of pools, as series by the keys of their twins."""

import math
from collections.abc import Callable, Iterable, Iterator

from headrace.dsl.program import Pool
from headrace.extensions.picker.snapshot import PoolState
from headrace.extensions.picker.store import Store
from headrace.host.telemetry.describe import text
from headrace.host.telemetry.series import Labels

Told = Iterator[tuple[Labels, float]]
EFFECTIVE = "effective"  # the saturation that counts, where prompts and answers are not told apart


def levels(store: Store, level: Callable[[PoolState], float]) -> Told:
    """Yield one figure of each pool, by the name that others know the pool by."""
    declared = store.declared
    for name, pool in store.snapshot.pools.items():
        yield (known_as(name, declared.get(name)),), level(pool)


def queues(store: Store) -> Told:
    """Yield the queue of each endpoint that is ready."""
    declared = store.declared
    for name, pool in store.snapshot.pools.items():
        known = known_as(name, declared.get(name))
        for endpoint in pool.endpoints:
            if endpoint.ready:
                yield (known, endpoint.name), float(endpoint.waiting_scraped)


def saturations(store: Store) -> Told:
    """Yield how saturated each pool is."""
    for (name,), value in levels(store, lambda pool: pool.saturation):
        yield (name, EFFECTIVE), value


def waiting(store: Store, *, of_bytes: bool) -> Told:
    """Yield how many wait, or the bytes of their bodies, by `QUEUED`; of no model in particular."""
    declared = store.declared
    for flow in store.flows:
        pool = known_as(flow.pool, declared.get(flow.pool))
        sums: dict[Labels, float] = {}
        for waiter in flow:
            labels = (text(waiter.key), f"{waiter.rank:g}", pool, "", "")
            sums[labels] = sums.get(labels, 0.0) + (waiter.size_bytes if of_bytes else 1)
        yield from sums.items()


def place_of(store: Store, pool: str, address: str) -> tuple[str, str, str]:
    """Return the name, namespace and port of an endpoint; its address if it has left."""
    state = store.snapshot.pools.get(pool)
    endpoint = None if state is None else state.get(address)
    declared = store.declared.get(pool)
    source = None if declared is None else declared.inference_pool
    namespace = "" if source is None else source.namespace or ""
    return endpoint.name if endpoint else address, namespace, address.rpartition(":")[2]


def known_as(name: str, declared: Pool | None) -> str:
    """Return the name of the InferencePool that a pool is; its own if it is none."""
    source = None if declared is None else declared.inference_pool
    return name if source is None else source.name


def deviation(figures: Iterable[float]) -> float:
    """Return the standard deviation of *figures*, which are all there are; 0 of none."""
    known = list(figures)
    if not known:
        return 0.0
    mean = sum(known) / len(known)
    return math.sqrt(sum((each - mean) ** 2 for each in known) / len(known))
