"""Answers and events as the servers of each API give them."""

import json
from typing import Any

from headrace.extensions.apis import Api

Heard = tuple[str, int, int, str, str, bool]  # said, choice, item, field, text, repeats


def chunk(delta: dict[str, object], **more: object) -> dict[str, object]:
    """Return a chunk of a streamed chat."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None, **more}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "system_fingerprint": "fp_1",
        "choices": [choice],
        "usage": {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 0}},
    }


CALLS = [
    {"index": 1, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
]
ARGUMENTS = [{"index": 1, "function": {"arguments": '{"a":'}}]
CONTENT = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
OUTPUT: list[dict[str, Any]] = [
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "in short"}],
        "content": [{"type": "reasoning_text", "text": "thinking"}],
        "encrypted_content": "gAAAA",
    },
    {
        **CONTENT,
        "content": [
            {
                "type": "output_text",
                "text": "hello",
                "annotations": [{"type": "url_citation", "title": "News", "url": "https://n"}],
                "logprobs": [],
            },
            {"type": "refusal", "refusal": "no"},
        ],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": '{"a":1}'},
]
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "m",
    "instructions": "be kind",
    "metadata": {"who": "me"},
    "tools": [{"type": "function", "name": "f", "description": "does f"}],
    "text": {"format": {"type": "text"}},
    "reasoning": {"effort": "low", "summary": "auto"},
    "error": None,
    "output": OUTPUT,
    "usage": {"input_tokens": 1},
}
SPOKEN: list[Heard] = [
    ("reasoning", 0, 512, "", "in short", True),
    ("reasoning", 0, 0, "", "thinking", True),
    ("prose", 0, 1024, "", "hello", True),
    (
        "prose",
        0,
        1024,
        "quoted",
        '[{"type":"url_citation","title":"News","url":"https://n"}]',
        True,
    ),
    ("refusal", 0, 1025, "", "no", True),
    ("tool_call", 0, 2048, "name", "f", True),
    ("tool_call", 0, 2048, "", '{"a":1}', True),
]
EVENTS: list[tuple[Api, dict[str, Any], list[Heard]]] = [
    (Api.CHAT, chunk({"role": "assistant", "content": ""}), []),
    (Api.CHAT, chunk({"content": "hi"}), [("prose", 0, 0, "", "hi", False)]),
    (Api.CHAT, chunk({"content": "hi"}, index=2), [("prose", 2, 0, "", "hi", False)]),
    (Api.CHAT, chunk({"refusal": "no"}), [("refusal", 0, 0, "", "no", False)]),
    (
        Api.CHAT,
        chunk({"reasoning": "hm", "reasoning_content": "hm"}),
        [
            ("reasoning", 0, 0, "", "hm", False),
            ("reasoning", 0, 0, "reasoning_content", "hm", False),
        ],
    ),
    (Api.CHAT, chunk({"tool_calls": CALLS}), [("tool_call", 0, 1024, "name", "f", False)]),
    (Api.CHAT, chunk({"tool_calls": ARGUMENTS}), [("tool_call", 0, 1024, "", '{"a":', False)]),
    (
        Api.CHAT,
        chunk({"function_call": {"name": "f", "arguments": "{}"}}),
        [("tool_call", 0, 0, "name", "f", False), ("tool_call", 0, 0, "", "{}", False)],
    ),
    (
        Api.CHAT,
        chunk({"audio": {"id": "a", "transcript": "hi", "data": "UklG", "expires_at": 1}}),
        [("prose", 0, 0, "transcript", "hi", False)],
    ),
    (Api.CHAT, chunk({}, finish_reason="stop", stop_reason="END"), []),
    (
        Api.CHAT,
        {"error": {"message": "bad", "type": "invalid", "param": None, "code": 400}},
        [("prose", 0, 0, "", "bad", False)],
    ),
    (
        Api.COMPLETIONS,
        {"id": "c", "choices": [{"index": 1, "text": "hi", "logprobs": {"tokens": ["hi"]}}]},
        [("prose", 1, 0, "", "hi", False)],
    ),
    (
        Api.RESPONSES,
        {
            "type": "response.output_text.delta",
            "item_id": "msg_1",
            "output_index": 1,
            "content_index": 0,
            "delta": "hel",
            "obfuscation": "x7",
            "sequence_number": 4,
        },
        [("prose", 0, 1024, "", "hel", False)],
    ),
    (
        Api.RESPONSES,
        {
            "type": "response.output_text.done",
            "output_index": 1,
            "content_index": 0,
            "text": "hello",
        },
        [("prose", 0, 1024, "", "hello", True)],
    ),
    (
        Api.RESPONSES,
        {"type": "response.refusal.delta", "output_index": 1, "content_index": 1, "delta": "n"},
        [("refusal", 0, 1025, "", "n", False)],
    ),
    (
        Api.RESPONSES,
        {"type": "response.reasoning_summary_text.delta", "summary_index": 0, "delta": "in"},
        [("reasoning", 0, 512, "", "in", False)],
    ),
    (
        Api.RESPONSES,
        {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": '{"a"'},
        [("tool_call", 0, 2048, "", '{"a"', False)],
    ),
    (
        Api.RESPONSES,
        {"type": "response.function_call_arguments.done", "output_index": 2, "arguments": "{}"},
        [("tool_call", 0, 2048, "", "{}", True)],
    ),
    (
        Api.RESPONSES,
        {"type": "response.output_item.done", "output_index": 1, "item": OUTPUT[1]},
        SPOKEN[2:5],
    ),
    (
        Api.RESPONSES,
        {
            "type": "response.content_part.done",
            "output_index": 1,
            "content_index": 1,
            "part": OUTPUT[1]["content"][1],
        },
        [("refusal", 0, 1025, "", "no", True)],
    ),
    (Api.RESPONSES, {"type": "response.completed", "response": RESPONSE}, SPOKEN),
    (Api.RESPONSES, {"type": "response.web_search_call.searching", "item_id": "ws"}, []),
    (
        Api.RESPONSES,
        {"type": "error", "message": "bad", "code": "x", "param": None},
        [("prose", 0, 0, "", "bad", False)],
    ),
    (
        Api.MESSAGES,
        {
            "type": "message_start",
            "message": {"id": "m", "type": "message", "role": "assistant", "content": []},
        },
        [],
    ),
    (
        Api.MESSAGES,
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        },
        [("tool_call", 0, 1024, "name", "f", False)],
    ),
    (
        Api.MESSAGES,
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": '{"a'},
        },
        [("tool_call", 0, 1024, "", '{"a', False)],
    ),
    (
        Api.MESSAGES,
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
        [("prose", 0, 0, "", "hi", False)],
    ),
    (
        Api.MESSAGES,
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "hm"},
        },
        [("reasoning", 0, 0, "", "hm", False)],
    ),
    (
        Api.MESSAGES,
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "signature_delta", "signature": "Eq"},
        },
        [],
    ),
    (Api.MESSAGES, {"type": "content_block_stop", "index": 0}, []),
    (
        Api.MESSAGES,
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 1},
        },
        [],
    ),
    (Api.MESSAGES, {"type": "message_stop"}, []),
    (Api.MESSAGES, {"type": "ping"}, []),
    (
        Api.MESSAGES,
        {"type": "error", "error": {"type": "overloaded_error", "message": "later"}},
        [("prose", 0, 0, "", "later", False)],
    ),
    (
        Api.GEMINI,
        {
            "candidates": [
                {
                    "content": {
                        "role": "model",
                        "parts": [
                            {"text": "hm", "thought": True, "thoughtSignature": "Eq"},
                            {"text": "hi"},
                            {"functionCall": {"name": "f", "args": {"a": "b"}}},
                        ],
                    },
                    "finishReason": "STOP",
                    "index": 1,
                }
            ],
            "usageMetadata": {"promptTokenCount": 3},
            "modelVersion": "m",
            "responseId": "r",
        },
        [
            ("prose", 1, 0, "", "hm", False),
            ("prose", 1, 0, "", "hi", False),
            ("tool_call", 1, 0, "name", "f", False),
            ("tool_call", 1, 0, "", '{"a":"b"}', False),
        ],
    ),
    (
        Api.GENERATE,
        {"text": "hello", "output_ids": [1], "meta_info": {"id": "x", "finish_reason": None}},
        [("prose", 0, 0, "", "hello", True)],
    ),
    (
        Api.GENERATE,
        {"text": ["hello", "there"]},
        [("prose", 0, 0, "", "hello", True), ("prose", 1, 0, "", "there", True)],
    ),
]
MESSAGE: dict[str, Any] = {
    "role": "assistant",
    "content": "hello",
    "refusal": None,
    "reasoning_content": "hm",
    "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    ],
}
ANSWERS: list[tuple[Api, Any, list[tuple[str, int, str]]]] = [
    (
        Api.CHAT,
        {
            "id": "c",
            "object": "chat.completion",
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": MESSAGE},
                {"index": 1, "message": {"content": [{"type": "text", "text": "two"}]}},
            ],
            "prompt_logprobs": None,
            "usage": {"prompt_tokens": 1},
        },
        [
            ("prose", 0, "hello"),
            ("reasoning", 0, "hm"),
            ("tool_call", 0, "f"),
            ("tool_call", 0, '{"a":1}'),
            ("prose", 1, "two"),
        ],
    ),
    (Api.COMPLETIONS, {"choices": [{"index": 0, "text": "hi"}]}, [("prose", 0, "hi")]),
    (Api.EMBEDDINGS, {"object": "list", "data": [{"embedding": "AAAA"}], "model": "m"}, []),
    (Api.RESPONSES, RESPONSE, [(said, 0, text) for said, _, _, _, text, _ in SPOKEN]),
    (
        Api.IMAGES,
        {"data": [{"b64_json": "AA", "revised_prompt": "a cat"}]},
        [("prose", 0, "a cat")],
    ),
    (
        Api.RERANK,
        {"id": "r", "results": [{"index": 1, "document": {"text": "d"}, "relevance_score": 0.5}]},
        [("prose", 1, "d")],
    ),
    (Api.SCORE, {"data": [{"index": 0, "object": "score", "score": 0.5}]}, []),
    (
        Api.MODERATIONS,
        {"id": "m", "results": [{"flagged": True, "categories": {"hate": True}}]},
        [],
    ),
    (Api.CONVERSATIONS, {"id": "conv_1", "object": "conversation", "metadata": {"a": "b"}}, []),
    (
        Api.MESSAGES,
        {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "Eq"},
                {"type": "redacted_thinking", "data": "Em"},
                {"type": "text", "text": "hi", "citations": None},
                {"type": "tool_use", "id": "t", "name": "f", "input": {"city": "Rome"}},
            ],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "service_tier": "standard"},
        },
        [
            ("reasoning", 0, "hm"),
            ("prose", 0, "hi"),
            ("tool_call", 0, "f"),
            ("tool_call", 0, '{"city":"Rome"}'),
        ],
    ),
    (Api.COUNT_TOKENS, {"input_tokens": 3}, []),
    (Api.GENERATE, {"text": ["prompt and answer"]}, [("prose", 0, "prompt and answer")]),
    (
        Api.GENERATE,
        [{"text": "a", "meta_info": {"id": "1"}}, {"text": "b", "meta_info": {"id": "2"}}],
        [("prose", 0, "a"), ("prose", 1, "b")],
    ),
    (Api.TOKENIZE, {"count": 1, "tokens": [1], "token_strs": ["hi"]}, [("prose", 0, "hi")]),
    (Api.DETOKENIZE, {"prompt": "hi"}, [("prose", 0, "hi")]),
    (Api.CHAT_RENDER, [{"prompt": "hi", "prompt_token_ids": [1]}], [("prose", 0, "hi")]),
    (Api.PREDICT, {"predictions": ["a", {"content": "b"}]}, [("prose", 0, "a"), ("prose", 0, "b")]),
    (
        Api.CHAT,
        {"object": "error", "message": "bad", "type": "x", "code": 400},
        [("prose", 0, "bad")],
    ),
    (
        Api.CHAT,
        {"detail": [{"loc": ["body"], "msg": "bad"}]},
        [("prose", 0, "body"), ("prose", 0, "bad")],
    ),
]
"""API, an answer, and what it says: kind, choice, text."""


def encoded(value: object) -> bytes:
    """Return *value* as a server may spell it."""
    return json.dumps(value).encode()
