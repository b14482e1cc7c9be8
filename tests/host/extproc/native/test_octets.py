"""Whatever octets come, however cut: the same events, or the declared way out."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.host.extproc.native import frames as f
from headrace.host.extproc.native.connection import Connection
from headrace.host.extproc.native.events import Closed, Data, Event, Opened
from headrace.host.extproc.native.limits import Bounds
from tests.host.extproc.native.speech import (
    HELLO,
    SETTINGS,
    SETTINGS_ACK,
    block,
    data,
    headers,
    message,
    padded,
    said,
    spoken,
)

FRAMES = st.one_of(
    st.builds(headers, st.integers(1, 9), end=st.booleans()),
    st.builds(data, st.integers(0, 9), st.binary(max_size=40), st.booleans()),
    st.builds(
        f.frame,
        st.integers(0, 12),
        st.integers(0, 255),
        st.integers(0, 2**32 - 1) | st.integers(0, 9),
        st.binary(max_size=40),
    ),
    st.builds(padded, st.sampled_from([0, 1]), st.integers(0, 9), st.binary(), st.integers(0, 9)),
    st.builds(f.window_update, st.integers(0, 9), st.integers(0, 2**31 - 1)),
    st.builds(f.rst_stream, st.integers(0, 9), st.integers(0, 20)),
    st.sampled_from([SETTINGS, SETTINGS_ACK, f.goaway(0, 0), f.frame(f.PING, 0, 0, bytes(8))]),
    st.builds(headers, st.just(1), st.just(f.END_HEADERS), st.binary(max_size=60)),
)


def heard(connection: Connection, pieces: list[bytes]) -> tuple[list[tuple[object, ...]], bytes]:
    """Return all events of *pieces*, and what the connection has to say to them."""
    events: list[Event] = []
    for piece in pieces:
        events += connection.receive(piece, 1.0)
    return [spoken(event) for event in events], connection.take(1.0)


@given(st.lists(FRAMES, max_size=12), st.data())
@settings(deadline=None)
def test_however_the_octets_are_cut_the_events_and_answers_are_the_same(
    frames: list[bytes], chance: st.DataObject
) -> None:
    octets = HELLO + b"".join(frames)
    cuts = chance.draw(st.lists(st.integers(0, len(octets)), max_size=20).map(sorted))
    edges = [0, *cuts, len(octets)]
    pieces = [octets[a:b] for a, b in pairwise(edges)]

    assert heard(Connection(Bounds(), 0.0), pieces) == heard(Connection(Bounds(), 0.0), [octets])


def test_octet_by_octet_a_whole_exchange_is_understood() -> None:
    octets = HELLO + headers(1) + data(1, message(b"abc")) + data(1, end=True)

    events, _ = heard(Connection(Bounds(), 0.0), [octets[i : i + 1] for i in range(len(octets))])

    assert [event[0] for event in events] == ["Opened", "Data", "Ended"]
    assert events[1][2] == message(b"abc")


@given(st.lists(st.binary(max_size=100) | FRAMES, max_size=12), st.booleans())
@settings(deadline=None)
def test_noise_ends_in_events_and_never_in_an_exception(pieces: list[bytes], greeted: bool) -> None:
    connection = Connection(Bounds(), 0.0)
    events, answers = heard(connection, [HELLO, *pieces] if greeted else pieces)

    said(answers)  # whole frames only
    closed = [event for event in events if event[0] == "Closed"]
    assert len(closed) <= 1
    assert connection.closed == bool(closed)
    assert not closed or events[-1] is closed[0]
    if connection.closed:
        assert connection.receive(b"anything", 2.0) == []


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_field_block_is_a_head_or_a_fault(octets: bytes) -> None:
    connection = Connection(Bounds(), 0.0)
    connection.receive(HELLO, 0.0)
    connection.take(0.0)

    events = connection.receive(headers(1, f.END_HEADERS, octets), 0.0)

    assert [type(e) for e in events] in ([Opened], [Closed], []) or len(events) == 2
    frames = said(connection.take(0.0))
    if not events:  # malformed: a fault of the stream
        assert [(one.kind, one.code) for one in frames] == [
            (f.RST_STREAM, f.ErrorCode.PROTOCOL_ERROR)
        ]


@given(st.binary(min_size=1, max_size=2000), st.integers(1, 400))
@settings(deadline=None)
def test_continuations_and_padding_change_nothing(payload: bytes, size: int) -> None:
    whole = block()
    pieces = [whole[i : i + size] for i in range(0, len(whole), size)]
    octets = f.frame(f.HEADERS, 0 if len(pieces) > 1 else f.END_HEADERS, 1, pieces[0])
    for at, piece in enumerate(pieces[1:], 2):
        last = f.END_HEADERS if at == len(pieces) else 0
        octets += f.frame(f.CONTINUATION, last, 1, piece)
    octets += padded(f.DATA, 1, payload, 200)
    connection = Connection(Bounds(), 0.0)
    connection.receive(HELLO, 0.0)

    events = connection.receive(octets, 0.0)

    opened, arrived = events
    assert isinstance(opened, Opened)
    assert isinstance(arrived, Data)
    assert arrived.payload == payload
