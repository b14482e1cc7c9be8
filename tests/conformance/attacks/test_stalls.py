"""Peers that are slow on purpose: what they hold back costs the host little, and not for ever."""

from collections.abc import Callable
from contextlib import ExitStack
from time import monotonic

import pytest

from tests.conformance import frames
from tests.conformance.attacks.arena import MIB, NATIVE, Price, arena
from tests.conformance.calls import HEAD, chain, chunk, message, request
from tests.conformance.frames import PREFACE, Kind, Setting
from tests.conformance.peer import Peer, connected, raw
from tests.conformance.site import Site

WINDOW = Setting.INITIAL_WINDOW_SIZE
PIECE_BYTES = 16_384
OPEN = frames.headers(1, request())


def press(peer: Peer, streams: int, wanted_bytes: int, quiet_s: float = 0.15) -> int:
    """Send echo chunks on *streams* as the windows allow; return how much went out."""
    sent = dict.fromkeys(range(1, 2 * streams, 2), 0)
    data = {stream: HEAD + chunk(60_000) * 4 for stream in sent}
    for stream in sent:
        peer.send(frames.headers(stream, request()))
    quiet = 0
    while sum(sent.values()) < wanted_bytes and not peer.closed and not quiet:
        moved = False
        for stream in sent:
            room = min(
                peer.granted(stream) - sent[stream],
                peer.granted(0) - sum(sent.values()),
                PIECE_BYTES,
            )
            if room > 0:
                if len(data[stream]) < room:
                    data[stream] += chunk(60_000) * 4
                peer.send(frames.data(stream, data[stream][:room]))
                data[stream] = data[stream][room:]
                sent[stream] += room
                moved = True
        if not moved:
            quiet += not _hears(peer, quiet_s)
    return sum(sent.values())


def _hears(peer: Peer, patience_s: float) -> bool:
    due_s = monotonic() + patience_s
    while (left_s := due_s - monotonic()) > 0:
        try:
            frame = peer.next(left_s)
        except AssertionError:
            return False
        if frame is None or frame.kind == Kind.WINDOW_UPDATE:
            return frame is not None
    return False


@NATIVE
def test_a_stream_whose_window_is_shut_is_read_no_further(site: Site) -> None:
    with connected(site.port, {WINDOW: 0}) as slow, arena(site, Price(grown_bytes=16 * MIB)):
        assert press(slow, 1, 64 * MIB) < 4 * MIB


@NATIVE
def test_many_streams_with_shut_windows_stay_within_the_connections_window(site: Site) -> None:
    with connected(site.port, {WINDOW: 0}) as slow, arena(site, Price(1.5, 64 * MIB)):
        assert press(slow, 40, 64 * MIB) < 24 * MIB


@NATIVE
def test_a_shut_connection_window_stops_all_its_streams(site: Site) -> None:
    with connected(site.port, {WINDOW: 2**31 - 1}) as slow, arena(site, Price(1.5, 64 * MIB)):
        assert press(slow, 10, 64 * MIB) < 24 * MIB


@NATIVE
def test_a_peer_that_takes_nothing_from_its_socket_is_read_no_further(site: Site) -> None:
    """Windows wide open, but the octets stay in the kernel's buffers."""
    with arena(site, Price(1.5, 64 * MIB)) as peer:
        peer.push(frames.settings({WINDOW: 2**31 - 1}) + frames.window_update(0, 2**30))
        for stream in range(1, 41, 2):
            peer.push(frames.headers(stream, request()) + frames.data(stream, HEAD), 0.2)
            data = chunk(60_000) * 3
            pieces = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]
            peer.pour(b"".join(frames.data(stream, p) for p in pieces), False, 0.2)


@NATIVE
def test_a_window_opened_octet_by_octet_is_no_work(site: Site) -> None:
    with connected(site.port, {WINDOW: 0}) as slow, arena(site, Price(cpu_s=1.0)):
        slow.send(OPEN, frames.data(1, HEAD + chunk(15_000)))
        slow.settle()
        slow.pour(frames.window_update(1, 1) * 30_000)


@NATIVE
def test_initial_windows_to_and_fro_with_many_streams_are_no_work(site: Site) -> None:
    with arena(site, Price(cpu_s=2.0)) as peer:
        peer.send(*[frames.headers(stream, request()) for stream in range(1, 2001, 2)])
        peer.settle()
        flip = frames.settings({WINDOW: 0}) + frames.settings({WINDOW: 2**31 - 1 - 65_535})
        peer.pour(flip * 2000)


@NATIVE
def test_octets_one_by_one_are_no_work(site: Site) -> None:
    with arena(site, Price(cpu_s=1.0)) as peer:
        data = OPEN + frames.data(1, HEAD + chunk(2000), end=True)
        for at in range(len(data)):
            peer.push(data[at : at + 1])

        assert len(peer.answer(1).messages) == 2


@NATIVE
def test_frames_of_an_octet_are_read(site: Site) -> None:
    with arena(site, Price(cpu_s=1.0)) as peer:
        data = HEAD + chunk(3000)
        peer.send(OPEN, *[frames.data(1, data[at : at + 1]) for at in range(len(data))])

        assert len(peer.arrived(1, 2).messages) == 2


@NATIVE
def test_thousands_of_silent_streams_cost_little(site: Site) -> None:
    count = 3000
    with arena(site, Price(1.5, 24 * MIB)) as peer:
        peer.pour(b"".join(frames.headers(s, request()) for s in range(1, 2 * count, 2)))
        peer.settle()

        assert site.tally().active == count + 1
    assert site.tally().active <= 1


@NATIVE
def test_promised_messages_cost_what_has_come_of_them(site: Site) -> None:
    """2,000 streams promise 30 MB each, and send 100 octets of it."""
    promise = message(bytes(100), length=30 * MIB)
    with arena(site, Price(1.5, 24 * MIB)) as peer:
        for stream in range(1, 4001, 2):
            peer.send(frames.headers(stream, request()), frames.data(stream, promise))
        peer.settle()


@NATIVE
def test_an_exchange_that_never_answers_grants_its_window_all_the_same(site: Site) -> None:
    """What an exchange has taken is consumed: it has bounds of its own."""
    with arena(site, Price(1.5, 24 * MIB)) as peer:
        peer.send(frames.headers(1, chain("mute")))
        sent, data = 0, (HEAD + chunk(PIECE_BYTES - 100) * 100)
        while sent < len(data):
            room = min(peer.granted(1) - sent, peer.granted(0) - sent, PIECE_BYTES)
            if room <= 0:
                assert peer.until(lambda f: f.kind == Kind.WINDOW_UPDATE)
                continue
            peer.send(frames.data(1, data[sent : sent + room]))
            sent += room
        peer.send(frames.data(1, end=True))

        assert peer.answer(1).grpc_status == "0"


BEGINNINGS: dict[str, Callable[[Peer], object]] = {
    "nothing": lambda peer: None,
    "half a preface": lambda peer: peer.push(PREFACE[:10]),
    "a preface without SETTINGS": lambda peer: peer.push(PREFACE),
    "half a frame": lambda peer: peer.push(PREFACE + frames.settings() + b"\0\0"),
}


@NATIVE
@pytest.mark.parametrize("begin", BEGINNINGS.values(), ids=BEGINNINGS)
def test_hundreds_of_silent_connections_do_not_keep_others_out(
    site: Site, begin: Callable[[Peer], object]
) -> None:
    with ExitStack() as stack, arena(site):
        for _ in range(200):
            begin(stack.enter_context(raw(site.port)))
