from dataclasses import replace

import pytest

from headrace.host.sim.options import ModelServerOptions
from tests.host.sim.client import FAST, Client, Reply, chat, talk

CHAT = "/v1/chat/completions"


def test_a_chat_is_answered_whole_with_its_usage() -> None:
    async def conversation(client: Client) -> tuple[Reply, str]:
        return await client.post(CHAT, chat("hello", max_tokens=7)), client.address

    reply, address = talk(conversation)
    whole = reply.json()

    assert reply.status == 200
    assert reply.headers["x-served-by"] == address
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["finish_reason"] == "length"
    assert whole["choices"][0]["message"]["content"][0].isupper()
    assert whole["usage"]["completion_tokens"] == 7
    assert whole["usage"]["total_tokens"] == whole["usage"]["prompt_tokens"] + 7
    assert whole["usage"]["prompt_tokens_details"] == {"cached_tokens": 0}


def test_a_streamed_chat_has_the_same_words_one_event_per_token() -> None:
    async def conversation(client: Client) -> tuple[Reply, Reply]:
        options = {"include_usage": True}
        body = chat("hello", max_tokens=40, stream=True, stream_options=options)
        return await client.post(CHAT, body), await client.post(CHAT, chat(max_tokens=40))

    streamed, whole = talk(conversation)
    role, *tokens, last, usage, done = streamed.events()
    deltas = [event["choices"][0]["delta"]["content"] for event in tokens]

    assert streamed.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert len(tokens) == 40
    assert "".join(deltas) == whole.json()["choices"][0]["message"]["content"]
    assert last["choices"][0]["finish_reason"] == "length"
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 40
    assert done == "[DONE]"
    assert len({event["id"] for event in (role, *tokens, last, usage)}) == 1


def test_without_a_limit_the_answer_stops_by_itself_and_usage_is_only_sent_if_asked_for() -> None:
    async def conversation(client: Client) -> Reply:
        return await client.post(CHAT, chat(stream=True))

    *_, last, done = talk(conversation).events()

    assert last["choices"][0]["finish_reason"] == "stop"
    assert done == "[DONE]"


def test_max_completion_tokens_wins_and_the_request_id_is_kept() -> None:
    async def conversation(client: Client) -> Reply:
        body = chat(max_tokens=9, max_completion_tokens=2)
        return await client.post(CHAT, body, x_request_id="abc")

    whole = talk(conversation).json()

    assert whole["usage"]["completion_tokens"] == 2
    assert whole["id"] == "chatcmpl-abc"


@pytest.mark.parametrize("prompt", ["one two three", ["one two three"], [1, 2, 3]])
def test_a_completion_takes_text_or_token_ids(prompt: object) -> None:
    async def conversation(client: Client) -> tuple[Reply, Reply]:
        body = {"model": "m", "prompt": prompt, "max_tokens": 4}
        streamed = {**body, "stream": True, "stream_options": {"include_usage": True}}
        return (
            await client.post("/v1/completions", body),
            await client.post("/v1/completions", streamed),
        )

    whole, streamed = talk(conversation)
    *tokens, last, usage, done = streamed.events()

    assert whole.json()["object"] == "text_completion"
    assert whole.json()["usage"]["prompt_tokens"] == 3
    text = "".join(event["choices"][0]["text"] for event in tokens)
    assert text == whole.json()["choices"][0]["text"]
    assert (len(tokens), last["choices"][0]["finish_reason"], done) == (4, "length", "[DONE]")
    assert usage["usage"]["completion_tokens"] == 4


