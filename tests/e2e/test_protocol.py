"""The protocol against a peer that plays Envoy: every order, the forbidden ones too."""

import asyncio

import pytest

from headrace.host.exchange.part import BodyMode
from headrace.host.extproc.proto import messages as pb
from tests.e2e.rig.config import FDS
from tests.e2e.rig.doors import NONE, STREAMED
from tests.e2e.rig.fake_envoy import (
    REQUEST,
    RESPONSE,
    chunk,
    head,
    talking,
    trailers,
)
from tests.e2e.rig.site import Rig

HEADLESS = ("response-only", "no-request-headers", "bodies-only", "trailers-only", "no-trailers")
WHOLE_EXCHANGE = [
    "request_headers",
    "request_body b'ab' end",
    "response_headers",
    "response_body b'cd' end",
]


async def _whole(rig: Rig, chain: str, modes: tuple[BodyMode, BodyMode] | None) -> list[str]:
    async with talking(rig.host.port, chain, modes) as peer:
        await peer.say(head(REQUEST), chunk(REQUEST, b"ab", end=True))
        await peer.say(head(RESPONSE), chunk(RESPONSE, b"cd", end=True))
        return await peer.hear(4)


def test_without_protocol_config_the_configured_modes_hold(rig: Rig) -> None:
    """Case 2: an old Envoy does not tell its modes."""
    assert rig.run(_whole(rig, "pass", None)) == WHOLE_EXCHANGE


def test_an_observing_envoy_gets_no_answers(rig: Rig) -> None:
    """Case 2: observability_mode comes without protocol_config, too."""

    async def observe() -> bool:
        async with talking(rig.host.port, "add", None) as peer:
            first = head(REQUEST)
            first.observability_mode = True
            await peer.say(first, chunk(REQUEST, b"ab", end=True))
            return await peer.quiet()

    assert rig.run(observe())


def test_an_observing_door_passes_everything(rig: Rig) -> None:
    """Case 2: the same through a real Envoy."""
    request_id = rig.new_id()
    answer = rig.fetch("observing", "add", "POST", fields=[("x-id", request_id)], body=b"ab")

    assert (answer.status, answer.body) == (200, b"ab")
    assert "x-added" not in rig.seen(request_id).head


def test_unknown_fields_are_ignored(rig: Rig) -> None:
    """Case 3: a newer Envoy sends more."""

    async def newer() -> list[str]:
        async with talking(rig.host.port) as peer:
            first = head(REQUEST)
            first.protocol_config.request_body_mode = FDS
            first.protocol_config.response_body_mode = FDS
            # Field 1000, a string.
            await peer.say_raw(first.SerializeToString() + b"\xc2\x3e\x03new")
            return await peer.hear()

    assert rig.run(newer()) == ["request_headers"]


@pytest.mark.parametrize("raw", [b"", b"\xc2\x3e\x03new", b"\xff\xff\xff"])
def test_a_message_without_a_part_that_we_know_ends_its_stream_only(rig: Rig, raw: bytes) -> None:
    """Case 3: an unknown oneof, or no protobuf at all."""

    async def nonsense() -> str:
        async with talking(rig.host.port) as peer:
            await peer.say_raw(raw)
            return await peer.status()

    assert rig.run(nonsense()) == "INVALID_ARGUMENT"
    assert rig.run(_whole(rig, "pass", (FDS, FDS))) == WHOLE_EXCHANGE


