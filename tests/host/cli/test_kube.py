"""`headrace serve --kube`: what is refused at the start, and what is ready when."""

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.rig.process import free_port
from tests.host.cli.command import HEADRACE, headrace, running
from tests.host.cluster.apiserver import PODS, ApiServer
from tests.host.cluster.objects import POOLS, kubeconfig, pod, pool, reached, until

POLICY = """\
sched 1
pool gemma { inferencepool gemma }
model chatbot { route gemma }
"""
LISTEN = ("--listen", "127.0.0.1:0", "--metrics-listen")


def written(folder: Path) -> str:
    path = folder / "p.sched"
    path.write_text(POLICY)
    return str(path)


def get(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_pools_of_a_cluster_need_the_flag(tmp_path: Path) -> None:
    done = headrace("serve", written(tmp_path))

    assert done.code == 2
    assert "pool `gemma` has its endpoints from Kubernetes: start with `--kube`" in done.err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--namespace", "x"), "--namespace: it has no effect without --kube"),
        (("--kubeconfig", "x"), "--kubeconfig: it has no effect without --kube"),
        (("--kube",), "outside a cluster, name a file by `--kubeconfig`"),
        (("--kube", "--kubeconfig", "/nowhere/at/all"), "`/nowhere/at/all` cannot be used"),
    ],
)
def test_flags_that_cannot_be_obeyed_are_told_with_the_cure(
    tmp_path: Path, flags: tuple[str, ...], says: str
) -> None:
    done = headrace("serve", written(tmp_path), *flags)

    assert done.code == 2
    assert says in done.err
    # Who has said `--kube` is not told to say it.
    assert ("start with `--kube`" in done.err) == ("--kube" not in flags)


def test_a_namespace_that_is_none_is_told(tmp_path: Path) -> None:
    path = str(kubeconfig(tmp_path, ApiServer(port=1)))
    flags = ("--kube", "--kubeconfig", path, "--namespace", "Not/One")
    done = headrace("serve", written(tmp_path), *flags)

    assert (done.code, "`Not/One` is no name of a namespace" in done.err) == (2, True)


def test_until_its_pools_are_known_it_is_alive_and_not_ready(tmp_path: Path) -> None:
    port = free_port()
    with reached(tmp_path) as (server, _):
        flags = ("--kube", "--kubeconfig", str(kubeconfig(tmp_path, server)))
        command = (*HEADRACE, "serve", written(tmp_path), *LISTEN, f"127.0.0.1:{port}", *flags)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            try:
                until(lambda: get(port, "/healthz") == 200)
                time.sleep(0.5)
                assert get(port, "/readyz") == 503
                server.shelf.put(POOLS, pool())
                server.shelf.put(PODS, pod("a", "127.0.0.1"))
                until(lambda: get(port, "/readyz") == 200)
                assert child.stdout is not None
                assert child.stdout.readline().startswith("ready listen=")
            finally:
                child.send_signal(signal.SIGTERM)
                child.communicate(timeout=10)
            assert child.returncode == 0


def test_it_ends_cleanly_while_the_api_server_is_away(tmp_path: Path) -> None:
    port = free_port()
    with reached(tmp_path) as (server, _):
        flags = ("--kube", "--kubeconfig", str(kubeconfig(tmp_path, server)))
        server.silent = True
        command = (*HEADRACE, "serve", written(tmp_path), *LISTEN, f"127.0.0.1:{port}", *flags)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            try:
                until(lambda: get(port, "/healthz") == 200)
            finally:
                child.send_signal(signal.SIGTERM)
                said, _ = child.communicate(timeout=10)
            assert (child.returncode, "ready" in said) == (0, False)


def read(url: str, token: str) -> str:
    asked = urllib.request.Request(url, headers={"authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked, timeout=5) as reply:
        return str(reply.read().decode())


def test_who_may_reads_what_is_known_of_the_cluster(tmp_path: Path) -> None:
    with reached(tmp_path) as (server, _):
        server.users = {"good": {"username": "prometheus"}, "bad": {"username": "eve"}}
        server.may = {"prometheus": {("get", "/status"), ("get", "/metrics")}}
        server.shelf.put(POOLS, pool())
        server.shelf.put(PODS, pod("a", "127.0.0.1"))
        flags = ("--metrics-review", "--kube", "--kubeconfig", str(kubeconfig(tmp_path, server)))
        with running("serve", written(tmp_path), *LISTEN, "127.0.0.1:0", *flags) as (_, ready):
            base = f"http://{ready['metrics']}"
            page = json.loads(read(f"{base}/status", "good"))
            metrics = read(f"{base}/metrics", "good")
            refused = [get(int(base.rpartition(":")[2]), path) for path in ("/metrics", "/healthz")]
            with pytest.raises(urllib.error.HTTPError, match="403"):
                read(f"{base}/metrics", "bad")

    assert refused == [401, 200]
    assert page["ready"]
    assert page["pools"] == {"gemma": {"endpoints": 1, "ready": 0}}
    assert page["cluster"]["lacking"] == ""
    assert {row["resource"] for row in page["cluster"]["resources"]} >= {
        "inferencepools.inference.networking.k8s.io default/gemma",
        "pods default/app=gemma",
    }
    assert 'headrace_cluster_age_seconds{resource="pods default/app=gemma"}' in metrics
    assert 'headrace_cluster_requests_total{resource="pods",result="ok"}' in metrics
