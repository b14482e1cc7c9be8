import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.extensions.call import Text
from headrace.extensions.picker.prefix import (
    BLOCK_BYTES,
    ENTRY_BYTES,
    RETIRED_MAX,
    PrefixIndex,
    block_hashes,
)

BIG = 1 << 20
CHAINS = st.lists(st.integers(0, 3), min_size=1, max_size=6)  # a prompt as its blocks
ADDRESSES = st.sampled_from(["a:1", "b:1", "c:1"])


def chained(blocks: list[int]) -> list[int]:
    """Return hashes as `block_hashes` makes them: equal iff equal up to there."""
    return [hash(tuple(blocks[: i + 1])) for i in range(len(blocks))]


@given(st.lists(st.tuples(ADDRESSES, CHAINS), max_size=20), CHAINS)
def test_a_match_is_the_longest_common_beginning_with_any_prompt_sent_there(
    sent: list[tuple[str, list[int]]], asked: list[int]
) -> None:
    index = PrefixIndex()
    truth: dict[str, float] = {}
    for address, blocks in sent:
        index.insert(address, chained(blocks))
        common = next(
            (i for i, (a, b) in enumerate(zip(asked, blocks, strict=False)) if a != b),
            min(len(asked), len(blocks)),
        )
        if common:
            truth[address] = max(truth.get(address, 0.0), common / len(asked))

    assert index.match(chained(asked)) == truth


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), ADDRESSES, CHAINS),
        st.tuples(st.just("forget"), ADDRESSES, CHAINS),
        st.tuples(st.just("withdraw"), ADDRESSES, CHAINS),
    ),
    max_size=40,
)


@given(STEPS, CHAINS, st.integers(1, 12))
def test_under_eviction_a_match_is_never_longer_than_the_truth_and_the_bound_holds(
    steps: list[tuple[str, str, list[int]]], asked: list[int], entries: int
) -> None:
    index = PrefixIndex(entries * ENTRY_BYTES)
    truth: dict[str, set[int]] = {}
    for what, address, blocks in steps:
        hashes = chained(blocks)
        if what == "insert":
            index.insert(address, hashes)
            truth.setdefault(address, set()).update(hashes)
        elif what == "forget":
            index.forget(address)
            truth.pop(address, None)
        else:
            index.withdraw(address, hashes)
            truth.get(address, set()).difference_update(hashes)
        assert len(index) <= entries
    hashes = chained(asked)

    for address, ratio in index.match(hashes).items():
        assert truth[address].issuperset(hashes[: round(ratio * len(hashes))])


def test_eviction_takes_the_tail_of_the_oldest_prompt_first() -> None:
    index = PrefixIndex(4 * ENTRY_BYTES)
    index.insert("a:1", [1, 2, 3])
    index.insert("a:1", [7, 8])

    assert index.match([1, 2, 3]) == {"a:1": pytest.approx(2 / 3)}
    assert index.match([7, 8]) == {"a:1": 1.0}


def test_a_prompt_longer_than_the_index_keeps_its_head() -> None:
    index = PrefixIndex(2 * ENTRY_BYTES)
    index.insert("a:1", [1, 2, 3, 4])

    assert index.match([1, 2, 3, 4]) == {"a:1": 0.5}


def test_bits_of_the_dead_are_given_out_again_without_their_memories() -> None:
    index = PrefixIndex()
    for n in range(3 * RETIRED_MAX):
        index.insert(f"dead-{n}:1", [1, 2, n + 10])
        index.forget(f"dead-{n}:1")
        assert index.match([1, 2]) == {}
    index.insert("new:1", [1])

    assert index.match([1, 2]) == {"new:1": 0.5}
    assert index.addresses == ("new:1",)
    assert index.entries_max >= index.bytes_max // (ENTRY_BYTES + 4 * (RETIRED_MAX // 30 + 1))


def test_memory_stays_under_the_budget() -> None:
    index = PrefixIndex(BIG)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for n in range(20_000):
        index.insert(f"10.0.0.{n % 40}:8000", [n * 2**44 + 2**60, n * 2**44 + 2**61])
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert used <= BIG


def test_only_whole_blocks_are_hashed_and_at_most_the_bound() -> None:
    def count(chars: int) -> int:
        return len(block_hashes([Text("", "x" * (chars - 2))], "m", blocks_max=3))

    sizes = [2, BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES - 1, 3 * BLOCK_BYTES, BIG]
    assert [count(n) for n in sizes] == [0, 0, 1, 1, 3, 3]


LONG = "y" * BLOCK_BYTES


@pytest.mark.parametrize(
    "other",
    [
        block_hashes([Text("system", LONG)], "m"),
        block_hashes([Text("user", "z" + LONG)], "m"),
        block_hashes([Text("user", LONG)], "n"),
        block_hashes([Text("user", LONG)], "m", "adapter"),
        block_hashes([Text("user", ""), Text("user", LONG)], "m"),
    ],
    ids=["role", "text", "model", "adapter", "message"],
)
def test_another_prompt_is_another_chain(other: list[int]) -> None:
    assert other
    assert not set(other) & set(block_hashes([Text("user", LONG)], "m"))


@settings(max_examples=30)
@given(st.text(max_size=40), st.text(max_size=600), st.text(max_size=600))
def test_prompts_with_a_common_beginning_share_its_blocks(head: str, a: str, b: str) -> None:
    head = head + "h" * (2 * BLOCK_BYTES)
    one, two = (block_hashes([Text("user", head + tail)], "m") for tail in (a, b))

    assert one[:2] == two[:2]
    assert len(one) >= 2


def test_text_that_is_no_utf8_is_hashed_all_the_same() -> None:
    assert len(block_hashes([Text("user", "\ud800" * BLOCK_BYTES)], "m\ud800")) == 3
