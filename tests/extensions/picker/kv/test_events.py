"""The bytes below are written out by hand from the servers' own definitions."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.picker.kv.events import (
    EVENTS_MAX,
    Batch,
    Cleared,
    EventFault,
    Removed,
    Stored,
    read_batch,
)

TOKENS = list(range(32))
STORED = Stored((11, 12), None, 16)


def packed(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


def one(event: object) -> Batch:
    return read_batch(packed([1.5, [event], 0]))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (["BlockStored", [11, 12], None, TOKENS, 16, None], STORED),  # SGLang
        (["BlockStored", [11, 12], None, TOKENS, 16, None, "GPU"], STORED),
        (["BlockStored", [11, 12], None, TOKENS, 16, 7, "GPU", "tuned", [["x"], None]], STORED),
        (["BlockStored", [11, 12], None, TOKENS, 16, None, None, None, None, 0, "full", 4], STORED),
        (["BlockStored", [b"h" * 32], b"p" * 32, [5], 1, None], Stored((b"h" * 32,), b"p" * 32, 1)),
        (["BlockStored", [-3], -4, [5], 1, None], Stored((-3,), -4, 1)),
        (["BlockRemoved", [11, b"x"]], Removed((11, b"x"))),
        (["BlockRemoved", [11], "GPU"], Removed((11,))),
        (["AllBlocksCleared"], Cleared()),
        (
            {
                "type": "BlockStored", "block_hashes": [11, 12], "parent_block_hash": None,
                "token_ids": TOKENS, "block_size": 16, "lora_id": None, "medium": "GPU",
                "lora_name": None,
            },
            STORED,
        ),
        ({"type": "BlockRemoved", "block_hashes": [11], "medium": None}, Removed((11,))),
        ({"type": "AllBlocksCleared"}, Cleared()),
    ],
)  # fmt: skip
def test_an_event_is_read_in_each_encoding(event: object, expected: object) -> None:
    as_map = read_batch(packed({"ts": 1.5, "events": [event], "data_parallel_rank": 3}))

    assert one(event) == Batch((expected,)) == as_map  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "event",
    [
        ["BlockStored", [1], None, [5], 1, None, "CPU"],
        ["BlockRemoved", [1], "DISK"],
        ["BlockStored", [1], None, [5], 1, None, "GPU", None, None, 1],
        {"type": "BlockRemoved", "block_hashes": [1], "group_idx": 2},
        ["BlockMoved", [1]],
    ],
)
def test_what_is_not_about_blocks_on_the_gpu_is_counted_and_left_out(event: object) -> None:
    assert one(event) == Batch((), foreign=1)


@pytest.mark.parametrize(
    "event",
    [
        None, 5, "BlockStored", [], [5], {}, {"type": 5}, [None],
        ["BlockStored"],
        ["BlockStored", 5, None, [5], 1, None],
        ["BlockStored", [1.5], None, [5], 1, None],
        ["BlockStored", [True], None, [5], 1, None],
        ["BlockStored", [1], "parent", [5], 1, None],
        ["BlockStored", [b"x" * 65], None, [5], 1, None],
        ["BlockStored", [1], None, [5], 0, None],
        ["BlockStored", [1], None, [5], -1, None],
        ["BlockStored", [1], None, [5], True, None],
        ["BlockStored", [1], None, [5], 2**40, None],
        ["BlockStored", [1], None, [5, 6], 1, None],
        ["BlockStored", [1], None, 5, 1, None],
        ["BlockStored", [1], None, [], 16, None],
        ["BlockStored", [1], None, [5], 1, None, ["GPU"]],
        ["BlockRemoved"],
        ["BlockRemoved", None],
        {"type": "BlockRemoved", "block_hashes": {"1": 1}},
    ],
)  # fmt: skip
def test_an_event_that_cannot_be_read_costs_itself_only(event: object) -> None:
    found = read_batch(packed([1.5, [["AllBlocksCleared"], event, ["BlockRemoved", [1]]]]))

    assert found == Batch((Cleared(), Removed((1,))), faulty=1)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"\xff" * 9,
        b"\xdd\xff\xff\xff\xff",  # four thousand million elements, it says
        b"\xdf\xff\xff\xff\xff",
        b"\x91" * 100_000,
        packed(5),
        packed([]),
        packed([1.5]),
        packed([1.5, None]),
        b"\x92\x01\x80",  # events as a map
        packed({"ts": 1.5}),
        packed([1.5, [["AllBlocksCleared"]] * (EVENTS_MAX + 1)]),
    ],
)
def test_what_is_no_batch_is_a_fault(payload: bytes) -> None:
    with pytest.raises(EventFault):
        read_batch(payload)


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers(-(2**63), 2**63) | st.binary(max_size=70) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=8,  # what is far inside an event is not looked at
)
TAGS = st.sampled_from(["BlockStored", "BlockRemoved", "AllBlocksCleared", "Other"])


EVENTS = st.tuples(TAGS, st.lists(ANYTHING, max_size=8)).map(lambda e: [e[0], *e[1]])


@given(st.lists(EVENTS, max_size=4))
def test_any_events_are_read_or_counted(events: list[object]) -> None:
    found = read_batch(packed([0, events]))

    assert len(found.events) + found.faulty + found.foreign == len(events)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_batch_or_a_fault(payload: bytes) -> None:
    with contextlib.suppress(EventFault):
        assert len(read_batch(payload).events) <= len(payload)