@pytest.mark.parametrize(("limit", "status"), [(5, "incomplete"), (None, "completed")])
def test_a_response_is_told_in_typed_numbered_events(limit: int | None, status: str) -> None:
    async def conversation(client: Client) -> tuple[Reply, Reply]:
        said = [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]
        body = {"model": "m", "input": said, "instructions": "be brief", "max_output_tokens": limit}
        return (
            await client.post("/v1/responses", body),
            await client.post("/v1/responses", {**body, "stream": True}),
        )

    whole, streamed = talk(conversation)
    events = streamed.events()
    text = "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")

    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "response.created"
    assert events[-1]["type"] == f"response.{status}"
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == text
    assert whole.json()["output"][0]["content"][0]["text"] == text
    assert whole.json()["status"] == status
    assert whole.json()["usage"]["output_tokens"] == len(events) - 8
    assert f"event: response.{status}\n" in streamed.text


def test_embeddings_depend_on_the_text_alone_and_have_length_1() -> None:
    async def conversation(client: Client) -> tuple[Reply, Reply, Reply]:
        body = {"model": "m", "input": ["a", "b", "a"], "dimensions": 8}
        packed = {"model": "m", "input": [5, 6], "encoding_format": "base64"}
        single = {"model": "m", "input": "a", "dimensions": 8}
        return (
            await client.post("/v1/embeddings", single),
            await client.post("/v1/embeddings", body),
            await client.post("/v1/embeddings", packed),
        )

    single, floats, packed = talk(conversation)
    one, other, again = (row["embedding"] for row in floats.json()["data"])

    assert one == again == single.json()["data"][0]["embedding"] != other
    assert sum(value * value for value in one) == pytest.approx(1)
    assert len(one) == 8
    assert floats.json()["usage"]["prompt_tokens"] == 3
    assert isinstance(packed.json()["data"][0]["embedding"], str)
    assert packed.json()["usage"]["prompt_tokens"] == 2


def test_the_next_turn_of_a_conversation_finds_the_last_one_in_the_cache() -> None:
    async def conversation(client: Client) -> tuple[Reply, Reply]:
        said: list[object] = [{"role": "user", "content": "tell me about the gate " * 20}]
        first = await client.post(CHAT, {"model": "m", "messages": said, "max_tokens": 80})
        said += [first.json()["choices"][0]["message"], {"role": "user", "content": "go on"}]
        return first, await client.post(CHAT, {"model": "m", "messages": said, "max_tokens": 4})

    first, second = (reply.json()["usage"] for reply in talk(conversation))

    cached = second["prompt_tokens_details"]["cached_tokens"]
    assert first["total_tokens"] - 16 <= cached <= first["total_tokens"]


def test_every_model_name_and_loaded_adapter_is_served() -> None:
    async def conversation(client: Client) -> tuple[list[int], Reply]:
        names = ("m", "alias", "tuned")
        replies = [await client.post(CHAT, chat(model=name, max_tokens=1)) for name in names]
        return [reply.status for reply in replies], await client.get("/v1/models")

    statuses, models = talk(conversation)

    assert statuses == [200, 200, 200]
    shown = [(one["id"], one["parent"]) for one in models.json()["data"]]
    assert shown == [("m", None), ("alias", None), ("tuned", "m")]


def test_adapters_are_loaded_and_unloaded() -> None:
    async def conversation(client: Client) -> list[tuple[int, str]]:
        load, unload = "/v1/load_lora_adapter", "/v1/unload_lora_adapter"
        new = {"lora_name": "new", "lora_path": "/adapters/new"}
        replies = [
            await client.post(load, new),
            await client.post(CHAT, chat(model="new", max_tokens=1)),
            await client.post(load, new),
            await client.post(load, {"lora_name": "other"}),
            await client.post(unload, {"lora_name": "new"}),
            await client.post(unload, {"lora_name": "new"}),
            await client.post(unload, {}),
            await client.post(CHAT, chat(model="new")),
        ]
        return [(reply.status, reply.text) for reply in replies]

    seen = talk(conversation)

    assert [status for status, _ in seen] == [200, 200, 400, 400, 200, 404, 400, 404]
    assert seen[0][1] == "Success: LoRA adapter 'new' added successfully."
    assert seen[4][1] == "Success: LoRA adapter 'new' removed successfully."
    assert "has already been loaded" in seen[2][1]


