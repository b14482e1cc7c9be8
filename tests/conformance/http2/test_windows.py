"""RFC 9113, sections 5.2, 6.5.3 and 6.9: flow control, both ways. The referee counts along."""

import pytest

from tests.conformance import frames
from tests.conformance.calls import HEAD, chunk, request
from tests.conformance.case import (
    OPEN,
    WHOLE,
    Case,
    alive,
    answers,
    asked,
    either,
    goaway,
    play,
    rst,
    settled,
)
from tests.conformance.frames import WINDOW_BYTES_MAX, Code, Kind, Setting, frame
from tests.conformance.peer import Peer, connected
from tests.conformance.site import TRANSPORTS, Site

PROTOCOL, SIZE, FLOW = Code.PROTOCOL_ERROR, Code.FRAME_SIZE_ERROR, Code.FLOW_CONTROL_ERROR
BOTH = pytest.mark.parametrize("site", TRANSPORTS, indirect=True)
CALL = [OPEN, frames.data(1, HEAD), frames.data(1, end=True)]
ALL_BYTES = WINDOW_BYTES_MAX
WINDOW = Setting.INITIAL_WINDOW_SIZE
PIECE_BYTES = 16_384
PIECE = frames.data(1, bytes(PIECE_BYTES))

CASES = (
    Case("6.9", "WINDOW_UPDATE of the connection", [frames.window_update(0, 1)], alive),
    Case("6.9", "WINDOW_UPDATE of a stream",
         [*CALL[:1], frames.window_update(1, 1), *CALL[1:]], answers(messages=1)),
    Case("6.9", "an increment of 0 for the connection",
         [frames.window_update(0, 0)], goaway(PROTOCOL)),
    Case("6.9", "an increment of 0 for a stream",
         [OPEN, frames.window_update(1, 0)], rst(1, PROTOCOL)),
    Case("6.9", "an increment of 0 but for the reserved bit",
         [frames.window_update(0, 0x80000000)], goaway(PROTOCOL)),
    Case("6.9", "the reserved bit of an increment", [frames.window_update(0, 0x80000001)], alive),
    Case("6.9", "3 octets", [frame(Kind.WINDOW_UPDATE, 0, bytes(3))], goaway(SIZE)),
    Case("6.9", "5 octets", [frame(Kind.WINDOW_UPDATE, 0, bytes(5))], goaway(SIZE)),
    Case("6.9", "3 octets of a stream",
         [OPEN, frame(Kind.WINDOW_UPDATE, 1, bytes(3))], goaway(SIZE)),
    Case("6.9.1", "the connection's window over 2^31 - 1",
         [frames.window_update(0, ALL_BYTES)], goaway(FLOW)),
    Case("6.9.1", "the connection's window over 2^31 - 1 in two",
         [frames.window_update(0, ALL_BYTES - 65_535), frames.window_update(0, 1)], goaway(FLOW)),
    Case("6.9.1", "the connection's window at 2^31 - 1",
         [frames.window_update(0, ALL_BYTES - 65_535)], alive),
    Case("6.9.1", "a stream's window over 2^31 - 1",
         [OPEN, frames.window_update(1, ALL_BYTES)], rst(1, FLOW)),
    Case("6.9.1", "a stream's window at 2^31 - 1",
         [OPEN, frames.window_update(1, ALL_BYTES - 65_535)], alive),
    Case("6.9.2", "SETTINGS push a stream's window over 2^31 - 1",
         [OPEN, frames.window_update(1, 1), settled, frames.settings({WINDOW: ALL_BYTES})],
         goaway(FLOW)),
    Case("6.9.2", "the connection's window is not for SETTINGS to change",
         [frames.settings({WINDOW: 0}), frames.settings({WINDOW: 65_535}), *CALL],
         answers(messages=1)),
    Case("6.5.3", "of several values of one setting the last counts",
         [frame(Kind.SETTINGS, 0, b"\0\4\0\0\0\x64\0\4\0\0\0\1"), settled, *CALL,
          frames.window_update(1, 999)], answers(messages=1)),
    Case("5.2", "what a reset stream has sent is given back to the connection",
         [OPEN, frames.data(1, HEAD), frames.reset(1), settled], alive),
)  # fmt: skip


@asked(CASES)
def test_flow_control(case: Case, site: Site) -> None:
    play(case, site)


def sizes(peer: Peer, stream: int = 1) -> list[int]:
    """Return the sizes of the DATA of *stream* that hold anything."""
    found = [f for f in peer.of(Kind.DATA) if f.stream == stream]
    return [len(f.payload) for f in found if f.payload]


