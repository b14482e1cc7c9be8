"""What a guard of the policy looks for is blocked, redacted or logged, whatever carries it.

The matrix of docs/reference/screening.md: each API, both ways, as a stream and whole, zipped and
not, in prose and in tool calls, in pieces of 1 byte, 3 bytes and whole; compared byte by byte.
"""

import asyncio
import gzip
import json
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.e2e.rig import product
from tests.e2e.rig.http1 import Answer, Fields
from tests.e2e.rig.product import Product
from tests.e2e.rig.upstream import Call, Script
from tests.e2e.screening.apis import APIS, DONE, Api, Json, data_of, event
from tests.e2e.screening.cases import GROUPS, SECRET, Case, cases, cut, mask_cases, policy

AT_ONCE = 16


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Product]:
    folder: Path = tmp_path_factory.mktemp("screening")
    with (
        asyncio.Runner() as runner,
        product.running(runner, folder, policy(), (0,)) as running,
    ):
        yield running


@pytest.mark.parametrize(("api", "way"), GROUPS, ids=lambda one: getattr(one, "name", one))
def test_what_a_guard_finds_is_handled_however_it_comes(
    served: Product, api: Api, way: str
) -> None:
    answers = served.runner.run(_ask_all(served, cases(api, way)))

    assert not [mistake for pair in answers for mistake in _mistakes(served, *pair)]


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
def test_what_is_masked_stays_here_and_comes_back(served: Product, api: Api) -> None:
    answers = served.runner.run(_ask_all(served, mask_cases(api)))

    for case, answer in answers:
        assert answer.status == 200, case.id
        assert answer.complete, case.id
        (seen,) = served.endpoints[0].seen.of(case.id)
        assert SECRET.encode() not in seen.body, case.id
        assert _said(case, _content(answer)) == case.text, case.id


def test_nothing_beside_the_data_of_a_stream_says_what_a_guard_blocks(served: Product) -> None:
    said = (
        b": %b\r\n\r\n",
        b'event: %b\ndata: {"choices":[]}\n\n',
        b'id: %b\ndata:{"choices":[]}\r\r',
        b"%b: x\n\n",
        b"data: [DONE]\n%b\n\n",
    )
    sent = b"".join(line % SECRET.encode() for line in said)

    async def reply(call: Call) -> None:
        await call.read()
        await call.begin(
            200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")]
        )
        await call.wire.send_chunk(sent)
        await call.wire.end_chunks()

    served.endpoints[0].scripts["beside"] = reply
    fields = [("content-type", "application/json"), ("x-act", "response-block")]
    body = json.dumps({"model": "chatbot", "stream": True, "messages": [{"content": "hi"}]})
    path = "/v1/chat/completions"
    answer = served.fetch("POST", path, [*fields, ("x-script", "beside")], body.encode())

    assert answer.status == 200
    assert answer.complete
    assert SECRET.encode() not in answer.body
    assert answer.body.count(b"data:") == 3


SPELT = "".join(f"\\u{ord(char):04x}" for char in SECRET)
WHOLE = json.dumps({"choices": [{"index": 0, "message": {"content": SECRET}}]})
CALLED = {"choices": [{"index": 0, "delta": {"tool_calls": [{"function": {"arguments": SPELT}}]}}]}
THOUGHT = {"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]}
CODING = "content-encoding"
JSON, SSE = ("content-type", "application/json"), ("content-type", "text/event-stream")


def _written(text: str) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text}}]})


@pytest.mark.parametrize(
    ("status", "fields", "body"),
    [
        (200, [SSE], event(CALLED)),
        (200, [SSE], _written(SECRET[:5]) + event(THOUGHT) + _written(SECRET[5:])),
        (200, [SSE], _written(SECRET[:5]) + DONE + _written(SECRET[5:])),
        (200, [("content-type", "application/json; charset=utf-16")], WHOLE.encode("utf-16")),
        (500, [JSON], WHOLE.encode("utf-16-le")),
        (500, [JSON, (CODING, "identity"), (CODING, "gzip")], gzip.compress(WHOLE.encode())),
        (500, [JSON], json.dumps({SECRET: "no such field"}).encode()),
    ],
    ids=["escapes", "turns", "behind the end", "charset", "no charset", "second coding", "name"],
)
def test_what_only_a_helpful_client_reads_is_blocked_too(
    served: Product, status: int, fields: Fields, body: bytes
) -> None:
    async def reply(call: Call) -> None:
        await call.read()
        await call.answer(status, fields, body)

    served.endpoints[0].scripts["hostile"] = reply
    asked = {"model": "chatbot", "stream": True, "messages": [{"content": "hi"}]}
    headers = [JSON, ("x-act", "response-block"), ("x-script", "hostile")]
    answer = served.fetch("POST", "/v1/chat/completions", headers, json.dumps(asked).encode())

    assert b"safety-blocked" in answer.body
    assert answer.complete
    texts = [one["choices"][0]["delta"] for one in data_of(answer.body)]
    assert SECRET not in "".join(text.get("content", "") for text in texts)
    assert not any("tool_calls" in text for text in texts)


