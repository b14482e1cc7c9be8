"""Frames that cost the sender nothing: the host sends away whoever sends too many."""

from collections.abc import Callable

import pytest

from tests.conformance import frames
from tests.conformance.attacks.arena import MIB, NATIVE, Price, arena, sent_away
from tests.conformance.calls import HEAD, request
from tests.conformance.fields import block, indexed, table_size
from tests.conformance.frames import Code, Flag, Kind, frame
from tests.conformance.site import Site

OPEN = frames.headers(1, request())
BEGUN = frames.headers(1, request()[:20], done=False)
ENTRIES = frame(Kind.SETTINGS, 0, b"\0\4\0\0\xff\xff" * 2730)
FLOODS: dict[str, tuple[bytes, bytes, int]] = {
    "PING": (b"", frames.ping(), 100_000),
    "SETTINGS": (b"", frames.settings(), 100_000),
    "SETTINGS of 2,730 entries": (b"", ENTRIES, 300),
    "empty DATA": (OPEN, frames.data(1), 100_000),
    "DATA of padding alone": (OPEN, frames.data(1, b"", pad_bytes=0), 100_000),
    "PRIORITY": (b"", frames.priority(1, on=3), 100_000),
    "PRIORITY of many streams": (
        b"",
        b"".join(frames.priority(stream) for stream in range(1, 2001, 2)),
        100,
    ),
    "unknown frames": (b"", frame(0xBB, 0), 100_000),
    "large unknown frames": (b"", frame(0xBB, 0, bytes(16_000)), 2000),
    "empty CONTINUATION": (BEGUN, frames.continuation(1, b"", done=False), 100_000),
    "CONTINUATION of an octet": (BEGUN, frames.continuation(1, b"\x82", done=False), 100_000),
    "large CONTINUATION": (
        BEGUN,
        frames.continuation(1, block(("x", "v" * 16_000)), done=False),
        2000,
    ),
    "empty DATA of a stream that the host has reset": (
        frames.headers(1, request(te="gzip")),
        frames.data(1),
        100_000,
    ),
    "HEADERS of a stream that the host has reset": (
        frames.headers(1, request(te="gzip")),
        frames.headers(1, request()),
        20_000,
    ),
    "WINDOW_UPDATE of an octet for the connection": (b"", frames.window_update(0, 1), 100_000),
    "WINDOW_UPDATE of an octet for a stream": (OPEN, frames.window_update(1, 1), 100_000),
}
CALM_OR_PROTOCOL = (Code.ENHANCE_YOUR_CALM, Code.PROTOCOL_ERROR)


@NATIVE
@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize("reading", [True, False], ids=["reads", "reads nothing"])
def test_a_flood_ends_its_connection(
    site: Site, flood: tuple[bytes, bytes, int], reading: bool
) -> None:
    begin, drop, times = flood
    with arena(site) as peer:
        peer.push(begin)
        peer.pour(drop * times, reading)

        sent_away(peer, *CALM_OR_PROTOCOL)


@NATIVE
@pytest.mark.parametrize("kind", [Kind.RST_STREAM, Kind.WINDOW_UPDATE, Kind.GOAWAY])
def test_a_flood_on_a_stream_that_is_over_costs_next_to_nothing(site: Site, kind: Kind) -> None:
    drop = frame(kind, 0 if kind == Kind.GOAWAY else 1, b"\0\0\0\1" * (1 + (kind == Kind.GOAWAY)))
    with arena(site, Price(cpu_s=1.0)) as peer:
        peer.send(frames.headers(1, request(), end=True))
        peer.answer(1)

        peer.pour(drop * 20_000)


@NATIVE
def test_rapid_reset_opens_few_exchanges(site: Site) -> None:
    """CVE-2023-44487: streams cost us work and the peer nothing, if it resets them."""
    drops = (frames.headers(s, request()) + frames.reset(s) for s in range(1, 40_001, 2))
    with arena(site) as peer:
        before = site.tally().sessions
        peer.pour(b"".join(drops))

        sent_away(peer)
        assert site.tally().sessions - before < 5000


@NATIVE
def test_streams_that_are_reset_after_a_message_leave_nothing(site: Site) -> None:
    """Envoy itself does so in observability mode, so thousands of them are no attack."""
    drops = (
        frames.headers(s, request()) + frames.data(s, HEAD) + frames.reset(s)
        for s in range(1, 6001, 2)
    )
    with arena(site, Price(cpu_s=1.5)) as peer:
        peer.pour(b"".join(drops))

        assert peer.settle()
        assert site.tally().active <= 1


