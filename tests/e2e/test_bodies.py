"""Bodies of every framing, with and without stages that read or change them."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from headrace.host.exchange.part import BodyMode
from tests.e2e.rig import http2
from tests.e2e.rig.doors import BODIES, DUPLEX, SAME, pair
from tests.e2e.rig.http1 import connect, read_answer
from tests.e2e.rig.site import Rig
from tests.e2e.rig.upstream import Call

READ_AND_GATE = "read+gate?do=keep"
CHAT = json.dumps(
    {"model": "m", "messages": [{"role": "user", "content": "g\u00fcn \u2603 \U0001f600"}]}
)
GRPC = ("content-type", "application/grpc")
CHUNKED = ("x-chunked", "yes")
CHANGED = "body?size=3+gate?do=keep"
STREAMED_DOOR = pair(BodyMode.STREAMED, BodyMode.STREAMED)
PARTIAL_DOOR = pair(BodyMode.BUFFERED_PARTIAL, BodyMode.BUFFERED_PARTIAL)
UNSEEN_WITH_TRAILERS = {
    (STREAMED_DOOR, READ_AND_GATE): "body-unavailable",
    (STREAMED_DOOR, CHANGED): "body-unavailable",
    (PARTIAL_DOOR, READ_AND_GATE): "body-unavailable",
    (PARTIAL_DOOR, CHANGED): "body-too-large",
}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("door", SAME)
def test_a_request_without_a_body_gets_no_body_reply(rig: Rig, door: str, method: str) -> None:
    """Case 21: headers with end_of_stream; a body reply would be spurious."""
    answer = rig.fetch(door, "pass+gate?do=keep" if door in BODIES else "pass", method)

    assert (answer.status, answer.complete) == (200, True)


@pytest.mark.parametrize("door", BODIES)
def test_an_empty_post_passes(rig: Rig, door: str) -> None:
    """Case 22, 23: content-length 0, and an empty last chunk."""
    answer = rig.fetch(door, READ_AND_GATE, "POST", body=b"")
    chunked = rig.fetch(door, READ_AND_GATE, "POST", body=[], fields=[CHUNKED])

    assert (answer.status, answer.head.get("x-size")) == (200, "0")
    assert (chunked.status, chunked.head.get("x-size"), chunked.body) == (200, "0", b"")


@pytest.mark.parametrize("door", BODIES)
def test_a_body_whose_end_rides_on_the_data_passes(rig: Rig, door: str) -> None:
    """Case 24: over HTTP/2 the last data frame may carry end_of_stream."""

    async def one() -> http2.Answer:
        async with http2.connected(rig.port(door)) as wire:
            stream = wire.open()
            fields = [*http2.pseudo("POST", "/"), ("x-chain", READ_AND_GATE)]
            await stream.send_headers(fields)
            wire.machine.send_data(stream.number, b"all at once", end_stream=True)
            await wire.flush()
            return await stream.answer()

    answer = rig.run(one())

    assert (answer.status, answer.body) == (200, b"all at once")


@pytest.mark.parametrize("chain", ["pass", READ_AND_GATE])
def test_ten_thousand_one_byte_chunks_make_the_same_body(rig: Rig, chain: str) -> None:
    """Case 25: bytes one by one."""
    body = bytes(at % 251 for at in range(10_000))
    answer = rig.fetch(DUPLEX, chain, "POST", body=[body[at : at + 1] for at in range(len(body))])

    assert (answer.status, answer.body) == (200, body)


@pytest.mark.parametrize("door", [door for door in BODIES if door != STREAMED_DOOR])
def test_json_split_at_every_byte_is_still_parsed(rig: Rig, door: str) -> None:
    """Case 29: splits inside UTF-8, escapes and names do not matter."""
    body, request_id = CHAT.encode(), rig.new_id()
    answer = rig.fetch(
        door,
        "tell",
        "POST",
        "/v1/chat/completions",
        [("content-type", "application/json"), ("x-id", request_id)],
        [body[at : at + 1] for at in range(len(body))],
    )

    assert (answer.status, answer.body) == (200, body)
    assert rig.seen(request_id).head.get("x-saw-call") == "Call"
    assert rig.seen(request_id).head.get("x-saw-body") == str(len(body))


def test_a_change_that_comes_after_the_head_has_gone_is_refused_not_forgotten(rig: Rig) -> None:
    """Case 29: in STREAMED the head goes before the body, so a body cannot change it."""
    request_id = rig.new_id()

    async def slowly() -> AsyncIterator[bytes]:
        yield CHAT[:9].encode()
        await asyncio.sleep(0.1)
        yield CHAT[9:].encode()

    answer = rig.fetch(STREAMED_DOOR, "tell", "POST", fields=[("x-id", request_id)], body=slowly())

    assert answer.head.get("x-headrace-reason") == "body-unavailable"
    assert all(seen.body == b"" for seen in rig.upstream.seen.of(request_id))


def test_where_envoy_lets_us_the_mode_is_changed_so_that_a_late_change_counts(rig: Rig) -> None:
    """Case 29: with allow_mode_override the whole body is asked for."""
    request_id = rig.new_id()

    async def slowly() -> AsyncIterator[bytes]:
        yield CHAT[:9].encode()
        await asyncio.sleep(0.1)
        yield CHAT[9:].encode()

    fields = [("content-type", "application/json"), ("x-id", request_id)]
    path = "/v1/chat/completions"
    answer = rig.fetch("overriding", "tell", "POST", path, fields, slowly())

    assert (answer.status, answer.body) == (200, CHAT.encode())
    assert rig.seen(request_id).head.get("x-saw-call") == "Call"


@pytest.mark.parametrize("chain", ["slow?s=0.2", "slow?s=0.2+read", "slow?s=0.2+body?size=9"])
def test_chunks_that_envoy_sends_ahead_are_all_replied_to(rig: Rig, chain: str) -> None:
    """Case 26: send_body_without_waiting_for_header_response."""
    body = bytes(300_000)
    answer = rig.fetch("eager", chain, "POST", body=body)

    if answer.status == 200:
        assert answer.body == (b"x" * 9 if "body" in chain else body)
    else:
        assert answer.head.get("x-headrace-reason") == "body-unavailable"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"model": "a", "model": "b"}',
        b'{"model": NaN}',
        b"[" * 100_000 + b"]" * 100_000,
        json.dumps({"model": "m", "messages": [0] * 1_000_000}).encode(),
        b"\xef\xbb\xbf" + CHAT.encode(),
        b'{"model": "\xff\xfe"}',
        b"",
    ],
    ids=["cut", "twice", "nan", "deep", "wide", "bom", "utf-8", "empty"],
)
def test_json_of_every_badness_passes_a_stage_that_does_not_mind(rig: Rig, body: bytes) -> None:
    """Case 31: a fault of the body is a value for the stages, never a fault of the exchange."""
    request_id = rig.new_id()
    answer = rig.fetch(
        DUPLEX,
        "tell",
        "POST",
        "/v1/chat/completions",
        [("content-type", "application/json"), ("x-id", request_id)],
        body,
    )

    assert answer.status == 200
    assert rig.seen(request_id).size_bytes == len(body)
    assert rig.seen(request_id).head.get("x-saw-body") == str(len(body))


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/octet-stream"])
def test_bodies_that_are_no_json_pass(rig: Rig, kind: str) -> None:
    """Case 32: other media types are nobody's call."""
    body = b"--x\r\ncontent-disposition: form-data\r\n\r\n\x00\xff\r\n--x--\r\n"
    answer = rig.fetch(DUPLEX, READ_AND_GATE, "POST", fields=[("content-type", kind)], body=body)

    assert (answer.status, answer.body) == (200, body)