def test_the_number_of_loaded_adapters_is_bounded() -> None:
    async def conversation(client: Client) -> list[int]:
        bodies = [{"lora_name": f"a{n}", "lora_path": "/a"} for n in range(128)]
        replies = [await client.post("/v1/load_lora_adapter", body) for body in bodies]
        return [reply.status for reply in replies]

    assert talk(conversation) == [200] * 127 + [400]


def test_without_slots_no_adapter_is_loaded() -> None:
    async def conversation(client: Client) -> Reply:
        return await client.post("/v1/load_lora_adapter", {"lora_name": "x", "lora_path": "y"})

    reply = talk(conversation, ModelServerOptions(port=0, max_loras=0))

    assert reply.status == 400
    assert "LoRA is not enabled" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"{", 400, "BadRequestError"),
        (b"[" * 100_000, 400, "BadRequestError"),
        (b'{"model":"m","messages":' + b"[" * 5000, 400, "BadRequestError"),
        (b'{"model":"\xff","messages":[{"role":"user"}]}', 400, "BadRequestError"),
        (b'{"messages":[{"role":"user","content":"x"}]}', 400, "BadRequestError"),
        (b'{"model":"m","messages":[]}', 400, "BadRequestError"),
        (b'{"model":3,"messages":[{"content":"x"}]}', 400, "BadRequestError"),
        (b'{"model":"m","messages":[{"content":"x"}],"max_tokens":0}', 400, "BadRequestError"),
        (b'{"model":"m","messages":[{"content":"x"}],"max_tokens":40960}', 400, "BadRequestError"),
        (b'{"model":"nobody","messages":[{"content":"x"}]}', 404, "NotFoundError"),
    ],
)
def test_a_bad_chat_gets_an_error_in_openai_shape(body: bytes, status: int, kind: str) -> None:
    async def conversation(client: Client) -> Reply:
        return await client.raw(CHAT, body)

    reply = talk(conversation)
    error = reply.json()["error"]

    assert (reply.status, error["type"], error["code"]) == (status, kind, status)
    assert error["message"]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/v1/completions", {"model": "m", "prompt": ""}, "the prompt is empty"),
        ("/v1/completions", {"model": "m", "prompt": ["a", "b"]}, "one prompt per request"),
        ("/v1/completions", {"model": "m", "prompt": ["a", 1]}, "one prompt per request"),
        ("/v1/embeddings", {"model": "m", "input": []}, "no input"),
        ("/v1/embeddings", {"model": "m", "input": ["a", 1]}, "mixed"),
        ("/v1/embeddings", {"model": "m", "input": ["a"] * 257}, "send fewer"),
        ("/v1/embeddings", {"model": "m", "input": ["a", ""]}, "the prompt is empty"),
    ],
)
def test_what_no_model_can_answer_is_a_400(
    path: str, body: dict[str, object], message: str
) -> None:
    async def conversation(client: Client) -> tuple[Reply, float]:
        reply = await client.post(path, body)
        return reply, await client.metric("vllm:num_requests_running")

    reply, running = talk(conversation)

    assert reply.status == 400
    assert message in reply.json()["error"]["message"]
    assert running == 0


def test_other_paths_methods_types_and_sizes_have_their_status() -> None:
    async def conversation(client: Client) -> list[Reply]:
        return [
            await client.post("/v1/nothing", {}),
            await client.get(CHAT),
            await client.raw(CHAT, b"{}", content_type="text/plain"),
            await client.raw(CHAT, b" " * 2000),
            await client.get("/health"),
        ]

    replies = talk(conversation, replace(FAST, body_bytes_max=1000))

    assert [reply.status for reply in replies] == [404, 405, 415, 413, 200]
    assert all("error" in reply.json() for reply in replies[:4])
