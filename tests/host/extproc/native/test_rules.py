"""RFC 9113 by a table: what is a fault of the connection, of the stream, or none."""

import pytest

from headrace.host.extproc.native import frames as f
from headrace.host.extproc.native.connection import Connection
from headrace.host.extproc.native.events import Closed, Opened, Reset
from headrace.host.extproc.native.frames import ErrorCode as E
from headrace.host.extproc.native.limits import Bounds
from tests.host.extproc.native.speech import (
    HELLO,
    REQUEST,
    block,
    data,
    greeted,
    headers,
    said,
)

OPEN = headers(1)
HALF = headers(1, end=True)
RESET = OPEN + f.rst_stream(1, 8)
FIVE = bytes((0, 0, 0, 1, 16))


def setting(name: int, value: int) -> bytes:
    """Return a SETTINGS frame with one value."""
    return f.settings(((name, value),))


# What is sent after the greeting -> the code of the GOAWAY that must follow (section of the RFC).
CONNECTION_FAULTS: dict[str, tuple[bytes, E]] = {
    "4.2 frame too large": (f.frame(f.DATA, 0, 1, bytes(16_385)), E.FRAME_SIZE_ERROR),
    "4.3 field block is no HPACK": (
        headers(1, 4, b"\xff" * 6),
        E.COMPRESSION_ERROR,
    ),
    "4.3 index beyond the table": (headers(1, 4, b"\xfe"), E.COMPRESSION_ERROR),
    "5.1 DATA on an idle stream": (data(1), E.PROTOCOL_ERROR),
    "5.1 RST_STREAM on an idle stream": (f.rst_stream(1, 0), E.PROTOCOL_ERROR),
    "5.1 WINDOW_UPDATE on an idle stream": (f.window_update(1, 9), E.PROTOCOL_ERROR),
    "5.1 DATA after the peer's reset": (RESET + data(1), E.STREAM_CLOSED),
    "5.1 HEADERS after the peer's reset": (RESET + headers(1), E.STREAM_CLOSED),
    "5.1.1 an even stream": (headers(2), E.PROTOCOL_ERROR),
    "5.1.1 a lower stream": (headers(5) + headers(3), E.PROTOCOL_ERROR),
    "6.1 DATA on stream 0": (data(0), E.PROTOCOL_ERROR),
    "6.1 padding as long as the payload": (
        OPEN + f.frame(f.DATA, f.PADDED, 1, b"\x03ab"),
        E.PROTOCOL_ERROR,
    ),
    "6.1 no room for padding": (OPEN + f.frame(f.DATA, f.PADDED, 1), E.FRAME_SIZE_ERROR),
    "6.2 HEADERS on stream 0": (headers(0), E.PROTOCOL_ERROR),
    "6.2 no room for priority": (headers(1, 4 | f.WITH_PRIORITY, b"ab"), E.FRAME_SIZE_ERROR),
    "6.2 interrupted by DATA": (headers(1, 0) + data(1), E.PROTOCOL_ERROR),
    "6.2 interrupted by another": (headers(1, 0) + f.frame(9, 4, 3), E.PROTOCOL_ERROR),
    "6.3 PRIORITY on stream 0": (f.frame(f.PRIORITY, 0, 0, FIVE), E.PROTOCOL_ERROR),
    "6.3 PRIORITY of four octets, idle": (f.frame(2, 0, 1, FIVE[1:]), E.FRAME_SIZE_ERROR),
    "6.3 PRIORITY on itself, idle": (f.frame(2, 0, 1, FIVE), E.PROTOCOL_ERROR),
    "6.4 RST_STREAM on stream 0": (f.rst_stream(0, 0), E.PROTOCOL_ERROR),
    "6.4 RST_STREAM of three octets": (OPEN + f.frame(3, 0, 1, b"abc"), E.FRAME_SIZE_ERROR),
    "6.5 SETTINGS on a stream": (f.frame(f.SETTINGS, 0, 1), E.PROTOCOL_ERROR),
    "6.5 SETTINGS of seven octets": (f.frame(f.SETTINGS, 0, 0, bytes(7)), E.FRAME_SIZE_ERROR),
    "6.5 SETTINGS ACK with payload": (f.frame(4, 1, 0, bytes(6)), E.FRAME_SIZE_ERROR),
    "6.5.2 ENABLE_PUSH 2": (setting(2, 2), E.PROTOCOL_ERROR),
    "6.5.2 INITIAL_WINDOW_SIZE 2^31": (setting(4, 2**31), E.FLOW_CONTROL_ERROR),
    "6.5.2 MAX_FRAME_SIZE too small": (setting(5, 16_383), E.PROTOCOL_ERROR),
    "6.5.2 MAX_FRAME_SIZE too large": (setting(5, 2**24), E.PROTOCOL_ERROR),
    "6.6 PUSH_PROMISE": (OPEN + f.frame(f.PUSH_PROMISE, 4, 1, bytes(4)), E.PROTOCOL_ERROR),
    "6.7 PING on a stream": (f.frame(f.PING, 0, 1, bytes(8)), E.PROTOCOL_ERROR),
    "6.7 PING of seven octets": (f.frame(f.PING, 0, 0, bytes(7)), E.FRAME_SIZE_ERROR),
    "6.8 GOAWAY on a stream": (f.frame(f.GOAWAY, 0, 1, bytes(8)), E.PROTOCOL_ERROR),
    "6.8 GOAWAY of seven octets": (f.frame(f.GOAWAY, 0, 0, bytes(7)), E.FRAME_SIZE_ERROR),
    "6.9 WINDOW_UPDATE of 0": (f.window_update(0, 0), E.PROTOCOL_ERROR),
    "6.9 WINDOW_UPDATE of five octets": (f.frame(8, 0, 0, FIVE), E.FRAME_SIZE_ERROR),
    "6.9.1 connection window overflow": (f.window_update(0, 2**31 - 1), E.FLOW_CONTROL_ERROR),
    "6.9.2 stream window overflow by setting": (
        OPEN + f.window_update(1, 2**31 - 1 - 65_535) + setting(4, 65_536),
        E.FLOW_CONTROL_ERROR,
    ),
    "6.10 CONTINUATION of nothing": (OPEN + f.frame(9, 4, 1), E.PROTOCOL_ERROR),
}
# The same, but the stream is reset and the connection goes on.
STREAM_FAULTS: dict[str, tuple[bytes, E]] = {
    "5.1 DATA after END_STREAM": (HALF + data(1), E.STREAM_CLOSED),
    "5.1 HEADERS after END_STREAM": (HALF + HALF, E.STREAM_CLOSED),
    "5.3.1 depends on itself": (headers(1, 4 | 32, FIVE + block()), E.PROTOCOL_ERROR),
    "6.3 PRIORITY of four octets": (OPEN + f.frame(2, 0, 1, FIVE[1:]), E.FRAME_SIZE_ERROR),
    "6.3 PRIORITY on itself": (OPEN + f.frame(2, 0, 1, FIVE), E.PROTOCOL_ERROR),
    "6.9 WINDOW_UPDATE of 0": (OPEN + f.window_update(1, 0), E.PROTOCOL_ERROR),
    "6.9.1 window overflow": (OPEN + f.window_update(1, 2**31 - 1), E.FLOW_CONTROL_ERROR),
    "8.1 trailers without END_STREAM": (OPEN + headers(1, 4, b""), E.PROTOCOL_ERROR),
    "8.1 pseudo-header in trailers": (OPEN + headers(1, end=True), E.PROTOCOL_ERROR),
    "8.1.1 less than the content-length": (
        headers(1, 4, block((*REQUEST, ("content-length", "3")))) + data(1, b"ab", end=True),
        E.PROTOCOL_ERROR,
    ),
    "8.1.1 more than the content-length": (
        headers(1, 4, block((*REQUEST, ("content-length", "3")))) + data(1, b"abcd"),
        E.PROTOCOL_ERROR,
    ),
    "8.1.1 content without any": (
        headers(1, 4, block((*REQUEST, ("content-length", "3"))), end=True),
        E.PROTOCOL_ERROR,
    ),
    "8.2 upper case": (headers(1, 4, block((*REQUEST, ("X-a", "b")))), E.PROTOCOL_ERROR),
}
# Odd, and right.
ACCEPTED: dict[str, bytes] = {
    "4.1 unknown type": f.frame(0x77, 0xFF, 0, b"abc"),
    "4.1 reserved bit of a stream": OPEN + f.frame(f.DATA, 0, 1 | 1 << 31, b"abc"),
    "5.1 WINDOW_UPDATE after the end": RESET + f.window_update(1, 9),
    "5.1 RST_STREAM after the end": RESET + f.rst_stream(1, 0),
    "5.1 PRIORITY on an idle stream": f.frame(f.PRIORITY, 0, 9, FIVE),
    "6.5 unknown setting": setting(0x99, 7),
    "6.5 a second ACK": f.frame(f.SETTINGS, f.ACK, 0),
    "6.7 PING ACK of nobody": f.frame(f.PING, f.ACK, 0, bytes(8)),
    "6.9.1 as wide as can be": f.window_update(0, 2**31 - 1 - 65_535),
    "8.1 trailers": OPEN + headers(1, 5, block((("x-a", "b"),))),
    "8.1.1 as long as it said": headers(1, 4, block((*REQUEST, ("content-length", "2"))))
    + data(1, b"a")
    + data(1, b"b", end=True),
}


