"""Bytes arrive identical both ways, whatever their number, framing and body modes."""

import asyncio
import random
from dataclasses import dataclass

import pytest

from headrace.host.exchange.part import BodyMode
from tests.e2e.rig import http2
from tests.e2e.rig.config import MIB
from tests.e2e.rig.doors import BODIES, DUPLEX, pair
from tests.e2e.rig.http1 import Answer, connect
from tests.e2e.rig.scripts import digest, noise
from tests.e2e.rig.site import Rig
from tests.e2e.rig.upstream import Call

SIZES = (0, 1, 61_999, 62_000, 62_001, MIB)
CHUNKED = ("transfer-encoding", "chunked")
LIMIT_BYTES = 32 * MIB
HUGE_BYTES = 100_000_000
PAIRS = [pair(request, response) for request in BodyMode for response in BodyMode]
UNSEEN = "body-unavailable"  # this mode cannot show the stages what they need: an honest 500
# Chains that change no byte: fast, slow, failing open, reading, gating.
HARMLESS = (
    "pass",
    "read",
    "add",
    "tell+add+observe",
    "read+gate?do=keep",
    "slow?s=0.01+read",
    "slow?s=0.02&hook=response",
    "slow?s=0.01&hook=event&needs=gate",
    "slow?s=0.01&hook=event&needs=observe",
    "raise?hook=response&on_failure=open+read",
    "slow?s=5&deadline=0.02&on_failure=open+read+gate?do=keep",
)
WHOLE_BODY = "read+gate?do=keep@gate_bytes_max={0}&body_bytes_max={0}"


async def _swap(rig: Rig, door: str, chain: str, size: int, *, chunked: bool = True) -> Answer:
    body = noise(size) if chunked else b"".join(noise(size))
    fields = [("x-script", "swap"), ("x-bytes", str(size))]
    return await rig.ask(door, chain, "POST", fields=fields, body=body)


def _assert_swapped(answer: Answer, size: int) -> None:
    assert (answer.status, answer.complete, len(answer.body)) == (200, True, size)
    assert answer.head.get("x-sha256") == digest(noise(size))
    assert digest(iter([answer.body])) == digest(noise(size, seed=1))


@pytest.mark.parametrize("door", PAIRS)
def test_every_pair_of_modes_passes_every_size_that_no_stage_wants(rig: Rig, door: str) -> None:
    """Case 1: the modes come from protocol_config, all pairs of them."""

    async def all_sizes() -> list[Answer]:
        return await asyncio.gather(*(_swap(rig, door, "pass", size) for size in SIZES))

    for size, answer in zip(SIZES, rig.run(all_sizes()), strict=True):
        _assert_swapped(answer, size)


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with-length"])
@pytest.mark.parametrize("door", BODIES)
def test_bodies_that_stages_read_and_gate_arrive_unchanged(
    rig: Rig, door: str, chunked: bool
) -> None:
    """Case 35: more than one reply of at most 62,000 bytes makes the same body."""

    async def all_sizes() -> list[Answer]:
        chain = "read+gate?do=keep"
        return await asyncio.gather(
            *(_swap(rig, door, chain, size, chunked=chunked) for size in SIZES)
        )

    for size, answer in zip(SIZES, rig.run(all_sizes()), strict=True):
        _assert_swapped(answer, size)


@dataclass(frozen=True, slots=True)
class Shot:
    """One request of the storm."""

    door: str
    chain: str
    size: int
    back: int
    chunk_bytes: int  # 0: with a content-length
    trailers: bool

    async def fire(self, rig: Rig) -> Answer:
        data = b"".join(noise(self.size))
        step = self.chunk_bytes
        body = [data[at : at + step] for at in range(0, len(data), step)] if step else data
        fields = [("x-script", "swap"), ("x-bytes", str(self.back))]
        trailers = [("x-t", "1")] if self.trailers else []
        return await rig.ask(self.door, self.chain, "POST", "/", fields, body, trailers)

    def arrived(self, answer: Answer) -> bool:
        return (
            answer.status == 200
            and answer.complete
            and answer.head.get("x-sha256") == digest(noise(self.size))
            and digest(iter([answer.body])) == digest(noise(self.back, seed=1))
        )


def _shot(chance: random.Random) -> Shot:
    return Shot(
        door=chance.choice(PAIRS),
        chain=chance.choice(HARMLESS),
        size=chance.choice((*SIZES[:5], 5_000, 200_000)),
        back=chance.choice((*SIZES[:5], 5_000, 200_000)),
        chunk_bytes=chance.choice((0, 1_000, 7_000, 50_000)),
        trailers=chance.random() < 0.2,
    )


@pytest.mark.parametrize(
    ("doors", "chain"),
    [(PAIRS, "pass"), ([DUPLEX], "read+gate?do=keep"), ([DUPLEX], "slow?s=0.05+observe")],
    ids=["pass", "held", "slow"],
)
def test_http2_on_both_sides_passes_every_size(rig: Rig, doors: list[str], chain: str) -> None:
    """Case 24: other chunks, other ends of stream, and trailers behind every response."""
    fields = [("x-to", "h2"), ("x-chain", chain)]
    bodies = [b"".join(noise(size)) for size in SIZES]
    cases = [(door, body) for door in doors for body in bodies]

    async def echoes() -> list[http2.Answer]:
        asked = (
            http2.fetch(rig.port(door), "POST", "/", fields, [body] if body else [])
            for door, body in cases
        )
        return await asyncio.gather(*asked)

    for (door, body), answer in zip(cases, rig.run(echoes()), strict=True):
        assert (answer.status, answer.reset) == (200, None), door
        assert answer.body == body, (door, len(body))
        assert answer.trailers == (("grpc-status", b"0"),), door


