"""Hosts hear each other by a real Redis server, and do without when it is away."""

import asyncio
import logging
import shutil
import subprocess
import time
from collections.abc import Awaitable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from headrace.extensions.picker.peers.company import Company
from headrace.extensions.picker.peers.outbox import Outbox
from headrace.host.bus import redis as redis_channel
from headrace.host.bus.bus import Bus
from headrace.host.bus.redis import KEY, STREAM_MAX, RedisChannel, shown
from tests.e2e.rig.process import free_port
from tests.extensions.picker.build import NAMES, program, ready_store
from tests.host.bus.test_local import eventually
from tests.host.cli.command import QUICKSTART, running
from tests.host.cli.test_reload import eventually as eventually_here
from tests.host.cli.test_serve import ANY, get

SERVER = shutil.which("redis-server")
real = pytest.mark.skipif(SERVER is None, reason="NO redis-server ON PATH: THE BUS IS NOT TESTED")
POOL, A = "gemma", NAMES[0]
SANE = {
    b"PING": b"+PONG\r\n",
    b"XREVRANGE": b"*0\r\n",
    b"XREAD": b"*-1\r\n",
    b"XADD": b"$3\r\n1-1\r\n",
}


@contextmanager
def redis(port: int, folder: Path, *flags: str) -> Generator["subprocess.Popen[bytes]"]:
    """Run a server that keeps nothing on disk."""
    assert SERVER is not None
    argv = (
        SERVER,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(folder),
        *flags,
    )
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if b"Ready to accept" in line:
                    break
            yield process
        finally:
            process.kill()


def asked(port: int, *words: str) -> bytes:
    """Return what `redis-cli` prints."""
    cli = shutil.which("redis-cli")
    assert cli is not None
    return subprocess.run((cli, "-p", str(port), *words), capture_output=True, check=True).stdout


class Noted:
    """Counts messages."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}

    def state_message(self, channel: str, result: str, count: int = 1) -> None:
        key = (channel, result)
        self.counts[key] = self.counts.get(key, 0) + count


def bus(port: int, origin: str, counts: Noted | None = None) -> Bus:
    company = Company(ready_store(program()), Outbox(origin, time.time() - time.monotonic()))
    channel = RedisChannel(f"redis://127.0.0.1:{port}/0")
    return Bus(company, [channel], counts or Noted())


def in_flight(bus: Bus) -> int:
    found = bus.company.store.snapshot.pools[POOL].get(A)
    assert found is not None
    return found.in_flight


def up(bus: Bus) -> bool:
    return all(channel.up for channel in bus.channels)


def saying(bus: Bus) -> Bus:
    """Return *bus*, which has something to say by this."""
    bus.company.outbox.bound(POOL, "s", A, time.monotonic())
    return bus


def run(work: Awaitable[None]) -> None:
    async def main() -> None:
        await work

    asyncio.run(main())


@real
def test_what_one_host_has_open_another_counts(tmp_path: Path) -> None:
    async def work() -> None:
        async with bus(port, "a") as one, bus(port, "b") as two:
            await eventually(lambda: up(one) and up(two))
            reservation = one.company.store.reserve(POOL, A, time.monotonic())
            await eventually(lambda: in_flight(two) == 1)
            one.company.store.release(reservation, time.monotonic())
            await eventually(lambda: in_flight(two) == 0)
            one.company.store.reserve(POOL, A, time.monotonic())
            await eventually(lambda: in_flight(two) == 1)
            await one.__aexit__()  # who leaves says so: nobody waits for it to expire
            await eventually(lambda: in_flight(two) == 0 and len(two.company.heard) == 0)

    port = free_port()
    with redis(port, tmp_path):
        run(work())


@real
def test_without_the_server_each_decides_alone_and_with_it_again_together(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    counts, port = Noted(), free_port()

    async def work() -> None:
        async with bus(port, "a", counts) as one, bus(port, "b") as two:
            await asyncio.sleep(0.3)
            assert not up(one)
            one.company.store.reserve(POOL, A, time.monotonic())
            await asyncio.sleep(0.05)
            assert (in_flight(one), in_flight(two)) == (1, 0)
            with redis(port, tmp_path):
                await eventually(lambda: up(one) and up(two))
                await eventually(lambda: in_flight(two) == 1)
            await eventually(lambda: not up(one) and in_flight(two) == 0)
            assert in_flight(one) == 1
            with redis(port, tmp_path):
                await eventually(lambda: in_flight(two) == 1)

    run(work())
    said = [record.message for record in caplog.records if "no Redis at" in record.message]
    assert counts.counts["redis", "dropped"] > 0
    assert 2 <= len(said) <= 6, "each loss is told once, not at every try"


@real
def test_the_server_keeps_a_bounded_number_of_notes(tmp_path: Path) -> None:
    async def work() -> None:
        channel = RedisChannel(f"redis://127.0.0.1:{port}/0")
        heard: list[bytes] = []
        await channel.start(heard.append)
        sent = 0
        while sent < 3 * STREAM_MAX:
            if channel.send(b"%d" % sent):
                await asyncio.sleep(0.001)
            else:
                sent += 1
        await eventually(lambda: bool(heard) and heard[-1] == b"%d" % (sent - 1))
        await channel.stop()

    port = free_port()
    with redis(port, tmp_path):
        run(work())
        kept = int(asked(port, "xlen", KEY))
    assert kept <= 2 * STREAM_MAX


@real
def test_a_server_that_takes_no_notes_is_not_up_and_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As one that is a replica now, or is full: it answers pings and reads all the same."""
    caplog.set_level(logging.INFO)
    ups: list[bool] = []

    async def work() -> None:
        async with bus(port, "a-sender") as one:
            for _ in range(120):
                await asyncio.sleep(0.005)
                ups.append(up(saying(one)))
            asked(port, "replicaof", "no", "one")
            await eventually(lambda: up(saying(one)))

    port = free_port()
    with redis(port, tmp_path, "--replicaof", "127.0.0.1", str(free_port())):
        run(work())
    said = [record.message for record in caplog.records if record.message.startswith("state:")]
    assert not any(ups)
    assert [line.partition(":")[2].split()[0] for line in said] == ["no", "Redis"]
    assert "read only replica" in said[0]
    assert "XADD" not in said[0], "the library's own words show the note"


