"""`headrace serve --workers`: several processes, one command."""

import json
import os
import signal
import socket
import stat
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headrace.host.cli.flags import Mistakes
from headrace.host.cli.state import read_state
from headrace.host.cli.workers import addresses
from tests.host.cli.command import HEADRACE, QUICKSTART, headrace, running
from tests.host.cli.test_reload import NOWHERE, eventually
from tests.host.cli.test_serve import ANY, get
from tests.host.serve.house import policy, swap_in

Page = dict[str, Any]


def page(ready: dict[str, str], path: str) -> Page:
    status, text = get(f"http://{ready['metrics']}{path}")
    assert status == 200, text
    found: Page = json.loads(text)
    return found


def workers(ready: dict[str, str]) -> list[Page]:
    found: list[Page] = page(ready, "/status")["workers"]
    return found


def connects(address: str) -> bool:
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), 1).close()
    except OSError:
        return False
    return True


def test_workers_are_reloaded_rolled_back_killed_started_again_and_drained_together(
    tmp_path: Path,
) -> None:
    path = tmp_path / "p.sched"
    path.write_text(policy(1, NOWHERE))
    log = tmp_path / "log"
    flags = (*ANY, "--workers", "2", "--reload-interval", "0", "--drain-grace", "1")
    with running("serve", str(path), *flags, err=log) as (host, ready):
        listen = ready["listen"].split(",")
        before = workers(ready)
        first = page(ready, "/policy")
        swap_in(path, policy(2, NOWHERE))
        host.send_signal(signal.SIGHUP)
        eventually(lambda: [w["generation"] for w in page(ready, "/policy")["workers"]] == [2, 2])
        reloaded = page(ready, "/policy")
        back = headrace("rollback", "--metrics", ready["metrics"])
        rolled = page(ready, "/policy")
        os.kill(before[0]["pid"], signal.SIGKILL)
        eventually(lambda: get(f"http://{ready['metrics']}/readyz")[1].startswith("1 of 2"))
        while_one = get(f"http://{ready['metrics']}/readyz")[0]
        eventually(lambda: get(f"http://{ready['metrics']}/readyz")[1].startswith("2 of 2"))
        after = workers(ready)
        reachable = [connects(address) for address in listen]
        refused = headrace("rollback", "--metrics", ready["metrics"])
        metrics = get(f"http://{ready['metrics']}/metrics")[1]
        one = page(ready, "/workers/2/status")
        nobody = get(f"http://{ready['metrics']}/workers/3/status")
        decisions = get(f"http://{ready['metrics']}/decisions")
        none = get(f"http://{ready['metrics']}/decisions/last")
        unknown = get(f"http://{ready['metrics']}/decisions/feed")
        host.send_signal(signal.SIGTERM)
        assert host.wait(timeout=15) == 0
        assert host.stdout is not None
        out = host.stdout.read()

    said = log.read_text()
    assert len(set(listen)) == 2
    assert [w["listen"] for w in before] == [w["listen"] for w in after] == listen
    assert reachable == [True, True]
    assert reloaded["workers_agree"] is True
    assert reloaded["digest"] != first["digest"]
    assert back.out == f"policy={first['digest'][:12]} generation=3\n"
    assert [w["digest"] for w in rolled["workers"]] == [first["digest"]] * 2
    # One that was started again keeps no earlier policy: then nobody goes back.
    assert refused.code == 1
    assert "worker 1: no earlier policy is kept; nothing has changed" in refused.err
    assert (before[0]["restarts"], after[0]["restarts"], after[1]["restarts"]) == (0, 1, 0)
    assert after[0]["pid"] != before[0]["pid"]
    assert while_one == 200
    assert 'headrace_worker_restarts_total{worker="1"} 1.0' in metrics
    assert 'headrace_policy_generation{worker="2"} 3.0' in metrics
    assert one["generation"] == 3
    assert nobody == (404, "no worker 3; there are 1 to 2\n")
    assert (decisions, none[0], unknown[0]) == ((200, "[]"), 404, 404)
    assert "worker 1 ended with -9: starting it again in 0.1 s" in said
    assert "INFO worker=2 policy" in said
    assert out == "draining for up to 1 s\nstopped\n"
    for worker in after:
        with pytest.raises(ProcessLookupError):
            os.kill(worker["pid"], 0)


