"""Server-sent events pass one by one, at once, whole, and however they were cut."""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence

import pytest

from headrace.host.exchange.part import BodyMode
from tests.e2e.rig import http2
from tests.e2e.rig.doors import BODIES, DUPLEX, pair
from tests.e2e.rig.http1 import connect
from tests.e2e.rig.scripts import event
from tests.e2e.rig.site import Rig
from tests.e2e.rig.upstream import Call, Script

STREAMED = pair(BodyMode.STREAMED, BodyMode.STREAMED)
BUFFERED = pair(BodyMode.BUFFERED, BodyMode.BUFFERED)
EVENT_STREAM = ("content-type", "text/event-stream")
CHUNKED = ("transfer-encoding", "chunked")
PASSING = [
    (DUPLEX, "pass"),
    (DUPLEX, "observe"),
    (DUPLEX, "gate?do=keep"),
    (STREAMED, "pass"),
    (STREAMED, "observe"),
    (STREAMED, "gate?do=keep"),
    ("NONE-NONE", "pass"),
]
EVENTS = 120
GAP_S = 0.004
# The aim is 5 ms on an idle host, which the benchmark shows; here everything shares two cores.
ADDED_P99_S_MAX = 0.05
ATTEMPTS = 4


def _in_pieces(pieces: Sequence[bytes], *, hang_up: bool = False) -> Script:
    """Return a script that sends *pieces* as the chunks of an event stream."""

    async def run(call: Call) -> None:
        await call.read()
        await call.begin(200, [EVENT_STREAM, CHUNKED])
        for piece in pieces:
            await call.wire.send_chunk(piece)
        if hang_up:
            await asyncio.sleep(0.05)
            await call.hang_up()
        else:
            await call.wire.end_chunks()

    return run


@pytest.mark.parametrize(("door", "chain"), PASSING)
def test_every_event_arrives_before_the_next_one_is_sent(rig: Rig, door: str, chain: str) -> None:
    """Case 38: proved in lock step, without a clock."""
    taken: asyncio.Queue[int] = asyncio.Queue()

    async def one_by_one(call: Call) -> None:
        await call.read()
        await call.begin(200, [EVENT_STREAM, CHUNKED])
        for number in range(20):
            await call.wire.send_chunk(event(number))
            assert await taken.get() == number
        await call.wire.end_chunks()

    async def take() -> None:
        wire = await connect(rig.port(door))
        fields = [("host", "rig"), ("x-chain", chain), ("x-script", "one-by-one")]
        await wire.send_head("GET / HTTP/1.1", fields)
        body = wire.body(await wire.read_head())
        for number in range(20):
            assert await anext(body) == event(number)
            taken.put_nowait(number)
        assert [piece async for piece in body] == []
        await wire.close()

    with rig.upstream.script("one-by-one", one_by_one):
        rig.run(asyncio.wait_for(take(), 10))


async def _delays_s(rig: Rig, door: str, chain: str) -> list[float]:
    """Return how long each of `EVENTS` events took from the upstream to the client."""
    sent_s: list[float] = []

    async def paced(call: Call) -> None:
        await call.read()
        await call.begin(200, [EVENT_STREAM, CHUNKED])
        for number in range(EVENTS):
            sent_s.append(time.monotonic())
            await call.wire.send_chunk(event(number))
            await asyncio.sleep(GAP_S)
        await call.wire.end_chunks()

    with rig.upstream.script(f"paced-{door}", paced):
        wire = await connect(rig.port(door))
        fields = [("host", "rig"), ("x-chain", chain), ("x-script", f"paced-{door}")]
        await wire.send_head("GET / HTTP/1.1", fields)
        arrived_s: list[float] = []
        async for piece in wire.body(await wire.read_head()):
            arrived_s += [time.monotonic()] * piece.count(b"data: ")
        await wire.close()
    return [arrived - sent for sent, arrived in zip(sent_s, arrived_s, strict=True)]


@pytest.mark.parametrize("chain", ["pass", "gate?do=keep"])
def test_events_are_hardly_delayed(
    rig: Rig, chain: str, record_property: Callable[[str, object], None]
) -> None:
    """Case 38: the p99 that we add to Envoy's own; the best of a few, for others work here too."""

    async def both() -> tuple[list[float], list[float]]:
        return await asyncio.gather(_delays_s(rig, "direct", ""), _delays_s(rig, DUPLEX, chain))

    added_s: list[float] = []
    while len(added_s) < ATTEMPTS and min(added_s, default=1.0) >= ADDED_P99_S_MAX:
        direct, ours = (statistics.quantiles(delays, n=100)[98] for delays in rig.run(both()))
        added_s.append(ours - direct)
    record_property("added_p99_ms", round(min(added_s) * 1000, 3))

    assert min(added_s) < ADDED_P99_S_MAX


