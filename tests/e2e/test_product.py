"""The product with a policy, behind its own Envoy configuration, asked as clients ask."""

import asyncio
import json
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.rig import http2, product
from tests.e2e.rig.http1 import Answer
from tests.e2e.rig.product import Product

POLICY = """\
sched 1

pool gemma {
  endpoints "$0", "$1"
  metrics vllm
  stale after 60s
}

pool lonely {
  endpoints "127.0.0.1:9"
  metrics vllm
  stale after 60s
}

model chatbot {
  priority 10
  route 100% to gemma
}

model nowhere {
  route 100% to lonely
}

filter alive       = endpoint.ready
scorer short_queue = 1.0 / (1.0 + double(endpoint.queue))

profile default {
  require alive
  score   1 * short_queue
  pick    max
}

guard secrets {
  patterns "-----BEGIN [A-Z ]*PRIVATE KEY-----"
  on match block with 400 "the prompt contains a secret"
}

chain default { body_router  safety  picker  observability }
"""
CHAT_PATH = "/v1/chat/completions"
JSON = ("content-type", "application/json")
MESSAGES = [{"role": "user", "content": "hello"}]
CHAT = {"model": "chatbot", "messages": MESSAGES}
BUSY, FREE = 0, 1  # endpoints by what their metrics say
QUEUES = (50, 0)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Product]:
    """The product with two endpoints, the first of them with a long queue."""
    folder: Path = tmp_path_factory.mktemp("product")
    with (
        asyncio.Runner() as runner,
        product.running(runner, folder, POLICY, QUEUES) as running,
    ):
        yield running
        spurious = running.envoy.counters("spurious_msgs_received")
        assert not any(spurious.values()), "\n".join(running.log)


def _chat(served: Product, body: object, *fields: tuple[str, str]) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return served.fetch("POST", CHAT_PATH, [JSON, *fields], raw)


def test_a_request_reaches_the_endpoint_that_the_policy_prefers(served: Product) -> None:
    answer = _chat(served, CHAT, ("x-id", "preferred"))

    assert answer.status == 200
    assert json.loads(answer.body)["messages"] == MESSAGES
    assert len(served.endpoints[FREE].seen.of("preferred")) == 1
    assert served.endpoints[BUSY].seen.of("preferred") == []


def test_a_client_cannot_choose_the_endpoint(served: Product) -> None:
    """Case 48: through the product's own bootstrap."""
    busy = f"127.0.0.1:{served.endpoints[BUSY].port}"
    fields = [("x-gateway-destination-endpoint", busy), ("x-headrace-pool", "lonely")]
    answer = _chat(served, CHAT, ("x-id", "forged"), *fields)

    assert answer.status == 200
    assert len(served.endpoints[FREE].seen.of("forged")) == 1


def test_an_event_stream_passes(served: Product) -> None:
    answer = _chat(served, {**CHAT, "stream": True}, ("x-script", "sse"), ("x-events", "20"))

    assert (answer.status, answer.complete) == (200, True)
    assert answer.body.count(b"data: ") == 20


@pytest.mark.parametrize("http", [1, 2])
def test_a_body_with_trailers_reaches_the_endpoint_once(served: Product, http: int) -> None:
    """Case 36: on the routes of the product's own bootstrap, which send again what broke."""
    name, raw, trailers = f"trailed-{http}", json.dumps(CHAT).encode(), [("x-sum", "1")]
    fields = [JSON, ("x-id", name)]
    if http == 1:
        served.fetch("POST", CHAT_PATH, fields, [raw[:9], raw[9:]], trailers)
    else:
        port = served.envoy.ports["inference"]
        served.runner.run(http2.fetch(port, "POST", CHAT_PATH, fields, [raw], trailers))
    (seen,) = served.endpoints[FREE].seen.of(name)

    assert (seen.body, seen.size_bytes) == (raw, len(raw))


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"{", 400, "malformed-json"),
        (b"[]", 400, "invalid-request"),
        (b'{"model": "\xff"}', 400, "invalid-utf8"),
        (b"[" * 100_000 + b"]" * 100_000, 400, "json-too-deep"),
        ({"messages": MESSAGES}, 400, "missing-model"),
        ({**CHAT, "model": 7}, 400, "invalid-model"),
        ({**CHAT, "model": "unheard-of"}, 404, "unknown-model"),
        ({**CHAT, "model": "nowhere"}, 503, "no-endpoints"),
        (b'{"model": "chatbot", "x": "' + b"x" * (32 << 20) + b'"}', 413, "body-too-large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_gets_an_openai_error(
    served: Product, body: object, status: int, reason: str
) -> None:
    """Case 31: what a policy makes of it."""
    answer = _chat(served, body)
    error = json.loads(answer.body)["error"]

    assert (answer.status, answer.head.get("x-headrace-reason")) == (status, reason)
    assert set(error) == {"message", "type", "param", "code"}
    assert answer.head.get("content-type") == "application/json"


def test_a_wrong_media_type_is_answered_415(served: Product) -> None:
    answer = served.fetch("POST", CHAT_PATH, [("content-type", "text/plain")], b"hello")

    assert answer.status == 415
    assert answer.head.get("x-headrace-reason") == "unsupported-media-type"


def test_an_unknown_path_is_answered_404(served: Product) -> None:
    answer = served.fetch("POST", "/v9/chat", [JSON], json.dumps(CHAT).encode())

    assert answer.status == 404
    assert answer.head.get("x-headrace-reason") == "unknown-path"


def test_a_secret_in_a_prompt_never_reaches_an_endpoint(served: Product) -> None:
    secret = [{"role": "user", "content": "-----BEGIN RSA PRIVATE KEY----- abc"}]
    answer = _chat(served, {**CHAT, "messages": secret}, ("x-id", "secret"))

    assert answer.status == 400
    assert answer.head.get("x-headrace-reason") == "safety-blocked"
    assert [one.seen.of("secret") for one in served.endpoints] == [[], []]


def test_an_endpoint_that_breaks_in_mid_answer_harms_that_exchange_only(served: Product) -> None:
    """Case 40: with the product's own stages."""

    async def crowd() -> list[Answer | BaseException]:
        async def ask(script: str) -> Answer:
            fields = [JSON, ("x-script", script)]
            return await served.ask("POST", CHAT_PATH, fields, json.dumps(CHAT).encode())

        asked = (ask(script) for script in ["broken", "echo"] * 10)
        return await asyncio.gather(*asked, return_exceptions=True)

    endpoint = served.endpoints[FREE]
    broken = product.broken
    with endpoint.script("broken", broken), served.endpoints[BUSY].script("broken", broken):
        answers = served.runner.run(crowd())
    whole = [answer for answer in answers[1::2] if isinstance(answer, Answer)]

    assert [(answer.status, answer.complete) for answer in whole] == [(200, True)] * 10
    for answer in answers[::2]:
        assert isinstance(answer, BaseException) or not answer.complete


def test_rejects_are_counted_by_reason(served: Product) -> None:
    _chat(served, b"{")
    until_s = time.monotonic() + 5
    while not (counted := 'reason="malformed-json"' in served.page()):
        assert time.monotonic() < until_s  # an exchange is counted when it has ended
        time.sleep(0.02)

    assert counted