@pytest.mark.parametrize("flag", [b"\x00", b"\x01"], ids=["plain", "compressed"])
@pytest.mark.parametrize(
    ("door", "chain"), [(DUPLEX, "pass"), (DUPLEX, READ_AND_GATE), (STREAMED_DOOR, "pass")]
)
def test_grpc_messages_pass_with_their_trailers(
    rig: Rig, door: str, chain: str, flag: bytes
) -> None:
    """Case 33, 36: gRPC payloads, compressed or not; trailers both ways after the last byte."""
    message = flag + (5).to_bytes(4, "big") + b"hello"
    fields = [("x-to", "h2"), GRPC, ("te", "trailers"), ("x-chain", chain)]
    answer = rig.run(
        http2.fetch(rig.port(door), "POST", "/a.B/C", fields, [message, message], [("x-t", "1")])
    )

    assert (answer.status, answer.body) == (200, message * 2)
    assert answer.trailers == (("grpc-status", b"0"), ("x-back-x-t", b"1"))


@pytest.mark.parametrize("size", [0, 3, 100_000])
@pytest.mark.parametrize("door", BODIES)
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with-length"])
def test_a_stage_may_change_the_size_of_a_request_body(
    rig: Rig, door: str, size: int, chunked: bool
) -> None:
    """Case 34: grown, shrunk, emptied; the length upstream is right in every mode."""
    request_id = rig.new_id()
    body = [b"five ", b"bytes"] if chunked else b"five bytes"
    answer = rig.fetch(door, f"body?size={size}", "POST", fields=[("x-id", request_id)], body=body)
    seen = rig.seen(request_id)

    assert (answer.status, answer.body) == (200, b"x" * size)
    assert (seen.size_bytes, seen.body) == (size, b"x" * size)
    assert len(seen.head.all("content-length")) + len(seen.head.all("transfer-encoding")) == 1


