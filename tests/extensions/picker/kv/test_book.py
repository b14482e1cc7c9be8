"""One server that caches blocks of 4 tokens, and prompts whose tokens are 4 bytes each."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headrace.extensions.picker.kv.book import WAIT_S, WAITING_MAX, KvBook
from headrace.extensions.picker.kv.chains import Block, Chains
from headrace.extensions.picker.kv.events import Batch, Cleared, Event, Removed, Stored
from headrace.extensions.picker.kv.matching import Answered
from headrace.extensions.picker.prefix import PrefixIndex
from headrace.extensions.picker.prompt import Prompt

A = "10.0.0.1:8000"
SIZE = 4  # tokens in a block of the server
BYTES = 32  # in a block of ours: 8 tokens, two of the server's


def chain(name: str, count: int) -> tuple[int, ...]:
    """Return the server's hashes of the first blocks of the text *name*."""
    return tuple(hash((name[: i + 1], i)) for i in range(count))


def prompt(name: str, tokens: int) -> Prompt:
    """Return the prompt of the first *tokens* of the text *name*, a letter for 8 tokens."""
    hashes = [hash(("ours", name[: i + 1])) for i in range(tokens // 8)]
    return Prompt(hashes, hash(("end", name[: tokens // 8], tokens)), tokens * 4)


def server_chain(name: str, tokens: int) -> tuple[int, ...]:
    """Return the server's hashes of the same text: two for each letter."""
    return tuple(hash(("theirs", name[: i // 2 + 1], i % 2)) for i in range(tokens // SIZE))


def book() -> KvBook:
    return KvBook(PrefixIndex(block_bytes=BYTES))


def stored(name: str, first: int, until: int) -> Stored:
    """Return the event for the blocks of the text from token *first* on."""
    hashes = server_chain(name, until)
    begin = first // SIZE
    return Stored(hashes[begin:], hashes[begin - 1] if begin else None, SIZE)


def told(kv: KvBook, *events: Event, now_s: float = 1.0) -> None:
    kv.apply(A, Batch(events), now_s)


def asked(
    name: str, tokens: int, cached: int = 0, answer: int = 1, ended_s: float = 1.0
) -> Answered:
    return Answered(prompt(name, tokens), 0.0, ended_s, tokens, cached, answer)


def there(kv: KvBook, name: str, tokens: int) -> int:
    """Return how many blocks of the prompt the index has at A."""
    hashes = prompt(name, tokens).hashes
    return round(kv.index.match(hashes).get(A, 0.0) * len(hashes))


def test_a_prompt_is_there_as_long_as_its_server_says() -> None:
    kv = book()
    told(kv, stored("abcd", 0, 32))
    kv.ended(A, asked("abcd", 32), 1.0)
    assert there(kv, "abcd", 32) == 4
    told(kv, Removed(server_chain("abcd", 32)[5:]))
    assert there(kv, "abcd", 32) == 2
    told(kv, Removed(server_chain("abcd", 32)[:1]))

    assert there(kv, "abcd", 32) == 2  # the second block of two is what ours ends in
    assert kv.tally.matched == 1


def test_events_may_come_after_the_answer_has_ended() -> None:
    kv = book()
    told(kv, Cleared())
    kv.ended(A, asked("ab", 16), 1.0)
    assert there(kv, "ab", 16) == 0
    told(kv, stored("ab", 0, 16), now_s=1.5)

    assert there(kv, "ab", 16) == 2


def test_a_request_whose_events_never_come_is_given_up() -> None:
    kv = book()
    told(kv, stored("xyz", 0, 24))
    kv.ended(A, asked("ab", 16), 1.0)
    told(kv, now_s=1.0 + WAIT_S)

    assert (kv.tally.matched, kv.tally.unmatched) == (0, 1)


def test_of_two_that_run_at_once_each_finds_its_own_by_its_shape() -> None:
    kv = book()
    told(kv, stored("pqrs", 0, 16), stored("ab", 0, 16), stored("pqrs", 16, 32))
    kv.ended(A, asked("ab", 16), 1.0)
    kv.ended(A, asked("pqrs", 32), 1.0)
    told(kv, Removed(server_chain("ab", 16)))

    assert there(kv, "ab", 16) == 0
    assert there(kv, "pqrs", 32) == 4
    assert kv.tally.ambiguous == 0


def test_of_two_of_one_shape_the_first_is_taken_first_and_it_is_counted() -> None:
    kv = book()
    told(kv, stored("ab", 0, 16), stored("xy", 0, 16))
    kv.ended(A, asked("ab", 16), 1.0)
    kv.ended(A, asked("xy", 16), 1.0)
    told(kv, Removed(server_chain("ab", 16)))

    assert there(kv, "ab", 16) == 0
    assert there(kv, "xy", 16) == 2
    assert kv.tally.ambiguous == 1


def test_what_is_known_of_the_beginning_decides_between_two_of_one_shape() -> None:
    kv = book()
    told(kv, stored("xyz", 0, 24), stored("ab", 0, 16))
    kv.ended(A, asked("ab", 16), 1.0)
    kv.ended(A, asked("xyz", 24), 1.0)
    told(kv, stored("xyzq", 24, 32), stored("xyw", 16, 24), stored("abcd", 16, 32))
    told(kv, stored("abef", 16, 32))
    kv.ended(A, asked("abef", 32, cached=16), 1.0)
    kv.ended(A, asked("xyw", 24, cached=16), 1.0)
    told(kv, Removed(server_chain("xyw", 24)[4:]))

    assert there(kv, "xyw", 24) == 2
    assert there(kv, "xyz", 24) == 3


def test_a_conversation_goes_on_where_its_last_answer_ended() -> None:
    kv = book()
    told(kv, stored("ab", 0, 16), stored("abc", 16, 24))  # the answer to `ab` is `c`
    kv.ended(A, asked("ab", 16, answer=9), 1.0)
    told(kv, stored("abcde", 24, 40))
    kv.ended(A, asked("abcde", 40, cached=24), 1.0)

    assert there(kv, "abcde", 40) == 5
    assert kv.tally.matched == 2


def test_a_chain_that_began_before_we_listened_is_found_by_its_length() -> None:
    kv = book()
    kv.index.insert(A, prompt("abcd", 32).hashes)
    told(kv, stored("abcd", 16, 32))
    kv.ended(A, asked("abcd", 32, cached=16), 1.0)
    assert there(kv, "abcd", 32) == 4  # of the first, what was sent is all that is known
    told(kv, Removed(server_chain("abcd", 32)[7:]))

    assert there(kv, "abcd", 32) == 3


def test_blocks_that_end_behind_the_last_full_one_of_the_prompt_are_not_there() -> None:
    kv = book()
    kv.index.insert(A, prompt("abc", 24).hashes)
    told(kv, stored("abc", 0, 20))
    kv.ended(A, Answered(prompt("abc", 24), 0.0, 1.0, 23, 0, 1), 1.0)

    assert there(kv, "abc", 24) == 2


@pytest.mark.parametrize("how", ["cleared", "restarted"])
def test_an_empty_cache_is_forgotten_at_once(how: str) -> None:
    kv = book()
    told(kv, stored("ab", 0, 16))
    kv.ended(A, asked("ab", 16), 1.0)
    kv.index.insert(A, prompt("xy", 16).hashes)
    if how == "cleared":
        told(kv, Cleared())
    else:
        kv.restarted(A)

    assert there(kv, "ab", 16) == there(kv, "xy", 16) == 0
    assert len(kv) == 0


def test_after_a_loss_what_was_reported_is_believed_and_bounded_by_what_fits() -> None:
    kv = book()
    kv.index.set_capacity(A, 4 * 8)
    told(kv, stored("ab", 0, 16))
    kv.ended(A, asked("ab", 16), 1.0)
    kv.lost(A)
    assert there(kv, "ab", 16) == 2
    for name in ("cdef", "ghij"):
        kv.index.insert(A, prompt(name, 32).hashes)

    assert there(kv, "ab", 16) == 0


def test_what_waits_is_bounded() -> None:
    kv = book()
    told(kv, stored("z", 0, 8))
    for _ in range(WAITING_MAX + 5):
        kv.ended(A, asked("ab", 16), 1.0)

    assert kv.tally.unmatched == 5


def test_with_more_blocks_than_are_followed_the_oldest_are_let_go() -> None:
    chains = Chains(6)
    gone = [chains.apply(stored(name, 0, 16), 1.0) for name in ("ab", "cd", "ef")]

    assert len(chains) == 6
    assert gone == [[], [], []]  # none of ours stood on them


NAMES = st.text("abc", min_size=1, max_size=4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), NAMES),
        st.tuples(st.just("evict"), NAMES),
        st.tuples(st.just("clear"), NAMES),
    ),
    max_size=40,
)


@example([("ask", "b"), ("ask", "b"), ("evict", "b"), ("ask", "a")], "b")
@example([("ask", "aa"), ("evict", "a"), ("ask", "aa"), ("evict", "a")], "a")
@example([("ask", "aa"), ("evict", "a"), ("ask", "aa"), ("ask", "a"), ("evict", "a")], "a")
@given(STEPS, NAMES)
def test_with_events_a_match_is_never_longer_than_what_the_server_has(
    steps: list[tuple[str, str]], probe: str
) -> None:
    """The server here runs one request at a time, so that every chain is found."""
    kv, has = book(), set[int]()
    for what, name in steps:
        hashes, tokens = server_chain(name, 8 * len(name)), 8 * len(name)
        if what == "ask":
            cached = next((i for i, h in enumerate(hashes) if h not in has), len(hashes))
            cached = min(cached, len(hashes) - 1)  # the last token is always computed
            fresh = [h for h in hashes[cached:] if h not in has]
            kv.index.insert(A, prompt(name, tokens).hashes)
            if fresh:
                told(kv, stored(name, cached * SIZE, tokens))
            has |= set(hashes)
            kv.ended(A, asked(name, tokens, cached * SIZE), 1.0)
        elif what == "evict":
            told(kv, Removed(hashes[-1:]), *([Removed(hashes[:0])]))
            has -= set(hashes[-1:])
        else:
            told(kv, Cleared())
            has.clear()

    hashes = server_chain(probe, 8 * len(probe))
    truth = next((i for i, h in enumerate(hashes) if h not in has), len(hashes)) // 2
    assert there(kv, probe, 8 * len(probe)) <= truth


def test_the_server_of_an_endpoint_that_is_gone_is_followed_no_more() -> None:
    kv = book()
    told(kv, stored("abcd", 0, 32))
    kv.ended(A, asked("abcd", 32), 1.0)
    kv.keep_only([A])
    assert len(kv) == 8
    kv.keep_only(["10.0.0.2:8000"])

    assert len(kv) == 0


def kept(chains: Chains) -> int:
    """Return how many blocks are kept in memory, dead ones that others stand on included."""
    found: set[int] = set()
    for block in list(chains.owners.values()) + [run.tip for run in chains.runs]:
        at: Block | None = block
        while at is not None and id(at) not in found:
            found.add(id(at))
            at = at.parent
    return len(found)


def test_a_flood_of_blocks_that_follow_each_other_keeps_no_more_than_are_followed() -> None:
    chains = Chains(100)
    for n in range(5_000):
        chains.apply(Stored((n,), n - 1 if n else None, SIZE), 1.0)

    assert len(chains) == 100
    assert kept(chains) <= 102


@pytest.mark.parametrize("first", [None, "unheard of"])
def test_a_chain_that_is_longer_than_any_context_is_cut(
    first: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.extensions.picker.kv.chains.REACH_MAX", 50)
    chains = Chains(1_000)
    before: bytes | int | None = None if first is None else first.encode()
    for n in range(500):
        chains.apply(Stored((n,), before, SIZE), 1.0)
        if n:
            chains.apply(Removed((n - 1,)), 1.0)
        before = n

    assert kept(chains) <= 1_000


def test_a_server_that_contradicts_itself_of_where_a_block_stands_does_no_harm() -> None:
    kv = book()
    told(kv, stored("abcd", 0, 32))
    last = server_chain("abcd", 32)[-1]
    told(kv, Stored((last,), 4711, SIZE))
    for tokens in (8, 12, 16, 32):
        kv.ended(A, asked("abcd", tokens, tokens - 4), 1.0)

    assert there(kv, "abcd", 32) <= 4


def test_only_what_has_grown_since_is_looked_at_again() -> None:
    """Else a server whose events fit no request costs a look at all of them with each answer."""
    chains = Chains(10_000)
    for n in range(100):
        chains.apply(Stored((2 * n,), None, SIZE), float(n))
    chains.apply(Stored((11,), 10, SIZE), 100.0)

    assert [run.tip.depth for run in chains.grown_since(99.0)] == [2, 1]
    assert len(list(chains.grown_since(0.0))) == 100
    assert list(chains.grown_since(101.0)) == []


def test_of_two_of_one_shape_the_one_that_began_first_is_taken_even_if_it_grew_last() -> None:
    kv = book()
    told(kv, stored("abcd", 0, 16), now_s=1.0)
    told(kv, stored("efgh", 0, 16), stored("efgh", 16, 32), now_s=2.0)
    told(kv, stored("abcd", 16, 32), now_s=3.0)
    kv.ended(A, asked("abcd", 32, ended_s=4.0), 4.0)
    told(kv, Removed(server_chain("efgh", 32)))

    assert kv.tally.ambiguous == 1
    assert there(kv, "abcd", 32) == 4
