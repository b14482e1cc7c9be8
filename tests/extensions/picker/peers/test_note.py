import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.picker.peers.note import (
    NOTE_BYTES_MAX,
    PICKS_MAX,
    Note,
    Pick,
    Pin,
    Sent,
    Share,
    Unreadable,
    decoded,
    encoded,
)
from headrace.extensions.picker.peers.outbox import Outbox, packed
from headrace.extensions.picker.prefix import PrefixIndex
from headrace.extensions.picker.prompt import BLOCKS_MAX, Prompt

COUNT = st.integers(0, 2**40)
SHARE = st.builds(
    Share,
    st.text(max_size=8),
    st.text(max_size=24),
    *(COUNT,) * 5,
    picks=st.lists(st.builds(Pick, st.floats(0, 2e9), COUNT), max_size=PICKS_MAX).map(tuple),
)
HASH = st.integers(0, 2**64 - 1)
SENT = st.builds(
    Sent, st.text(), st.text(), COUNT, st.lists(HASH, max_size=50).map(tuple), HASH, COUNT
)
PIN = st.builds(Pin, st.text(), st.text(), st.text(), st.floats(0, 2e9))
NOTE = st.builds(
    Note,
    st.text(),
    COUNT,
    st.floats(0, 2e9),
    st.lists(SHARE, max_size=3).map(tuple),
    st.lists(SENT, max_size=3).map(tuple),
    st.lists(PIN, max_size=3).map(tuple),
    st.booleans(),
)


@given(note=NOTE)
def test_a_note_is_read_as_it_was_written(note: Note) -> None:
    assert decoded(encoded(note)) == note


@given(data=st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    try:
        found = decoded(data)
    except Unreadable:
        return
    assert decoded(encoded(found)) == found


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02" + encoded(Note("a", 1, 0.0))[1:],
        encoded(Note("a", 1, 0.0)) + b"x" * NOTE_BYTES_MAX,
        encoded(Note("a", 1, 0.0, (Share("p", "x", open=-1),))),
        encoded(Note("a", 1, 0.0, (Share("p", "x", picks=(Pick(0.0, 1),) * (PICKS_MAX + 1)),))),
        encoded(Note("a", 1, 0.0, (Share("p", "x", recent_tokens=float("nan")),))),
        encoded(Note("a", 1, 0.0, (Share("p", "x", recent_at_s=float("inf")),))),
        encoded(Note("a", 1, 0.0, (Share("p", "x", decode_tokens=2**63),))),
        encoded(Note("a", 1, 0.0, (Share("p", "x", recent_tokens=1e300),))),
        encoded(Note("a", 1, 1e300)),
        encoded(Note("a", 1, float("nan"))),
        encoded(Note("a", 1, 0.0, pins=(Pin("p", "s", "x", float("nan")),))),
    ],
    ids=[
        "nothing",
        "another version",
        "too long",
        "fewer than none",
        "too many",
        "no number",
        "no time",
        "more than can be counted",
        "more than can be added",
        "at the end of time",
        "at no time",
        "bound at no time",
    ],
)
def test_what_would_spoil_our_sums_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        decoded(data)


def test_the_longest_prompts_and_all_shares_of_a_large_pool_fit_into_notes() -> None:
    hashes = tuple(range(2**64 - BLOCKS_MAX, 2**64))
    picks = tuple(Pick(1.7e9 + n / 7, 2**40) for n in range(PICKS_MAX))
    shares = [Share("pool", f"[fd00::{n}]:65535", 2**40, picks=picks) for n in range(512)]
    sent = [Sent("pool", "10.0.0.1:8000", 256, hashes, 2**64 - 1, 2**30) for _ in range(3)]

    notes = list(packed([*shares, *sent]))

    assert [item for items in notes for item in items] == [*shares, *sent]
    for items in notes:
        some = tuple(i for i in items if isinstance(i, Share))
        prompts = tuple(i for i in items if isinstance(i, Sent))
        assert len(encoded(Note("o", 2**40, 1.7e9, some, prompts))) <= NOTE_BYTES_MAX


def test_prompts_that_there_is_no_room_to_tell_are_counted() -> None:
    outbox = Outbox("a", 0.0)
    for _ in range(600):
        outbox.sent("gemma", "x", PrefixIndex(), Prompt((1, 2), 3, 600))
    for n in range(2100):
        outbox.bound("gemma", f"s{n}", "x", 1.0)

    assert outbox.dropped == 600 - 512 + 2100 - 2048
    notes = list(outbox.notes({}, 1.0))
    assert sum(len(n.sent) for n in notes) == 512
    assert sum(len(n.pins) for n in notes) == 2048
    assert list(outbox.notes({}, 1.5)) == []
