"""What an exchange may cost, counted, not timed: the same numbers on every machine.

More calls than here is a slower host. Take calls out rather than raise a number; when you have
taken some out, lower it.
"""

import asyncio
import gc
from collections.abc import Callable
from typing import TypeVar

import pytest
from bench.inprocess import InProcess, calls_in
from bench.sides import POLICY

from headrace.host.extproc.proto import messages as pb

T = TypeVar("T")
WARM_UP = 20  # caches, tables and indexes are as they stay
EVENTS = 32
SHED = 'shed when request.priority < 0 with 429 "busy" retry after 1s'
assert SHED in POLICY, "the tests say what is done instead"
POLICIES = {
    "as it is": POLICY,
    "where some wait": POLICY.replace(SHED, "queue by request.priority for up to 5s"),
    "where all are turned away": POLICY.replace("> 500.0", ">= 0.0").replace(
        SHED, SHED.replace("when request.priority < 0", "any when request.priority < 9")
    ),
}


def in_a_loop(work: Callable[[], T]) -> T:
    """Return what *work* does inside a running event loop, which sessions need."""

    async def test() -> T:
        return work()

    return asyncio.run(test())


def calls(endpoints: int, events: int) -> int:
    """Return the calls of an exchange like many before it."""
    host = InProcess(endpoints)
    for number in range(WARM_UP):
        host.run(host.talk(number, events))
    talk = host.talk(WARM_UP, events)
    return calls_in(lambda: host.run(talk))


@pytest.mark.parametrize("endpoints", [16, 64])
def test_a_whole_answer_takes_no_more_calls_than_it_did(endpoints: int) -> None:
    assert in_a_loop(lambda: calls(endpoints, 0)) <= 506


def test_an_event_that_is_observed_takes_no_more_calls_than_it_did() -> None:
    def per_event() -> float:
        return (calls(16, EVENTS) - calls(16, 1)) / (EVENTS - 1)

    assert in_a_loop(per_event) < 21.2  # what the last event alone costs is in it, too


def test_twice_the_endpoints_do_not_take_twice_the_calls() -> None:
    assert in_a_loop(lambda: calls(512, 0)) < 1.5 * in_a_loop(lambda: calls(16, 0))


def test_what_is_counted_is_a_whole_exchange() -> None:
    def answers() -> list[str | None]:
        host = InProcess()
        found = host.run(host.talk(0, events=2))
        return [pb.ProcessingResponse.FromString(a).WhichOneof("response") for a in found]

    kinds = ["request_headers", "request_body", "response_headers", *["response_body"] * 2]
    assert in_a_loop(answers) == kinds


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_nothing_of_an_exchange_waits_for_the_garbage_collector(policy: str) -> None:
    def garbage() -> int:
        host = InProcess(policy=policy)
        talks = [host.talk(number, events) for number in range(9) for events in (0, 3)]
        host.run(talks[0])
        gc.collect()
        gc.disable()
        try:
            for talk in talks[1:]:
                host.run(talk)
            return gc.collect()
        finally:
            gc.enable()

    # What is left by chance is less than one object per exchange.
    assert in_a_loop(garbage) < 8
