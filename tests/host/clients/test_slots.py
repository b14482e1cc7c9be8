"""The slots of guards: never more than there are, none lost, whoever leaves and whenever."""

import asyncio
import random

import pytest

from headrace.host.clients.slots import Busy, Slots
from tests.host.clients.house import run


@pytest.mark.parametrize("seed", range(20))
def test_no_slot_is_lost_or_taken_twice_whoever_leaves(seed: int) -> None:
    chance = random.Random(seed)
    slots = Slots()
    at_once = chance.randint(1, 4)
    there = most = served = 0

    async def visit() -> None:
        nonlocal there, most, served
        async with slots.one("g", at_once):
            there += 1
            most = max(most, there)
            try:
                await asyncio.sleep(chance.choice((0.0, 0.001, 0.002)))
                served += 1
            finally:
                there -= 1

    async def whole() -> None:
        tasks: list[asyncio.Task[None]] = []
        for _ in range(60):
            tasks.append(asyncio.get_running_loop().create_task(visit()))
            if chance.random() < 0.3:
                chance.choice(tasks).cancel()
            if chance.random() < 0.3:
                await asyncio.sleep(0.0005)
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(1.0):
            await visit()  # there is one for whoever comes last

    run(whole)

    assert most <= at_once
    assert there == 0
    assert served > 0
    assert not vars(slots)["_guards"], "nothing is kept of a guard that is idle"


def test_fewer_slots_after_a_reload_count_from_the_next_call_on() -> None:
    slots = Slots()
    order: list[str] = []

    async def hold(name: str, at_once: int, seconds: float) -> None:
        async with slots.one("g", at_once):
            order.append(name)
            await asyncio.sleep(seconds)

    async def whole() -> None:
        await asyncio.gather(
            hold("a", 2, 0.02),
            hold("b", 2, 0.04),
            hold("c", 1, 0.0),  # waits for both: the policy now says one at a time
            hold("d", 1, 0.0),
        )

    run(whole)

    assert order == ["a", "b", "c", "d"]


def test_more_slots_after_a_reload_serve_those_who_wait() -> None:
    slots = Slots()
    order: list[str] = []

    async def hold(name: str, at_once: int, seconds: float) -> None:
        async with slots.one("g", at_once):
            await asyncio.sleep(seconds)
            order.append(name)

    async def whole() -> None:
        await asyncio.gather(hold("a", 1, 0.1), hold("b", 1, 0.0), hold("c", 3, 0.0))

    run(whole)

    assert sorted(order[:2]) == ["b", "c"]


def test_who_would_wait_behind_too_many_is_told_at_once() -> None:
    slots = Slots()

    async def hold() -> None:
        async with slots.one("g", 1):
            await asyncio.sleep(0.5)

    async def whole() -> list[BaseException | None]:
        tasks = [asyncio.get_running_loop().create_task(hold()) for _ in range(19)]
        await asyncio.sleep(0.05)
        for task in tasks[:17]:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(one) for one in run(whole)[17:]] == [Busy, Busy]
