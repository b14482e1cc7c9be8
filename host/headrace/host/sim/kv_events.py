"""What a replica's cache changed, as a vLLM of its kind writes it: msgpack, lists by position."""

from collections.abc import Sequence
from typing import Any

import msgspec

from headrace.host.sim.blocks import BLOCK_TOKENS, CacheChange, Cached

_ENCODER = msgspec.msgpack.Encoder()
MEDIUM = "GPU"


def encode_changes(changes: Sequence[CacheChange], unix_s: float) -> bytes:
    """Return the batch of events that says *changes*, in order."""
    return _ENCODER.encode([unix_s, events(changes), 0])


def events(changes: Sequence[CacheChange]) -> list[list[Any]]:
    """Return *changes* as events: blocks that follow on each other are one.

    Tokens here are pieces of text without a number, so the ids say no more than the block.
    """
    found: list[list[Any]] = []  # Any: an event has fields of many types
    hashes: list[int] = []
    ids: list[int] = []
    last: int | None = None  # the block that was stored last, if nothing came between
    for change in changes:
        if not isinstance(change, Cached):
            found.append(["BlockRemoved", [change.value], MEDIUM])
            last = None
            continue
        if last is None or change.parent != last:
            hashes, ids = [], []
            stored = ["BlockStored", hashes, change.parent, ids, BLOCK_TOKENS, None, MEDIUM, None]
            found.append(stored)
        hashes.append(change.value)
        ids += [(change.value + i) & 0x1FFFF for i in range(BLOCK_TOKENS)]
        last = change.value
    return found
