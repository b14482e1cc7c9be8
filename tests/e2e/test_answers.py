"""Answers that are not the upstream's: ours, whole or streamed, and Envoy's own."""

import asyncio

import pytest

from headrace.host.exchange.part import BodyMode
from tests.e2e.rig import http2
from tests.e2e.rig.doors import BODIES, DUPLEX, SAME, pair
from tests.e2e.rig.http1 import connect
from tests.e2e.rig.scripts import noise
from tests.e2e.rig.site import Rig
from tests.e2e.rig.upstream import Call

BUFFERED = pair(BodyMode.BUFFERED, BodyMode.BUFFERED)


@pytest.mark.parametrize("door", SAME)
def test_a_reject_is_an_openai_error_with_its_reason(rig: Rig, door: str) -> None:
    """Case 12, 66: an immediate answer at the request headers."""
    request_id = rig.new_id()
    answer = rig.fetch(door, "reject", "POST", fields=[("x-id", request_id)], body=b"body")

    assert answer.status == 429
    assert answer.head.get("x-headrace-reason") == "shed"
    assert answer.head.get("retry-after") == "2"
    assert b'"message":"rejected by the rig"' in answer.body
    assert rig.upstream.seen.of(request_id) == []
    assert rig.host.outcome(request_id)["reason"] == "shed"


@pytest.mark.parametrize("door", BODIES)
def test_after_an_immediate_answer_the_rest_of_the_body_is_taken_in_silence(
    rig: Rig, door: str
) -> None:
    """Case 18: chunks are still arriving when the answer goes out."""
    answer = rig.fetch(door, "reject", "POST", body=noise(3_000_000))

    assert answer.status == 429


@pytest.mark.parametrize("door", BODIES)
def test_a_reject_on_the_response_replaces_it_whole(rig: Rig, door: str) -> None:
    """Case 12: an immediate answer before the response's head was sent."""
    answer = rig.fetch(door, "reject?on=response", "POST", body=b"secret")

    assert answer.status == 400
    assert answer.head.get("x-headrace-reason") == "safety-blocked"
    assert b"secret" not in answer.body


def test_a_reject_in_the_middle_of_an_event_stream_ends_it_readably(rig: Rig) -> None:
    """Case 12: the head is out, so the error is the stream's last event."""
    fields = [("x-script", "sse"), ("x-events", "50"), ("x-gap-s", "0.002")]
    answer = rig.fetch(DUPLEX, "gate?do=reject", fields=fields)

    assert b"safety-blocked" in answer.body
    assert b'"n"' not in answer.body


def test_an_answer_of_a_stage_is_no_error(rig: Rig) -> None:
    """Case 12: e.g. a list of models."""
    answer = rig.fetch(DUPLEX, "answer", "POST", body=b"body")

    assert (answer.status, answer.body) == (200, b'{"answer": 42}')
    assert answer.head.get("content-type") == "application/json"
    assert "x-headrace-reason" not in answer.head


@pytest.mark.parametrize("door", SAME)
def test_envoys_own_answers_pass_untouched(rig: Rig, door: str) -> None:
    """Case 66: no endpoints: Envoy's 503 goes by us, stages see it."""
    answer = rig.fetch(door, "add", "POST", fields=[("x-to", "empty")], body=b"body")

    assert answer.status == 503
    assert answer.head.get("x-added").startswith("response of 503")


def test_envoys_413_passes_untouched(rig: Rig) -> None:
    """Case 66: the body is larger than Envoy buffers."""
    answer = rig.fetch("tight", "read", "POST", body=b"x" * 100_000)

    assert answer.status == 413


