"""The KV cache of one replica: blocks, who refers to them, and which prefixes they hold."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BLOCK_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Cached:
    """From now on a prefix is found: the block *value* that follows on *parent*."""

    value: int
    parent: int | None


@dataclass(frozen=True, slots=True)
class Evicted:
    """The block *value* is found no more."""

    value: int


CacheChange = Cached | Evicted


def blocks_for(tokens: int) -> int:
    """Return how many blocks hold *tokens* tokens."""
    return -(-tokens // BLOCK_TOKENS)


class BlockPool:
    """Blocks with reference counts, found by the chained hash of what they hold.

    A block that nobody refers to keeps its content until it is allocated again; such blocks
    queue in the order of their release, and the first of the queue is taken first. Written by
    the one `Replica` that owns it. Source: vLLM V1, kv_cache_manager and block_pool.
    """

    __slots__ = ("_changes", "_free", "_hash_of", "_refs", "_resident", "capacity")

    def __init__(self, capacity: int, *, tells: bool = False) -> None:
        """Make an empty pool of *capacity* blocks; one that *tells* keeps what it changes."""
        assert capacity > 0, capacity
        self.capacity = capacity
        self._changes: list[CacheChange] | None = [] if tells else None
        self._refs = [0] * capacity
        self._hash_of: list[int | None] = [None] * capacity
        self._resident: dict[int, int] = {}
        self._free: OrderedDict[int, None] = OrderedDict.fromkeys(range(capacity))

    @property
    def free_count(self) -> int:
        """The blocks that nobody refers to, cached or not."""
        return len(self._free)

    @property
    def used_ratio(self) -> float:
        """The share of blocks that a request refers to, 0..1; cached but free counts as free."""
        return 1.0 - len(self._free) / self.capacity

    def references(self, block: int) -> int:
        """Return how many requests refer to *block*."""
        return self._refs[block]

    def match(self, hashes: Sequence[int], blocks_max: int) -> list[int]:
        """Return the resident blocks of the longest prefix of *hashes*, at most *blocks_max*."""
        found: list[int] = []
        for value in hashes[:blocks_max]:
            block = self._resident.get(value)
            if block is None:
                break
            found.append(block)
        return found

    def has_room(self, matched: Iterable[int], fresh: int) -> bool:
        """Return whether *fresh* blocks are left once the *matched* ones are referred to."""
        reserved = sum(1 for block in matched if not self._refs[block])
        return fresh <= len(self._free) - reserved

    def refer(self, blocks: Iterable[int]) -> None:
        """Count one more reference to each of *blocks*, which are then safe from eviction."""
        for block in blocks:
            if not self._refs[block]:
                del self._free[block]
            self._refs[block] += 1

    def allocate(self, count: int) -> list[int]:
        """Take *count* free blocks, the longest unused first, and forget what they held."""
        assert count <= len(self._free), (count, len(self._free))
        taken = [self._free.popitem(last=False)[0] for _ in range(count)]
        for block in taken:
            self._refs[block] = 1
            held = self._hash_of[block]
            if held is not None:
                del self._resident[held]
                self._hash_of[block] = None
                if self._changes is not None:
                    self._changes.append(Evicted(held))
        return taken

    def publish(self, block: int, value: int, parent: int | None = None) -> None:
        """Let later requests find *block* by *value*, unless another block has that content."""
        if value not in self._resident and self._hash_of[block] is None:
            self._resident[value] = block
            self._hash_of[block] = value
            if self._changes is not None:
                self._changes.append(Cached(value, parent))

    def changes(self) -> list[CacheChange]:
        """Return what has changed since the last call, in order; nothing if it does not tell."""
        if not self._changes:
            return []
        told, self._changes = self._changes, []
        return told

    def release(self, blocks: Sequence[int]) -> None:
        """Drop one reference to each of *blocks*, deepest first, so that tails go before heads."""
        for block in reversed(blocks):
            assert self._refs[block] > 0, block
            self._refs[block] -= 1
            if not self._refs[block]:
                self._free[block] = None
