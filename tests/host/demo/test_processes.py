"""Children end with us: politely, by force, and when we are killed without warning."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headrace.host.demo.processes import ChildDied, Processes

PYTHON = sys.executable
SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('up', flush=True); time.sleep(60)"
)
PARENT = """
import asyncio, sys
from pathlib import Path
from headrace.host.demo.processes import Processes

async def main():
    async with Processes(Path(sys.argv[1])) as processes:
        sleeper = (sys.executable, "-c", "import time; time.sleep(60)")
        child = await processes.start("child", sleeper)
        print(child.process.pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def up(processes: Processes, name: str, code: str) -> int:
    """Start a Python child and return its process id once it has printed `up`."""
    child = await processes.start(name, (PYTHON, "-c", code))
    for _ in range(500):
        if "up" in child.output():
            return child.process.pid
        await asyncio.sleep(0.02)
    raise TimeoutError(child.output())


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_leaving_the_context_ends_all_children(tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        async with Processes(tmp_path) as processes:
            return [await up(processes, f"child-{i}", SLEEPER) for i in range(2)]

    pids = asyncio.run(scenario())

    assert not any(alive(pid) for pid in pids)


def test_a_child_that_ignores_the_request_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.host.demo.processes.GRACE_S", 0.2)

    async def scenario() -> int:
        async with Processes(tmp_path) as processes:
            return await up(processes, "stubborn", STUBBORN)

    assert not alive(asyncio.run(scenario()))


def test_a_child_that_ends_by_itself_is_reported_with_its_last_words(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Processes(tmp_path) as processes:
            child = await processes.start("short", (PYTHON, "-c", "print('why'); exit(3)"))
            await child.process.wait()
            processes.check()

    with pytest.raises(ChildDied, match="`short` ended with code 3:\nwhy"):
        asyncio.run(scenario())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda n: n.name)
def test_a_parent_that_is_ended_leaves_no_child(tmp_path: Path, number: signal.Signals) -> None:
    parent = subprocess.Popen(
        (PYTHON, "-c", PARENT, str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert alive(child)

    os.kill(parent.pid, number)
    parent.wait(10)
    parent.stdout.close()

    deadline = time.monotonic() + 5
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(child)