def test_a_port_that_is_taken_ends_all_with_why() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        argv = ("serve", QUICKSTART, "--listen", f"127.0.0.1:{port}", "--workers", "2")
        done = subprocess.run(
            (*HEADRACE, *argv, "--metrics-listen", "127.0.0.1:0"),
            capture_output=True,
            text=True,
            timeout=30,
        )

    assert (done.returncode, done.stdout) == (1, "")
    assert f"--listen: cannot listen on `127.0.0.1:{port}`" in done.stderr


@pytest.mark.parametrize(
    ("policies", "flags", "says"),
    [
        ([QUICKSTART], ("--workers", "0"), "--workers: `0` is out of range: use 1 to 64"),
        (["-"], ("--workers", "2"), "--workers: each worker reads the policy"),
        (
            [QUICKSTART],
            ("--workers", "3", "--listen", "127.0.0.1:65534"),
            "--listen: 3 workers need the ports up to 65536",
        ),
        (
            [QUICKSTART],
            ("--workers", "2", "--role", "route"),
            "--workers: not with --role, whose ports are not the workers' to share out: run one",
        ),
        ([QUICKSTART], ("--state", "http://me:secret@x"), "--state: this is no URL of Redis"),
        ([QUICKSTART], ("--state", "redis://x:port"), "--state: this is no URL of Redis"),
        ([QUICKSTART], ("--state", "redis://x/db"), "--state: this is no URL of Redis"),
    ],
)
def test_a_flag_that_makes_no_sense_is_told(
    policies: list[str], flags: tuple[str, ...], says: str
) -> None:
    done = headrace("serve", *policies, *ANY, *flags, stdin="sched 1\n")

    assert done.code == 2
    assert says in done.err
    assert "secret" not in done.err


def test_each_worker_has_an_address_of_its_own() -> None:
    mistakes = Mistakes()

    assert addresses("[::1]:9002", 2, mistakes) == ["[::1]:9002", "[::1]:9003"]
    assert addresses("unix:/run/h", 2, mistakes) == ["unix:/run/h.1", "unix:/run/h.2"]
    assert addresses("127.0.0.1:0", 2, mistakes) == ["127.0.0.1:0"] * 2
    assert mistakes.texts == []


def test_without_the_library_state_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    mistakes = Mistakes()

    def lacking(name: str) -> None:
        assert name == "redis"

    monkeypatch.setattr("headrace.host.cli.state.find_spec", lacking)
    read_state("redis://10.0.0.9/0", mistakes)

    assert mistakes.texts == [
        "error: --state: Redis is not installed: `pip install 'headrace[redis]'`"
    ]


Running = tuple["subprocess.Popen[str]", dict[str, str]]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two workers whose pages want a token; the last test kills who looks after them."""
    folder = tmp_path_factory.mktemp("closed")
    token = folder / "token"
    token.write_text("sesame")
    flags = (*ANY, "--workers", "2", "--drain-grace", "0", "--metrics-token-file", str(token))
    with running("serve", QUICKSTART, *flags, err=folder / "log") as found:
        yield found


def with_token(ready: dict[str, str], path: str) -> Page:
    url = f"http://{ready['metrics']}{path}"
    asked = urllib.request.Request(url, headers={"authorization": "Bearer sesame"})
    with urllib.request.urlopen(asked, timeout=5) as reply:
        found: Page = json.loads(reply.read())
    return found


def test_who_may_read_one_host_may_read_its_workers_and_nobody_else(closed: Running) -> None:
    base = f"http://{closed[1]['metrics']}"
    refused = [get(base + path)[0] for path in ("/metrics", "/status", "/workers/1/metrics")]
    health = [get(base + path)[0] for path in ("/healthz", "/readyz")]
    sockets = list(Path(tempfile.gettempdir()).glob("headrace-*/operator.1"))
    modes = {stat.S_IMODE(each.parent.stat().st_mode) for each in sockets}

    assert refused == [401, 401, 401]
    assert health == [200, 200]
    assert with_token(closed[1], "/status")["workers_ready"] == 2
    assert modes == {0o700}


def test_workers_end_when_who_looks_after_them_is_killed(closed: Running) -> None:
    host, ready = closed
    pids = [worker["pid"] for worker in with_token(ready, "/status")["workers"]]
    host.kill()
    host.wait()

    def gone(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"

    eventually(lambda: all(map(gone, pids)))
