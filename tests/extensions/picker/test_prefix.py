import itertools
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.picker.observed import Observed
from headrace.extensions.picker.prefix import ENTRY_BYTES, PAIR_BYTES, PrefixIndex
from headrace.extensions.picker.prompt import Prompt, Turn

BUDGET_BYTES = 1 << 18
BOTH_BYTES = ENTRY_BYTES + PAIR_BYTES  # a block that one endpoint has
CHAINS = st.lists(st.integers(0, 3), min_size=1, max_size=6)  # a prompt as its blocks
ADDRESSES = st.sampled_from(["a:1", "b:1", "c:1"])
BLOCK = 64  # tokens, as long as nothing was learnt


def chained(blocks: Sequence[int]) -> list[int]:
    """Return hashes as `prompt_of` makes them: equal iff equal up to there."""
    return [hash(tuple(blocks[: i + 1])) for i in range(len(blocks))]


def prompt(blocks: Sequence[int], turns: tuple[Turn, ...] = ()) -> Prompt:
    hashes = chained(blocks)
    return Prompt(hashes, hash(("end", *blocks)), 256 * len(hashes), turns)


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
    st.tuples(st.sampled_from(["insert", "forget", "withdraw", "settle"]), ADDRESSES, CHAINS),
    max_size=40,
)


@given(STEPS, CHAINS, st.integers(1, 12), st.integers(0, 900))
def test_under_eviction_a_match_is_never_longer_than_the_truth_and_the_bounds_hold(
    steps: list[tuple[str, str, list[int]]], asked: list[int], entries: int, cached: int
) -> None:
    index = PrefixIndex(entries * BOTH_BYTES)
    index.set_capacity("a:1", 5 * BLOCK)
    truth: dict[str, set[int]] = {}
    for what, address, blocks in steps:
        sent = prompt(blocks)
        match what:
            case "insert":
                index.insert(address, sent.hashes)
                truth.setdefault(address, set()).update(sent.hashes)
            case "settle":
                ticket = index.insert(address, sent.hashes, sent)
                index.settle(ticket, sent, Observed(BLOCK * len(blocks), cached, 3))
                truth.setdefault(address, set()).update(sent.hashes)
            case "forget":
                index.forget(address)
                truth.pop(address, None)
                index.set_capacity("a:1", 5 * BLOCK)
            case _:
                index.withdraw(address, sent.hashes)
                truth.get(address, set()).difference_update(sent.hashes)
        assert index.bytes_used <= max(index.bytes_max, 0)
        assert index.blocks_of("a:1") <= 5 + 4  # ends of prompts take no block of their own
    hashes = chained(asked)

    for address, ratio in index.match(hashes).items():
        assert truth[address].issuperset(hashes[: round(ratio * len(hashes))])


