"""Calls of the APIs beside the four usual ones: vLLM's, SGLang's, Anthropic's, Vertex AI's."""

import json
from itertools import count
from typing import Any

import pytest

from headrace.extensions.apis import PATHS, WHOLE, Api, api_of, place_of
from headrace.extensions.call import Call, CallFault, Media, parse_call
from headrace.extensions.reasons import Reason
from headrace.extensions.shapes import TOKEN_IDS_MAX

MESSAGES = "/v1/messages"
GENERATE = "/generate"
TOKENS = "/inference/v1/generate"


def parsed(path: str, **fields: object) -> Call:
    call = parse_call(path, "application/json", json.dumps(fields).encode())
    assert isinstance(call, Call), call
    return call


def texts(call: Call) -> list[tuple[str, str]]:
    return [(text.role, text.text) for text in call.texts]


@pytest.mark.parametrize(("path", "api"), [*PATHS.items(), *WHOLE.items()])
def test_every_path_names_its_api(path: str, api: Api) -> None:
    assert api_of(path) is api
    assert (api_of(f"/prefix{path}?x=1") is api) is (path in PATHS)


@pytest.mark.parametrize(
    ("path", "api", "model"),
    [
        ("/openai/deployments/gpt/chat/completions?api-version=1", Api.CHAT, "gpt"),
        ("/openai/deployments/a%2Fb/embeddings", Api.EMBEDDINGS, "a/b"),
        ("/openai/deployments/gpt/files", None, ""),
        ("/v1/projects/p/locations/l/endpoints/openapi/chat/completions", Api.CHAT, ""),
        ("/v1beta1/projects/p/locations/l/endpoints/7/responses", Api.RESPONSES, ""),
        ("/v1/projects/p/locations/l/endpoints/7:predict", Api.PREDICT, ""),
        ("/v1/projects/p/locations/l/endpoints/7:rawPredict", Api.PREDICT, ""),
        (
            "/v1/projects/p/locations/l/publishers/anthropic/models/c:streamRawPredict",
            Api.PREDICT,
            "c",
        ),
        ("/v1/models/gemma:predict", Api.PREDICT, "gemma"),
        ("/v1/models/gemma:explain", None, ""),
        ("/v1beta/models/g:generateContent", Api.GEMINI, "g"),
        ("/v1/models/g:streamGenerateContent?alt=sse", Api.GEMINI, "g"),
        (
            "/v1/projects/p/locations/l/publishers/google/models/g:generateContent",
            Api.GEMINI,
            "g",
        ),
        ("/v1/projects/p/locations/l/endpoints/7:generateContent", Api.GEMINI, ""),
        ("/regenerate", None, ""),
        ("/prefix/generate", None, ""),
        ("/v1/models", None, ""),
    ],
)
def test_a_path_of_a_cloud_may_name_the_model(path: str, api: Api | None, model: str) -> None:
    place = place_of(path)

    assert (place and place.api) is api
    assert place is None or place.model == model


def test_a_message_of_anthropic_is_read_block_by_block() -> None:
    call = parsed(
        MESSAGES,
        model="m",
        max_tokens=5,
        stream=True,
        system=[{"type": "text", "text": "be kind"}],
        tools=[{"name": "f"}],
        messages=[
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "x"},
                    {"type": "tool_use", "id": "t", "name": "f", "input": {"a": "b"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": "22 C"},
                    {"type": "tool_result", "content": [{"type": "text", "text": "sunny"}]},
                    {"type": "image", "source": {"type": "base64", "data": "AAAA"}},
                    {"type": "document", "source": {"type": "text", "data": "a paper"}},
                    "and?",
                ],
            },
        ],
    )

    assert (call.api, call.model, call.max_tokens, call.stream) == (Api.MESSAGES, "m", 5, True)
    assert texts(call) == [
        ("tools", '[{"name":"f"}]'),
        ("system", "be kind"),
        ("user", "hi"),
        ("assistant", "hm"),
        ("tool", "f"),
        ("tool", '{"a":"b"}'),
        ("tool", "22 C"),
        ("tool", "sunny"),
        ("user", "a paper"),
        ("user", "and?"),
    ]
    assert [media.at for media in call.media] == [8]