@BOTH
def test_6_9_1_a_window_of_1_is_filled_with_one_octet(site: Site) -> None:
    with connected(site.port, {WINDOW: 1}) as peer:
        peer.send(*CALL)
        peer.until(lambda f: f.kind == Kind.DATA)
        peer.settle()

        assert sizes(peer) == [1]


@BOTH
def test_6_9_1_octets_come_as_the_window_opens(site: Site) -> None:
    with connected(site.port, {WINDOW: 0}) as peer:
        peer.send(*CALL)
        peer.settle()
        assert sizes(peer) == []
        for _ in range(3):
            peer.send(frames.window_update(1, 2))
            peer.until(lambda f: f.kind == Kind.DATA and bool(f.payload))
            peer.settle()

        assert sizes(peer) == [2, 2, 2]
        peer.send(frames.window_update(1, 65_535))
        assert len(peer.answer(1).messages) == 1


@BOTH
def test_6_9_2_a_smaller_initial_window_may_make_a_window_negative(site: Site) -> None:
    with connected(site.port, {WINDOW: 3}) as peer:
        peer.send(*CALL)
        peer.until(lambda f: f.kind == Kind.DATA)
        peer.settle()
        assert sum(sizes(peer)) == 3
        peer.send(frames.settings({WINDOW: 2}), frames.window_update(1, 1))  # -1, then 0
        peer.settle()
        assert sum(sizes(peer)) == 3
        peer.send(frames.window_update(1, 1))
        peer.until(lambda f: f.kind == Kind.DATA)
        peer.settle()

        assert sum(sizes(peer)) == 4


@BOTH
def test_6_9_2_a_larger_initial_window_widens_open_streams(site: Site) -> None:
    with connected(site.port, {WINDOW: 0}) as peer:
        peer.send(*CALL)
        peer.settle()
        peer.send(frames.settings({WINDOW: 1}))
        peer.until(lambda f: f.kind == Kind.DATA)
        peer.settle()
        assert sizes(peer) == [1]
        peer.send(frames.settings({WINDOW: 65_535}))

        assert len(peer.answer(1).messages) == 1


@BOTH
def test_6_9_the_end_of_a_stream_needs_no_window(site: Site) -> None:
    with connected(site.port, {WINDOW: 0}) as peer:
        peer.send(WHOLE)

        assert peer.answer(1).grpc_status == "0"


@BOTH
def test_6_9_a_stream_without_window_does_not_hold_up_another(site: Site) -> None:
    with connected(site.port, {WINDOW: 0}) as peer:
        peer.send(OPEN, frames.data(1, HEAD))
        peer.send(frames.headers(3, request()), frames.window_update(3, 65_535))
        peer.send(frames.data(3, HEAD, end=True))

        assert len(peer.answer(3).messages) == 1
        assert sizes(peer, 1) == []


@BOTH
def test_6_9_the_connections_window_holds_for_all_streams_together(site: Site) -> None:
    with connected(site.port, {WINDOW: 1 << 20}) as peer:
        for stream in (1, 3):
            sent = HEAD + chunk(50_000, end_of_stream=True)
            peer.send(frames.headers(stream, request()))
            for at in range(0, len(sent), PIECE_BYTES):
                peer.send(frames.data(stream, sent[at : at + PIECE_BYTES]))
        while sum(sizes(peer, 1)) + sum(sizes(peer, 3)) < 65_535:
            assert peer.next() is not None
        peer.settle()
        assert sum(sizes(peer, 1)) + sum(sizes(peer, 3)) == 65_535
        peer.send(frames.window_update(0, 1 << 20))

        for stream in (1, 3):
            assert len(peer.arrived(stream, 2).messages) == 2


@BOTH
def test_4_2_a_larger_frame_size_of_ours_is_never_exceeded(site: Site) -> None:
    with connected(site.port, {WINDOW: 1 << 20, Setting.MAX_FRAME_SIZE: 20_000}) as peer:
        sent = HEAD + chunk(40_000, end_of_stream=True)
        peer.send(OPEN, *[frames.data(1, sent[at : at + 9999]) for at in range(0, 50_000, 9999)])

        assert len(peer.arrived(1, 2).messages) == 2


