import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.host.sim.blocks import BlockPool, blocks_for


@pytest.mark.parametrize(("tokens", "blocks"), [(0, 0), (1, 1), (16, 1), (17, 2), (8192, 512)])
def test_a_started_block_counts_as_a_whole_one(tokens: int, blocks: int) -> None:
    assert blocks_for(tokens) == blocks


def test_released_blocks_are_found_until_they_are_allocated_again() -> None:
    pool = BlockPool(4)
    blocks = pool.allocate(2)
    pool.publish(blocks[0], 70)
    pool.publish(blocks[1], 71)
    pool.release(blocks)

    assert pool.used_ratio == 0.0
    assert pool.match([70, 71], 9) == blocks
    pool.allocate(4)
    assert pool.match([70, 71], 9) == []


def test_tails_are_evicted_before_heads() -> None:
    pool = BlockPool(3)
    blocks = pool.allocate(3)
    for block, value in zip(blocks, (70, 71, 72), strict=True):
        pool.publish(block, value)
    pool.release(blocks)
    pool.allocate(1)

    assert pool.match([70, 71, 72], 9) == blocks[:2]


def test_the_longest_unused_prefix_is_evicted_first() -> None:
    pool = BlockPool(2)
    older, newer = pool.allocate(1), pool.allocate(1)
    pool.publish(older[0], 1)
    pool.publish(newer[0], 2)
    pool.release(newer)
    pool.release(older)
    pool.refer(newer)
    pool.release(newer)
    pool.allocate(1)

    assert pool.match([1], 9) == []
    assert pool.match([2], 9) == newer


def test_a_referred_block_is_never_evicted() -> None:
    pool = BlockPool(2)
    kept = pool.allocate(1)
    pool.publish(kept[0], 7)

    assert not pool.has_room([], 2)
    assert pool.allocate(1) != kept
    assert pool.match([7], 9) == kept


def test_a_match_stops_at_the_first_hole_and_at_the_bound() -> None:
    pool = BlockPool(3)
    blocks = pool.allocate(3)
    for block, value in zip(blocks, (1, 2, 4), strict=True):
        pool.publish(block, value)

    assert pool.match([1, 2, 3, 4], 9) == blocks[:2]
    assert pool.match([1, 2], 1) == blocks[:1]


def test_matched_free_blocks_are_not_counted_as_room() -> None:
    pool = BlockPool(2)
    blocks = pool.allocate(1)
    pool.publish(blocks[0], 7)
    pool.release(blocks)

    assert pool.has_room(blocks, 1)
    assert not pool.has_room(blocks, 2)


def test_of_two_blocks_with_one_content_the_first_is_found() -> None:
    pool = BlockPool(2)
    first, second = pool.allocate(1), pool.allocate(1)
    pool.publish(first[0], 7)
    pool.publish(second[0], 7)

    assert pool.match([7], 9) == first


@given(moves=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 6)), max_size=60))
def test_blocks_are_conserved_and_references_are_what_holders_hold(
    moves: list[tuple[int, int]],
) -> None:
    pool = BlockPool(12)
    held: list[list[int]] = []
    for kind, size in moves:
        hashes = [kind * 10 + index for index in range(size)]
        matched = pool.match(hashes, size)
        if kind == 0 and held:
            pool.release(held.pop(size % len(held)))
        elif pool.has_room(matched, size - len(matched)):
            pool.refer(matched)
            blocks = matched + pool.allocate(size - len(matched))
            for block, value in zip(blocks, hashes, strict=True):
                pool.publish(block, value)
            held.append(blocks)
        expected = [sum(blocks.count(block) for blocks in held) for block in range(12)]

        assert [pool.references(block) for block in range(12)] == expected
        assert pool.free_count == expected.count(0)
        assert 0.0 <= pool.used_ratio <= 1.0
