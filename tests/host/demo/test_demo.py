"""The whole demo: a real Envoy, six replicas, the host; and that nothing outlives it."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

pytestmark = pytest.mark.e2e
MARK = "DEMO_TEST_MARK"
HEADRACE = (sys.executable, "-m", "headrace.host.cli.main")


def marked(mark: str) -> dict[int, str]:
    """Return the live processes whose environment has *mark*, with their command lines."""
    found: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                environment = (folder / "environ").read_bytes()
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if f"{MARK}={mark}".encode() in environment.split(b"\0") and command:
                found[int(folder.name)] = command.replace(b"\0", b" ").decode()
    return found


@pytest.fixture
def mark() -> Iterator[str]:
    """A word that every process of one demo has in its environment; ends what is left of it."""
    word = uuid.uuid4().hex
    yield word
    for pid in marked(word):
        os.kill(pid, signal.SIGKILL)


def test_sixty_requests_pass_and_the_summary_adds_up(mark: str) -> None:
    done = subprocess.run(
        (*HEADRACE, "demo", "--requests", "60", "--json"),
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, MARK: mark, "HEADRACE_LISTEN": "not for the demo's own processes"},
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    summary = msgspec.json.decode(done.stdout)
    assert summary["requests"] == 60
    assert sum(summary["by_status"].values()) == 60
    assert set(summary["by_status"]) <= {"200", "429"}
    served = summary["by_status"]["200"]
    assert sum(summary["by_pool"].values()) == served
    assert sum(summary["by_endpoint"].values()) == served
    assert len(summary["by_endpoint"]) == 6
    assert summary["by_status"].get("429", 0) == sum(summary["shed"].values())
    assert summary["ttft_ms"]["p50"] <= summary["ttft_ms"]["p90"] <= summary["ttft_ms"]["p99"]
    assert 0 < summary["prefix_hit_ratio"] < 1
    assert summary["errors"] == 0
    assert not marked(mark)


@pytest.mark.parametrize("moment", ["model-server", "envoy"])
def test_ctrl_c_at_any_time_leaves_no_process_behind(mark: str, moment: str) -> None:
    demo = subprocess.Popen(
        (*HEADRACE, "demo"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, MARK: mark},
    )
    assert demo.stderr is not None
    deadline_s = time.monotonic() + 30
    while not any(moment in command for command in marked(mark).values()):
        assert time.monotonic() < deadline_s, f"no `{moment}` in {marked(mark)}"
        time.sleep(0.05)

    demo.send_signal(signal.SIGINT)
    said = demo.stderr.read()
    demo.wait(15)
    demo.stderr.close()

    assert demo.returncode == 130, said
    assert b"nothing is left running" in said
    assert not marked(mark)