@pytest.mark.parametrize("seed", range(3))
def test_a_storm_of_all_kinds_of_exchanges_mixes_no_bytes(rig: Rig, seed: int) -> None:
    """Case 13: many at once, every mode, chain, size and framing: right, or an honest refusal."""
    chance = random.Random(seed)
    shots = [_shot(chance) for _ in range(100)]

    async def storm() -> list[Answer]:
        return await asyncio.gather(*(shot.fire(rig) for shot in shots))

    refused = 0
    for shot, answer in zip(shots, rig.run(storm()), strict=True):
        refused += answer.head.get("x-headrace-reason") == UNSEEN
        assert shot.arrived(answer) or answer.head.get("x-headrace-reason") == UNSEEN, shot
    assert refused < len(shots) / 4
    assert rig.host.idle()["active"] == 0


@pytest.mark.parametrize("door", [DUPLEX, pair(BodyMode.BUFFERED, BodyMode.BUFFERED)])
def test_a_body_of_exactly_the_default_limit_passes(rig: Rig, door: str) -> None:
    """Case 28: the limit is inclusive."""
    fields = [("x-script", "swap"), ("x-bytes", "1")]
    answer = rig.fetch(door, "read", "POST", fields=fields, body=noise(LIMIT_BYTES))

    assert answer.status == 200
    assert answer.head.get("x-sha256") == digest(noise(LIMIT_BYTES))


@pytest.mark.parametrize("door", [DUPLEX, pair(BodyMode.BUFFERED, BodyMode.BUFFERED)])
def test_a_body_over_the_limit_is_answered_413(rig: Rig, door: str) -> None:
    """Case 28: over the limit a local 413, and the stream ends clean."""
    request_id = rig.new_id()
    answer = rig.fetch(
        door, "read", "POST", fields=[("x-id", request_id)], body=noise(LIMIT_BYTES + 1)
    )

    assert answer.status == 413
    assert answer.head.get("x-headrace-reason") == "body-too-large"
    assert b'"error"' in answer.body
    assert rig.upstream.seen.of(request_id) == []
    assert rig.host.outcome(request_id)["reason"] == "body-too-large"


def test_100_mb_pass_both_ways_with_flat_memory(rig: Rig) -> None:
    """Case 27: what no stage wants is not kept."""
    rig.host.forget_memory_peak()
    before = rig.host.memory_peak_bytes
    answer = rig.run(_swap(rig, DUPLEX, "pass", HUGE_BYTES))

    _assert_swapped(answer, HUGE_BYTES)
    assert rig.host.memory_peak_bytes - before < 32 * MIB


def test_a_large_upload_does_not_pile_up_behind_a_slow_stage(rig: Rig) -> None:
    """Case 27, 28: Envoy waits for nobody in full duplex, so the bound is ours."""
    rig.host.forget_memory_peak()
    before = rig.host.memory_peak_bytes
    answer = rig.fetch(DUPLEX, "slow?s=1", "POST", body=noise(HUGE_BYTES))

    assert answer.status == 413
    assert rig.host.memory_peak_bytes - before < 96 * MIB


@pytest.mark.parametrize("chain", ["pass", "read+observe", "gate?do=keep"])
def test_a_client_that_stops_reading_stops_the_upstream_not_our_memory(
    rig: Rig, chain: str
) -> None:
    """Case 62: back-pressure goes through us, from end to end."""
    rig.host.forget_memory_peak()
    before, events = rig.host.memory_peak_bytes, 3_000
    event = b"data: " + b"x" * 32_000 + b"\n\n"

    async def flood(call: Call) -> None:
        await call.read()
        await call.begin(200, [("content-type", "text/event-stream"), CHUNKED])
        for _ in range(events):
            await call.wire.send_chunk(event)
        await call.wire.end_chunks()

    async def reluctant() -> int:
        wire = await connect(rig.port(DUPLEX))
        fields = [("host", "rig"), ("x-chain", chain), ("x-script", "flood")]
        await wire.send_head("GET / HTTP/1.1", fields)
        head = await wire.read_head()
        await asyncio.sleep(0.5)
        size = sum([len(piece) async for piece in wire.body(head)])
        await wire.close()
        return size

    with rig.upstream.script("flood", flood):
        assert rig.run(reluctant()) == events * len(event)
    assert rig.host.memory_peak_bytes - before < 48 * MIB


def test_a_large_response_does_not_pile_up_behind_a_slow_stage(rig: Rig) -> None:
    """Case 27: the same on the way back; whatever the answer is, it is no silent loss."""
    rig.host.forget_memory_peak()
    before = rig.host.memory_peak_bytes
    fields = [("x-script", "swap"), ("x-bytes", str(HUGE_BYTES))]
    answer = rig.fetch(DUPLEX, "slow?s=1&hook=response", fields=fields)

    assert rig.host.memory_peak_bytes - before < 96 * MIB
    assert answer.status != 200 or len(answer.body) == HUGE_BYTES


def test_100_mb_pass_both_ways_when_the_limits_are_raised(rig: Rig) -> None:
    """Case 27: a stage that wants the whole of a large body gets it if the limit lets it."""
    answer = rig.run(_swap(rig, DUPLEX, WHOLE_BODY.format(HUGE_BYTES), HUGE_BYTES))

    _assert_swapped(answer, HUGE_BYTES)