@pytest.mark.parametrize("case", CONNECTION_FAULTS)
def test_a_fault_of_the_connection_ends_it_with_goaway(case: str) -> None:
    octets, code = CONNECTION_FAULTS[case]
    connection = greeted()

    events = connection.receive(octets, 0.0)

    last = events[-1]
    assert isinstance(last, Closed)
    assert last.code is code
    frames = said(connection.take(0.0))
    assert (frames[-1].kind, frames[-1].code) == (f.GOAWAY, code)
    assert connection.over


@pytest.mark.parametrize("case", STREAM_FAULTS)
def test_a_fault_of_a_stream_resets_it_and_nothing_else(case: str) -> None:
    octets, code = STREAM_FAULTS[case]
    connection = greeted()

    events = connection.receive(octets + headers(3), 0.0)

    assert not connection.closed
    assert [(x.kind, x.stream_id, x.code) for x in said(connection.take(0.0))] == [
        (f.RST_STREAM, 1, code)
    ]
    assert connection.stream_count == 1
    assert all(event.stream.id == 1 for event in events if isinstance(event, Reset))


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_is_odd_but_right_is_taken(case: str) -> None:
    connection = greeted()

    events = connection.receive(ACCEPTED[case], 0.0)

    assert not connection.closed
    assert [x for x in said(connection.take(0.0)) if x.kind == f.RST_STREAM] == []
    assert not any(isinstance(event, Closed) for event in events)


