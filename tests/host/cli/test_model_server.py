"""`headrace model-server`: mistakes at once, then a `ready` line, answers, and a clean end."""

import signal
import socket
import urllib.request

import msgspec

from tests.host.cli.command import headrace, running


def test_it_serves_its_models_and_adapters_and_ends_cleanly() -> None:
    flags = ("--model", "gemma,chatbot", "--adapters", "a,b", "--listen", "127.0.0.1:0")
    with running("model-server", *flags) as (server, ready):
        with urllib.request.urlopen(f"http://{ready['listen']}/v1/models", timeout=5) as page:
            models = msgspec.json.decode(page.read())
        server.send_signal(signal.SIGTERM)
        _, err = server.communicate(timeout=10)

    assert server.returncode == 0, err
    assert {model["id"] for model in models["data"]} == {"gemma", "chatbot", "a", "b"}


def test_all_mistakes_are_told_at_once() -> None:
    done = headrace(
        *("model-server", "--model", "a", "--adapters", "a", "--listen", "x", "--profile", "slow"),
        *("--metrics", "vlm"),
        *("--time-scale", "0", "--kv-blocks", "-1", "--max-num-seqs", "-1", "--max-loras", "0"),
        *("--kv-replay-port", "70000"),
    )

    assert (done.code, done.out) == (2, "")
    for says in (
        "--adapters: `a` is the model's name",
        "--listen: `x` has no port",
        "--profile: `slow` is not known: use qwen3-32b-2xh100, ",
        "--metrics: `vlm` is not known: use vllm, sglang, ",
        "--time-scale: `0` is out of range",
        "--kv-blocks: `-1` is out of range",
        "--max-num-seqs: `-1` is out of range",
        "--max-loras: `0` is out of range",
        "--kv-replay-port: `70000` is out of range",
        "--kv-replay-port: nothing to tell again, give --kv-events-port too",
    ):
        assert says in done.err


def test_without_a_model_it_does_not_start() -> None:
    assert headrace("model-server").code == 2
    assert "name at least one model" in headrace("model-server", "--model", " , ").err


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = headrace("model-server", "--model", "a", "--listen", address)

    assert done.code == 1
    assert f"error: --listen: cannot listen on `{address}`: " in done.err
