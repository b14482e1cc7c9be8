"""Over real sockets: what is published arrives once and in order, whatever is lost on the way."""

import asyncio
import time
from collections.abc import Callable, Coroutine

import msgspec
import pytest

from headrace.extensions.picker.kv.events import EVENTS_MAX
from headrace.host.kv_events.listener import Source, missing, sources
from headrace.host.kv_events.wire import MESSAGE_BYTES_MAX
from tests.host.kv_events.house import NOTHING, WAIT_S, House, house, policy


def stored(first: int, count: int) -> bytes:
    """Return the message that says that blocks from *first* on follow on each other."""
    hashes = list(range(first, first + count))
    event = ["BlockStored", hashes, first - 1 if first else None, [0] * count, 1, None, "GPU"]
    return msgspec.msgpack.encode([1.0, [event], 0])


def run(scene: Callable[[House], Coroutine[None, None, None]], *, replay: bool = True) -> House:
    """Play *scene* and return what it left."""

    async def whole() -> House:
        async with house(replay=replay) as found:
            await scene(found)
            return found

    return asyncio.run(whole())


def test_what_is_published_is_followed() -> None:
    async def scene(found: House) -> None:
        found.publisher.send(stored(0, 5))
        await found.until(lambda: len(found.book) == 5)
        found.publisher.send(msgspec.msgpack.encode([1.0, [["BlockRemoved", [4]]], 0]))
        await found.until(lambda: len(found.book) == 4)
        found.publisher.send(msgspec.msgpack.encode([1.0, [["AllBlocksCleared"]], 0]))
        await found.until(lambda: len(found.book) == 0)

    run(scene)


def test_what_was_published_before_we_listened_and_what_was_lost_is_replayed() -> None:
    async def scene(found: House) -> None:
        for n in range(5):
            found.publisher.send(stored(n, 1), dropped=True)
        found.publisher.send(stored(5, 1))
        await found.until(lambda: len(found.book) == 6)

    told = run(scene).told.counts
    assert told["replayed"] >= 5
    assert told["lost"] == 0


def test_a_gap_that_cannot_be_filled_is_counted_and_what_was_reported_is_but_believed() -> None:
    async def scene(found: House) -> None:
        found.publisher.send(stored(0, 3))
        await found.until(lambda: len(found.book) == 3)
        before = found.told.counts["lost"]
        found.publisher.send(stored(3, 3), dropped=True)
        found.publisher.send(stored(6, 2))
        await found.until(lambda: found.told.counts["lost"] == before + 1)
        await found.until(lambda: len(found.book) == 3)  # the two, and the one they stand on

    run(scene, replay=False)


@pytest.mark.parametrize(
    ("payload", "result"),
    [
        (b"\xc1\xc1", "malformed"),
        (b"\xdd\xff\xff\xff\xff", "malformed"),
        (msgspec.msgpack.encode([1.0, [["AllBlocksCleared"]] * (EVENTS_MAX + 1)]), "malformed"),
        (msgspec.msgpack.encode([1.0, [["BlockStored", "?"]], 0]), "faulty_event"),
        (
            msgspec.msgpack.encode([1.0, [["BlockStored", [1], None, [], 2**31, None]], 0]),
            "faulty_event",
        ),
    ],
)
def test_what_cannot_be_read_is_counted_and_the_next_message_is_taken(
    payload: bytes, result: str
) -> None:
    async def scene(found: House) -> None:
        found.publisher.send(payload)
        found.publisher.send(stored(0, 4))
        await found.until(lambda: len(found.book) == 4)
        assert found.told.counts[result] == 1

    run(scene)


def test_a_server_that_begins_anew_has_an_empty_cache() -> None:
    async def scene(found: House) -> None:
        for _ in range(500):  # so many that the next one will not have got as far when it is heard
            found.publisher.send(NOTHING)
        found.publisher.send(stored(0, 4))
        await found.until(lambda: len(found.book) == 4)
        found.store.prefixes["p"].insert(found.address, [1, 2, 3])
        await found.publisher.__aexit__(None, None, None)
        again = type(found.publisher)("127.0.0.1", *found.publisher.ports, "")
        async with again:
            for _ in range(400):
                again.send(NOTHING)
                if found.told.counts["restarted"]:
                    break
                await asyncio.sleep(0.02)
            again.send(stored(0, 2))
            await found.until(lambda: len(found.book) == 2)
        assert found.store.prefixes["p"].match([1, 2, 3]) == {}

    assert run(scene).told.counts["restarted"] == 1


def test_endpoints_of_one_host_have_the_next_port_each() -> None:
    program = policy(
        ["10.0.0.1:8001", "10.0.0.2:8000", "10.0.0.1:8000", "[fd00::1]:80"], 5557, 5600
    )

    assert set(sources(program)) == {
        Source("p", "10.0.0.1:8000", "10.0.0.1", 5557, 5600),
        Source("p", "10.0.0.1:8001", "10.0.0.1", 5558, 5601),
        Source("p", "10.0.0.2:8000", "10.0.0.2", 5557, 5600),
        Source("p", "[fd00::1]:80", "[fd00::1]", 5557, 5600),
    }


def test_without_pyzmq_a_policy_that_asks_for_events_cannot_be_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing(name: str) -> None:
        """Find no module."""

    monkeypatch.setattr("headrace.host.kv_events.listener.find_spec", nothing)

    assert missing(policy(["10.0.0.1:8000"], 5557)) == (
        "pool `p` asks for `kv events`, which need pyzmq: install `headrace[kv-events]`, "
        "or remove the statement"
    )


@pytest.mark.parametrize(
    ("addresses", "port", "replay", "says"),
    [
        (["10.0.0.1:1", "10.0.0.1:2"], 65_535, None, "at port 65536, which is no port"),
        (["10.0.0.1:1", "10.0.0.1:2"], 5557, 5558, "at port 5558, which would be two publishers'"),
        (["10.0.0.1:1", "10.0.0.2:2"], 65_535, 5558, ""),
    ],
)
def test_ports_that_a_host_cannot_have_are_refused_at_the_start(
    addresses: list[str], port: int, replay: int | None, says: str
) -> None:
    told = missing(policy(addresses, port, replay))

    assert says in told
    assert bool(told) is bool(says)


def test_a_flood_of_events_leaves_turns_of_the_loop_to_others() -> None:
    async def scene(found: House) -> None:
        applied, most, count = found.told.counts["applied"], 0, 500
        for _ in range(count):
            found.publisher.send(NOTHING)
        time.sleep(0.3)  # noqa: ASYNC251 - until all of it is there, while nobody looks
        async with asyncio.timeout(WAIT_S):
            while found.told.counts["applied"] < applied + count:
                before = found.told.counts["applied"]
                await asyncio.sleep(0)
                most = max(most, found.told.counts["applied"] - before)

        assert most <= 2

    run(scene)


def test_who_sends_a_frame_that_is_too_large_is_cut_off_and_heard_again() -> None:
    async def scene(found: House) -> None:
        found.publisher.send(stored(0, 3))
        await found.until(lambda: len(found.book) == 3)
        before = found.told.counts["lost"]
        found.publisher.send(bytes(MESSAGE_BYTES_MAX + 1))
        async with asyncio.timeout(WAIT_S):
            while found.told.counts["lost"] == before:
                found.publisher.send(NOTHING)
                await asyncio.sleep(0.02)
        found.publisher.send(stored(0, 2))
        await found.until(lambda: len(found.book) == 2)

        assert found.told.counts["malformed"] == 0

    run(scene, replay=False)
