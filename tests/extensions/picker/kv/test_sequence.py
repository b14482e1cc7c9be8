from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.picker.kv.sequence import Next, Sequence


def test_numbers_that_count_up_are_expected_and_what_is_missing_is_a_gap() -> None:
    sequence = Sequence()
    for number in range(3):
        assert sequence.judge(number) is Next.EXPECTED
        sequence.took(number)

    assert sequence.judge(5) is Next.GAP
    sequence.took(5)
    assert sequence.judge(6) is Next.EXPECTED


def test_what_was_replayed_is_known_when_it_comes_again_and_not_for_ever() -> None:
    sequence = Sequence()
    sequence.took(0)
    sequence.replayed(range(1, 6))

    assert [sequence.judge(n) for n in (3, 4, 5)] == [Next.KNOWN] * 3
    assert sequence.judge(6) is Next.EXPECTED
    sequence.took(6)
    assert sequence.judge(3) is Next.RESTARTED


def test_a_number_from_before_is_a_new_start() -> None:
    sequence = Sequence()
    for number in range(9):
        sequence.took(number)

    assert sequence.judge(0) is Next.RESTARTED


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 10))
def test_whatever_is_lost_every_message_that_comes_is_taken_once(
    comes: list[bool], first: int
) -> None:
    sequence, taken = Sequence(), list[int]()
    for number, there in enumerate(comes, first):
        if there:
            assert sequence.judge(number) in (Next.EXPECTED, Next.GAP)
            sequence.took(number)
            taken.append(number)

    assert taken == [n for n, there in enumerate(comes, first) if there]
