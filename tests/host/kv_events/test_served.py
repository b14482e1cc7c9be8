"""`headrace serve` beside `headrace model-server`: processes, and what their metrics tell."""

import json
import signal
import time
import urllib.request
from pathlib import Path

import pytest

from headrace.host.envoy.address import Address
from headrace.host.serve.options import ServeOptions
from headrace.host.serve.process import Host, Unservable
from tests.host.cli.command import running
from tests.host.kv_events.house import WAIT_S, free_ports, policy

ANY = Address("127.0.0.1", 0)
APPLIED = 'headrace_kv_event_messages_total{pool="p",result="applied"}'


def test_a_host_hears_what_a_model_server_caches(tmp_path: Path) -> None:
    serving, port, replay = free_ports(3)
    file = tmp_path / "kv.sched"
    file.write_text(
        f'sched 1\npool p {{ endpoints "127.0.0.1:{serving}"'
        f"  kv events port {port} replay port {replay} }}\nmodel m {{ route p }}\n"
    )
    listen = ("--listen", f"127.0.0.1:{serving}")
    ports = ("--kv-events-port", str(port), "--kv-replay-port", str(replay))
    any_ports = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
    with (
        running("model-server", "--model", "m", *listen, *ports),
        running("serve", str(file), *any_ports) as (host, ready),
    ):
        deadline_s, page = time.monotonic() + WAIT_S, ""
        while APPLIED not in page and time.monotonic() < deadline_s:
            _ask(serving)
            with urllib.request.urlopen(f"http://{ready['metrics']}/metrics", timeout=5) as answer:
                page = answer.read().decode()
        host.send_signal(signal.SIGTERM)
        _, err = host.communicate(timeout=10)

    assert APPLIED in page
    assert 'result="malformed"' not in page
    assert host.returncode == 0, err


def test_a_host_refuses_at_the_start_what_it_cannot_hear(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> None:
        """Find no module."""

    monkeypatch.setattr("headrace.host.kv_events.listener.find_spec", nothing)

    with pytest.raises(Unservable, match="`kv events`, which need pyzmq"):
        Host(policy(["10.0.0.1:8000"], 5557), ServeOptions(ANY, ANY))


def _ask(port: int) -> None:
    """Ask something new, of more than a block of tokens."""
    text = f"{time.monotonic_ns()} " + "the water is wide " * 20
    body = {"model": "m", "max_tokens": 4, "messages": [{"role": "user", "content": text}]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200
