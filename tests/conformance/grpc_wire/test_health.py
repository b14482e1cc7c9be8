"""grpc.health.v1, byte by byte."""

import pytest

from headrace.host.extproc.proto import messages as pb
from tests.conformance import frames
from tests.conformance.calls import HEALTH_CHECK, HEALTH_WATCH, message, request
from tests.conformance.frames import Kind
from tests.conformance.peer import Peer, connected
from tests.conformance.site import TRANSPORTS, Site

BOTH = pytest.mark.parametrize("site", TRANSPORTS, indirect=True)
SERVING, NOT_SERVING, UNKNOWN = 1, 2, 3


def ask(service: str) -> bytes:
    """Return the message that asks for *service*."""
    return message(pb.HealthCheckRequest(service=service).SerializeToString())


def news(peer: Peer, stream: int, count: int) -> list[int]:
    """Return the first *count* states told on *stream*."""
    told = peer.arrived(stream, count).messages
    return [pb.HealthCheckResponse.FromString(m).status for m in told]


@BOTH
def test_check_answers_one_message(site: Site) -> None:
    with connected(site.port) as peer:
        peer.send(frames.headers(1, request(path=HEALTH_CHECK)))
        peer.send(frames.data(1, ask(""), end=True))
        answer = peer.answer(1)

        assert answer.grpc_status == "0"
        assert news(peer, 1, 1) == [SERVING]


@BOTH
def test_check_of_an_unknown_service_is_not_found(site: Site) -> None:
    with connected(site.port) as peer:
        peer.send(frames.headers(1, request(path=HEALTH_CHECK)))
        peer.send(frames.data(1, ask("nobody"), end=True))

        assert peer.answer(1).grpc_status == "5"


@pytest.mark.parametrize("site", ["native"], indirect=True)
def test_check_without_a_message_is_not_ok(site: Site) -> None:
    with connected(site.port) as peer:
        peer.send(frames.headers(1, request(path=HEALTH_CHECK), end=True))
        answer = peer.answer(1)

        assert answer.grpc_status != "0" or answer.reset_code is not None
        assert peer.settle()


@BOTH
def test_check_of_garbage_is_invalid_argument(site: Site) -> None:
    with connected(site.port) as peer:
        peer.send(frames.headers(1, request(path=HEALTH_CHECK)))
        peer.send(frames.data(1, message(b"\xff\xff\xff"), end=True))

        assert peer.answer(1).grpc_status == "3"


@BOTH
def test_watch_tells_every_change_and_ends_with_the_host(site: Site) -> None:
    port = site.start()
    with connected(port) as peer:
        for stream, service in ((1, ""), (3, "nobody"), (5, "liveness")):
            peer.send(frames.headers(stream, request(path=HEALTH_WATCH)))
            peer.send(frames.data(stream, ask(service), end=True))
            news(peer, stream, 1)
        site.set_serving(port, on=False)
        assert news(peer, 1, 2) == [SERVING, NOT_SERVING]
        site.set_serving(port, on=True)
        assert news(peer, 1, 3) == [SERVING, NOT_SERVING, SERVING]
        site.drain(port, 1.0)

        for stream in (1, 3, 5):
            assert peer.answer(stream).grpc_status == "14"
        if site.transport == "native":  # C-core may drop what is written just before an abort
            assert news(peer, 1, 4)[3:] == [NOT_SERVING]
        assert news(peer, 3, 1) == [UNKNOWN]
        assert news(peer, 5, 1) == [SERVING]
        site.drained(port)


@BOTH
def test_a_watch_that_is_reset_is_forgotten(site: Site) -> None:
    with connected(site.port) as peer:
        for stream in range(1, 601, 2):  # more than may watch at once
            peer.send(frames.headers(stream, request(path=HEALTH_WATCH)))
            peer.send(frames.data(stream, ask(""), end=True), frames.reset(stream))
        peer.send(frames.headers(601, request(path=HEALTH_WATCH)))
        peer.send(frames.data(601, ask(""), end=True))

        assert news(peer, 601, 1) == [SERVING]


@BOTH
def test_a_watch_without_window_waits_for_it(site: Site) -> None:
    with connected(site.port, {frames.Setting.INITIAL_WINDOW_SIZE: 0}) as peer:
        peer.send(frames.headers(1, request(path=HEALTH_WATCH)))
        peer.send(frames.data(1, ask(""), end=True))
        peer.settle()
        assert not [f for f in peer.of(Kind.DATA) if f.payload]
        peer.send(frames.window_update(1, 100))

        assert news(peer, 1, 1) == [SERVING]
