"""The host under test as a process of its own: started, watched, killed, always ended."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.host.extproc.transport import Transport
from tests.e2e.rig.config import LOOPBACK
from tests.e2e.rig.envoy import tail

START_S_MAX = 20.0
STOP_S_MAX = 10.0
POLL_S = 0.02

Json = dict[str, Any]  # a JSON object as the host printed it


class HostFault(Exception):
    """The host did not do what it was waited for; the message ends with the tail of its log."""


@dataclass(frozen=True, slots=True)
class Host:
    """A running host process. *journal*: one JSON line per exchange that ended, and per report."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    journal: Path
    transport: Transport = Transport.NATIVE

    @property
    def memory_peak_bytes(self) -> int:
        """The most memory it ever held (VmHWM)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def forget_memory_peak(self) -> None:
        """Begin to measure `memory_peak_bytes` anew (proc(5), clear_refs)."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def outcome(self, exchange_id: str, wait_s_max: float = 5.0) -> Json:
        """Return what the host noted when the exchange with this `x-id` ended.

        Raises:
            HostFault: it noted nothing in time.
        """
        return self._wait_for({"id": exchange_id}, 0, wait_s_max)

    def report(self, wait_s_max: float = 5.0) -> Json:
        """Ask the process for its counts: `active` exchanges and `tasks` of its loop."""
        already = self.journal.stat().st_size
        self.process.send_signal(signal.SIGUSR1)
        return self._wait_for({"kind": "report"}, already, wait_s_max)

    def idle(self, tasks_max: int = 1_000_000, wait_s_max: float = 5.0) -> Json:
        """Return the first report without an active exchange, and with few tasks.

        Raises:
            HostFault: some exchange stays, or more tasks than *tasks_max*.
        """
        until = time.monotonic() + wait_s_max
        while (report := self.report())["active"] or report["tasks"] > tasks_max:
            if time.monotonic() > until:
                raise HostFault(f"exchanges stay: {report}\n{tail(self.log)}")
            time.sleep(POLL_S)
        return report

    def _wait_for(self, wanted: Mapping[str, object], from_byte: int, wait_s_max: float) -> Json:
        until = time.monotonic() + wait_s_max
        while time.monotonic() < until:
            for line in self.journal.read_bytes()[from_byte:].splitlines(keepends=True):
                if line.endswith(b"\n"):
                    note: Json = json.loads(line)
                    if wanted.items() <= note.items():
                        return note
            time.sleep(POLL_S)
        raise HostFault(f"no note of {dict(wanted)}\n{tail(self.log)}")


@contextmanager
def running(
    folder: Path,
    port: int = 0,
    arguments: Sequence[str] = (),
    transport: Transport = Transport.NATIVE,
) -> Generator[Host]:
    """Run the host with the rig's stages on *port* (0: a free one); files go to *folder*.

    Raises:
        HostFault: it did not come up in time.
    """
    port = port or free_port()
    log, journal = folder / f"host-{port}.log", folder / f"journal-{port}"
    journal.touch()
    command = [sys.executable, "-m", "tests.e2e.rig.host", "--port", str(port)]
    command += ["--transport", transport.value]
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [*command, "--journal", str(journal), *arguments], stdout=sink, stderr=sink
        )
    host = Host(process, port, log, journal, transport)
    try:
        _await_listening(host)
        yield host
    finally:
        end(process)


def end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """End *process*, by force if it takes too long."""
    process.terminate()
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        return int(listener.getsockname()[1])


def _await_listening(host: Host) -> None:
    until = time.monotonic() + START_S_MAX
    while time.monotonic() < until and host.process.poll() is None:
        try:
            socket.create_connection((LOOPBACK, host.port), 1).close()
        except OSError:
            time.sleep(POLL_S)
        else:
            return
    raise HostFault(f"no host, exit status {host.process.poll()}\n{tail(host.log)}")
