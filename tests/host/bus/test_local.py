"""Workers of one host hear each other by sockets in a folder."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from headrace.extensions.picker.peers.note import NOTE_BYTES_MAX
from headrace.host.bus.local import LocalChannel, Seat

PATIENCE_S = 10.0


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.005)


def talking(
    folder: Path, work: Callable[[list[LocalChannel], list[list[bytes]]], Awaitable[None]]
) -> None:
    """Let three channels do *work*, which gets what each has heard, too."""

    async def main() -> None:
        channels = [LocalChannel(Seat(folder, index, 3)) for index in (1, 2, 3)]
        heard: list[list[bytes]] = [[], [], []]
        for channel, messages in zip(channels, heard, strict=True):
            await channel.start(messages.append)
        try:
            await work(channels, heard)
        finally:
            for channel in channels:
                await channel.stop()

    asyncio.run(main())
    assert list(folder.iterdir()) == []


def test_what_one_says_all_others_hear_the_largest_note_too(tmp_path: Path) -> None:
    async def work(channels: list[LocalChannel], heard: list[list[bytes]]) -> None:
        largest = b"x" * NOTE_BYTES_MAX
        assert channels[0].send(b"hello") == 0
        assert channels[1].send(largest) == 0
        await eventually(lambda: heard == [[largest], [b"hello"], [b"hello", largest]])

    talking(tmp_path, work)


def test_who_is_gone_costs_a_count_and_is_heard_again_when_it_is_back(tmp_path: Path) -> None:
    async def work(channels: list[LocalChannel], heard: list[list[bytes]]) -> None:
        await channels[2].stop()
        assert channels[2].up is False
        assert channels[0].send(b"one") == 1
        assert channels[2].send(b"nobody sends") == 2
        await channels[2].start(heard[2].append)
        assert channels[0].send(b"two") == 0
        await eventually(lambda: heard[2] == [b"two"] and heard[1] == [b"one", b"two"])

    talking(tmp_path, work)


def test_a_socket_that_a_killed_worker_left_is_taken_over(tmp_path: Path) -> None:
    async def work(channels: list[LocalChannel], heard: list[list[bytes]]) -> None:
        again = LocalChannel(Seat(tmp_path, 2, 3))
        messages: list[bytes] = []
        await again.start(messages.append)
        channels[0].send(b"hello")
        await eventually(lambda: messages == [b"hello"])
        await again.stop()

    talking(tmp_path, work)


def test_one_that_does_not_read_stops_nobody(tmp_path: Path) -> None:
    async def work(channels: list[LocalChannel], heard: list[list[bytes]]) -> None:
        missed = sum(channels[0].send(b"x" * 60_000) for _ in range(2000))
        assert missed > 0, "sockets have no end of room"
        await eventually(lambda: len(heard[1]) + len(heard[2]) == 4000 - missed)

    talking(tmp_path, work)
