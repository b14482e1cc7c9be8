"""`headrace check --against URL`: what live servers export."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.host.cli.command import headrace

PAGE = b"""# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0"} 3.0
vllm:num_preemptions_total{engine="0"} 0.0
"""
POLICY = """sched 1
pool gemma { endpoints "10.0.0.1:8000" }
model chat { route gemma }
filter calm = endpoint.metric("vllm:num_preemptions_total").orValue(0.0) < 5.0
filter warm = endpoint.metric("vllm:prefix_cache_hits_total").orValue(0.0) > 5.0
profile default { prefer calm, warm }
"""


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/metrics" else 404)
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "p.sched"
    path.write_text(POLICY)
    return str(path)


def test_a_metric_that_no_live_server_exports_is_a_warning(url: str, policy: str) -> None:
    done = headrace("check", policy, "--against", url, "--format", "plain")

    told = [line for line in done.out.splitlines() if "S308" in line]
    assert (done.code, len(told)) == (0, 1)
    assert "no server that was asked exports `vllm:prefix_cache_hits_total`" in told[0]
    assert ":5:31: warning[S308]" in told[0]


def test_without_a_server_nothing_is_asked(policy: str) -> None:
    assert "S308" not in headrace("check", policy).out


@pytest.mark.parametrize(
    ("against", "why"),
    [
        ("127.0.0.1:8000", "is no URL"),
        ("http://127.0.0.1:1/metrics", "cannot be asked: [Errno 111]"),
        ("URL/elsewhere", "cannot be asked: Not Found"),
    ],
)
def test_a_server_that_cannot_be_asked_is_told(
    against: str, why: str, url: str, policy: str
) -> None:
    done = headrace("check", policy, "--against", against.replace("URL", url))

    assert done.code == 2
    assert why in done.err
