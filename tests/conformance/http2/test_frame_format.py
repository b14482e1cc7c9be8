"""RFC 9113, section 4: the format and size of frames, and field blocks."""

from tests.conformance import frames
from tests.conformance.calls import HEAD, chunk, request
from tests.conformance.case import (
    HELLO,
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
    untouched,
)
from tests.conformance.fields import As, literal
from tests.conformance.frames import Code, Flag, Kind, frame
from tests.conformance.site import Site

LARGE = 16_384
OVER = bytes(LARGE + 1)
LONG_BLOCK = request(*[(f"x-long-{n}", "v" * 4000) for n in range(5)])
FILL = chunk(3 * LARGE)

CASES = (
    Case("4.1", "an unknown frame type", [frame(0x16, 0, bytes(8))], alive),
    Case("4.1", "an unknown type on an open stream", [OPEN, frame(0x16, 1, b"x")], alive),
    Case("4.1", "an unknown type on an idle stream", [frame(0xFA, 77, b"x")], alive),
    Case("4.1", "an unknown type of no octets", [frame(0x16, 0)], alive),
    Case("4.1", "undefined flags", [frame(Kind.PING, 0, bytes(8), 0x16), frames.ping()], alive),
    Case(
        "4.1",
        "undefined flags of DATA",
        [OPEN, frame(Kind.DATA, 1, HEAD, 0xC6), frames.data(1, end=True)],
        answers(messages=1),
    ),
    Case(
        "4.1",
        "the reserved bit of the stream identifier",
        [frame(Kind.PING, 0x80000000, bytes(8))],
        alive,
    ),
    Case(
        "4.1",
        "the reserved bit of a stream",
        [frame(Kind.HEADERS, 0x80000001, request(), Flag.END_HEADERS | Flag.END_STREAM)],
        answers(),
    ),
    Case(
        "4.2",
        "DATA of 2^14 octets",
        [OPEN, frames.data(1, FILL[:LARGE])],
        alive,
    ),
    Case(
        "4.2",
        "DATA larger than the maximum",
        [OPEN, frames.data(1, OVER)],
        either(1, Code.FRAME_SIZE_ERROR),
    ),
    Case(
        "4.2",
        "HEADERS larger than the maximum",
        [frames.headers(1, request(("x-long", "v" * LARGE)))],
        goaway(Code.FRAME_SIZE_ERROR),
    ),
    Case(
        "4.2",
        "SETTINGS larger than the maximum",
        [frame(Kind.SETTINGS, 0, bytes(6 * 2731))],
        goaway(Code.FRAME_SIZE_ERROR),
    ),
    Case(
        "4.2",
        "an unknown frame larger than the maximum",
        [frame(0x16, 0, OVER)],
        goaway(Code.FRAME_SIZE_ERROR),
    ),
    Case(
        "4.2",
        "only the header of a frame that is too large",
        [frame(Kind.DATA, 1, b"", length=frames.FRAME_BYTES_MAX_MAX)],
        goaway(Code.FRAME_SIZE_ERROR, Code.PROTOCOL_ERROR),
    ),
    Case(
        "4.3",
        "a block that cannot be decoded",
        [frames.headers(1, b"\x40", end=True)],
        goaway(Code.COMPRESSION_ERROR),
    ),
    Case(
        "4.3",
        "a block cut in the middle of a field",
        [frames.headers(1, request()[:-3], end=True)],
        goaway(Code.COMPRESSION_ERROR),
    ),
    Case(
        "4.3",
        "PRIORITY inside a block",
        [frames.headers(1, request()[:9], done=False), frames.priority(1)],
        untouched(goaway(Code.PROTOCOL_ERROR)),
    ),
    Case(
        "4.3",
        "HEADERS of another stream inside a block",
        [frames.headers(1, request()[:9], done=False), frames.headers(3, request())],
        untouched(goaway(Code.PROTOCOL_ERROR)),
    ),
    Case(
        "4.3",
        "PING inside a block",
        [frames.headers(1, request()[:9], done=False), frames.ping()],
        untouched(goaway(Code.PROTOCOL_ERROR)),
    ),
    Case(
        "4.3",
        "SETTINGS inside a block",
        [frames.headers(1, request()[:9], done=False), frames.settings()],
        untouched(goaway(Code.PROTOCOL_ERROR)),
    ),
    Case(
        "4.3",
        "WINDOW_UPDATE inside a block",
        [frames.headers(1, request()[:9], done=False), frames.window_update(0, 1)],
        untouched(goaway(Code.PROTOCOL_ERROR)),
    ),
    Case(
        "4.3",
        "a block of a refused request still fills the table",
        [
            frames.headers(1, request() + literal("X-Upper", "kept", As.INDEXING), end=True),
            frames.headers(3, request() + b"\xbe", end=True),
        ],
        # Index 62 is the field above: upper case there is malformed here as well, but known.
        rst(3, Code.PROTOCOL_ERROR),
    ),
    Case(
        "4.3",
        "a block in nine frames",
        [
            frames.headers(1, request()[:9], end=True, done=False),
            *[
                frames.continuation(1, request()[at : at + 9], at + 9 >= len(request()))
                for at in range(9, len(request()), 9)
            ],
        ],
        answers(),
    ),
    Case(
        "4.3",
        "a block over the frame size in two",
        [
            frames.headers(1, LONG_BLOCK[:LARGE], end=True, done=False),
            frames.continuation(1, LONG_BLOCK[LARGE:]),
        ],
        answers(),
    ),
    Case(
        "4.3",
        "frames without octets in a block",
        [
            frames.headers(1, b"", end=True, done=False),
            frames.continuation(1, request(), done=False),
            frames.continuation(1, b""),
        ],
        answers(),
    ),
    Case("4.1", "a whole call in one segment", [WHOLE], answers(messages=0)),
    Case(
        "4.1", "a call with a message", [OPEN, HELLO, frames.data(1, end=True)], answers(messages=1)
    ),
)


@asked(CASES)
def test_section_4(case: Case, site: Site) -> None:
    play(case, site)
