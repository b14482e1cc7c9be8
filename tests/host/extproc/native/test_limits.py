"""Floods and stalls: each is told by its kind, and one below the limit is not."""

from dataclasses import replace

import pytest

from headrace.host.extproc.native import frames as f
from headrace.host.extproc.native.blocks import HEAD
from headrace.host.extproc.native.connection import Connection
from headrace.host.extproc.native.events import Closed, Event, Opened, Refused, Reset
from headrace.host.extproc.native.faults import Refusal
from headrace.host.extproc.native.frames import ErrorCode
from headrace.host.extproc.native.limits import Bounds, Budget, Limits, Rate
from tests.host.extproc.native.speech import (
    HELLO,
    SETTINGS,
    SETTINGS_ACK,
    block,
    data,
    greeted,
    headers,
    said,
)

FEW = Rate(5, 1.0)
LIMITS = Limits(
    continuations_max=5,
    resets=FEW,
    unanswered=FEW,
    stream_errors=FEW,
    pings=FEW,
    settings=replace(FEW, burst=6),  # the greeting has one
    empty_frames=FEW,
    priorities=FEW,
    unknown_frames=FEW,
    small_updates=FEW,
)
BOUNDS = Bounds(streams_max=10_000, header_list_bytes_max=2_000, limits=LIMITS)


def refusals(events: list[Event]) -> list[Refusal]:
    """Return what was refused."""
    return [event.kind for event in events if isinstance(event, Refused)]


