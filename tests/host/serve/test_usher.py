"""The edge of waiting: who waits goes on when something changes, or when the time has come."""

import asyncio
from time import monotonic

import pytest

from headrace.extensions.picker.flow.turn import Turn
from headrace.extensions.picker.flow.waiter import How, Lane, Turned, Waiter
from headrace.extensions.picker.snapshot import PoolState, ServerFacts
from headrace.extensions.picker.store import Store
from headrace.host.serve.usher import TICK_S, Usher
from tests.extensions.picker.build import NAMES, program
from tests.host.serve.house import run

LANE = Lane("queue", 100, 1 << 20, uniform=True)


def full(pool: PoolState, now_s: float) -> bool:
    return pool.queue > 0.0 or pool.ready == 0


class Room:
    """A store, its usher, and what was noted. Written by the tests."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, How]] = []
        self.store = Store.for_program(program())
        self.usher = Usher(self.store, lambda pool, how, wait_s: self.noted.append((pool, how)))

    def enter(self, wait_s: float = 30.0) -> "asyncio.Task[Turned]":
        now_s = monotonic()
        flow = self.store.flows.of("gemma", now_s)
        waiter = Waiter(LANE, 0.0, now_s + wait_s, full)
        assert flow.enter(waiter, now_s) is None
        return asyncio.get_running_loop().create_task(self.usher.turn(Turn(flow, waiter)))

    def scrape(self, waiting: int) -> None:
        for address in NAMES:
            self.store.scraped("gemma", address, ServerFacts(waiting, 0, 0.0), monotonic())


def test_a_scrape_that_shows_room_lets_go_who_waits() -> None:
    async def main() -> None:
        room = Room()
        task = room.enter()
        await asyncio.sleep(0)
        room.scrape(1)
        await asyncio.sleep(0.01)
        assert not task.done()
        room.scrape(0)

        assert (await asyncio.wait_for(task, TICK_S / 2)).how is How.SERVED
        assert room.noted == [("gemma", How.SERVED)]
        room.usher.close()

    run(main)


def test_who_waits_too_long_is_told_on_time_though_nothing_changes() -> None:
    async def main() -> None:
        room = Room()
        began_s = monotonic()
        turned = await room.enter(wait_s=0.25)

        assert turned.how is How.EXPIRED
        assert 0.25 <= monotonic() - began_s < 2.0
        room.usher.close()

    run(main)


def test_a_turn_that_came_before_anybody_asked_is_not_missed() -> None:
    async def main() -> None:
        room = Room()
        room.scrape(0)
        task = room.enter()
        flow = room.store.flows.of("gemma", 0.0)
        flow.pump(room.store.snapshot.pools["gemma"], monotonic())

        assert (await asyncio.wait_for(task, 1.0)).how is How.SERVED
        room.usher.close()

    run(main)


def test_a_change_that_nobody_tells_of_is_seen_by_the_next_tick() -> None:
    async def main() -> None:
        room = Room()
        room.scrape(1)
        task = room.enter()
        await asyncio.sleep(0)
        room.store.watcher = None
        room.scrape(0)

        assert (await asyncio.wait_for(task, 20 * TICK_S)).how is How.SERVED
        room.usher.close()

    run(main)


def test_while_nobody_waits_nothing_is_watched() -> None:
    async def main() -> None:
        room = Room()
        assert room.store.watcher is None
        task = room.enter()
        await asyncio.sleep(0)
        assert room.store.watcher is not None
        room.scrape(0)
        await task
        await asyncio.sleep(3 * TICK_S)

        assert room.store.watcher is None
        room.usher.close()

    run(main)


def test_one_that_was_cancelled_while_it_waited_is_no_trouble_to_the_rest() -> None:
    async def main() -> None:
        room = Room()
        first, second = room.enter(), room.enter()
        await asyncio.sleep(0)
        first.cancel()
        flow = room.store.flows.of("gemma", 0.0)
        flow.leave(next(iter(flow)), monotonic())  # as its stage does
        await asyncio.sleep(0)
        room.scrape(0)

        assert (await asyncio.wait_for(second, 1.0)).how is How.SERVED
        room.usher.close()

    run(main)


def test_a_host_that_drains_tells_all_who_wait() -> None:
    async def main() -> None:
        room = Room()
        tasks = [room.enter() for _ in range(3)]
        await asyncio.sleep(0)
        room.usher.drain()

        assert [(await task).how for task in tasks] == [How.DRAINING] * 3
        room.usher.close()

    run(main)


def test_a_queue_that_fails_is_told_once_and_does_not_leave_the_others_waiting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        room = Room()

        def fails(pool: PoolState, now_s: float) -> bool:
            raise RuntimeError("a bug")

        flow = room.store.flows.of("broken", monotonic())
        broken = Waiter(LANE, 0.0, monotonic() + 30.0, fails)
        assert flow.enter(broken, monotonic()) is None
        task = room.enter()
        await asyncio.sleep(0)
        room.scrape(0)

        assert (await asyncio.wait_for(task, 5.0)).how is How.SERVED
        await asyncio.sleep(3 * TICK_S)
        assert [r.getMessage() for r in caplog.records] == [
            "bug: the queue of pool `broken` serves nobody"
        ]
        flow.leave(broken)
        room.usher.close()

    run(main)
