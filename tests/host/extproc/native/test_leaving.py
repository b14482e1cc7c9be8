"""How a connection leaves: first it asks, then it tells which stream was the last."""

from headrace.host.extproc.native import frames as f
from headrace.host.extproc.native.blocks import OK_TRAILERS
from headrace.host.extproc.native.events import Opened
from headrace.host.extproc.native.frames import ErrorCode
from tests.host.extproc.native.speech import greeted, headers, said


def test_streams_on_their_way_are_taken_until_the_peer_knows() -> None:
    connection = greeted()
    connection.receive(headers(1), 0.0)
    connection.drain(0.0)
    first, ping = said(connection.take(0.0))
    assert (first.kind, f.number_at(first.payload, 0)) == (f.GOAWAY, 2**31 - 1)

    assert isinstance(connection.receive(headers(3), 0.0)[0], Opened)
    connection.receive(f.frame(f.PING, f.ACK, 0, ping.payload), 0.0)
    (second,) = said(connection.take(0.0))
    assert (f.number_at(second.payload, 0), second.code) == (3, ErrorCode.NO_ERROR)

    assert connection.receive(headers(5), 0.0) == []
    (refused,) = said(connection.take(0.0))
    assert refused.code is ErrorCode.REFUSED_STREAM


def test_a_peer_that_does_not_answer_is_told_after_a_second() -> None:
    connection = greeted()
    connection.drain(0.0)
    connection.drain(0.5)
    connection.take(0.0)

    connection.tick(1.0)
    assert connection.take(1.0) == b""
    connection.tick(1.1)
    assert [x.kind for x in said(connection.take(1.1))] == [f.GOAWAY]
    assert connection.over


def test_it_is_over_when_the_last_stream_is() -> None:
    connection = greeted()
    event = connection.receive(headers(1, end=True), 0.0)[0]
    assert isinstance(event, Opened)
    connection.leave()
    connection.leave()
    assert [x.kind for x in said(connection.take(0.0))] == [f.GOAWAY]
    assert not connection.over

    connection.finish(event.stream, OK_TRAILERS)
    assert not connection.over
    connection.take(0.0)
    assert connection.over


def test_the_last_stream_that_was_told_never_grows() -> None:
    connection = greeted()
    connection.receive(headers(1) + f.goaway(0, 0) + headers(3), 0.0)
    connection.receive(f.frame(f.PING, 0, 0, b"six..."), 0.0)

    told = [x for x in said(connection.take(0.0)) if x.kind == f.GOAWAY]
    assert [f.number_at(x.payload, 0) for x in told] == [1, 1]


def test_a_peer_that_leaves_is_left() -> None:
    connection = greeted()
    connection.receive(headers(1) + f.goaway(0, 0, "bye"), 0.0)
    assert [x.kind for x in said(connection.take(0.0))] == [f.GOAWAY]

    connection.receive(f.rst_stream(1, 8), 0.0)
    assert connection.over
