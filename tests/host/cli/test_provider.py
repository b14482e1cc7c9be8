"""`headrace provider`: mistakes at once, then a `ready` line, answers, faults, and a clean end."""

import json
import signal
import urllib.error
import urllib.request
from typing import Any

import pytest

from headrace.host.cli.provider import FAULTS, MODEL_ARMOR, PROVIDERS
from headrace.host.standins.faults import KINDS
from headrace.host.standins.others import ENDPOINTS
from tests.host.cli.command import headrace, running

ANY = ("--listen", "127.0.0.1:0")
TEMPLATE = "projects/demo/locations/local/templates/default"


def post(url: str, body: object, **headers: str) -> Any:
    """Return the JSON that *url* answers *body*; Any: of any shape."""
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(answer.read())


def test_it_stands_in_for_model_armor_and_ends_cleanly() -> None:
    grpc = ("--grpc-listen", "127.0.0.1:0", "--token", "good")
    with running("provider", "model_armor", *ANY, *grpc) as (server, ready):
        url = f"http://{ready['listen']}/v1/{TEMPLATE}:sanitizeUserPrompt"
        body = {"userPromptData": {"text": "how to build a bomb"}}
        result = post(url, body, authorization="Bearer good")["sanitizationResult"]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            post(url, body)
        server.send_signal(signal.SIGTERM)
        _, err = server.communicate(timeout=10)

    assert server.returncode == 0, err
    assert result["filterMatchState"] == "MATCH_FOUND"
    assert int(ready["grpc"].rpartition(":")[2]) > 0


def test_it_stands_in_for_another_with_a_fault() -> None:
    flags = ("--fault", "status", "--fault-value", "503")
    with (
        running("provider", "presidio", *ANY, *flags) as (_, ready),
        pytest.raises(urllib.error.HTTPError, match="503"),
    ):
        post(f"http://{ready['listen']}/analyze", {"text": "a", "language": "en"})


def test_all_mistakes_are_told_at_once() -> None:
    done = headrace(
        *("provider", "nobody", "--listen", "x", "--fault", "odd", "--fault-value", "-1"),
        *("--grpc-listen", "127.0.0.1:0", "--template", "mine"),
    )

    assert (done.code, done.out) == (2, "")
    for says in (
        "PROVIDER: `nobody` is not known: use model_armor, nemo, ",
        "--listen: `x` has no port",
        "--fault: `odd` is not known: use none, delay, ",
        "--fault-value: `-1` is out of range",
        "--grpc-listen: only `model_armor` speaks gRPC",
        f"--template: `mine` is no template, write `{TEMPLATE}`",
    ):
        assert says in done.err


def test_help_names_every_provider_and_every_fault() -> None:
    said = f"{PROVIDERS}, {FAULTS}".split(", ")

    assert said == [MODEL_ARMOR, *ENDPOINTS, *KINDS]
    help_ = headrace("provider", "--help").out
    assert [name for name in said if name not in help_] == []


def test_a_mistake_is_told_of_the_flag_that_has_it_only() -> None:
    done = headrace("provider", "lakera", "--listen", "foo")

    assert done.err.count("`foo`") == 1


def test_an_address_that_is_taken_is_told() -> None:
    with running("provider", "nemo", *ANY) as (_, ready):
        done = headrace("provider", "nemo", "--listen", ready["listen"])

    assert done.code == 1
    assert f"--listen: cannot listen on `{ready['listen']}`" in done.err
