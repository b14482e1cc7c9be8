"""What a store knows of servers' caches, as series of metrics."""

from collections.abc import Iterator

from headrace.extensions.picker.store import Store
from headrace.host.telemetry.series import Labels


def prefix_tokens(store: Store | None) -> Iterator[tuple[Labels, float]]:
    """Yield how many tokens were predicted to be cached, and were, by pool."""
    for pool, index in (store.prefixes if store else {}).items():
        tally = index.tally
        yield (pool, "prompt"), tally.prompt
        yield (pool, "predicted"), tally.predicted
        yield (pool, "cached"), tally.observed


def prefix_bytes(store: Store | None) -> Iterator[tuple[Labels, float]]:
    """Yield the size of the prefix index, by pool."""
    for pool, index in (store.prefixes if store else {}).items():
        yield (pool,), index.bytes_used


def kv_requests(store: Store | None) -> Iterator[tuple[Labels, float]]:
    """Yield how many requests were found in KV events, by pool."""
    for pool, book in (store.kv if store else {}).items():
        yield (pool, "matched"), book.tally.matched
        yield (pool, "ambiguous"), book.tally.ambiguous
        yield (pool, "unmatched"), book.tally.unmatched
