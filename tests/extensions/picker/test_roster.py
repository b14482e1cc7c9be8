import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.picker.bits import marked, mask_of, places_of
from headrace.extensions.picker.roster import CHANGES_MIN, Roster


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=40), st.data())
def test_what_changed_between_two_versions_is_told(
    changes: list[tuple[int, bool]], data: st.DataObject
) -> None:
    roster = Roster.of(["a", "b", "c"])
    for position, counts_only in changes:
        roster.changed(position, counts_only=counts_only)
    since = data.draw(st.integers(0, len(changes)))
    until = data.draw(st.integers(since, len(changes)))

    assert roster.version == len(changes)
    assert roster.between(since, until) == [2 * p + (not c) for p, c in changes[since:until]]


def test_old_changes_are_forgotten_and_that_is_said() -> None:
    roster = Roster.of(["a", "b"])
    for _ in range(10 * CHANGES_MIN):
        roster.changed(1, counts_only=True)
    now = roster.version

    assert roster.between(0, now) is None
    assert roster.between(now - CHANGES_MIN, now) == [2] * CHANGES_MIN
    oldest = next(v for v in range(now) if roster.between(v, now) is not None)
    assert now - oldest < 2 * CHANGES_MIN


def test_salts_depend_on_the_address_alone() -> None:
    salts = dict(zip("abc", Roster.of(["a", "b", "c"]).salts, strict=True))

    assert dict(zip("cb", Roster.of(["c", "b"]).salts, strict=True)) == {
        "c": salts["c"],
        "b": salts["b"],
    }
    assert len({*salts.values()}) == 3
    assert all(0.0 <= salt < 1.0 for salt in salts.values())


def test_an_address_twice_is_our_mistake() -> None:
    with pytest.raises(AssertionError, match="twice"):
        Roster.of(["a", "a"])


@given(st.lists(st.booleans(), max_size=200))
def test_bits_hold_what_was_put_in(members: list[bool]) -> None:
    mask = mask_of(members)

    assert places_of(mask) == [i for i, member in enumerate(members) if member]
    assert marked(0, range(len(members)), members) == mask
    assert marked(mask, range(len(members)), [False] * len(members)) == 0
