"""RFC 9113, section 5: stream states, identifiers, concurrency, errors, extensions."""

from tests.conformance import frames
from tests.conformance.calls import request
from tests.conformance.case import (
    HELLO,
    OPEN,
    WHOLE,
    Case,
    alive,
    answers,
    asked,
    either,
    ended,
    goaway,
    play,
    rst,
    settled,
    untouched,
)
from tests.conformance.frames import Code, Kind, frame
from tests.conformance.peer import Peer
from tests.conformance.site import Site

CLOSED, PROTOCOL = Code.STREAM_CLOSED, Code.PROTOCOL_ERROR
REST = frames.continuation(1, request())
RESET = frames.reset(1)
# A stream that the client has ended and the host has not: one that owes an answer of an effect
# would do, but a listener ends such a stream at once. So the host's side is kept by its window.
KEPT: dict[int, int] = {frames.Setting.INITIAL_WINDOW_SIZE: 0}
REMOTE = [OPEN, HELLO, frames.data(1, end=True), settled]


def still_there(peer: Peer, site: Site) -> None:
    """See the host answer a PING, or take the farewell for one and close (6.8)."""
    if not peer.settle():
        assert [f.code for f in peer.of(Kind.GOAWAY)] == [Code.NO_ERROR]


CASES = (
    Case("5.1", "idle: DATA", [frames.data(1, b"test", end=True)], goaway(PROTOCOL, CLOSED)),
    Case("5.1", "idle: RST_STREAM", [RESET], goaway(PROTOCOL)),
    Case("5.1", "idle: WINDOW_UPDATE", [frames.window_update(1, 100)], goaway(PROTOCOL)),
    Case("5.1", "idle: CONTINUATION", [REST], goaway(PROTOCOL)),
    Case("5.1", "idle: PRIORITY", [frames.priority(1)], alive),
    Case(
        "5.1",
        "idle between two begun: RST_STREAM is for a closed stream",
        [frames.headers(5, request(), end=True), ended(5), frames.reset(3)],
        lambda peer, site: alive(peer, site) if not peer.closed else None,
    ),
    Case("5.1", "idle: RST_STREAM of an even stream", [frames.reset(2)], goaway(PROTOCOL)),
    Case(
        "5.1",
        "idle: WINDOW_UPDATE of an even stream",
        [frames.window_update(2, 1)],
        goaway(PROTOCOL),
    ),
    Case("5.1", "idle: DATA of an even stream", [frames.data(2, b"x")], goaway(PROTOCOL, CLOSED)),
    Case("5.1", "open: WINDOW_UPDATE", [OPEN, frames.window_update(1, 100)], alive),
    Case("5.1", "open: PRIORITY", [OPEN, frames.priority(1)], alive),
    Case(
        "5.1",
        "half-closed (remote): DATA",
        [*REMOTE, frames.data(1, b"test")],
        rst(1, CLOSED),
        KEPT,
    ),
    Case(
        "5.1",
        "half-closed (remote): HEADERS",
        [*REMOTE, frames.headers(1, request())],
        rst(1, CLOSED),
        KEPT,
    ),
    Case(
        "5.1",
        "half-closed (remote): HEADERS as trailers",
        [*REMOTE, frames.headers(1, b"", end=True)],
        rst(1, CLOSED),
        KEPT,
    ),
    Case(
        "5.1", "half-closed (remote): CONTINUATION", [*REMOTE, REST], goaway(PROTOCOL, CLOSED), KEPT
    ),
    Case(
        "5.1",
        "half-closed (remote): WINDOW_UPDATE",
        [*REMOTE, frames.window_update(1, 65_535)],
        answers(messages=1),
        KEPT,
    ),
    Case(
        "5.1",
        "half-closed (remote): PRIORITY",
        [*REMOTE, frames.priority(1), frames.window_update(1, 65_535)],
        answers(messages=1),
        KEPT,
    ),
    Case("5.1", "half-closed (remote): RST_STREAM", [*REMOTE, RESET], alive, KEPT),
    Case(
        "5.1",
        "closed by our reset: DATA",
        [OPEN, RESET, frames.data(1, b"test")],
        either(1, CLOSED),
    ),
    Case(
        "5.1",
        "closed by our reset: HEADERS",
        [OPEN, RESET, frames.headers(1, request())],
        either(1, CLOSED, PROTOCOL),
    ),
    Case("5.1", "closed by our reset: CONTINUATION", [OPEN, RESET, REST], goaway(CLOSED, PROTOCOL)),
    Case(
        "5.1",
        "closed by our reset: WINDOW_UPDATE",
        [OPEN, RESET, frames.window_update(1, 9)],
        alive,
    ),
    Case("5.1", "closed by our reset: RST_STREAM", [OPEN, RESET, RESET], alive),
    Case("5.1", "closed by our reset: PRIORITY", [OPEN, RESET, frames.priority(1)], alive),
    Case(
        "5.1",
        "closed by both ends: DATA",
        [WHOLE, ended(1), frames.data(1, b"test")],
        either(1, CLOSED),
    ),
    Case(
        "5.1",
        "closed by both ends: HEADERS",
        [WHOLE, ended(1), frames.headers(1, request())],
        either(1, CLOSED, PROTOCOL),
    ),
    Case(
        "5.1",
        "closed by both ends: CONTINUATION",
        [WHOLE, ended(1), REST],
        goaway(CLOSED, PROTOCOL),
    ),
    Case(
        "5.1",
        "closed by both ends: WINDOW_UPDATE",
        [WHOLE, ended(1), frames.window_update(1, 9)],
        alive,
    ),
    Case("5.1", "closed by both ends: RST_STREAM", [WHOLE, ended(1), RESET], alive),
    Case("5.1", "closed by both ends: PRIORITY", [WHOLE, ended(1), frames.priority(1)], alive),
    Case(
        "5.1",
        "closed by the host's reset: what is under way is no error",
        [
            frames.headers(1, request(te="gzip")),
            frames.data(1, b"under way"),
            frames.window_update(1, 9),
            frames.data(1, b"and more", end=True),
        ],
        rst(1, PROTOCOL),
    ),
    Case(
        "5.1",
        "no answer follows the host's reset",  # all in one segment; the referee looks
        [OPEN + HELLO + frames.window_update(1, 0)],
        rst(1, PROTOCOL),
    ),
    Case(
        "5.1",
        "no answer follows the host's reset of a connection error either",
        [OPEN + HELLO + frames.window_update(1, 0) + frame(Kind.PING, 0, bytes(6))],
        goaway(Code.FRAME_SIZE_ERROR),
    ),
    Case(
        "5.1.1",
        "an even stream identifier",
        [frames.headers(2, request(), end=True)],
        untouched(goaway(PROTOCOL)),
    ),
    Case(
        "5.1.1",
        "a stream identifier below one begun",
        [frames.headers(5, request(), end=True), ended(5), frames.headers(3, request(), end=True)],
        goaway(PROTOCOL, CLOSED),
    ),
    Case(
        "5.1.1",
        "stream identifiers with gaps",
        [
            frames.headers(7, request(), end=True),
            ended(7),
            frames.headers(4001, request(), end=True),
        ],
        answers(4001),
    ),
    Case(
        "5.1.1",
        "the highest stream identifier",
        [frames.headers(frames.STREAM_MAX, request(), end=True)],
        answers(frames.STREAM_MAX),
    ),
    Case("5.1.1", "stream 0 for a request", [frames.headers(0, request())], goaway(PROTOCOL)),
    Case(
        "5.3.1",
        "HEADERS that depends on itself",
        [frames.headers(1, frames.dependency(1) + request(), end=True, flags=0x20)],
        # RFC 9113, 5.3.2, has done away with priority: the octets may as well be passed over.
        lambda peer, site: None if peer.answer(1).frames else alive(peer, site),
    ),
    Case(
        "5.3.1",
        "PRIORITY that depends on itself",
        [frames.priority(1, on=1)],
        lambda peer, site: None if peer.settle() else goaway(PROTOCOL)(peer, site),
    ),
    Case(
        "5.4.1",
        "a connection error ends the connection",
        [frame(Kind.PING, 0, b"six__!")],
        goaway(Code.FRAME_SIZE_ERROR),
    ),
    Case(
        "5.4.1",
        "nothing is looked at after a connection error",
        [frame(Kind.PING, 0, b"six__!") + WHOLE],
        untouched(goaway(Code.FRAME_SIZE_ERROR)),
    ),
    Case(
        "5.4.2",
        "the other streams live on after a stream error",
        [
            OPEN,
            frames.headers(3, request(), end=False),
            frames.window_update(3, 0),
            HELLO,
            frames.data(1, end=True),
        ],
        answers(1, messages=1),
    ),
    Case(
        "5.5",
        "an unknown frame between those of a call",
        [
            OPEN,
            frame(0x16, 1, bytes(8)),
            HELLO,
            frame(0xFF, 0, bytes(99), 0xFF),
            frames.data(1, end=True),
        ],
        answers(1, messages=1),
    ),
    Case(
        "5.5",
        "an unknown frame inside of a block",
        [
            frames.headers(1, request()[:9], done=False),
            frame(0x16, 0, bytes(8)),
            frames.continuation(1, request()[9:]),
        ],
        untouched(goaway(PROTOCOL)),
    ),
    Case("5.5", "an unknown setting", [frames.settings({0xFF: 1, 0x7777: 2**32 - 1})], alive),
    Case(
        "7",
        "GOAWAY with an unknown code",
        [frames.goaway(0, 0xFF)],
        still_there,
    ),
    Case("7", "RST_STREAM with an unknown code", [OPEN, frames.reset(1, 0xFF)], alive),
)


@asked(CASES)
def test_section_5(case: Case, site: Site) -> None:
    play(case, site)
