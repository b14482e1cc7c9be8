"""Processes of a benchmark: started, waited for, measured, and always ended."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

CPUCLOCK_SCHED = 2  # linux/posix-timers.h: the clock of a whole process, in nanoseconds


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def process(command: Sequence[str], port: int, log: Path | None = None) -> Generator[int]:
    """Run *command* until it listens on *port*; yield its pid; end it in any case.

    log  where its errors go, if they may be more than a pipe holds
    """
    with ExitStack() as stack:
        errors = stack.enter_context(log.open("wb")) if log else subprocess.PIPE
        started = subprocess.Popen(
            [*command], stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
        )
        stack.callback(_end, started)
        _await_port(started, port, log)
        yield started.pid


def _end(started: subprocess.Popen[bytes]) -> None:
    started.send_signal(signal.SIGTERM)
    try:
        started.wait(5)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()
    if started.stderr is not None:
        started.stderr.close()


def python(*arguments: str) -> list[str]:
    """Return the command that runs a module with this Python."""
    return [sys.executable, "-m", *arguments]


def cpu_s(pid: int) -> float:
    """Return the CPU time that the process has used, all threads, user and system."""
    return time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED)


def rss_mib(pid: int) -> float:
    """Return the memory that the process holds."""
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def rss_peak_mib(pid: int) -> float:
    """Return the most memory that the process ever held."""
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _await_port(started: subprocess.Popen[bytes], port: int, log: Path | None) -> None:
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        if started.poll() is not None:
            said = started.stderr.read() if started.stderr else b""
            said = log.read_bytes() if log else said
            raise RuntimeError(said.decode(errors="replace")[-2000:])
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")