# Kind -> what is sent before, and what may be sent five times but not six.
FLOODS: dict[Refusal, tuple[bytes, list[bytes]]] = {
    Refusal.PINGS: (b"", [f.frame(f.PING, 0, 0, bytes(8))] * 6),
    Refusal.SETTINGS: (b"", [SETTINGS] * 6),
    Refusal.PRIORITIES: (b"", [f.frame(f.PRIORITY, 0, 9, bytes(5))] * 6),
    Refusal.UNKNOWN_FRAMES: (b"", [f.frame(99, 0, 0)] * 6),
    Refusal.EMPTY_FRAMES: (headers(1), [data(1)] * 6),
    Refusal.WINDOW_UPDATES: (headers(1), [f.window_update(1, 1)] * 6),
    Refusal.RESETS: (b"", [headers(n) + f.rst_stream(n, 8) for n in range(1, 13, 2)]),
    Refusal.STREAM_ERRORS: (b"", [headers(n, 4, block(())) for n in range(1, 13, 2)]),
    Refusal.CONTINUATIONS: (headers(1, 0), [f.frame(f.CONTINUATION, 0, 1)] * 6),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_ends_the_connection_and_less_does_not(kind: Refusal) -> None:
    before, flood = FLOODS[kind]
    connection = greeted(BOUNDS)

    assert refusals(connection.receive(before + b"".join(flood[:5]), 0.0)) == []
    events = connection.receive(flood[5], 0.0)

    assert refusals(events) == [kind]
    assert isinstance(events[-1], Closed)
    assert events[-1].code is ErrorCode.ENHANCE_YOUR_CALM


def test_heard_streams_that_are_reset_have_a_budget_of_their_own() -> None:
    connection = greeted(BOUNDS)

    def rapid(number: int) -> list[Refusal]:
        octets = headers(number) + data(number, b"x") + f.rst_stream(number, 8)
        return refusals(connection.receive(octets, 0.0))

    told = [rapid(number) for number in range(1, 13, 2)]

    assert told == [[], [], [], [], [], [Refusal.RESETS]]


def test_streams_that_were_answered_may_be_reset_for_ever() -> None:
    connection = greeted(BOUNDS)
    for number in range(1, 100, 2):
        event = connection.receive(headers(number), 0.0)[0]
        assert isinstance(event, Opened)
        connection.respond(event.stream, HEAD)
        connection.take(0.0)
        connection.receive(f.rst_stream(number, 8), 0.0)

    assert not connection.closed
    assert connection.stream_count == 0


@pytest.mark.parametrize("late", [data(1), headers(1)], ids=["DATA", "HEADERS"])
def test_frames_on_streams_that_we_reset_cost_as_well(late: bytes) -> None:
    connection = greeted(BOUNDS)
    event = connection.receive(headers(1), 0.0)[0]
    assert isinstance(event, Opened)
    connection.reset(event.stream, ErrorCode.CANCEL)

    connection.receive(late * 5, 0.0)
    assert not connection.closed
    connection.receive(late, 0.0)
    assert connection.closed


def test_a_budget_comes_back_with_time() -> None:
    budget = Budget(Rate(2, 10.0), 0.0)

    assert [budget.spend(0.0) for _ in range(3)] == [True, True, False]
    assert [budget.spend(0.1) for _ in range(2)] == [True, False]
    assert [budget.spend(100.0) for _ in range(3)] == [True, True, False]


def test_streams_over_the_limit_are_refused_and_may_be_tried_again() -> None:
    connection = greeted(replace(BOUNDS, streams_max=2))

    events = connection.receive(headers(1) + headers(3) + headers(5), 0.0)

    assert refusals(events) == [Refusal.STREAMS]
    (reset,) = said(connection.take(0.0))
    assert (reset.stream_id, reset.code) == (5, ErrorCode.REFUSED_STREAM)
    assert connection.stream_count == 2


def test_a_field_section_far_too_large_ends_the_connection_before_it_is_unpacked() -> None:
    connection = greeted(BOUNDS)
    connection.receive(headers(1, 4, b"\x40\x01a\x7f\xd1\x0e" + bytes(b"b" * 2000)), 0.0)

    events = connection.receive(headers(3, 4, b"\xbe" * 16_000), 0.0)  # 2 kB by each octet

    assert refusals(events) == [Refusal.HEADERS]
    assert connection.closed


def test_a_field_block_that_grows_without_end_ends_the_connection() -> None:
    connection = greeted(BOUNDS)

    events = connection.receive(headers(1, 0) + f.frame(9, 0, 1, bytes(9_000)), 0.0)

    assert refusals(events) == [Refusal.HEADERS]


def test_who_does_not_read_our_answers_to_pings_is_sent_away() -> None:
    bounds = replace(BOUNDS, limits=replace(LIMITS, pings=Rate(10**6, 1.0), control_bytes_max=1700))
    connection = greeted(bounds)

    events: list[Event] = []
    for _ in range(101):
        events += connection.receive(f.frame(f.PING, 0, 0, bytes(8)), 0.0)

    assert refusals(events) == [Refusal.SLOW_READER]


# Kind -> what the peer has said, and after how many seconds of silence that is not enough.
SILENCES: dict[Refusal, tuple[bytes, float, ErrorCode]] = {
    Refusal.SLOW_PREFACE: (f.PREFACE[:10], 10.0, ErrorCode.PROTOCOL_ERROR),
    Refusal.SLOW_SETTINGS: (HELLO, 10.0, ErrorCode.SETTINGS_TIMEOUT),
    Refusal.SLOW_HEADERS: (
        HELLO + SETTINGS_ACK + headers(1, 0),
        10.0,
        ErrorCode.ENHANCE_YOUR_CALM,
    ),
}


@pytest.mark.parametrize("kind", SILENCES)
def test_a_peer_that_is_too_slow_is_sent_away(kind: Refusal) -> None:
    octets, patience_s, code = SILENCES[kind]
    connection = Connection(BOUNDS, 0.0)
    connection.receive(octets, 0.0)

    assert connection.tick(patience_s) == []
    events = connection.tick(patience_s + 0.1)

    assert refusals(events) == [kind]
    assert isinstance(events[-1], Closed)
    assert events[-1].code is code
    assert connection.tick(99.0) == []


def test_a_silent_peer_is_asked_whether_it_lives() -> None:
    connection = greeted()
    assert connection.tick(60.0) == []
    connection.tick(60.1)
    (ping,) = said(connection.take(60.1))
    assert (ping.kind, ping.flags) == (f.PING, 0)

    connection.receive(f.frame(f.PING, f.ACK, 0, ping.payload), 70.0)
    assert connection.tick(90.0) == []
    connection.tick(131.0)
    assert refusals(connection.tick(151.1)) == [Refusal.DEAD_PEER]


def test_a_stream_whose_window_stays_shut_is_reset() -> None:
    connection = greeted()
    connection.receive(f.settings(((f.INITIAL_WINDOW_SIZE, 10),)), 0.0)
    event = connection.receive(headers(1), 0.0)[0]
    assert isinstance(event, Opened)
    connection.send(event.stream, bytes(100))
    connection.take(0.0)
    connection.receive(f.window_update(1, 1) + f.frame(f.PING, 1, 0, bytes(8)), 500.0)
    connection.take(500.0)  # one octet is progress
    connection.receive(f.frame(f.PING, 1, 0, bytes(8)), 1090.0)
    assert connection.tick(1099.0) == []

    events = connection.tick(1100.1)

    assert events == [Refused(Refusal.STALLED_STREAM), Reset(event.stream)]
    assert [x.code for x in said(connection.take(1100.1))] == [ErrorCode.CANCEL]


def test_an_idle_connection_is_asked_to_leave_and_one_with_a_stream_is_not() -> None:
    limits = replace(LIMITS, idle_s=30.0)
    idle, busy = greeted(Bounds(limits=limits)), greeted(Bounds(limits=limits))
    busy.receive(headers(1), 0.0)

    assert refusals(busy.tick(31.0)) == []
    assert refusals(idle.tick(31.0)) == [Refusal.IDLE]
    goaway, ping = said(idle.take(31.0))
    assert (goaway.kind, goaway.code) == (f.GOAWAY, ErrorCode.NO_ERROR)
    assert not idle.over
    idle.receive(f.frame(f.PING, f.ACK, 0, ping.payload), 31.0)
    idle.take(31.0)
    assert idle.over
