"""Flow control, both ways: no window is ever exceeded, none is given while answers wait."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.host.extproc.native import frames as f
from headrace.host.extproc.native.blocks import HEAD, OK_TRAILERS
from headrace.host.extproc.native.connection import Connection
from headrace.host.extproc.native.events import Closed, Opened, Reset
from headrace.host.extproc.native.frames import ErrorCode
from headrace.host.extproc.native.limits import Bounds, Limits
from headrace.host.extproc.native.settings import MAX_FRAME_SIZE
from headrace.host.extproc.native.stream import Stream
from tests.host.extproc.native.speech import HELLO, data, greeted, headers, message, said

SMALL = Bounds(window_bytes=20_000, limits=Limits(connection_window_bytes=100_000))
STREAMS: tuple[int, ...] = (1, 3, 5)


def opened(connection: Connection, stream_id: int) -> Stream:
    """Open a stream."""
    event = connection.receive(headers(stream_id), 0.0)[0]
    assert isinstance(event, Opened)
    return event.stream


def turns(connection: Connection) -> bytes:
    """Return all that the connection may send now."""
    octets = connection.take(0.0)
    while connection.wants_turn:
        octets += connection.take(0.0)
    return octets


SENT = st.tuples(st.just("send"), st.sampled_from(STREAMS), st.integers(0, 40_000))
WIDENED = st.tuples(st.just("widen"), st.sampled_from((0, *STREAMS)), st.integers(1, 50_000))
RESIZED = st.tuples(st.just("resize"), st.just(0), st.integers(0, 100_000))
FRAMED = st.tuples(st.just("frame"), st.just(0), st.sampled_from([16_384, 20_000, 100_000]))


@dataclass(slots=True)
class Ledger:
    """The peer's own reckoning of what it allows and gets, against which we are held."""

    connection: Connection
    window: int = f.WINDOW_DEFAULT
    initial: int = f.WINDOW_DEFAULT
    frame_max: int = 16_384
    own: dict[int, int] = field(default_factory=lambda: dict.fromkeys(STREAMS, f.WINDOW_DEFAULT))
    got: dict[int, bytes] = field(default_factory=lambda: dict.fromkeys(STREAMS, b""))

    def widen(self, number: int, size: int) -> None:
        self.connection.receive(f.window_update(number, size), 0.0)
        if number:
            self.own[number] += size
        else:
            self.window += size

    def resize(self, _: int, size: int) -> None:
        self.connection.receive(f.settings(((f.INITIAL_WINDOW_SIZE, size),)), 0.0)
        self.own = {number: left + size - self.initial for number, left in self.own.items()}
        self.initial = size

    def frame(self, _: int, size: int) -> None:
        self.connection.receive(f.settings(((MAX_FRAME_SIZE, size),)), 0.0)
        self.frame_max = size

    def check(self) -> None:
        """Take all that is sent, and hold it against the windows."""
        for frame in said(turns(self.connection)):
            if frame.kind == f.DATA:
                size = len(frame.payload)
                self.window -= size
                self.own[frame.stream_id] -= size
                self.got[frame.stream_id] += frame.payload
                assert size <= self.frame_max
                assert min(self.window, self.own[frame.stream_id]) >= 0


@given(st.lists(st.one_of(SENT, WIDENED, RESIZED, FRAMED), max_size=30))
@settings(deadline=None)
def test_what_is_sent_fits_the_windows_and_arrives_whole_once_they_open(
    steps: list[tuple[str, int, int]],
) -> None:
    connection = greeted()
    streams = {number: opened(connection, number) for number in STREAMS}
    ledger, asked = Ledger(connection), dict.fromkeys(STREAMS, b"")
    for stream in streams.values():
        connection.respond(stream, HEAD)
    for what, number, size in steps:
        if what == "send":
            octets = bytes((size % 251,)) * size
            connection.send(streams[number], octets)
            asked[number] += message(octets)
        else:
            getattr(ledger, what)(number, size)
        ledger.check()
    assert all(asked[number].startswith(ledger.got[number]) for number in STREAMS)

    for number in (0, *STREAMS):
        ledger.widen(number, 10_000_000)
    ledger.check()
    assert ledger.got == asked


