"""What is merged does not depend on the way the notes came."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.picker.peers.heard import HOSTS_MAX, NUMBERS_MAX, SHARES_MAX, Heard
from headrace.extensions.picker.peers.note import SAID_S, Note, Share

PLACES = ("x", "y")
# Per host, what it has open at each place after each of its notes.
HISTORIES = st.dictionaries(
    st.sampled_from("bcd"),
    st.lists(st.tuples(st.sampled_from(PLACES), st.integers(0, 9)), min_size=1, max_size=8),
    min_size=1,
)


def told(histories: dict[str, list[tuple[str, int]]]) -> list[Note]:
    return [
        Note(origin, number, 100.0 + number / 100, (Share("p", place, open=count),))
        for origin, history in histories.items()
        for number, (place, count) in enumerate(history, 1)
    ]


def sums(heard: Heard) -> dict[str, int]:
    return {place: sum(s.open for s in heard.shares(("p", place))) for place in PLACES}


def merged(notes: Sequence[Note], now_s: float = 5.0) -> Heard:
    heard = Heard("a")
    for note in notes:
        heard.take(note, now_s)
    return heard


@given(histories=HISTORIES, data=st.data())
def test_order_and_repetition_change_nothing(
    histories: dict[str, list[tuple[str, int]]], data: st.DataObject
) -> None:
    notes = told(histories)
    twice = data.draw(st.lists(st.sampled_from(notes), max_size=8))
    came = data.draw(st.permutations([*notes, *twice]))

    assert sums(merged(came)) == sums(merged(notes))


@given(histories=HISTORIES, data=st.data())
def test_what_was_lost_is_mended_when_it_is_said_again(
    histories: dict[str, list[tuple[str, int]]], data: st.DataObject
) -> None:
    notes = told(histories)
    arrived = data.draw(st.lists(st.sampled_from(notes), unique_by=id))
    heard = merged(arrived)
    for origin, history in histories.items():
        last = dict(history)
        shares = tuple(Share("p", place, open=count) for place, count in last.items())
        heard.take(Note(origin, 99, 101.0, shares), 5.5)

    assert sums(heard) == sums(merged(notes))


@given(histories=HISTORIES, silent=st.sampled_from("bcd"), wait_s=st.floats(SAID_S + 0.01, 60.0))
def test_who_says_nothing_any_more_counts_for_nothing_and_the_others_do(
    histories: dict[str, list[tuple[str, int]]], silent: str, wait_s: float
) -> None:
    heard = merged(told(histories), now_s=0.0)
    for origin, history in histories.items():
        if origin != silent:
            shares = tuple(Share("p", p, open=c) for p, c in dict(history).items())
            heard.take(Note(origin, 99, 101.0, shares), wait_s)
    heard.expire(wait_s)

    left = {origin: history for origin, history in histories.items() if origin != silent}
    assert sums(heard) == sums(merged(told(left)))
    assert len(heard) == len(left)


@given(age_s=st.floats(0.0, 10.0))
def test_a_word_holds_for_a_bounded_time(age_s: float) -> None:
    heard = merged([Note("b", 1, 100.0, (Share("p", "x", open=3),))], now_s=0.0)
    changed = heard.expire(age_s)

    gone = age_s > SAID_S
    assert sums(heard)["x"] == (0 if gone else 3)
    assert changed == ({("p", "x")} if gone else set())


def test_one_who_leaves_is_forgotten_at_once_and_late_notes_of_it_with_it() -> None:
    heard = merged([Note("b", 1, 100.0, (Share("p", "x", open=3),))])
    changed = heard.take(Note("b", 3, 100.2, leaving=True), 5.1)
    late = heard.take(Note("b", 2, 100.1, (Share("p", "x", open=2),)), 5.2)

    assert (changed, late) == ({("p", "x")}, set())
    assert (sums(heard)["x"], len(heard)) == (0, 0)


def test_our_own_notes_and_those_of_long_ago_say_nothing() -> None:
    heard = merged([Note("b", 9, 200.0)])

    assert heard.take(Note("a", 1, 200.0, (Share("p", "x", open=3),)), 5.0) is None
    assert heard.take(Note("b", 2, 190.0, (Share("p", "x", open=3),)), 5.0) is None
    assert heard.take(Note("b", 9, 200.0), 5.0) is None
    assert sums(heard)["x"] == 0


def test_what_is_remembered_is_bounded() -> None:
    heard = Heard("a")
    for n in range(HOSTS_MAX + 5):
        heard.take(Note(f"h{n}", 1, 100.0), 1.0)
    assert len(heard) == HOSTS_MAX

    heard = Heard("a")
    many = tuple(Share("p", str(n), open=1) for n in range(SHARES_MAX + 10))
    changed = heard.take(Note("b", 1, 100.0, many), 1.0)
    assert changed is not None
    assert len(changed) == SHARES_MAX
    for n in range(2, NUMBERS_MAX + 100):
        heard.take(Note("b", n, 100.0), 1.0)
    assert heard.take(Note("b", NUMBERS_MAX + 99, 100.0), 1.0) is None


def test_the_age_is_that_of_the_most_silent() -> None:
    heard = merged([Note("b", 1, 100.0)], now_s=1.0)
    assert heard.age_s(1.5) == 0.5
    heard.take(Note("c", 1, 100.0), 2.0)

    assert heard.age_s(2.5) == 1.5
    assert Heard("a").age_s(9.0) == 0.0