MADE: dict[str, Callable[[int], bytes]] = {
    "WINDOW_UPDATE of 0": lambda s: frames.window_update(s, 0),
    "WINDOW_UPDATE over the maximum": lambda s: frames.window_update(s, 2**31 - 1),
    "HEADERS again": lambda s: frames.headers(s, request()),
    "a compressed message": lambda s: frames.data(s, b"\1" + bytes(4)),
    "too much content": lambda s: frames.data(s, b"xx"),
    "too little content": lambda s: frames.data(s, b"", end=True),
}
FAULTLESS = {"a compressed message"}  # refused by a status: as good as any other answer


@NATIVE
@pytest.mark.parametrize("made", MADE)
def test_made_you_reset_opens_few_exchanges(site: Site, made: str) -> None:
    """CVE-2025-8671: the peer does wrong, so that it is the host who resets."""
    more = [("content-length", "1")] if "content" in made else []
    drops = (frames.headers(s, request(*more)) + MADE[made](s) for s in range(1, 12_001, 2))
    with arena(site, Price(cpu_s=1.5)) as peer:
        before = site.tally().sessions
        peer.pour(b"".join(drops))
        if made not in FAULTLESS:
            sent_away(peer)
            assert site.tally().sessions - before < 5000

        assert peer.closed or peer.settle()
        assert site.tally().active <= 1


@NATIVE
def test_malformed_requests_do_not_go_on_for_ever(site: Site) -> None:
    drops = (frames.headers(s, request(("X", "v"))) for s in range(1, 40_001, 2))
    with arena(site, Price(cpu_s=1.0)) as peer:
        before = site.tally().opened
        peer.pour(b"".join(drops))

        sent_away(peer)
        assert site.tally().opened == before


@NATIVE
@pytest.mark.parametrize("block_of", ["fields", "updates", "strings"])
def test_a_block_made_to_be_slow_is_read_quickly(site: Site, block_of: str) -> None:
    blocks = {
        "fields": indexed(2) * 16_000,
        "updates": table_size(0) * 16_000,
        "strings": (b"\x00\x81\xf3" + b"\x81\x07") * 3000,
    }
    with arena(site) as peer:
        for stream in range(1, 11, 2):
            peer.push(frames.headers(stream, blocks[block_of]))
        peer.settle()


@NATIVE
def test_an_hpack_bomb_does_not_grow(site: Site) -> None:
    """A field of 4,000 octets in the table, named 16,000 times in one frame: 64 MB of fields."""
    entry = b"\x40" + block(("x-bomb", "v" * 3900))[1:]
    with arena(site, Price(grown_bytes=12 * MIB)) as peer:
        peer.push(frames.headers(1, request() + entry, end=True))
        peer.settle()
        for stream in range(3, 23, 2):
            peer.push(frames.headers(stream, request() + indexed(62) * 16_000, end=True))
        peer.closed = peer.closed or not peer.settle()

        assert not any(
            f.kind == Kind.HEADERS and f.stream > 1 and ("grpc-status", "0") in f.fields
            for f in peer.seen
        )


@NATIVE
@pytest.mark.parametrize(("size", "lives"), [(20_000, True), (100_000, None), (2 * MIB, False)])
def test_a_header_list_is_bounded(site: Site, size: int, lives: bool | None) -> None:
    """Above what we advertise the stream may be refused, far above it the connection."""
    big = request(*[(f"x-{n}", "v" * 1000) for n in range(size // 1000)])
    parts = [big[at : at + 16_000] for at in range(0, len(big), 16_000)]
    data = frames.headers(1, parts[0], end=True, done=False)
    data += b"".join(frames.continuation(1, part, part is parts[-1]) for part in parts[1:])
    with arena(site) as peer:
        before = site.tally().sessions
        peer.pour(data)
        if lives is False:
            sent_away(peer)
        elif lives:
            assert peer.answer(1).grpc_status == "0"
        else:
            refused = peer.answer(1)
            assert refused.status == "431" or refused.reset_code is not None
            assert peer.settle()
        assert site.tally().sessions - before == (1 if lives else 0)


@NATIVE
def test_the_flags_of_floods_do_not_hide_them(site: Site) -> None:
    """Empty HEADERS as trailers of many streams, each of them good."""
    with arena(site, Price(cpu_s=1.0)) as peer:
        peer.pour(
            b"".join(
                frames.headers(s, request()) + frame(Kind.HEADERS, s, b"", Flag.END_STREAM | 4)
                for s in range(1, 4001, 2)
            )
        )

        peer.closed = peer.closed or not peer.settle()