@pytest.mark.parametrize("do", ["upper", "drop", "double"])
@pytest.mark.parametrize("door", BODIES)
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with-length"])
def test_a_stage_may_change_the_size_of_a_response_body(
    rig: Rig, door: str, do: str, chunked: bool
) -> None:
    """Case 34: the same on the way back."""
    fields = [CHUNKED] if chunked else []
    answer = rig.fetch(door, f"gate?do={do}", "POST", fields=fields, body=b"bytes ")
    expected = {"upper": b"BYTES ", "drop": b"", "double": b"bytes bytes "}

    assert (answer.status, answer.complete, answer.body) == (200, True, expected[do])


@pytest.mark.parametrize("chain", ["pass", READ_AND_GATE, CHANGED])
@pytest.mark.parametrize("door", BODIES)
def test_trailers_follow_the_body_both_ways(rig: Rig, door: str, chain: str) -> None:
    """Case 36: with trailers there is no end_of_stream on any chunk.

    Where a mode cannot show a stage the whole body before it goes on, the answer says so.
    """
    request_id = rig.new_id()
    fields = [("x-script", "trailers"), ("x-id", request_id)]
    answer = rig.fetch(door, chain, "POST", "/", fields, [b"a", b"bc"], [("x-t", "1")])

    if (door, chain) in UNSEEN_WITH_TRAILERS:
        assert answer.head.get("x-headrace-reason") == UNSEEN_WITH_TRAILERS[door, chain]
        return
    assert (answer.status, answer.complete) == (200, True)
    assert answer.body == (b"xxx" if chain.startswith("body") else b"abc")
    assert rig.seen(request_id).trailers == (("x-t", b"1"),)
    assert answer.trailers == (("x-back-x-t", b"1"), ("x-end", b"yes"))


@pytest.mark.parametrize("chain", [READ_AND_GATE, CHANGED])
@pytest.mark.parametrize("broken", [0, 1])
def test_where_a_route_retries_a_body_with_trailers_is_sent_once_and_again_if_it_broke(
    rig: Rig, chain: str, broken: int
) -> None:
    """Case 19, 36: the router's copy for a retry is never sent beside the body."""
    request_id, left = rig.new_id(), broken

    async def breaks(call: Call) -> None:
        nonlocal left
        await call.read()
        left -= 1
        if left >= 0:
            await call.hang_up()
        else:
            await call.answer(200, [], b"done")

    fields = [("x-script", "breaks"), ("x-id", request_id)]
    with rig.upstream.script("breaks", breaks):
        answer = rig.fetch("retrying", chain, "POST", "/", fields, [b"a", b"bc"], [("x-t", "1")])
    seen = rig.upstream.seen.of(request_id)

    assert (answer.status, answer.body) == (200, b"done")
    assert len(seen) == 1 + broken
    assert {one.body for one in seen} == {b"xxx" if chain == CHANGED else b"abc"}
    assert {one.trailers for one in seen} == {(("x-t", b"1"),)}