class Lru:
    """The plain model of one server: a list of blocks, the next to be evicted first."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.blocks: list[int] = []

    def use(self, hashes: Sequence[int]) -> None:
        self.blocks = [b for b in self.blocks if b not in hashes] + list(reversed(hashes))
        del self.blocks[: max(0, len(self.blocks) - self.capacity)]

    def depth(self, hashes: Sequence[int]) -> int:
        return next((i for i, h in enumerate(hashes) if h not in self.blocks), len(hashes))


@given(st.lists(CHAINS, min_size=1, max_size=60), st.integers(1, 12), CHAINS)
def test_it_believes_exactly_what_a_server_of_that_size_keeps(
    sent: list[list[int]], capacity: int, asked: list[int]
) -> None:
    index, server = PrefixIndex(), Lru(capacity)
    index.set_capacity("a:1", capacity * BLOCK)
    for blocks in sent:
        index.insert("a:1", chained(blocks))
        server.use(chained(blocks))
    hashes = chained(asked)

    depth = server.depth(hashes)
    assert index.match(hashes) == ({"a:1": depth / len(hashes)} if depth else {})
    assert index.blocks_of("a:1") == len(server.blocks)


def test_eviction_takes_the_tail_of_the_oldest_prompt_first() -> None:
    index = PrefixIndex(4 * BOTH_BYTES)
    index.insert("a:1", [1, 2, 3])
    index.insert("a:1", [7, 8])

    assert index.match([1, 2, 3]) == {"a:1": pytest.approx(2 / 3)}
    assert index.match([7, 8]) == {"a:1": 1.0}


def test_the_oldest_prompt_goes_first_whichever_endpoint_has_it() -> None:
    index = PrefixIndex(4 * BOTH_BYTES)
    index.insert("a:1", [1, 2])
    index.insert("b:1", [5, 6])
    index.insert("c:1", [7])

    assert index.match([1, 2]) == {"a:1": 0.5}
    assert index.match([5, 6]) == {"b:1": 1.0}


def test_a_prompt_longer_than_the_index_keeps_its_head() -> None:
    index = PrefixIndex(2 * BOTH_BYTES)
    index.insert("a:1", [1, 2, 3, 4])

    assert index.match([1, 2, 3, 4]) == {"a:1": 0.5}


def test_bits_of_the_dead_are_given_out_again_without_their_memories() -> None:
    index = PrefixIndex()
    for n in range(200):
        index.insert(f"dead-{n}:1", [1, 2, n + 10])
        index.forget(f"dead-{n}:1")
        assert index.match([1, 2]) == {}
    index.insert("new:1", [1])

    assert index.match([1, 2]) == {"new:1": 0.5}
    assert index.addresses == ("new:1",)
    assert index.bytes_used <= 3 * (BOTH_BYTES + 8)


def test_a_large_endpoint_that_is_forgotten_is_cleared_little_by_little() -> None:
    index = PrefixIndex()
    index.insert("a:1", range(2000))
    index.forget("a:1")
    left = [len(index)]
    for n in range(10):
        index.insert("b:1", [5000 + n])
        left.append(len(index))

    assert index.match(list(range(2000))) == {}
    assert max(a - b for a, b in itertools.pairwise(left)) <= 256
    assert left[-1] == 10


@pytest.mark.parametrize("endpoints", [1, 40])
def test_memory_stays_under_the_budget(endpoints: int) -> None:
    index = PrefixIndex(BUDGET_BYTES)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for n in range(6_000):
        sent = Prompt([n * 2**44 + 2**60, n * 2**44 + 2**61], n * 2**44 + 2**62, 600)
        address = f"10.0.0.{n % endpoints}:8000"
        index.settle(index.insert(address, sent.hashes, sent), sent, Observed(150, 0, 5))
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert used <= BUDGET_BYTES
    assert len(index) > BUDGET_BYTES // BOTH_BYTES // 2


def test_a_hot_head_at_many_endpoints_stays_while_tails_go() -> None:
    index = PrefixIndex(400 * BOTH_BYTES)
    for n in range(500):
        index.insert(f"{n % 8}:1", [1, 2, 1000 + 2 * n, 1001 + 2 * n])

    assert index.match([1, 2, 7]) == {f"{n}:1": pytest.approx(2 / 3) for n in range(8)}


def test_an_answer_takes_room_that_prompts_then_have_not() -> None:
    index, first, second = PrefixIndex(), prompt([1, 2]), prompt([3, 3])
    index.set_capacity("a:1", 6 * BLOCK)
    index.settle(index.insert("a:1", first.hashes), first, Observed(2 * BLOCK, 0, 3 * BLOCK))
    assert index.match(first.hashes) == {"a:1": 1.0}
    index.settle(index.insert("a:1", second.hashes), second, Observed(2 * BLOCK, 0, 3 * BLOCK))

    assert index.match(second.hashes) == {"a:1": 1.0}
    assert index.match(first.hashes) == {"a:1": 0.5}


def conversation(answer_blocks: int) -> tuple[Prompt, Prompt]:
    """Return a prompt of two blocks, and the one that repeats it with its answer and goes on."""
    first = prompt([1, 2])
    blocks = [1, 2, *range(10, 10 + answer_blocks), 99]
    return first, prompt(blocks, (Turn(first.end, 2, 2 + answer_blocks),))


def test_who_gave_an_answer_has_it_when_the_next_prompt_repeats_it() -> None:
    index = PrefixIndex()
    first, following = conversation(3)
    index.insert("b:1", first.hashes)  # was sent the prompt by somebody else: no answer known
    index.settle(index.insert("a:1", first.hashes, first), first, Observed(128, 0, 200))

    assert index.match(following.hashes, following.turns) == {
        "a:1": pytest.approx(5 / 6),
        "b:1": pytest.approx(2 / 6),
    }


def test_answers_that_clients_do_not_repeat_as_they_were_are_not_counted_on() -> None:
    index = PrefixIndex()
    for n in range(40):
        first = prompt([n, 2])
        following = prompt([n, 2, 10, 11, 99], (Turn(first.end, 2, 4),))
        index.settle(index.insert("a:1", first.hashes, first), first, Observed(128, 0, 200))
        believed = index.match(following.hashes, following.turns)["a:1"]
        ticket = index.insert("a:1", following.hashes, following)
        index.settle(ticket, following, Observed(320, 128, 200))
        assert believed == (0.8 if n < 11 else 0.4), n


def test_a_block_that_was_gone_takes_along_what_is_older() -> None:
    index = PrefixIndex()
    index.set_capacity("a:1", 1000 * BLOCK)
    prompts = [prompt([n, 1, 1]) for n in range(20)]
    for each in prompts:
        index.settle(index.insert("a:1", each.hashes, each), each, Observed(192, 0, 1))
    used = index.blocks_of("a:1")
    again = index.insert("a:1", prompts[10].hashes, prompts[10])
    index.settle(again, prompts[10], Observed(192, 64, 1))
    assert index.blocks_of("a:1") == used  # nothing was ever reported as cached before this one
    again = index.insert("a:1", prompts[11].hashes, prompts[11])
    index.settle(again, prompts[11], Observed(192, 0, 1))

    held = [bool(index.match(each.hashes)) for each in prompts]
    assert held == [False] * 10 + [True] * 10
    assert index.tally.predicted == 2 * 192


def test_a_prompt_still_under_way_that_was_not_cached_yet_proves_no_eviction() -> None:
    index = PrefixIndex()
    old, shared = prompt([9, 9]), prompt([1, 2, 3])
    index.settle(index.insert("a:1", old.hashes, old), old, Observed(128, 64, 1))
    index.insert("a:1", shared.hashes, shared)  # not complete
    index.settle(index.insert("a:1", shared.hashes, shared), shared, Observed(192, 0, 1))

    assert index.match(old.hashes) == {"a:1": 1.0}


def test_a_server_that_never_counts_cached_tokens_is_believed_to_have_what_it_was_sent() -> None:
    index, sent = PrefixIndex(), prompt([1, 2, 3])
    for _ in range(3):
        index.settle(index.insert("a:1", sent.hashes, sent), sent, Observed(192, 0, 1))

    assert index.match(sent.hashes) == {"a:1": 1.0}


def test_room_lost_by_disappointment_comes_back() -> None:
    index = PrefixIndex()
    index.set_capacity("a:1", 100 * BLOCK)
    old, kept = prompt([9, 9, 9, 9]), prompt([1, 2, 3])
    index.settle(index.insert("a:1", old.hashes, old), old, Observed(256, 16, 1))
    index.settle(index.insert("a:1", kept.hashes, kept), kept, Observed(192, 0, 1))
    index.settle(index.insert("a:1", kept.hashes, kept), kept, Observed(192, 0, 1))

    def fits() -> int:
        many = list(range(1000, 1100))
        index.insert("a:1", many)
        return round(index.match(many).get("a:1", 0.0) * 100)

    small = fits()
    for _ in range(60):
        index.settle(index.insert("a:1", kept.hashes, kept), kept, Observed(192, 192, 1))
    assert small < 20
    assert fits() > 90


def test_what_was_settled_after_its_endpoint_was_forgotten_is_not_believed() -> None:
    index, sent = PrefixIndex(), prompt([1, 2])
    ticket = index.insert("a:1", sent.hashes, sent)
    index.forget("a:1")
    index.settle(ticket, sent, Observed(128, 0, 9))
    assert index.match(sent.hashes) == {}
    index.insert("a:1", [7])
    index.settle(ticket, sent, Observed(128, 0, 9))

    assert index.match(sent.hashes) == {}


def test_what_the_server_reports_is_kept_until_it_reports_the_opposite() -> None:
    index = PrefixIndex()
    index.set_capacity("a:1", 4 * BLOCK)
    index.report("a:1", [1, 2], stored=True)
    for n in range(20):
        index.insert("a:1", [100 + n, 200 + n])
    assert index.match([1, 2]) == {"a:1": 1.0}
    index.report("a:1", [2], stored=False)
    assert index.match([1, 2]) == {"a:1": 0.5}
    index.unreported("a:1")
    for n in range(20):
        index.insert("a:1", [300 + n, 400 + n])

    assert index.match([1, 2]) == {}


def test_what_an_endpoint_that_is_gone_could_hold_is_forgotten() -> None:
    index = PrefixIndex()
    index.set_capacity("a", 64)
    index.keep_only(["b"])
    index.insert("a", range(100))

    assert index.blocks_of("a") == 100
