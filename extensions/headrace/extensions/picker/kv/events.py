"""KV cache events as vLLM and SGLang publish them, read from msgpack.

A batch is `[ts, events, rank]` and an event `[tag, field, ...]`, or both are maps by name
with the tag as `type`: servers of different ages write the one or the other. Fields that
came later stand last and may be missing. Source: vLLM, distributed/kv_events.py; SGLang,
disaggregation/kv_events.py.
"""

from collections.abc import Mapping
from typing import Any, TypeGuard

import msgspec

EVENTS_MAX = 65_536  # of one batch; a step of a server yields a few hundred
BLOCK_TOKENS_MAX = 65_536
GPU = frozenset({None, "GPU", "gpu"})

Hash = int | bytes
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "BlockStored": (
        "block_hashes", "parent_block_hash", "token_ids", "block_size", "lora_id", "medium",
        "lora_name", "extra_keys", "group_idx",
    ),
    "BlockRemoved": ("block_hashes", "medium", "group_idx"),
    "AllBlocksCleared": (),
}  # fmt: skip


class EventFault(ValueError):
    """A payload that is no batch of events. The message says why, without its content."""


class Stored(msgspec.Struct, frozen=True):
    """These blocks, each of *block_tokens* tokens, follow on *parent*; None: they are the first."""

    hashes: tuple[Hash, ...]
    parent: Hash | None
    block_tokens: int


class Removed(msgspec.Struct, frozen=True):
    """These blocks are gone."""

    hashes: tuple[Hash, ...]


class Cleared(msgspec.Struct, frozen=True):
    """All blocks are gone."""


Event = Stored | Removed | Cleared


class Batch(msgspec.Struct, frozen=True):
    """The events of one message. *faulty*: how many could not be read; *foreign*: are of no use."""

    events: tuple[Event, ...]
    faulty: int = 0
    foreign: int = 0


def read_batch(payload: bytes) -> Batch:
    """Return the events in *payload*; one that cannot be read costs itself only.

    Raises:
        EventFault: it is no batch, or has more than `EVENTS_MAX` events.
    """
    try:
        # Any: whatever the server wrote, looked at field by field below.
        value: Any = msgspec.msgpack.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise EventFault("not msgpack") from error
    listed: Any = None
    if _is_map(value):
        listed = value.get("events")
    elif _is_list(value):
        listed = next(iter(value[1:2]), None)
    if not _is_list(listed):
        raise EventFault("no list of events in it")
    if len(listed) > EVENTS_MAX:
        raise EventFault(f"more than {EVENTS_MAX} events in it")
    found: list[Event] = []
    faulty = foreign = 0
    for each in listed:
        try:
            event = _event(each)
        except (TypeError, ValueError):
            faulty += 1
            continue
        if event is None:
            foreign += 1
        else:
            found.append(event)
    return Batch(tuple(found), faulty, foreign)


def _event(value: Any) -> Event | None:
    """Return the event that *value* is; None if it is not about blocks in GPU memory.

    Raises:
        ValueError, TypeError: it is malformed.
    """
    tag, fields = _fields(value)
    if tag not in _FIELDS:
        if isinstance(tag, str):
            return None  # an event of a newer server
        raise ValueError("no tag")
    if tag == "AllBlocksCleared":
        return Cleared()
    if fields.get("medium") not in GPU or fields.get("group_idx") not in (None, 0):
        return None  # a copy elsewhere, or a second layer group of the same blocks
    hashes = _hashes(fields.get("block_hashes"))
    if tag == "BlockRemoved":
        return Removed(hashes)
    size, parent = fields.get("block_size"), fields.get("parent_block_hash")
    if type(size) is not int or not 0 < size <= BLOCK_TOKENS_MAX:
        raise ValueError("block size")
    tokens = fields.get("token_ids")
    if not _is_list(tokens) or len(tokens) != size * len(hashes):
        raise ValueError("tokens do not fill the blocks")
    return Stored(hashes, None if parent is None else _hash(parent), size)


def _fields(value: Any) -> tuple[Any, Mapping[str, Any]]:
    """Return the tag of an event and its fields by name."""
    if _is_map(value):
        return value.get("type"), value
    if not _is_list(value) or not value:
        raise TypeError("neither a list nor a map")
    tag, *rest = value
    names = _FIELDS.get(tag, ()) if isinstance(tag, str) else ()
    return tag, dict(zip(names, rest, strict=False))


def _hashes(value: Any) -> tuple[Hash, ...]:
    if not _is_list(value):
        raise TypeError("no list of hashes")
    return tuple(map(_hash, value))


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _is_map(value: Any) -> TypeGuard[dict[Any, Any]]:
    return isinstance(value, dict)


def _hash(value: Any) -> Hash:
    if type(value) is int or (type(value) is bytes and len(value) <= 64):
        return value
    raise TypeError("no hash")
