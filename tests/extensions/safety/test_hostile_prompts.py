"""A client that wants a model to read what a guard blocks: everywhere that a server takes text."""

import json
from typing import Any

import pytest

from tests.extensions.safety.hostile import CHAT, SECRET, asked, blocks

HI = {"role": "user", "content": "hi"}
DOCUMENT = {"type": "document", "source": {"type": "text", "data": SECRET}}


def chat(*messages: Any, **fields: Any) -> dict[str, Any]:
    """Return a chat. Any: whatever JSON there can be."""
    return {"model": "m", "messages": list(messages), **fields}


def told(*blocks: Any) -> dict[str, Any]:
    """Return a conversation of Anthropic's in which a tool has said *blocks*. Any: JSON."""
    result = {"type": "tool_result", "tool_use_id": "t", "content": list(blocks)}
    return {"max_tokens": 9, **chat({"role": "user", "content": [result]})}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, chat({"role": SECRET, "content": "hi"})),
        (CHAT, chat({"role": "user", "name": SECRET, "content": "hi"})),
        (CHAT, chat({"role": "developer", "content": "", "tools": [{"name": SECRET}]})),
        (CHAT, chat(HI, chat_template_kwargs={"x": {SECRET: 1}})),
        ("/v1/responses", {"model": "m", "input": [{"role": SECRET, "content": "hi"}]}),
        ("/v1/messages", told(DOCUMENT)),
        ("/v1/messages", told({"type": "search_result", "content": [{"text": SECRET}]})),
        ("/v1/messages", told({"type": "document", "context": SECRET})),
        ("/v1/messages", told({"source": {"type": "content", "content": [DOCUMENT]}})),
        ("/v1/models/m:predict", {"instances": [{SECRET: 1}]}),
    ],
    ids=[
        "role",
        "name",
        "tools of a developer",
        "name of a variable",
        "role of an item",
        "document of a tool",
        "search of a tool",
        "context of a document",
        "document within",
        "name of an instance",
    ],
)  # fmt: skip
def test_it_does_not_reach_the_model(path: str, body: object) -> None:
    _, got = asked(blocks("prompt"), json.dumps(body).encode(), path)

    assert got.refused == 400
    assert not got.tells


@pytest.mark.parametrize("role", ["user", "developer", "ipython"])
def test_the_usual_roles_say_nothing(role: str) -> None:
    body = json.dumps(chat({"role": role, "content": "hi"})).encode()
    _, got = asked(blocks("prompt"), body)

    assert got.body == body
