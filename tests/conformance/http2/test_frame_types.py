"""RFC 9113, section 6: each type of frame, right and wrong."""

from tests.conformance import frames
from tests.conformance.calls import HEAD, request
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
    settled,
    untouched,
)
from tests.conformance.frames import Code, Flag, Kind, frame
from tests.conformance.peer import Peer
from tests.conformance.site import Site

NONE = Code.NO_ERROR
PROTOCOL, SIZE, FLOW = Code.PROTOCOL_ERROR, Code.FRAME_SIZE_ERROR, Code.FLOW_CONTROL_ERROR
END = frames.data(1, end=True)
CUT = len(request()) // 2
BEGUN = frames.headers(1, request()[:CUT], end=True, done=False)
BEGUN_OPEN = frames.headers(1, request()[:CUT], done=False)
REST = frames.continuation(1, request()[CUT:])

DATA = (
    Case("6.1", "DATA", [OPEN, HELLO, END], answers(messages=1)),
    Case("6.1", "one message in several DATA",
         [OPEN, frames.data(1, HEAD[:7]), frames.data(1, HEAD[7:], end=True)],
         answers(messages=1)),
    Case("6.1", "padded DATA",
         [OPEN, frames.data(1, HEAD, pad_bytes=7), frames.data(1, b"", True, 255)],
         answers(messages=1)),
    Case("6.1", "DATA with a pad of length 0", [OPEN, frames.data(1, HEAD, True, 0)],
         answers(messages=1)),
    Case("6.1", "DATA of stream 0", [frames.data(0, b"test")], goaway(PROTOCOL)),
    Case("6.1", "DATA after the end of the stream",
         [WHOLE, ended(1), frames.data(1, b"x", end=True)], either(1, Code.STREAM_CLOSED)),
    Case("6.1", "a pad as long as the payload",
         [OPEN, frame(Kind.DATA, 1, b"\x05test!", Flag.PADDED), frame(Kind.DATA, 1, b"\x06test!",
          Flag.PADDED)], goaway(PROTOCOL)),
    Case("6.1", "a pad longer than the payload",
         [OPEN, frame(Kind.DATA, 1, b"\xfftest", Flag.PADDED)], goaway(PROTOCOL)),
    Case("6.1", "PADDED without a pad length",
         [OPEN, frame(Kind.DATA, 1, b"", Flag.PADDED)], goaway(PROTOCOL, SIZE)),
)  # fmt: skip
HEADERS = (
    Case("6.2", "HEADERS", [WHOLE], answers()),
    Case("6.2", "padded HEADERS",
         [frame(Kind.HEADERS, 1, frames.padded(request(), 9), 0x0D)], answers()),
    Case("6.2", "HEADERS with priority",
         [frames.headers(1, frames.dependency() + request(), end=True, flags=0x20)], answers()),
    Case("6.2", "padded HEADERS with priority",
         [frame(Kind.HEADERS, 1, frames.padded(frames.dependency() + request(), 3), 0x2D)],
         answers()),
    Case("6.2", "PRIORITY instead of CONTINUATION",
         [BEGUN, frames.priority(1), REST], untouched(goaway(PROTOCOL))),
    Case("6.2", "HEADERS of another stream instead of CONTINUATION",
         [BEGUN, frames.headers(3, request())], untouched(goaway(PROTOCOL))),
    Case("6.2", "HEADERS of the same stream instead of CONTINUATION",
         [BEGUN, frames.headers(1, request())], untouched(goaway(PROTOCOL))),
    Case("6.2", "DATA instead of CONTINUATION",
         [BEGUN_OPEN, frames.data(1, b"x")], untouched(goaway(PROTOCOL))),
    Case("6.2", "RST_STREAM instead of CONTINUATION",
         [BEGUN_OPEN, frames.reset(1)], untouched(goaway(PROTOCOL))),
    Case("6.2", "HEADERS of stream 0", [frames.headers(0, request())], goaway(PROTOCOL)),
    Case("6.2", "a pad longer than the payload",
         [frame(Kind.HEADERS, 1, b"\xff" + request(), 0x0D)], untouched(goaway(PROTOCOL))),
    Case("6.2", "priority without its octets",
         [frame(Kind.HEADERS, 1, b"\x00\x00", 0x25)], goaway(PROTOCOL, SIZE)),
    Case("6.2", "PADDED without a pad length",
         [frame(Kind.HEADERS, 1, b"", 0x0D)], goaway(PROTOCOL, SIZE)),
)  # fmt: skip
PRIORITY = (
    Case("6.3", "PRIORITY of weight 1", [frames.priority(1, weight=1), WHOLE], answers()),
    Case("6.3", "PRIORITY of weight 256", [frames.priority(1, weight=256), WHOLE], answers()),
    Case("6.3", "PRIORITY with a dependency", [frames.priority(1, on=9), WHOLE], answers()),
    Case("6.3", "exclusive PRIORITY", [frames.priority(1, on=9, exclusive=True), WHOLE],
         answers()),
    Case("6.3", "PRIORITY of an idle stream begins none", [frames.priority(9), WHOLE], answers()),
    Case("6.3", "PRIORITY of stream 0", [frames.priority(0)], goaway(PROTOCOL)),
    Case("6.3", "PRIORITY of 4 octets",
         [OPEN, frame(Kind.PRIORITY, 1, bytes(4))], either(1, SIZE)),
)  # fmt: skip
RST_STREAM = (
    Case("6.4", "RST_STREAM", [OPEN, frames.reset(1)], alive),
    Case("6.4", "RST_STREAM of stream 0", [frames.reset(0)], goaway(PROTOCOL)),
    Case("6.4", "RST_STREAM of an idle stream", [frames.reset(1)], goaway(PROTOCOL)),
    Case("6.4", "RST_STREAM of 3 octets",
         [OPEN, frame(Kind.RST_STREAM, 1, bytes(3))], goaway(SIZE)),
    Case("6.4", "RST_STREAM of 5 octets",
         [OPEN, frame(Kind.RST_STREAM, 1, bytes(5))], goaway(SIZE)),
)  # fmt: skip
SETTINGS = (
    Case("6.5", "SETTINGS of all that is defined",
         [frames.settings({1: 100, 2: 0, 3: 9, 4: 70_000, 5: 20_000, 6: 9999}), WHOLE],
         answers()),
    Case("6.5", "an ACK with a payload",
         [frame(Kind.SETTINGS, 0, bytes(6), Flag.ACK)], goaway(SIZE)),
    Case("6.5", "SETTINGS of a stream", [frame(Kind.SETTINGS, 1, bytes(6))], goaway(PROTOCOL)),
    Case("6.5", "SETTINGS of 3 octets", [frame(Kind.SETTINGS, 0, bytes(3))], goaway(SIZE)),
    Case("6.5", "SETTINGS of 7 octets", [frame(Kind.SETTINGS, 0, bytes(7))], goaway(SIZE)),
    Case("6.5.2", "ENABLE_PUSH of 2", [frames.settings({2: 2})], goaway(PROTOCOL)),
    Case("6.5.2", "ENABLE_PUSH of 1", [frames.settings({2: 1})], alive),
    Case("6.5.2", "INITIAL_WINDOW_SIZE of 2^31", [frames.settings({4: 2**31})], goaway(FLOW)),
    Case("6.5.2", "INITIAL_WINDOW_SIZE of 2^31 - 1", [frames.settings({4: 2**31 - 1})], alive),
    Case("6.5.2", "MAX_FRAME_SIZE of 2^14 - 1", [frames.settings({5: 16_383})], goaway(PROTOCOL)),
    Case("6.5.2", "MAX_FRAME_SIZE of 2^24", [frames.settings({5: 2**24})], goaway(PROTOCOL)),
    Case("6.5.2", "MAX_FRAME_SIZE of 2^24 - 1", [frames.settings({5: 2**24 - 1})], alive),
    Case("6.5.2", "MAX_CONCURRENT_STREAMS of 0 is about pushes", [
        frames.settings({3: 0}), WHOLE], answers()),
    Case("6.5.2", "MAX_HEADER_LIST_SIZE of 0 is advice", [frames.settings({6: 2**32 - 1})], alive),
    Case("6.5.2", "an unknown setting", [frames.settings({0xABCD: 1})], alive),
    Case("6.5.2", "the last of two values counts",
         [frame(Kind.SETTINGS, 0, b"\0\4\0\0\0\0" + b"\0\4\0\0\xff\xff"), OPEN, HELLO, END],
         answers(messages=1)),
    Case("6.5.3", "an ACK of nothing", [frames.settings(ack=True)],
         lambda peer, site: None if peer.settle() else goaway(PROTOCOL)(peer, site)),
)  # fmt: skip
OTHERS = (
    Case("6.6", "PUSH_PROMISE",
         [OPEN, frame(Kind.PUSH_PROMISE, 1, bytes(3) + b"\2" + request(), 4)], goaway(PROTOCOL)),
    Case("6.6", "PUSH_PROMISE of stream 0",
         [frame(Kind.PUSH_PROMISE, 0, bytes(3) + b"\2" + request(), 4)], goaway(PROTOCOL)),
    Case("6.7", "PING", [frames.ping(b"payload!"), settled], alive),
    Case("6.7", "an ACK of no PING is not answered", [frames.ping(b"not-ours", ack=True)],
         lambda peer, site: alive(peer, site)),
    Case("6.7", "PING of a stream", [frame(Kind.PING, 1, bytes(8))], goaway(PROTOCOL)),
    Case("6.7", "PING of 6 octets", [frame(Kind.PING, 0, bytes(6))], goaway(SIZE)),
    Case("6.7", "PING of 9 octets", [frame(Kind.PING, 0, bytes(9))], goaway(SIZE)),
    Case("6.8", "GOAWAY of a stream", [frame(Kind.GOAWAY, 1, bytes(8))], goaway(PROTOCOL)),
    Case("6.8", "GOAWAY of 7 octets", [frame(Kind.GOAWAY, 0, bytes(7))], goaway(SIZE)),
    Case("6.8", "what is open at a GOAWAY of ours finishes",
         [OPEN, settled, frames.goaway(0), HELLO, END],
         lambda peer, site: _finishes(peer)),
    Case("6.8", "the last stream of GOAWAY never grows",  # the referee compares
         [frames.goaway(0) + WHOLE + frame(Kind.PING, 0, bytes(6))],
         lambda peer, site: None if peer.gone() is None else goaway(SIZE, NONE)(peer, site)),
    Case("6.10", "one CONTINUATION", [BEGUN, REST], answers()),
    Case("6.10", "CONTINUATION of a whole block in pieces",
         [BEGUN, frames.continuation(1, request()[CUT:CUT + 1], done=False),
          frames.continuation(1, request()[CUT + 1:])], answers()),
    Case("6.10", "CONTINUATION, then another frame than CONTINUATION",
         [BEGUN, frames.continuation(1, request()[CUT:], done=False), frames.data(1, b"x")],
         untouched(goaway(PROTOCOL))),
    Case("6.10", "CONTINUATION of stream 0",
         [BEGUN, frames.continuation(0, request()[CUT:])], untouched(goaway(PROTOCOL))),
    Case("6.10", "CONTINUATION of another stream",
         [BEGUN, frames.continuation(3, request()[CUT:])], untouched(goaway(PROTOCOL))),
    Case("6.10", "CONTINUATION after a complete HEADERS",
         [OPEN, frames.continuation(1, request())], goaway(PROTOCOL)),
    Case("6.10", "CONTINUATION after a complete CONTINUATION",
         [BEGUN_OPEN, REST, frames.continuation(1, request())], goaway(PROTOCOL)),
    Case("6.10", "CONTINUATION after DATA",
         [OPEN, HELLO, frames.continuation(1, request())], goaway(PROTOCOL)),
)  # fmt: skip


def _finishes(peer: Peer) -> None:
    assert peer.answer(1).grpc_status == "0"


@asked([*DATA, *HEADERS, *PRIORITY, *RST_STREAM, *SETTINGS, *OTHERS])
def test_section_6(case: Case, site: Site) -> None:
    play(case, site)
