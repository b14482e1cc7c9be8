"""The state that a guard's exchanges share."""

import pytest

from headrace.extensions.safety.breaker import PAUSE_S_MAX, Breaker
from headrace.extensions.safety.contract import CLEAR, Hit, Kind, Trouble, Verdict
from headrace.extensions.safety.memory import Memory, key_from, keyed

ILL = Trouble(Kind.TIMEOUT)


def test_failures_in_a_row_open_it_and_a_success_between_them_does_not() -> None:
    breaker = Breaker(2, 10.0)
    breaker.failed(ILL, 0.0)
    breaker.answered()
    breaker.failed(ILL, 1.0)

    assert breaker.allows(1.0)

    breaker.failed(ILL, 2.0)

    assert not breaker.allows(11.9)


def test_after_its_time_one_call_tries_and_the_others_wait_for_what_it_brings() -> None:
    breaker = Breaker(1, 10.0)
    breaker.failed(ILL, 0.0)

    assert [breaker.allows(10.0) for _ in range(3)] == [True, False, False]

    breaker.failed(ILL, 11.0)

    assert not breaker.allows(20.9)
    assert breaker.allows(21.0)

    breaker.answered()

    assert [breaker.allows(21.0) for _ in range(3)] == [True] * 3


@pytest.mark.parametrize("kind", [Kind.BUSY, Kind.UNREADABLE, Kind.OPEN])
def test_what_is_not_the_provider_s_fault_does_not_count(kind: Kind) -> None:
    breaker = Breaker(1, 10.0)
    breaker.failed(Trouble(kind), 0.0)

    assert breaker.allows(0.0)


@pytest.mark.parametrize(("asked_s", "waits_s"), [(None, 10.0), (3.0, 3.0), (1e9, PAUSE_S_MAX)])
def test_a_quota_opens_it_for_as_long_as_is_asked_within_reason(
    asked_s: float | None, waits_s: float
) -> None:
    breaker = Breaker(5, 10.0)
    breaker.failed(Trouble(Kind.QUOTA, "", asked_s), 0.0)

    assert not breaker.allows(waits_s - 0.001)
    assert breaker.allows(waits_s)


def test_a_verdict_counts_for_its_time_and_the_oldest_go_first() -> None:
    memory, bad = Memory(10.0, 2), Verdict((Hit("w", 0),))
    memory.put(b"a", CLEAR, 0.0)
    memory.put(b"b", bad, 1.0)

    assert memory.get(b"a", 9.9) is CLEAR
    assert memory.get(b"a", 10.0) is None
    assert memory.get(b"b", 10.0) is bad

    memory.put(b"c", CLEAR, 10.0)
    memory.put(b"d", CLEAR, 10.0)

    assert len(memory) == 2
    assert memory.get(b"b", 10.0) is None


def test_the_hash_of_texts_depends_on_the_key_on_every_text_and_on_where_each_ends() -> None:
    key, other = key_from(b"one"), key_from(b"other")
    hashes = [
        keyed(key, ("ab", "c")),
        keyed(key, ("a", "bc")),
        keyed(key, ("abc",)),
        keyed(other, ("ab", "c")),
        keyed(key, ("\ud800",)),
    ]

    assert len(set(hashes)) == len(hashes)
    assert keyed(key, ("ab", "c")) == hashes[0]
