"""What only time ends. The limits are short here, and the host looks several times a second."""

from contextlib import ExitStack
from time import monotonic

import pytest

from tests.conformance import frames
from tests.conformance.attacks.arena import NATIVE
from tests.conformance.calls import HEAD, chunk, request
from tests.conformance.frames import PREFACE, Code, Kind, Setting
from tests.conformance.peer import Peer, connected, raw
from tests.conformance.site import Site

LIMIT_S = 0.2
LATE_S = 1.5  # by then the host has looked
OPEN = frames.headers(1, request())
UNDONE = frames.headers(1, request()[:20], done=False)


def ends(peer: Peer) -> tuple[float, int | None]:
    """Return after how long *peer* was sent away, and the code if it was told."""
    began_s = monotonic()
    away = peer.gone(LATE_S + LIMIT_S)
    return monotonic() - began_s, None if away is None else away.code


@NATIVE
@pytest.mark.parametrize("sent", [b"", PREFACE[:12], PREFACE[:-1]], ids=["none", "half", "most"])
def test_a_preface_must_come_in_time(site: Site, sent: bytes) -> None:
    with raw(site.start(limits={"preface_s": LIMIT_S}), polite=False) as peer:
        peer.send(sent)
        after_s, _ = ends(peer)

        assert after_s > LIMIT_S / 2


@NATIVE
def test_6_5_3_settings_must_be_acknowledged_in_time(site: Site) -> None:
    with raw(site.start(limits={"settings_s": LIMIT_S}), polite=False) as peer:
        peer.send(PREFACE, frames.settings())
        after_s, code = ends(peer)

        assert after_s > LIMIT_S / 2
        assert code == Code.SETTINGS_TIMEOUT


@NATIVE
def test_a_field_block_must_end_in_time(site: Site) -> None:
    with connected(site.start(limits={"headers_s": LIMIT_S})) as peer:
        peer.send(UNDONE)
        after_s, code = ends(peer)

        assert after_s > LIMIT_S / 2
        assert code is not None


@NATIVE
def test_a_field_block_fed_in_drops_must_end_in_time_as_well(site: Site) -> None:
    with connected(site.start(limits={"headers_s": LIMIT_S})) as peer:
        peer.send(UNDONE)
        due_s = monotonic() + LATE_S
        while not peer.closed and not peer.of(Kind.GOAWAY) and monotonic() < due_s:
            peer.send(frames.continuation(1, b"", done=False))
            peer.pour(b"", patience_s=0.01)
            try:
                peer.next(0.02)
            except AssertionError:
                continue

        assert peer.closed or peer.of(Kind.GOAWAY)


@NATIVE
def test_an_idle_connection_is_sent_away_without_error(site: Site) -> None:
    with connected(site.start(limits={"idle_s": LIMIT_S})) as peer:
        after_s, code = ends(peer)

        assert after_s > LIMIT_S / 2
        assert code == Code.NO_ERROR


@NATIVE
def test_a_busy_connection_is_not_idle(site: Site) -> None:
    with connected(site.start(limits={"idle_s": LIMIT_S})) as peer:
        peer.send(OPEN, frames.data(1, HEAD))
        with pytest.raises(AssertionError):
            peer.until(lambda f: f.kind == Kind.GOAWAY, 3 * LIMIT_S)
        peer.send(frames.data(1, chunk(5)))

        assert len(peer.arrived(1, 2).messages) == 2


@NATIVE
def test_a_peer_that_answers_no_ping_is_dead(site: Site) -> None:
    limits = {"ping_after_s": LIMIT_S, "ping_s": LIMIT_S}
    with connected(site.start(limits=limits)) as peer:
        peer.polite = False
        after_s, _ = ends(peer)

        assert peer.of(Kind.PING)
        assert after_s > LIMIT_S


@NATIVE
def test_a_peer_that_answers_its_pings_stays(site: Site) -> None:
    limits = {"ping_after_s": LIMIT_S, "ping_s": LIMIT_S}
    with connected(site.start(limits=limits)) as peer:
        with pytest.raises(AssertionError):
            peer.until(lambda f: f.kind == Kind.GOAWAY, 5 * LIMIT_S)

        assert peer.of(Kind.PING)
        assert peer.settle()


@NATIVE
def test_a_window_that_stays_shut_costs_the_stream(site: Site) -> None:
    port = site.start(limits={"stream_stall_s": LIMIT_S})
    with connected(port, {Setting.INITIAL_WINDOW_SIZE: 0}) as peer:
        peer.send(OPEN, frames.data(1, HEAD))
        stalled = peer.answer(1)
        assert stalled.reset_code is not None
        peer.send(frames.headers(3, request()), frames.window_update(3, 9999))
        peer.send(frames.data(3, HEAD, end=True))

        assert peer.answer(3).grpc_status == "0"


@NATIVE
def test_a_stream_that_has_nothing_to_send_does_not_stall(site: Site) -> None:
    port = site.start(limits={"stream_stall_s": LIMIT_S})
    with connected(port, {Setting.INITIAL_WINDOW_SIZE: 0}) as peer:
        peer.send(OPEN)
        with pytest.raises(AssertionError):
            peer.until(lambda f: f.kind == Kind.RST_STREAM, 3 * LIMIT_S)
        peer.send(frames.data(1, end=True))

        assert peer.answer(1).grpc_status == "0"


@NATIVE
def test_a_socket_that_nothing_is_taken_from_is_dropped(site: Site) -> None:
    port = site.start(limits={"write_stall_s": LIMIT_S})
    with connected(port, {Setting.INITIAL_WINDOW_SIZE: 2**31 - 1}) as peer:
        peer.push(frames.window_update(0, 2**30))
        for stream in range(1, 61, 2):
            data = HEAD + chunk(60_000) * 3
            pieces = [data[at : at + 16_384] for at in range(0, len(data), 16_384)]
            sent = b"".join(frames.data(stream, piece) for piece in pieces)
            peer.pour(frames.headers(stream, request()) + sent, False, 0.3)

        assert site.emptied()


@NATIVE
def test_connections_over_the_limit_are_not_kept(site: Site) -> None:
    port = site.start(limits={"connections_max": 2})
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(connected(port))
        third = stack.enter_context(raw(port))
        third.send(PREFACE, frames.settings())

        assert third.gone() is None


@NATIVE
def test_what_incomplete_messages_hold_is_bounded(site: Site) -> None:
    port = site.start(limits={"held_bytes_max": 300_000})
    with connected(port) as peer:
        unfinished = chunk(60_000)[:-1]
        streams = range(1, 21, 2)
        for stream in streams:
            peer.send(frames.headers(stream, request()))
            for at in range(0, len(unfinished), 16_384):
                peer.send(frames.data(stream, unfinished[at : at + 16_384]))
        refused = 0
        while refused < 4:
            assert peer.next() is not None
            refused = sum(peer.on(s).grpc_status == "8" for s in streams)

        assert peer.settle()
        assert peer.on(1).grpc_status == ""


@NATIVE
def test_a_connection_of_age_is_asked_to_go_and_must(site: Site) -> None:
    port = site.start(connection_age_max_s=LIMIT_S, connection_age_grace_s=LIMIT_S)
    with connected(port) as peer:
        peer.send(OPEN, frames.data(1, HEAD))
        away = peer.until(lambda f: f.kind == Kind.GOAWAY, LATE_S)
        assert away is not None
        assert away.code == Code.NO_ERROR

        assert peer.answer(1).grpc_status == "14"
        peer.gone()
