"""The APIs of the matrix, written and read without any of the product's code.

Each can put a text into a request, a whole answer and a stream, as prose or as the arguments
of a tool call, and can read it back from what arrived.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Json = Any  # a JSON value
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Api:
    """One API.

    tools   whether texts can be the arguments of a tool call
    ask     text, in a tool call -> the request
    answer  text, in a tool call -> the whole answer
    events  pieces of a text, in a tool call -> the events of a stream
    asked, answered, streamed  read the text back: from a request, an answer, the data of the events
    """

    name: str
    path: str
    tools: bool
    ask: Callable[[str, bool], Json]
    answer: Callable[[str, bool], Json]
    events: Callable[[Sequence[str], bool], list[bytes]]
    asked: Callable[[Json, bool], str]
    answered: Callable[[Json, bool], str]
    streamed: Callable[[Sequence[Json], bool], str]


def event(data: Json, name: str = "") -> bytes:
    """Return one event of a stream."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def data_of(body: bytes) -> list[Json]:
    """Return the JSON data of the events of *body*, errors and [DONE] left out."""
    lines = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    found = [json.loads(line) for line in lines if line != b"[DONE]"]
    return [one for one in found if "error" not in one]


# ---- OpenAI chat completions


def _chat_ask(text: str, tool: bool) -> Json:
    if not tool:
        return {"messages": [{"role": "user", "content": text}]}
    call = {"id": "c1", "type": "function", "function": {"name": "note", "arguments": text}}
    told = {"role": "tool", "tool_call_id": "c1", "content": "noted"}
    asks = {"role": "user", "content": "note it"}
    return {"messages": [asks, {"role": "assistant", "content": None, "tool_calls": [call]}, told]}


def _chat_asked(body: Json, tool: bool) -> str:
    if tool:
        return str(body["messages"][1]["tool_calls"][0]["function"]["arguments"])
    return str(body["messages"][0]["content"])


def _chat_answer(text: str, tool: bool) -> Json:
    message: Json = {"role": "assistant", "content": text}
    if tool:
        call = {"id": "c1", "type": "function", "function": {"name": "note", "arguments": text}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "a", "object": "chat.completion", "choices": [choice], "usage": _usage()}


def _chat_answered(body: Json, tool: bool) -> str:
    message = body["choices"][0]["message"]
    return str(message["tool_calls"][0]["function"]["arguments"] if tool else message["content"])