@pytest.mark.parametrize("chain", ["pass", "observe", "gate?do=keep"])
@pytest.mark.parametrize("door", BODIES)
@pytest.mark.parametrize(
    "pieces",
    [
        [b"data: 1\n\ndata: 2"],
        [b"data: 1\n\n", b"data: [DO", b"NE]\n\n", b": late\n\n"],
        [b"data: 1\r", b"\n\r", b"\ndata: 2\r\n\r\n"],
        [bytes([byte]) for byte in b"id: 7\ndata: \xe2\x98\x83\ndata: b\n\n"],
        [b"\n\n\n", b"\xff\xfe\n\n", b""],
        [b"x" * 200_000],
    ],
    ids=["no-blank-line", "no-done", "crlf", "byte-by-byte", "garbage", "endless-line"],
)
def test_event_streams_of_any_shape_pass_byte_for_byte(
    rig: Rig, door: str, chain: str, pieces: list[bytes]
) -> None:
    """Case 29, 39: no final blank line, no [DONE], splits anywhere."""
    with rig.upstream.script("pieces", _in_pieces(pieces)):
        answer = rig.fetch(door, chain, fields=[("x-script", "pieces")])

    assert (answer.status, answer.complete, answer.body) == (200, True, b"".join(pieces))


@pytest.mark.parametrize("door", BODIES)
def test_a_gating_stage_sees_the_same_events_however_they_were_cut(rig: Rig, door: str) -> None:
    """Case 29: an event split inside `data:` and inside CR LF is one event."""
    body = b"data: a\r\n\r\nevent: x\r\ndata: b\r\n\r\n: comment\r\n\r\ndata: c"
    counts: set[int] = set()
    for size in (1, 3, len(body)):
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        request_id = rig.new_id()
        fields = [("x-script", "pieces"), ("x-id", request_id)]
        with rig.upstream.script("pieces", _in_pieces(pieces)):
            answer = rig.fetch(door, "gate?do=upper&tail=the end", fields=fields)
        counts.add(rig.host.outcome(request_id)["events"])

        assert answer.body == body.upper() + b"the end"

    assert counts == {4}


@pytest.mark.parametrize(("door", "chain"), PASSING)
def test_an_upstream_that_resets_in_the_middle_is_seen_to_have_done_so(
    rig: Rig, door: str, chain: str
) -> None:
    """Case 40: what came passes, the end is visibly missing, nothing stays behind."""
    pieces = [event(0), event(1)]
    with rig.upstream.script("cut", _in_pieces(pieces, hang_up=True)):
        answer = rig.fetch(door, chain, fields=[("x-script", "cut")])

    assert not answer.complete
    assert b"".join(pieces).startswith(answer.body)
    assert rig.host.idle()["active"] == 0


def test_a_reset_of_an_http2_upstream_reaches_the_client(rig: Rig) -> None:
    """Case 40: over HTTP/2, as a reset."""
    fields = [("x-to", "h2"), ("x-script", "reset"), ("x-chain", "observe")]
    answer = rig.run(http2.fetch(rig.port(DUPLEX), fields=fields))

    assert answer.status == 200
    assert answer.reset is not None


@pytest.mark.parametrize(("door", "chain"), PASSING)
def test_a_client_that_leaves_in_the_middle_ends_the_exchange(
    rig: Rig, door: str, chain: str
) -> None:
    """Case 16: the upstream is told, the host notes who left, nothing stays behind."""
    request_id = rig.new_id()
    upstream_told = asyncio.Event()

    async def endless(call: Call) -> None:
        await call.read()
        await call.begin(200, [EVENT_STREAM, CHUNKED])
        try:
            for number in range(100_000):
                await call.wire.send_chunk(event(number))
                await asyncio.sleep(0.005)
        finally:
            upstream_told.set()

    async def leave() -> None:
        wire = await connect(rig.port(door))
        fields = [("host", "rig"), ("x-chain", chain), ("x-script", "endless")]
        await wire.send_head("GET / HTTP/1.1", [*fields, ("x-id", request_id)])
        body = wire.body(await wire.read_head())
        await anext(body)
        await wire.reset()
        await asyncio.wait_for(upstream_told.wait(), 5)

    with rig.upstream.script("endless", endless):
        rig.run(leave())

    if door != "NONE-NONE":  # there the head is the last that the host sees of a response
        assert rig.host.outcome(request_id)["termination"] == "client-gone"
    assert rig.host.idle()["active"] == 0