@pytest.mark.parametrize("padding", [-1, 200], ids=["plain", "padded"])
@pytest.mark.parametrize("site", ["native"], indirect=True)
def test_6_9_1_more_than_a_stream_was_granted_is_flow_control_error(
    site: Site, padding: int
) -> None:
    """Our own window is shut, so the host has answers that it cannot send, and grants no more."""
    with connected(site.port, {WINDOW: 0}) as peer:
        peer.send(frames.headers(1, request()))
        data = HEAD + chunk(60_000) * 40
        piece = PIECE_BYTES if padding < 0 else PIECE_BYTES - padding - 1
        for at in range(0, len(data), piece):
            peer.send(frames.data(1, data[at : at + piece], pad_bytes=padding))
        either(1, FLOW)(peer, site)


@pytest.mark.parametrize("site", ["native"], indirect=True)
def test_6_9_1_more_than_the_connection_was_granted_is_flow_control_error(site: Site) -> None:
    """No stream gets more than its own window, but together they get more than theirs."""
    limits = {"connection_window_bytes": 100_000, "output_bytes_max": 1000}
    with connected(site.start(limits=limits), {WINDOW: 0}) as peer:
        data = HEAD + chunk(60_000) * 2
        for stream in range(1, 13, 2):
            peer.send(frames.headers(stream, request()))
            for at in range(0, len(data), PIECE_BYTES):
                peer.send(frames.data(stream, data[at : at + PIECE_BYTES]))
        goaway(FLOW)(peer, site)


@pytest.mark.parametrize("site", ["native"], indirect=True)
def test_6_9_1_padding_counts_for_the_window(site: Site) -> None:
    """A stream is granted as much as it has used, padding and all; less would starve it."""
    with connected(site.port) as peer:
        message = chunk(1 << 20)
        peer.send(OPEN, frames.data(1, HEAD))
        used = len(HEAD)
        for at in range(0, len(message), 16_000):
            while used + 16_256 > peer.granted(1) or used + 16_256 > peer.granted(0):
                assert peer.until(lambda f: f.kind == Kind.WINDOW_UPDATE)
            peer.send(frames.data(1, message[at : at + 16_000], pad_bytes=255))
            used += len(message[at : at + 16_000]) + 256

        peer.send(frames.data(1, end=True), frames.window_update(0, 1 << 20))
        peer.send(frames.window_update(1, 1 << 20))
        assert len(peer.answer(1).messages) >= 2


@BOTH
def test_5_2_windows_are_replenished_beyond_their_first_size(site: Site) -> None:
    with connected(site.port, {WINDOW: WINDOW_BYTES_MAX}) as peer:
        peer.send(frames.window_update(0, WINDOW_BYTES_MAX - 65_535))
        sender = Sender(peer)
        peer.send(OPEN)
        sender.send(HEAD)
        for _ in range(10):
            sender.send(chunk(300_000))

        assert len(peer.arrived(1, 11).messages) >= 11


class Sender:
    """Sends DATA on stream 1 as the host's windows allow. Mutable."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._sent = 0

    def send(self, data: bytes) -> None:
        """Send *data*, and wait for window when there is none."""
        while data:
            room = min(self._room(0), self._room(1), PIECE_BYTES)
            if room <= 0:
                assert self._peer.until(lambda f: f.kind == Kind.WINDOW_UPDATE)
                continue
            self._peer.send(frames.data(1, data[:room]))
            self._sent += len(data[:room])
            data = data[room:]

    def _room(self, stream: int) -> int:
        return self._peer.granted(stream) - self._sent


@pytest.mark.parametrize("sight", ["reset by us", "reset by the host"])
@pytest.mark.parametrize("site", ["native"], indirect=True)
def test_5_2_the_connection_gets_back_what_dead_streams_were_sent(site: Site, sight: str) -> None:
    """Far more octets than the connection's window, on streams that are over."""
    with connected(site.port) as peer:
        dead = request(te="gzip") if sight == "reset by the host" else request()
        peer.settle()
        first = 65_535 + sum(frames.uint32(f.payload, 0) for f in peer.of(Kind.WINDOW_UPDATE))
        sent, stream = 0, 1
        while sent < 2 * first and sent < 40 << 20:
            parts = [frames.headers(stream, dead)]
            parts += [frames.data(stream, bytes(PIECE_BYTES))] * 3
            peer.send(*parts, frames.reset(stream))
            sent, stream = sent + 3 * PIECE_BYTES, stream + 2
            if stream % 64 == 1:
                peer.settle()
        peer.send(frames.headers(stream, request()), frames.data(stream, HEAD, end=True))

        assert len(peer.answer(stream).messages) == 1