def _chat_events(pieces: Sequence[str], tool: bool) -> list[bytes]:
    def chunk(delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return event({"id": "a", "object": "chat.completion.chunk", "choices": [choice]})

    opening: Json = {"role": "assistant", "content": ""}
    deltas: list[Json] = [{"content": piece} for piece in pieces]
    if tool:
        named = {"index": 0, "id": "c1", "type": "function", "function": {"name": "note"}}
        opening = {"role": "assistant", "tool_calls": [named]}
        deltas = [
            {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces
        ]
    usage = event({"id": "a", "object": "chat.completion.chunk", "choices": [], "usage": _usage()})
    return [chunk(opening), *map(chunk, deltas), chunk({}, "stop"), usage, DONE]


def _chat_streamed(events: Sequence[Json], tool: bool) -> str:
    deltas = [event["choices"][0]["delta"] for event in events if event.get("choices")]
    if not tool:
        return "".join(delta.get("content") or "" for delta in deltas)
    calls = [call for delta in deltas for call in delta.get("tool_calls") or ()]
    return "".join(call["function"].get("arguments", "") for call in calls)


def _usage() -> Json:
    return {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}


# ---- OpenAI completions


def _completion_events(pieces: Sequence[str], tool: bool) -> list[bytes]:
    def chunk(text: str, finish: str | None = None) -> bytes:
        choice = {"index": 0, "text": text, "finish_reason": finish, "logprobs": None}
        return event({"id": "a", "object": "text_completion", "choices": [choice]})

    return [*map(chunk, pieces), chunk("", "stop"), DONE]


def _completion_answer(text: str, tool: bool) -> Json:
    choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}
    return {"id": "a", "object": "text_completion", "choices": [choice], "usage": _usage()}


# ---- OpenAI responses


def _response_item(text: str, tool: bool) -> Json:
    if tool:
        call = {"type": "function_call", "id": "f1", "call_id": "c1", "name": "note"}
        return {**call, "arguments": text, "status": "completed"}
    content: Json = [{"type": "output_text", "text": text, "annotations": []}]
    message = {"type": "message", "id": "m1", "role": "assistant", "status": "completed"}
    return {**message, "content": content}


def _response_answer(text: str, tool: bool) -> Json:
    head = {"id": "r1", "object": "response", "status": "completed", "model": "chatbot"}
    return {**head, "output": [_response_item(text, tool)], "usage": {"input_tokens": 9}}


def _response_answered(body: Json, tool: bool) -> str:
    item = body["output"][0]
    return str(item["arguments"] if tool else item["content"][0]["text"])


def _response_ask(text: str, tool: bool) -> Json:
    if not tool:
        return {"input": text}
    call = {"type": "function_call", "call_id": "c1", "name": "note", "arguments": text}
    told = {"type": "function_call_output", "call_id": "c1", "output": "noted"}
    return {"input": [{"role": "user", "content": "note it"}, call, told]}


def _response_asked(body: Json, tool: bool) -> str:
    return str(body["input"][1]["arguments"] if tool else body["input"])


def _response_events(pieces: Sequence[str], tool: bool) -> list[bytes]:
    what = "function_call_arguments" if tool else "output_text"
    place: Json = {"item_id": "f1" if tool else "m1", "output_index": 0}
    place |= {} if tool else {"content_index": 0}
    whole = "".join(pieces)
    item = _response_item(whole, tool)
    empty = _response_item("", tool)
    said: list[Json] = [{"type": "response.created", "response": {"id": "r1", "output": []}}]
    said.append({"type": "response.output_item.added", "output_index": 0, "item": empty})
    said += [{"type": f"response.{what}.delta", **place, "delta": piece} for piece in pieces]
    said.append({"type": f"response.{what}.done", **place, "arguments" if tool else "text": whole})
    said.append({"type": "response.output_item.done", "output_index": 0, "item": item})
    said.append({"type": "response.completed", "response": _response_answer(whole, tool)})
    numbered: list[Json] = [{**one, "sequence_number": at} for at, one in enumerate(said)]
    return [event(one, str(one["type"])) for one in numbered]


def _response_streamed(events: Sequence[Json], tool: bool) -> str:
    """Return what the deltas say. What repeats it must not say more."""
    what = "function_call_arguments" if tool else "output_text"
    said = "".join(one["delta"] for one in events if one["type"] == f"response.{what}.delta")
    for one in events:
        if one["type"] == f"response.{what}.done":
            assert one["arguments" if tool else "text"] == said
        if one["type"] == "response.output_item.done":
            assert _response_answered({"output": [one["item"]]}, tool) == said
        if one["type"] == "response.completed":
            assert _response_answered(one["response"], tool) == said
    return said


# ---- Anthropic messages


def _message_ask(text: str, tool: bool) -> Json:
    if not tool:
        return {"max_tokens": 99, "messages": [{"role": "user", "content": text}]}
    told = [{"type": "tool_result", "tool_use_id": "t1", "content": text}]
    asks = {"role": "user", "content": "note it"}
    use = [{"type": "tool_use", "id": "t1", "name": "note", "input": {"a": 1}}]
    messages = [asks, {"role": "assistant", "content": use}, {"role": "user", "content": told}]
    return {"max_tokens": 99, "messages": messages}


def _message_asked(body: Json, tool: bool) -> str:
    messages = body["messages"]
    return str(messages[2]["content"][0]["content"] if tool else messages[0]["content"])


def _message_answer(text: str, tool: bool) -> Json:
    block: Json = {"type": "text", "text": text}
    if tool:
        block = {"type": "tool_use", "id": "t1", "name": "note", "input": json.loads(text)}
    usage = {"input_tokens": 9, "output_tokens": 12}
    head = {"id": "m", "type": "message", "role": "assistant", "model": "chatbot"}
    return {**head, "content": [block], "stop_reason": "end_turn", "usage": usage}


def _message_answered(body: Json, tool: bool) -> str:
    block = body["content"][0]
    return json.dumps(block["input"]) if tool else str(block["text"])


def _message_events(pieces: Sequence[str], tool: bool) -> list[bytes]:
    block: Json = {"type": "text", "text": ""}
    if tool:
        block = {"type": "tool_use", "id": "t1", "name": "note", "input": {}}
    kind, field = ("input_json_delta", "partial_json") if tool else ("text_delta", "text")
    start: Json = {"id": "m", "type": "message", "role": "assistant", "content": []}
    said: list[Json] = [
        {"type": "message_start", "message": {**start, "usage": {"input_tokens": 9}}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "ping"},
    ]
    said += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": kind, field: piece}}
        for piece in pieces
    ]
    said.append({"type": "content_block_stop", "index": 0})
    ends = {"stop_reason": "end_turn", "stop_sequence": None}
    said.append({"type": "message_delta", "delta": ends, "usage": {"output_tokens": 12}})
    said.append({"type": "message_stop"})
    return [event(one, one["type"]) for one in said]


def _message_streamed(events: Sequence[Json], tool: bool) -> str:
    field = "partial_json" if tool else "text"
    deltas = [one["delta"] for one in events if one["type"] == "content_block_delta"]
    return "".join(delta[field] for delta in deltas)


# ---- SGLang's own


def _sglang_events(pieces: Sequence[str], tool: bool) -> list[bytes]:
    """Return a stream in which each event says all so far."""
    so_far = ["".join(pieces[: at + 1]) for at in range(len(pieces))]
    return [*(event({"text": text, "meta_info": {"id": "a"}}) for text in so_far), DONE]


APIS = (
    Api(
        "OpenAI chat completions", "/v1/chat/completions", True,
        _chat_ask, _chat_answer, _chat_events, _chat_asked, _chat_answered, _chat_streamed,
    ),
    Api(
        "OpenAI completions", "/v1/completions", False,
        lambda text, tool: {"prompt": text}, _completion_answer, _completion_events,
        lambda body, tool: str(body["prompt"]),
        lambda body, tool: str(body["choices"][0]["text"]),
        lambda events, tool: "".join(one["choices"][0]["text"] for one in events),
    ),
    Api(
        "OpenAI responses", "/v1/responses", True,
        _response_ask, _response_answer, _response_events,
        _response_asked, _response_answered, _response_streamed,
    ),
    Api(
        "Anthropic messages", "/v1/messages", True,
        _message_ask, _message_answer, _message_events,
        _message_asked, _message_answered, _message_streamed,
    ),
    Api(
        "SGLang generate", "/generate", False,
        lambda text, tool: {"text": text},
        lambda text, tool: {"text": text, "meta_info": {"id": "a"}},
        _sglang_events,
        lambda body, tool: str(body["text"]),
        lambda body, tool: str(body["text"]),
        lambda events, tool: str(events[-1]["text"]) if events else "",
    ),
)  # fmt: skip