NO_REPLY = (b"+hello\r\n", b":7\r\n", b":seven\r\n", b"HTTP/1.1 400 No\r\n")
NO_ENTRIES = (
    b"*1\r\n*1\r\n+a\r\n",
    b"*1\r\n*2\r\n$1\r\nk\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n",  # one without fields
)


@pytest.mark.parametrize(
    ("command", "answers"), [(b"XREVRANGE", NO_REPLY), (b"XREAD", (*NO_REPLY, *NO_ENTRIES))]
)
def test_after_answers_that_make_no_sense_it_is_asked_again(
    command: bytes, answers: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_channel, "BACKOFF_S", 0.001)
    monkeypatch.setattr(redis_channel, "BACKOFF_S_MAX", 0.001)
    nonsense = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                words: list[bytes] = []
                for _ in range(int(line[1:])):
                    size = int((await reader.readline())[1:])
                    words.append((await reader.readexactly(size + 2))[:size])
                wrong = words[0] == command and nonsense
                writer.write(nonsense.pop() if wrong else SANE.get(words[0], b"+OK\r\n"))
        writer.close()

    async def work() -> None:
        async with (
            await asyncio.start_server(serve, "127.0.0.1", 0) as server,
            bus(server.sockets[0].getsockname()[1], "a") as one,
        ):
            await eventually(lambda: not nonsense and up(saying(one)))

    run(work())


def test_a_password_is_not_shown() -> None:
    assert shown("rediss://me:secret@cache.example:6380/2") == "rediss://cache.example:6380/2"


@real
def test_two_hosts_know_of_each_other_and_serve_when_the_server_is_gone(tmp_path: Path) -> None:
    port, logs = free_port(), (tmp_path / "one", tmp_path / "two")
    flags = (*ANY, "--drain-grace", "0", "--state", f"redis://me:secret@127.0.0.1:{port}/0")

    def told(ready: dict[str, str], line: str) -> bool:
        return line in get(f"http://{ready['metrics']}/metrics")[1].splitlines()

    # Its user has another password, so that Redis refuses them; then it has none.
    with (
        redis(port, tmp_path, "--user", "me", "on", ">other", "+@all", "~*") as server,
        running("serve", QUICKSTART, *flags, err=logs[0]) as (_, one),
        running("serve", QUICKSTART, *flags, "--workers", "2", err=logs[1]) as (_, two),
    ):
        refused = [get(f"http://{ready['metrics']}/readyz")[0] for ready in (one, two)]
        eventually_here(lambda: told(one, 'headrace_state_up{channel="redis"} 0.0'))
        server.kill()
        server.wait()
        with redis(port, tmp_path, "--user", "me", "on", ">secret", "+@all", "~*"):
            eventually_here(lambda: told(one, "headrace_state_peers 2.0"))
            eventually_here(lambda: told(two, 'headrace_state_peers{worker="2"} 2.0'))
        eventually_here(lambda: told(one, "headrace_state_peers 0.0"))
        eventually_here(lambda: told(two, 'headrace_state_peers{worker="2"} 1.0'))

    said = "".join(log.read_text() for log in logs)
    assert refused == [200, 200]
    assert f"no Redis at redis://127.0.0.1:{port}/0" in said
    assert "secret" not in said
