"""GOAWAY, drain and the limit of concurrent streams."""

import socket
from time import monotonic

import pytest

from tests.conformance import frames
from tests.conformance.calls import HEAD, LAST, chain, request
from tests.conformance.frames import Code, Kind, Setting
from tests.conformance.peer import Peer, connected
from tests.conformance.site import TRANSPORTS, Site

BOTH = pytest.mark.parametrize("site", TRANSPORTS, indirect=True)
NATIVE = pytest.mark.parametrize("site", ["native"], indirect=True)
OPEN = frames.headers(1, request())
UNAVAILABLE = "14"


def away(peer: Peer) -> None:
    """Wait for a GOAWAY."""
    if not peer.of(Kind.GOAWAY):
        assert peer.until(lambda f: f.kind == Kind.GOAWAY)


@BOTH
def test_a_drain_says_goaway_and_lets_the_open_streams_finish(site: Site) -> None:
    port = site.start()
    with connected(port) as peer:
        peer.send(OPEN, frames.data(1, HEAD))
        peer.arrived(1, 1)
        site.drain(port, 3.0)
        away(peer)
        assert peer.of(Kind.GOAWAY)[0].code == Code.NO_ERROR
        peer.send(frames.data(1, LAST, end=True))
        answer = peer.answer(1)
        last = peer.gone()

        assert (len(answer.messages), answer.grpc_status) == (2, "0")
        assert last is not None
        assert (last.code, last.last_stream) == (Code.NO_ERROR, 1)
        site.drained(port)


@BOTH
def test_a_stream_begun_after_the_goaway_is_no_exchange(site: Site) -> None:
    port = site.start()
    with connected(port) as peer:
        peer.send(OPEN, frames.data(1, HEAD))
        peer.arrived(1, 1)
        site.drain(port, 3.0)
        away(peer)
        peer.settle()  # the second GOAWAY waits for a round trip at most
        peer.until(lambda f: f.kind == Kind.GOAWAY) if peer.referee.last_goaway != 1 else None
        before = site.tally().opened
        peer.send(frames.headers(3, request()), frames.data(3, HEAD, end=True))
        peer.settle()
        late = peer.on(3)

        assert not late.messages
        assert site.tally().opened == before
        peer.send(frames.data(1, LAST, end=True))
        assert peer.answer(1).grpc_status == "0"
        peer.gone()
        site.drained(port)


@BOTH
def test_a_drain_closes_idle_connections_and_the_port_at_once(site: Site) -> None:
    port = site.start()
    with connected(port) as peer:
        began_s = monotonic()
        site.drain(port, 3.0)
        last = peer.gone()
        site.drained(port)

        assert last is not None
        assert last.code == Code.NO_ERROR
        assert monotonic() - began_s < 2.0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 1.0)


@BOTH
def test_what_is_left_after_the_grace_ends_with_unavailable(site: Site) -> None:
    port = site.start()
    with connected(port) as peer:
        for stream in (1, 3):
            peer.send(frames.headers(stream, chain("owing")), frames.data(stream, HEAD))
            peer.arrived(stream, 1)
        site.drain(port, 0.1)

        for stream in (1, 3):
            answer = peer.answer(stream)
            assert answer.grpc_status == UNAVAILABLE
            assert answer.complete
        peer.gone()
        site.drained(port)
        assert site.emptied()


@NATIVE
def test_a_drain_does_not_wait_for_a_peer_that_takes_nothing(site: Site) -> None:
    """C-core is not asked: it waits some seconds for such a peer."""
    port = site.start()
    with connected(port, {Setting.INITIAL_WINDOW_SIZE: 0}) as peer:
        peer.send(frames.headers(1, chain("owing")), frames.data(1, HEAD))
        peer.settle()
        began_s = monotonic()
        site.drain(port, 0.1)
        site.drained(port)

        assert monotonic() - began_s < 4.0


@BOTH
def test_5_1_2_streams_over_the_limit_are_refused_and_may_be_tried_again(site: Site) -> None:
    port = site.start(streams_per_connection=2)
    with connected(port) as peer:
        assert peer.settings[Setting.MAX_CONCURRENT_STREAMS] == 2
        for stream in (1, 3, 5):
            peer.send(frames.headers(stream, request()), frames.data(stream, HEAD))
        refused = peer.answer(5)
        assert refused.reset_code in (Code.REFUSED_STREAM, Code.PROTOCOL_ERROR)
        assert not refused.blocks
        peer.send(frames.data(1, end=True))
        assert peer.answer(1).grpc_status == "0"
        peer.send(frames.headers(7, request()), frames.data(7, HEAD, end=True))

        assert peer.answer(7).grpc_status == "0"
        peer.send(frames.data(3, end=True))
        assert peer.answer(3).grpc_status == "0"


@NATIVE
def test_streams_over_the_limit_of_all_connections_are_turned_away(site: Site) -> None:
    port = site.start(exchanges_max=1)
    with connected(port) as one, connected(port) as other:
        one.send(OPEN, frames.data(1, HEAD))
        one.arrived(1, 1)
        other.send(OPEN, frames.data(1, HEAD))
        answer = other.answer(1)

        assert answer.grpc_status == "8" or answer.reset_code == Code.REFUSED_STREAM
        one.send(frames.data(1, end=True))
        assert one.answer(1).grpc_status == "0"
        other.send(frames.headers(3, request()), frames.data(3, HEAD, end=True))
        assert other.answer(3).grpc_status == "0"


@BOTH
def test_a_connection_closed_by_the_peer_ends_its_exchanges(site: Site) -> None:
    with connected(site.port) as peer:
        peer.send(OPEN, frames.data(1, HEAD))
        peer.arrived(1, 1)

    assert site.emptied()