@pytest.mark.parametrize(
    "octets",
    [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", f.PREFACE[:-1] + b"x", f.PREFACE + data(1)],
    ids=["HTTP/1.1", "TLS", "nearly", "no SETTINGS"],
)
def test_who_does_not_greet_as_section_3_4_says_is_sent_away(octets: bytes) -> None:
    connection = Connection(Bounds(), 0.0)

    events = connection.receive(octets, 0.0)

    assert isinstance(events[-1], Closed)
    assert events[-1].code is E.PROTOCOL_ERROR


def test_settings_are_acknowledged_and_pings_answered_in_order() -> None:
    connection = Connection(Bounds(), 0.0)
    connection.receive(HELLO + f.frame(f.PING, 0, 0, b"12345678"), 0.0)

    first, window, ack, pong = said(connection.take(0.0))

    assert dict(f.setting_pairs(first.payload)) == {3: 10_000, 4: 262_144, 6: 65_536}
    assert (window.kind, f.number_at(window.payload, 0)) == (8, (8 << 20) - 65_535)
    assert (ack.kind, ack.flags) == (f.SETTINGS, f.ACK)
    assert (pong.kind, pong.flags, pong.payload) == (f.PING, f.ACK, b"12345678")


def test_late_data_of_a_stream_that_we_reset_is_swallowed_and_its_window_given_back() -> None:
    connection = greeted()
    opened = connection.receive(OPEN, 0.0)[0]
    assert isinstance(opened, Opened)
    connection.reset(opened.stream, E.CANCEL)
    connection.take(0.0)
    late = b"".join(data(1, bytes(16_000)) for _ in range(300))

    events = connection.receive(late, 0.0)

    assert events == []
    granted = [x for x in said(connection.take(0.0)) if x.kind == f.WINDOW_UPDATE]
    assert [(x.stream_id, f.number_at(x.payload, 0)) for x in granted] == [(0, 300 * 16_000)]