@pytest.mark.parametrize("chain", [READ_AND_GATE, CHANGED])
def test_where_envoy_shows_no_trailers_an_answer_to_a_withheld_body_is_refused(
    rig: Rig, chain: str
) -> None:
    """Case 36: STREAMED tells the end of such a body by nothing at all."""
    answer = rig.fetch("no-trailers", chain, "POST", "/", (), [b"a", b"bc"], [("x-t", "1")])

    assert answer.head.get("x-headrace-reason") == "body-unavailable"


@pytest.mark.parametrize("status", ["204", "304", "200", "404", "500"])
@pytest.mark.parametrize("door", SAME)
def test_responses_without_a_body_pass(rig: Rig, door: str, status: str) -> None:
    """Case 37: 204, 304 and content-length 0."""
    fields = [("x-script", "status"), ("x-status", status)]
    chain = "gate?do=keep" if door in BODIES else "pass"
    answer = rig.fetch(door, chain, fields=fields)

    assert (answer.status, answer.body, answer.complete) == (int(status), b"", True)


def test_a_head_response_keeps_its_silence(rig: Rig) -> None:
    """Case 37: HEAD."""
    answer = rig.fetch(DUPLEX, "gate?do=keep", "HEAD")

    assert (answer.status, answer.body) == (200, b"")


def test_expect_100_continue_is_answered_before_the_body_is_sent(rig: Rig) -> None:
    """Case 37: an interim response does not disturb the exchange."""

    async def one() -> tuple[int, bytes, int]:
        wire = await connect(rig.port(DUPLEX))
        fields = [("host", "rig"), ("x-chain", READ_AND_GATE), ("expect", "100-continue")]
        await wire.send_head("POST / HTTP/1.1", [*fields, ("content-length", "2")])
        interim = await wire.read_head()
        await wire.send(b"ok")
        answer = await read_answer(wire, "POST")
        await wire.close()
        return interim.status, answer.body, answer.status

    assert rig.run(one()) == (100, b"ok", 200)


def test_early_hints_do_not_disturb_the_response(rig: Rig) -> None:
    """Case 37: interim heads of the upstream before the real one."""

    async def hints(call: Call) -> None:
        await call.read()
        await call.begin(103, [("link", "</a>")])
        await call.answer(200, [], b"real")

    with rig.upstream.script("hints", hints):
        answer = rig.fetch(DUPLEX, "gate?do=keep", fields=[("x-script", "hints")])

    assert (answer.status, answer.body) == (200, b"real")


def test_an_upgraded_connection_passes_bytes_both_ways(rig: Rig) -> None:
    """Case 37: 101 and what follows it."""

    async def upgrade(call: Call) -> None:
        await call.begin(101, [("connection", "upgrade"), ("upgrade", "websocket")])
        await call.wire.send(b"<" + await call.wire.reader.readexactly(4) + b">")
        call.keep = False

    async def one() -> tuple[int, bytes]:
        wire = await connect(rig.port("NONE-NONE"))
        fields = [("host", "rig"), ("x-chain", "pass"), ("x-script", "upgrade")]
        await wire.send_head(
            "GET / HTTP/1.1", [*fields, ("connection", "upgrade"), ("upgrade", "websocket")]
        )
        head = await wire.read_head()
        await wire.send(b"ping")
        echoed = await wire.reader.readexactly(6)
        await wire.close()
        return head.status, echoed

    with rig.upstream.script("upgrade", upgrade):
        assert rig.run(one()) == (101, b"<ping>")