@pytest.mark.parametrize("trailers", [False, True], ids=["plain", "trailers"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("door", SAME)
def test_a_streamed_answer_arrives_whole(rig: Rig, door: str, method: str, trailers: bool) -> None:
    """Case 67: field 11, chunk by chunk, where Envoy takes it (NONE and FDS); else at once."""
    request_id = rig.new_id()
    chain = "stream?chunks=5" + ("&trailers=1" if trailers else "")
    body = b"body" if method == "POST" else None
    answer = rig.fetch(door, chain, method, fields=[("x-id", request_id)], body=body)

    assert (answer.status, answer.complete) == (200, True)
    assert answer.body == b"".join(b"data: %d\n\n" % n for n in range(5))
    assert answer.head.get("content-type") == "text/event-stream"
    if door in (DUPLEX, "NONE-NONE"):
        assert answer.trailers == ((("x-end", b"yes"),) if trailers else ())
    assert rig.upstream.seen.of(request_id) == []


def test_a_client_that_leaves_a_streamed_answer_ends_its_exchange(rig: Rig) -> None:
    """Case 67: abort mid-way; the stage's coroutine is ended, nothing stays."""
    request_id = rig.new_id()

    async def leave() -> None:
        wire = await connect(rig.port(DUPLEX))
        fields = [("host", "rig"), ("x-chain", "stream?chunks=1000&gap=0.02"), ("x-id", request_id)]
        await wire.send_head("GET / HTTP/1.1", fields)
        await wire.read_head()
        await wire.reader.readuntil(b"data: 1\n\n")
        await wire.reset()

    rig.run(leave())

    assert rig.host.outcome(request_id)["termination"] == "client-gone"
    assert rig.host.idle()["active"] == 0


@pytest.mark.parametrize(
    ("reason", "grpc_status"),
    [("SHED", b"8"), ("NO_ENDPOINTS", b"14"), ("MALFORMED_JSON", b"3"), ("STAGE_TIMEOUT", b"4")],
)
def test_grpc_clients_get_a_grpc_status(rig: Rig, reason: str, grpc_status: bytes) -> None:
    """Case 68: a trailers-only answer with HTTP 200."""
    fields = [("content-type", "application/grpc"), ("x-chain", f"reject?reason={reason}")]
    answer = rig.run(http2.fetch(rig.port(DUPLEX), "POST", "/a.B/C", fields, [b"\0\0\0\0\0"]))

    assert answer.status == 200
    assert {**dict(answer.headers), **dict(answer.trailers)}["grpc-status"] == grpc_status


@pytest.mark.usefixtures("spurious_expected")
def test_where_envoy_forbids_immediate_answers_the_request_fails_and_is_not_passed(
    rig: Rig,
) -> None:
    """Case 69: disable_immediate_response makes the answer spurious: 500, never the upstream."""
    request_id = rig.new_id()
    answer = rig.fetch("no-immediate", "reject", fields=[("x-id", request_id)])

    assert answer.status == 500
    assert rig.upstream.seen.of(request_id) == []


def test_the_processors_traceparent_wins_over_the_clients(rig: Rig) -> None:
    """Case 71: the gRPC call's metadata first, then the HTTP header."""
    client, processor = f"00-{'a' * 32}-{'1' * 16}-01", f"00-{'b' * 32}-{'2' * 16}-01"
    both, one = rig.new_id(), rig.new_id()
    fields = [("traceparent", client), ("x-trace", processor), ("x-id", both)]
    rig.fetch("traced", "tell", "POST", fields=fields, body=b"b")
    rig.fetch(DUPLEX, "tell", "POST", fields=[("traceparent", client), ("x-id", one)], body=b"b")

    assert rig.seen(both).head.get("x-saw-traceparent") == processor
    assert rig.seen(one).head.get("x-saw-traceparent") == client


def test_an_early_answer_of_the_upstream_passes_before_the_request_ends(rig: Rig) -> None:
    """Case 11, 12: the response is complete while the request body is still arriving."""

    async def early(call: Call) -> None:
        await call.answer(200, [("connection", "close")], b"early")
        call.keep = False

    async def one() -> tuple[int, bytes]:
        wire = await connect(rig.port(DUPLEX))
        fields = [("host", "rig"), ("x-chain", "pass"), ("x-script", "early")]
        await wire.send_head("POST / HTTP/1.1", [*fields, ("transfer-encoding", "chunked")])
        await wire.send_chunk(b"first")
        head = await wire.read_head()
        body = b"".join([piece async for piece in wire.body(head)])
        await wire.close()
        return head.status, body

    with rig.upstream.script("early", early):
        assert rig.run(asyncio.wait_for(one(), 5)) == (200, b"early")


def test_bidirectional_grpc_interleaves(rig: Rig) -> None:
    """Case 13: a message goes up, its echo comes back, before the next one is sent."""

    async def talk() -> list[bytes]:
        async with http2.connected(rig.port(DUPLEX)) as wire:
            stream = wire.open()
            fields = [("content-type", "application/grpc"), ("x-to", "h2"), ("x-chain", "pass")]
            await stream.send_headers([*http2.pseudo("POST", "/a.B/C"), *fields])
            echoes: list[bytes] = []
            for number in range(20):
                await stream.send(b"%d" % number)
                echoes.append(await asyncio.wait_for(stream.arrived.get(), 5) or b"gone")
            await stream.send(b"", end=True)
            assert (await stream.answer()).trailers == (("grpc-status", b"0"),)
            return echoes

    assert rig.run(talk()) == [b"%d" % number for number in range(20)]