@given(st.lists(st.tuples(st.sampled_from(STREAMS), st.integers(0, 16_384)), max_size=60))
@settings(deadline=None)
def test_a_peer_that_keeps_to_its_windows_is_never_at_fault_and_gets_them_back(
    sent: list[tuple[int, int]],
) -> None:
    connection = Connection(SMALL, 0.0)
    connection.receive(HELLO, 0.0)
    connection.take(0.0)
    for number in STREAMS:
        opened(connection, number)
    window, own = 100_000, dict.fromkeys(STREAMS, 20_000)

    for number, size in sent:
        if size > min(window, own[number]):
            continue
        window -= size
        own[number] -= size
        assert not any(
            isinstance(e, Closed | Reset)
            for e in connection.receive(data(number, bytes(size)), 0.0)
        )
        for frame in said(turns(connection)):
            assert frame.kind == f.WINDOW_UPDATE
            increment = f.number_at(frame.payload, 0)
            if frame.stream_id:
                own[frame.stream_id] += increment
            else:
                window += increment

        assert own[number] > 20_000 // 2 - 1
        assert window > 100_000 // 2 - 1


def test_more_than_a_stream_was_given_resets_it() -> None:
    connection = Connection(SMALL, 0.0)
    connection.receive(HELLO + headers(1), 0.0)

    events = connection.receive(data(1, bytes(10_000)) * 3, 0.0)

    assert [type(event).__name__ for event in events] == ["Data", "Data", "Reset"]
    assert said(turns(connection))[-1].code is ErrorCode.FLOW_CONTROL_ERROR


def test_more_than_the_connection_was_given_ends_it() -> None:
    connection = Connection(SMALL, 0.0)
    connection.receive(HELLO, 0.0)
    flood = b"".join(headers(n) + data(n, bytes(10_000)) * 2 for n in range(1, 13, 2))

    events = connection.receive(flood, 0.0)

    closed = events[-1]
    assert isinstance(closed, Closed)
    assert closed.code is ErrorCode.FLOW_CONTROL_ERROR


def test_a_stream_whose_answers_are_not_taken_gets_no_window() -> None:
    connection = greeted()
    connection.receive(f.settings(((f.INITIAL_WINDOW_SIZE, 0),)), 0.0)
    stuck, fluent = opened(connection, 1), opened(connection, 3)
    connection.respond(stuck, HEAD)
    connection.send(stuck, bytes(100_000))
    turns(connection)

    connection.receive(b"".join(data(n, bytes(16_000)) for n in (1, 3) for _ in range(10)), 0.0)
    granted = [x.stream_id for x in said(turns(connection)) if x.kind == f.WINDOW_UPDATE]
    assert granted == [fluent.id]

    # At once, with what goes out: nothing else may come up for the peer to wait for.
    connection.receive(f.window_update(1, 200_000) + f.window_update(0, 200_000), 0.0)
    granted = [x.stream_id for x in said(turns(connection)) if x.kind == f.WINDOW_UPDATE]
    assert granted == [stuck.id]


def test_a_connection_with_too_much_unsent_gets_no_window() -> None:
    limits = Limits(connection_window_bytes=100_000, output_bytes_max=50_000)
    connection = Connection(Bounds(limits=limits), 0.0)
    connection.receive(HELLO + f.settings(((f.INITIAL_WINDOW_SIZE, 0),)), 0.0)
    stuck = opened(connection, 1)
    connection.send(stuck, bytes(60_000))
    turns(connection)

    connection.receive(headers(3) + data(3, bytes(10_000)) * 6, 0.0)
    assert said(turns(connection)) == []

    connection.receive(f.rst_stream(1, 8), 0.0)
    (granted,) = said(turns(connection))
    assert (granted.kind, granted.stream_id) == (f.WINDOW_UPDATE, 0)
    assert f.number_at(granted.payload, 0) == 60_000


def test_trailers_wait_for_the_data_before_them_and_ask_the_peer_to_stop() -> None:
    connection = greeted()
    stream = opened(connection, 1)
    connection.respond(stream, HEAD)
    connection.send(stream, bytes(70_000))
    connection.finish(stream, OK_TRAILERS)
    first = said(turns(connection))
    assert sum(len(x.payload) for x in first if x.kind == f.DATA) == 65_535
    assert connection.stream_count == 1

    connection.receive(f.window_update(0, 9_999) + f.window_update(1, 9_999), 0.0)
    last = said(turns(connection))

    assert [(x.kind, x.flags) for x in last] == [
        (f.DATA, 0),
        (f.HEADERS, f.END_HEADERS | f.END_STREAM),
        (f.RST_STREAM, 0),
    ]
    assert last[-1].code is ErrorCode.NO_ERROR
    assert connection.stream_count == 0


def test_streams_take_turns_on_a_narrow_connection() -> None:
    connection = greeted()
    streams = [opened(connection, number) for number in STREAMS]
    for stream in streams:
        connection.respond(stream, HEAD)
        connection.send(stream, bytes(60_000))
    turns(connection)

    for _ in range(6):
        connection.receive(f.window_update(0, 40_000), 0.0)
        turns(connection)

    assert all(stream.queued_bytes == 0 for stream in streams)