def test_two_pictures_have_two_digests() -> None:
    def media(data: str) -> tuple[Media, ...]:
        source = {"type": "image", "source": {"type": "base64", "data": data}}
        return parsed(MESSAGES, model="m", messages=[{"content": [source]}]).media

    assert media("AAAA") == media("AAAA") != media("BBBB")


@pytest.mark.parametrize(
    ("path", "fields", "said"),
    [
        ("/v1/messages/count_tokens", {"model": "m", "messages": [{"content": "a"}]}, ["a"]),
        ("/v1/conversations", {"items": [{"role": "user", "content": "a"}]}, ["a"]),
        ("/v1/images/generations", {"prompt": "a cat"}, ["a cat"]),
        ("/v1/moderations", {"input": ["a", {"type": "text", "text": "b"}]}, ["a", "b"]),
        ("/v1/rerank", {"query": "q", "documents": ["a", {"text": "b"}]}, ["q", "a", "b"]),
        ("/score", {"text_1": "a", "text_2": ["b", "c"]}, ["a", "b", "c"]),
        ("/v1/chat/completions/render", {"model": "m", "messages": [{"content": "a"}]}, ["a"]),
        ("/v1/completions/render", {"model": "m", "prompt": ["a", "b"]}, ["a", "b"]),
        (GENERATE, {"text": "a"}, ["a"]),
        (GENERATE, {"text": ["a", "b"]}, ["a", "b"]),
        (GENERATE, {"prompt": "a", "stream": True}, ["a"]),
        (GENERATE, {"text": "a", "input_ids": [7, 8]}, ["a"]),
        ("/tokenize", {"messages": [{"content": "a"}]}, ["a"]),
        ("/detokenize", {"tokens": [1, 2]}, []),
        ("/v1/models/m:predict", {"instances": [{"prompt": "a", "n": 1}, "b"]}, ["a", "b"]),
        ("/v1/models/m:rawPredict", {"messages": [{"content": "a"}]}, ["a"]),
        ("/v1/models/m:rawPredict", {"prompt": "a"}, ["a"]),
        (
            "/v1/models/m:generateContent",
            {
                "system_instruction": {"parts": [{"text": "s"}]},
                "contents": [
                    {"role": "user", "parts": [{"text": "a"}, {"inlineData": {"data": "x"}}]},
                    {
                        "role": "model",
                        "parts": [{"function_call": {"name": "f", "args": {"b": 1}}}],
                    },
                    {"parts": {"functionResponse": {"name": "f", "response": {"c": 2}}}},
                ],
            },
            ["s", "a", "f", '{"b":1}', "f", '{"c":2}'],
        ),
        ("/v1/models/m:generateContent", {"contents": {"parts": {"text": "a"}}}, ["a"]),
        (
            "/v1/models/m:streamRawPredict",
            {"anthropic_version": "vertex-2023-10-16", "messages": [{"content": "a"}]},
            ["a"],
        ),
        (
            "/v1/responses",
            {
                "model": "m",
                "input": [
                    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "s"}]},
                    {"type": "function_call", "name": "f", "arguments": "{}"},
                    {"type": "function_call_output", "output": [{"text": "o"}]},
                ],
            },
            ["s", "f", "{}", "o"],
        ),
    ],
)
def test_every_api_says_where_its_text_is(
    path: str, fields: dict[str, Any], said: list[str]
) -> None:
    call = parsed(path, **fields)

    assert [text.text for text in call.texts] == said


@pytest.mark.parametrize(
    ("path", "fields", "ids", "most", "salt"),
    [
        (TOKENS, {"token_ids": [1, 2, 3]}, b"1,2,3", None, ""),
        (
            TOKENS,
            {"token_ids": [10], "cache_salt": "s", "sampling_params": {"max_tokens": 128}},
            b"10",
            128,
            "s",
        ),
        (TOKENS, {"token_ids": list(range(5000))}, None, None, ""),
        (
            GENERATE,
            {"input_ids": [1, 2], "extra_key": "k", "sampling_params": {"max_new_tokens": 256}},
            b"1,2",
            256,
            "k",
        ),
        (GENERATE, {"input_ids": [[1], [2, 3]]}, b"1,2,3", None, ""),
        (
            GENERATE,
            {"text": ["a", "b"], "sampling_params": [{"max_new_tokens": 3}, {"max_new_tokens": 5}]},
            b"",
            5,
            "",
        ),
        ("/detokenize", {"tokens": [1]}, b"1", None, ""),
    ],
)
def test_prompts_of_token_ids_say_so(
    path: str, fields: dict[str, Any], ids: bytes | None, most: int | None, salt: str
) -> None:
    call = parsed(path, **fields)
    ids = ",".join(map(str, range(5000))).encode() if ids is None else ids

    assert (call.ids, call.max_tokens, call.salt, call.model) == (ids, most, salt, "")
    assert call.token_ids == (ids.count(b",") + 1 if ids else 0)