@pytest.mark.parametrize("door", HEADLESS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_exchange_may_begin_with_any_part(rig: Rig, door: str, method: str) -> None:
    """Case 4, 5, 6, 7: response headers, a body, trailers first."""
    body = [b"a", b"b"] if method == "POST" else None
    fields = [("x-script", "trailers")]
    answer = rig.fetch(door, "pass", method, fields=fields, body=body, trailers=[("x-t", "1")])

    assert (answer.status, answer.complete) == (200, True)
    assert answer.body == (b"ab" if method == "POST" else b"")
    assert dict(answer.trailers)["x-end"] == b"yes"


@pytest.mark.parametrize("door", ["no-request-headers", "bodies-only", "trailers-only"])
def test_a_change_to_a_head_that_is_not_held_is_refused_not_forgotten(rig: Rig, door: str) -> None:
    """Case 5: no silent no-op: the policy cannot take effect behind this configuration."""
    request_id = rig.new_id()
    fields = [("x-script", "trailers"), ("x-id", request_id)]
    trailers = [("x-t", "1")]
    answer = rig.fetch(door, "add", "POST", fields=fields, body=[b"a"], trailers=trailers)

    assert answer.status == 500
    assert answer.head.get("x-headrace-reason") == "body-unavailable"


def test_a_last_chunk_delivered_twice_is_ignored(rig: Rig) -> None:
    """Case 8: Envoy 1.35 to 1.37 did it (envoy#46237)."""

    async def twice() -> tuple[list[str], bool]:
        async with talking(rig.host.port) as peer:
            await peer.say(head(REQUEST), chunk(REQUEST, b"ab", end=True))
            heard = await peer.hear(2)
            await peer.say(chunk(REQUEST, b"ab", end=True))
            return heard, await peer.quiet()

    assert rig.run(twice()) == (WHOLE_EXCHANGE[:2], True)


@pytest.mark.parametrize(
    "wrong",
    [
        [head(REQUEST), head(REQUEST)],
        [head(REQUEST), trailers(REQUEST), chunk(REQUEST, b"late")],
        [head(REQUEST), trailers(REQUEST), trailers(REQUEST)],
        [head(RESPONSE), chunk(RESPONSE, b""), head(RESPONSE)],
    ],
    ids=["two-heads", "body-after-trailers", "two-trailers", "late-head"],
)
def test_a_part_out_of_order_aborts_its_stream(rig: Rig, wrong: list[pb.ProcessingRequest]) -> None:
    """Case 9, 10: INVALID_ARGUMENT, never a guess."""

    async def disorder() -> str:
        async with talking(rig.host.port) as peer:
            await peer.say(*wrong)
            return await peer.status()

    assert rig.run(disorder()) == "INVALID_ARGUMENT"


def test_the_response_may_overtake_the_request(rig: Rig) -> None:
    """Case 11, 12: each direction has its own state."""

    async def overtake() -> list[str]:
        async with talking(rig.host.port) as peer:
            await peer.say(head(REQUEST), chunk(REQUEST, b"a"))
            await peer.say(head(RESPONSE), chunk(RESPONSE, b"cd", end=True))
            await peer.say(chunk(REQUEST, b"b", end=True))
            return await peer.hear(5)

    assert rig.run(overtake()) == [
        "request_headers",
        "request_body b'a'",
        "response_headers",
        "response_body b'cd' end",
        "request_body b'b' end",
    ]


def test_a_stream_that_ends_before_its_first_message_leaves_nothing(rig: Rig) -> None:
    """Case 14: EOF before any message."""

    async def nothing() -> str:
        async with talking(rig.host.port) as peer:
            await peer.half_close()
            return await peer.status()

    assert rig.run(nothing()) == "OK"
    assert rig.host.idle()["active"] == 0


@pytest.mark.parametrize(
    "said",
    [
        [],
        [chunk(REQUEST, b"ab")],
        [chunk(REQUEST, b"ab", end=True), head(RESPONSE), chunk(RESPONSE, b"c")],
    ],
    ids=["headers", "mid-body", "mid-response"],
)
@pytest.mark.parametrize("chain", ["pass", "read+gate?do=keep"])
def test_a_stream_that_the_peer_ends_early_leaves_nothing(
    rig: Rig, chain: str, said: list[pb.ProcessingRequest]
) -> None:
    """Case 15: EOF mid-body and mid-response."""
    request_id = rig.new_id()

    async def leave() -> None:
        async with talking(rig.host.port, chain) as peer:
            await peer.say(head(REQUEST, [("x-id", request_id)]), *said)
            await peer.half_close()
            await peer.status()

    rig.run(leave())

    assert rig.host.outcome(request_id)["termination"] == "client-gone"
    assert rig.host.idle()["active"] == 0


def test_a_complete_exchange_ends_with_ok(rig: Rig) -> None:
    """Case 15: nothing is owed any more, so there is nothing to abort for."""

    async def complete() -> str:
        async with talking(rig.host.port) as peer:
            await peer.say(head(REQUEST, end=True), head(RESPONSE), chunk(RESPONSE, b"", end=True))
            await peer.hear(3)
            await peer.half_close()
            return await peer.status()

    assert rig.run(complete()) == "OK"


@pytest.mark.parametrize("chain", ["slow?s=60&deadline=60", "stream?chunks=1000&gap=1"])
def test_a_reset_while_a_hook_waits_cancels_its_effect(rig: Rig, chain: str) -> None:
    """Case 16: RST mid-await: the task is cancelled, nothing leaks."""
    request_id, before = rig.new_id(), rig.host.idle()["tasks"]

    async def reset() -> None:
        async with talking(rig.host.port, chain) as peer:
            await peer.say(head(REQUEST, [("x-id", request_id)], end=True))
            await asyncio.sleep(0.1)
            peer.cancel()

    rig.run(reset())

    assert rig.host.outcome(request_id)["termination"] == "client-gone"
    assert rig.host.idle(tasks_max=before)["active"] == 0


def test_after_half_close_late_replies_are_not_sent(rig: Rig) -> None:
    """Case 17: the effect comes in when nobody listens any more."""
    request_id = rig.new_id()

    async def late() -> tuple[str, bool]:
        async with talking(rig.host.port, "slow?s=0.2") as peer:
            await peer.say(head(REQUEST, [("x-id", request_id)], end=True))
            await peer.half_close()
            return await peer.status(), await peer.quiet()

    status, _ = rig.run(late())

    assert status == "CANCELLED"
    assert [run["result"] for run in rig.host.outcome(request_id)["runs"]] == ["left"]


def test_after_an_immediate_answer_there_is_silence(rig: Rig) -> None:
    """Case 18: chunks that still come are taken and not replied to."""

    async def immediate() -> tuple[list[str], bool]:
        async with talking(rig.host.port, "reject") as peer:
            await peer.say(head(REQUEST), chunk(REQUEST, b"ab"), chunk(REQUEST, b"", end=True))
            return await peer.hear(), await peer.quiet()

    assert rig.run(immediate()) == (["immediate 429"], True)


def test_after_an_early_end_of_the_response_there_is_silence(rig: Rig) -> None:
    """Case 19, 20: a refusal inside an event stream ends it; what follows is taken unseen."""

    async def early() -> tuple[list[str], bool]:
        async with talking(rig.host.port, "gate?do=reject") as peer:
            await peer.say(head(REQUEST, end=True))
            await peer.say(head(RESPONSE, [("content-type", "text/event-stream")]))
            await peer.say(chunk(RESPONSE, b"data: 1\n\n"))
            heard = await peer.hear(2)
            await peer.say(chunk(RESPONSE, b"data: 2\n\n"), chunk(RESPONSE, b"", end=True))
            return heard, await peer.quiet()

    assert rig.run(early()) == (["request_headers", "immediate 400"], True)


def test_a_request_without_a_body_is_answered_by_headers_only(rig: Rig) -> None:
    """Case 21: no body reply where no body comes."""

    async def bodiless() -> tuple[list[str], bool]:
        async with talking(rig.host.port, "read") as peer:
            await peer.say(head(REQUEST, end=True))
            return await peer.hear(), await peer.quiet()

    assert rig.run(bodiless()) == (["request_headers"], True)


@pytest.mark.parametrize("chain", ["pass", "read"])
def test_empty_chunks_are_harmless(rig: Rig, chain: str) -> None:
    """Case 23, 26: an empty end, and empty chunks between."""

    async def empty() -> list[str]:
        async with talking(rig.host.port, chain) as peer:
            await peer.say(head(REQUEST), chunk(REQUEST, b""), chunk(REQUEST, b"ab"))
            await peer.say(chunk(REQUEST, b""), chunk(REQUEST, b"", end=True))
            heard = await peer.hear(2)
            while not heard[-1].endswith("end"):
                heard += await peer.hear()
            return [reply for reply in heard if reply != "request_body b''"]

    heard = rig.run(empty())

    assert heard[:2] in (["request_headers", "request_body b'ab'"], WHOLE_EXCHANGE[:2])
    assert heard[-1].endswith("end")


@pytest.mark.parametrize("mode", [STREAMED, BodyMode.BUFFERED, BodyMode.BUFFERED_PARTIAL])
def test_outside_full_duplex_there_is_one_reply_per_message(rig: Rig, mode: BodyMode) -> None:
    """Case 26: also to empty chunks."""

    async def counted() -> tuple[list[str], bool]:
        async with talking(rig.host.port, "pass", (mode, NONE)) as peer:
            await peer.say(head(REQUEST))
            heard = await peer.hear()
            if mode is STREAMED:
                await peer.say(chunk(REQUEST, b""))
                heard += await peer.hear()
            await peer.say(chunk(REQUEST, b"ab", end=True))
            return heard + await peer.hear(), await peer.quiet()

    bodies = 2 if mode is STREAMED else 1

    assert rig.run(counted()) == (["request_headers", *["request_body keep"] * bodies], True)


def test_a_chunk_larger_than_62_000_bytes_is_cut(rig: Rig) -> None:
    """Case 35: what Envoy takes safely in one streamed reply."""

    async def large() -> list[int]:
        async with talking(rig.host.port) as peer:
            await peer.say(head(REQUEST), chunk(REQUEST, b"x" * 150_000, end=True))
            await peer.hear()
            replies = [await peer.hear_raw() for _ in range(3)]
            parts = [
                reply.request_body.response.body_mutation.streamed_response for reply in replies
            ]
            assert [part.end_of_stream for part in parts] == [False, False, True]
            return [len(part.body) for part in parts]

    assert rig.run(large()) == [62_000, 62_000, 26_000]


@pytest.mark.parametrize("raw", [True, False], ids=["raw_value", "value"])
def test_header_values_are_read_from_either_field(rig: Rig, raw: bool) -> None:
    """Case 50: Envoy fills raw_value, agentgateway and others value."""

    async def values() -> list[str]:
        async with talking(rig.host.port, "add") as peer:
            await peer.say(head(REQUEST, [("x-many", "1")], end=True, raw=raw))
            return await peer.hear()

    (heard,) = rig.run(values())

    assert set(heard.split()) >= {"request_headers", "x-added=request", "x-many=last"}


def test_more_time_is_asked_for_once_per_state(rig: Rig) -> None:
    """Case 56: override_message_timeout, and nothing else in that message."""
    chain = "slow?s=0.3&deadline=2@message_timeout_s=0.1&message_timeout_max_s=5"

    async def slow() -> list[pb.ProcessingResponse]:
        async with talking(rig.host.port, chain, (STREAMED, NONE)) as peer:
            await peer.say(head(REQUEST, end=True))
            return [await peer.hear_raw() for _ in range(2)]

    first, second = rig.run(slow())

    assert 2 <= first.override_message_timeout.seconds <= 5
    assert first.WhichOneof("response") is None
    assert second.WhichOneof("response") == "request_headers"
