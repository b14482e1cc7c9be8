"""Stages that are slow, raise or block: only their exchange is hit, by the road they declare."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from headrace.host.exchange.part import BodyMode
from tests.e2e.rig.doors import BODIES, DUPLEX, SAME, pair
from tests.e2e.rig.http1 import Answer
from tests.e2e.rig.site import Rig

DEADLINE_S = 0.1
NOISE_S = 0.9  # other work on this machine; the true figure is the benchmark's


@pytest.mark.parametrize("on_failure", ["closed", "open", "fallback"])
@pytest.mark.parametrize("door", SAME)
def test_a_slow_stage_takes_its_road_at_its_deadline(rig: Rig, door: str, on_failure: str) -> None:
    """Case 52: closed, open and fallback, in every mode."""
    request_id = rig.new_id()
    chain = f"slow?s=5&deadline={DEADLINE_S}&on_failure={on_failure}"
    began_s = time.monotonic()
    answer = rig.fetch(door, chain, "POST", fields=[("x-id", request_id)], body=b"body")
    took_s = time.monotonic() - began_s

    assert DEADLINE_S - 0.01 <= took_s < DEADLINE_S + NOISE_S
    if on_failure == "closed":
        assert answer.status == 504
        assert answer.head.get("x-headrace-reason") == "stage-timeout"
        assert rig.upstream.seen.of(request_id) == []
    else:
        assert (answer.status, answer.body) == (200, b"body")
        fallback = rig.seen(request_id).head.get("x-fallback")
        assert fallback == ("yes" if on_failure == "fallback" else "")


@pytest.mark.parametrize("on_failure", ["closed", "open"])
@pytest.mark.parametrize("door", BODIES)
def test_a_slow_stage_on_the_response_takes_its_road(rig: Rig, door: str, on_failure: str) -> None:
    """Case 52: the deadline holds on the way back too."""
    chain = f"slow?s=5&hook=response&deadline={DEADLINE_S}&on_failure={on_failure}"
    answer = rig.fetch(door, chain, "POST", body=b"body")

    assert answer.status == (504 if on_failure == "closed" else 200)
    assert on_failure == "closed" or answer.body == b"body"


@pytest.mark.parametrize("hook", ["request", "response", "effect"])
@pytest.mark.parametrize("on_failure", ["closed", "open"])
@pytest.mark.parametrize("door", [DUPLEX, pair(BodyMode.STREAMED, BodyMode.STREAMED)])
def test_a_stage_that_raises_takes_its_road(
    rig: Rig, door: str, on_failure: str, hook: str
) -> None:
    """Case 53: in each hook that decides."""
    request_id = rig.new_id()
    chain = f"add+raise?hook={hook}&on_failure={on_failure}"
    answer = rig.fetch(door, chain, "POST", fields=[("x-id", request_id)], body=b"body")
    runs = rig.host.outcome(request_id)["runs"]

    assert answer.status == (500 if on_failure == "closed" else 200)
    if on_failure == "closed":
        assert answer.head.get("x-headrace-reason") == "stage-failed"
    else:
        assert answer.body == b"body"
    assert [run["road"] for run in runs if run["result"] == "failed"] == [on_failure]


@pytest.mark.parametrize("needs", ["gate", "observe"])
@pytest.mark.parametrize("hook", ["event", "end"])
def test_a_stage_that_raises_on_a_response_body_and_fails_open_loses_no_byte(
    rig: Rig, hook: str, needs: str
) -> None:
    """Case 53: in the hooks on a response's body."""
    chain = f"raise?hook={hook}&needs={needs}&on_failure=open"
    answer = rig.fetch(DUPLEX, chain, fields=[("x-script", "sse"), ("x-events", "20")])

    assert (answer.status, answer.complete) == (200, True)
    assert answer.body.count(b"data: ") == 20


def test_a_stage_that_raises_in_its_last_hook_harms_nobody(rig: Rig) -> None:
    """Case 53: on_end has no road, for the exchange is over."""
    request_id = rig.new_id()
    answer = rig.fetch(DUPLEX, "raise?hook=outcome", fields=[("x-id", request_id)])

    assert answer.status == 200
    assert rig.host.outcome(request_id)["status"] == 200


def test_a_failed_hook_leaves_nothing_half_done(rig: Rig) -> None:
    """Case 54: its overlay is dropped, the good half of it too."""
    request_id = rig.new_id()
    answer = rig.fetch(DUPLEX, "add+half?on_failure=open", fields=[("x-id", request_id)])
    head = rig.seen(request_id).head

    assert answer.status == 200
    assert head.get("x-added") == "request"
    assert not {"x-half", "x-bad", "x-smuggled"} & {name for name, _ in head.fields}


def test_a_stage_that_blocks_the_loop_delays_others_and_harms_none(rig: Rig) -> None:
    """Case 55: everybody waits, everybody is served."""

    async def crowd() -> list[Answer]:
        chains = ["block?s=0.3", *["pass"] * 20]
        return await asyncio.gather(*(rig.ask(DUPLEX, chain, body=b"b") for chain in chains))

    assert [answer.status for answer in rig.run(crowd())] == [200] * 21


def test_a_failing_stage_fails_its_own_exchange_only(rig: Rig) -> None:
    """Case 53: in a crowd."""

    async def crowd() -> list[Answer]:
        chains = ["raise?hook=request", "pass", "slow?s=5&deadline=0.05", "read"] * 10
        asked = (rig.ask(DUPLEX, chain, "POST", body=b"body") for chain in chains)
        return await asyncio.gather(*asked)

    assert [answer.status for answer in rig.run(crowd())] == [500, 200, 504, 200] * 10


def test_envoys_timer_is_extended_once_and_in_time(rig: Rig) -> None:
    """Case 56: outside FULL_DUPLEX_STREAMED Envoy gives up after message_timeout."""
    limits = "message_timeout_s=1&message_timeout_max_s=10"
    answer = rig.fetch("hasty", f"slow?s=1.3&deadline=3@{limits}", "POST", body=b"body")

    assert (answer.status, answer.body) == (200, b"body")


def test_without_an_extension_we_answer_before_envoys_timer_does(rig: Rig) -> None:
    """Case 56: our own answer, not Envoy's bare 504."""
    chain = "slow?s=5&deadline=3@message_timeout_s=0.5"
    answer = rig.fetch("hasty", chain, "POST", body=b"body")

    assert answer.status == 504
    assert answer.head.get("x-headrace-reason") == "stage-timeout"


def test_a_body_that_does_not_come_is_answered_408(rig: Rig) -> None:
    """Case 52: every wait has a deadline, for the client too."""
    waiting = asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        await waiting.wait()

    answer = rig.fetch(DUPLEX, "read@body_idle_s=0.2", "POST", body=half())

    assert answer.status == 408
    assert answer.head.get("x-headrace-reason") == "body-timeout"