def _mistakes(served: Product, case: Case, answer: Answer) -> Iterator[str]:
    """Yield what is wrong with *answer*, so that all wrong cells are shown at once."""
    try:
        assert answer.complete, "the answer breaks off"
        (_check_prompt if case.way == "prompt" else _check_response)(served, case, answer)
    except AssertionError as error:
        yield f"{case.id}: {error}"


async def _ask_all(served: Product, these: list[Case]) -> list[tuple[Case, Answer]]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(case: Case) -> tuple[Case, Answer]:
        async with gate:
            return case, await _ask(served, case)

    return await asyncio.gather(*map(ask, these))


async def _ask(served: Product, case: Case) -> Answer:
    served.endpoints[0].scripts[case.id] = _replying(case)
    fields = [
        ("content-type", "application/json"),
        ("x-act", f"{case.way}-{case.action}"),
        ("x-script", case.id),
        ("x-id", case.id),
    ]
    if case.zipped:
        fields.append(("content-encoding", "gzip"))
    body = json.dumps(case.request()).encode()
    return await served.ask("POST", case.api.path, fields, case.pieces(body))


def _replying(case: Case) -> Script:
    kind = "text/event-stream" if case.stream else "application/json"
    fields = [("content-type", kind), ("transfer-encoding", "chunked")]
    if case.zipped:
        fields.append(("content-encoding", "gzip"))

    async def reply(call: Call) -> None:
        seen = await call.read()
        await call.begin(200, fields)
        said = _repeated(case, seen.body) if case.action == "mask" else case.response()
        for piece in case.pieces(said):
            await call.wire.send_chunk(piece)
        await call.wire.end_chunks()

    return reply


def _repeated(case: Case, body: bytes) -> bytes:
    """Return the answer of a model that says what it was told."""
    text = case.api.asked(json.loads(body), case.tool)
    if case.stream:
        return b"".join(case.api.events(cut(text), case.tool))
    return json.dumps(case.api.answer(text, case.tool)).encode()


def _check_prompt(served: Product, case: Case, answer: Answer) -> None:
    seen = served.endpoints[0].seen.of(case.id)
    sent = json.dumps(case.request()).encode()
    if case.action == "block":
        assert answer.status == 400
        assert not seen
        assert answer.head.get("x-headrace-reason") == "safety-blocked"
        _check_error(case, json.loads(answer.body))
        return
    assert answer.status == 200
    assert len(seen) == 1
    body = seen[0].body
    if seen[0].head.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    if case.action == "log":
        assert body == sent
    else:
        assert SECRET.encode() not in body
        asked = case.api.asked(json.loads(body), case.tool)
        assert asked == case.text.replace(SECRET, REDACTED)
    assert _content(answer) == case.response()


def _check_response(served: Product, case: Case, answer: Answer) -> None:
    sent, body = case.response(), _content(answer)
    if case.action == "log":
        assert answer.status == 200
        assert body == sent
        return
    assert SECRET.encode() not in body
    if case.action == "redact":
        assert answer.status == 200
        assert _said(case, body) == case.text.replace(SECRET, REDACTED)
    elif answer.status != 200:
        assert answer.status == 400
        _check_error(case, json.loads(body))
    else:
        assert case.stream
        _check_cut(case, sent, body)


def _check_cut(case: Case, sent: bytes, body: bytes) -> None:
    """Check a stream that was ended: whole events as they were sent, then one error, then the end.

    No character of the secret was delivered, not even the first.
    """
    events = [event + b"\n\n" for event in body.split(b"\n\n")[:-1]]
    at = next(at for at, event in enumerate(events) if b'"error"' in event)
    kept, tail = b"".join(events[:at]), events[at:]
    assert sent.startswith(kept)
    said = case.api.streamed(data_of(kept), case.tool)
    assert case.text.partition(SECRET)[0].startswith(said)
    data = next(line for line in tail[0].split(b"\n") if line.startswith(b"data: "))
    _check_error(case, json.loads(data[6:]))
    if case.api.name == "OpenAI responses":
        assert [b"response.failed" in event for event in tail[1:]] == [True]
        all_events = data_of(body)  # OpenAI's client gives up at another id
        numbers = [one["sequence_number"] for one in all_events]
        assert numbers == sorted(set(numbers))
        ids = {one["response"]["id"] for one in all_events if "response" in one}
        assert ids == ({"r1"} if kept else {None})
    else:
        assert tail[1:] == [DONE] * sent.endswith(DONE)


def _check_error(case: Case, body: Json) -> None:
    """Check that *body* is an error as clients of the API read it."""
    error = body.get("error") or body  # the responses API has events that are errors
    assert "safety" in error["message"]
    if case.api.name.startswith("Anthropic"):
        assert body["type"] == "error"


def _content(answer: Answer) -> bytes:
    zipped = answer.head.get("content-encoding") == "gzip"
    return gzip.decompress(answer.body) if zipped else answer.body


def _said(case: Case, body: bytes) -> str:
    if case.stream:
        return case.api.streamed(data_of(body), case.tool)
    return case.api.answered(json.loads(body), case.tool)


REDACTED = "[redacted]"
