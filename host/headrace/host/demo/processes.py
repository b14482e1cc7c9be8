"""Child processes that never outlive us: not after Ctrl-C, an exception, or a kill -9."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

_TETHER = Path(__file__).with_name("tether.py")
GRACE_S = 5.0
_TAIL_BYTES = 4_000


class ChildDied(Exception):
    """A child ended by itself. *tail* is the end of what it printed."""

    def __init__(self, name: str, code: int, tail: str) -> None:
        self.name, self.code, self.tail = name, code, tail
        super().__init__(f"`{name}` ended with code {code}:\n{tail}")


@dataclass(frozen=True, slots=True)
class Child:
    """One running process and the file it prints to."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    def output(self) -> str:
        """Return the end of what it has printed so far."""
        raw = self.log.read_bytes()
        return raw[-_TAIL_BYTES:].decode(errors="replace")


@dataclass(slots=True)
class Processes:
    """The children of one demo; leaving the context ends them all.

    Used from one task of the main thread. *folder* takes what they print.
    """

    folder: Path
    children: list[Child] = field(default_factory=list[Child])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(
        self, name: str, argv: Sequence[str | Path], env: Mapping[str, str] | None = None
    ) -> Child:
        """Start *argv* in a session of its own, so that a Ctrl-C in our terminal is ours alone.

        argv  the program's path and its arguments
        """
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *_tethered(argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=asyncio.subprocess.STDOUT,
                env=env,
                start_new_session=True,
            )
        child = Child(name, process, log)
        self.children.append(child)
        return child

    def check(self) -> None:
        """Raise if a child has ended.

        Raises:
            ChildDied: with the end of its output.
        """
        for child in self.children:
            if (code := child.process.returncode) is not None:
                raise ChildDied(child.name, code, child.output())

    async def stop(self) -> None:
        """Ask all children to end, last started first; kill those that do not in time."""
        alive = [c for c in reversed(self.children) if c.process.returncode is None]
        self.children.clear()
        for child in alive:
            _signal(child, signal.SIGTERM)
        try:
            async with asyncio.timeout(GRACE_S):
                await _ended(alive)
        except TimeoutError:
            pass
        finally:
            # Also when we are cancelled while we wait: nothing is left behind.
            for child in alive:
                if child.process.returncode is None:
                    _signal(child, signal.SIGKILL)
        await _ended(alive)


async def _ended(children: Sequence[Child]) -> None:
    for child in children:
        await child.process.wait()


def _signal(child: Child, number: signal.Signals) -> None:
    """Signal the child's whole group: it may have children of its own."""
    try:
        os.killpg(child.process.pid, number)
    except ProcessLookupError:
        return


def _tethered(argv: Sequence[str | Path]) -> Sequence[str | Path]:
    """Return the command that runs *argv* and dies with us, where the kernel can see to it."""
    if not sys.platform.startswith("linux"):
        return argv
    return (sys.executable, "-I", "-S", _TETHER, str(os.getpid()), *argv)