def test_the_path_goes_before_the_body() -> None:
    call = parsed("/openai/deployments/a/chat/completions", model="b", messages=[{"content": "x"}])

    assert (call.model, call.in_path) == ("a", True)


def test_a_stream_may_be_asked_for_by_the_path() -> None:
    body = {"messages": [{"content": "x"}]}

    assert parsed("/v1/models/m:streamRawPredict", **body).stream
    assert not parsed("/v1/models/m:rawPredict", **body).stream


BAD = Reason.INVALID_REQUEST


@pytest.mark.parametrize(
    ("path", "body", "reason", "param"),
    [
        (TOKENS, b'{"sampling_params":{}}', BAD, "token_ids"),
        (TOKENS, b'{"token_ids":[]}', BAD, "token_ids"),
        (TOKENS, b'{"token_ids":[1,2,-1]}', BAD, "token_ids[2]"),
        (GENERATE, b'{"input_ids":[4294967296]}', BAD, "input_ids[0]"),
        (GENERATE, b'{"input_ids":[1,2.5]}', BAD, "input_ids[1]"),
        (GENERATE, b'{"input_ids":[]}', BAD, "text"),
        (GENERATE, b'{"input_ids":"a","model":null}', BAD, "input_ids"),
        (GENERATE, b'{"text":"a","text":"b"}', BAD, "text"),
        (GENERATE, b'{"text":"a","model":""}', Reason.INVALID_MODEL, "model"),
        (GENERATE, b'{"text":"a","model":5}', Reason.INVALID_MODEL, "model"),
        (GENERATE, b'{"text":"\\ud800"}', Reason.MALFORMED_JSON, None),
        (GENERATE, b"[]", BAD, None),
        (MESSAGES, b'{"messages":[{"content":"a"}]}', Reason.MISSING_MODEL, "model"),
        (MESSAGES, b'{"model":null,"messages":[{"content":"a"}]}', Reason.INVALID_MODEL, "model"),
        (MESSAGES, b'{"model":"m","messages":[]}', BAD, "messages"),
        (MESSAGES, b'{"model":"m","max_tokens":-1}', BAD, "max_tokens"),
        ("/v1/conversations", b'{"metadata":{}}', BAD, "items"),
        ("/v1/images/generations", b'{"prompt":""}', BAD, "prompt"),
        ("/v1/models/m:predict", b"{}", BAD, "instances"),
        ("/v1/models/m:generateContent", b"{}", BAD, "contents"),
        ("/v1/models/m:rawPredict", b"{}", BAD, None),
        ("/openai/deployments/%20/completions", b'{"prompt":"a"}', Reason.INVALID_MODEL, "model"),
        (GENERATE, b'{"input_ids":[%s1]}' % (b"1," * TOKEN_IDS_MAX), BAD, "input_ids"),
    ],
    ids=count(),
)
def test_a_bad_body_says_what_is_bad(
    path: str, body: bytes, reason: Reason, param: str | None
) -> None:
    fault = parse_call(path, "", body)

    assert isinstance(fault, CallFault)
    assert (fault.reason, fault.param) == (reason, param)


@pytest.mark.parametrize(
    "names",
    [("generationConfig", "maxOutputTokens"), ("generation_config", "max_output_tokens")],
)
def test_gemini_bounds_its_tokens_in_either_spelling_and_streams_by_its_path(
    names: tuple[str, str],
) -> None:
    body = {"contents": [{"parts": [{"text": "a"}]}], names[0]: {names[1]: 7}}

    assert not parsed("/v1/models/m:generateContent", **body).stream
    call = parsed("/v1/models/m:streamGenerateContent", **body)
    assert (call.stream, call.max_tokens, call.in_path) == (True, 7, True)
