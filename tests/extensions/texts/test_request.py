"""Where the text of a request stands is told twice: by types, fast, and by rules. They agree."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.apis import PATH_OF, Api
from headrace.extensions.call import Call, Text, parse_call
from headrace.extensions.texts.asked import BOUNDS
from headrace.extensions.texts.patch import patched
from headrace.extensions.texts.request import passages
from headrace.extensions.texts.values import Said, Unreadable


def some(optional: dict[str, Any], always: dict[str, Any] | None = None) -> Any:
    """Return objects that have the fields *always*, and of *optional* any."""
    return st.fixed_dictionaries(always or {}, optional=optional)


WORDS: Any = st.text('ab"\\é \n', max_size=5)
VALUES: Any = (
    st.none() | WORDS | st.lists(WORDS, max_size=2) | st.dictionaries(WORDS, WORDS, max_size=2)
)
PART: Any = WORDS | some(
    {
        "type": st.sampled_from(["text", "input_text", "image_url"]),
        "text": st.none() | WORDS,
        "refusal": WORDS,
        "thinking": WORDS,
        "image_url": st.just({"url": "data:"}),
    },
)
CONTENT: Any = st.none() | WORDS | st.lists(PART, max_size=3)
FUNCTION: Any = some({"name": WORDS, "arguments": VALUES, "input": WORDS})
CALLS: Any = st.lists(some({"function": FUNCTION, "custom": FUNCTION}), max_size=2)
ROLES = st.sampled_from(["user", "assistant", "system", "tool", "developer"])
MESSAGE: Any = some(
    {
        "content": CONTENT,
        "text": WORDS,
        "tool_calls": CALLS,
        "function_call": FUNCTION,
        "reasoning": VALUES,
        "reasoning_content": WORDS,
        "refusal": st.none() | WORDS,
        "name": VALUES,
        "other": VALUES,
    },
    {"role": ROLES},
)
ITEM: Any = WORDS | some(
    {
        "type": st.sampled_from(["message", "reasoning", "function_call"]),
        "role": ROLES,
        "content": CONTENT,
        "text": WORDS,
        "name": WORDS,
        "summary": st.lists(st.fixed_dictionaries({"text": WORDS}), max_size=2),
        **dict.fromkeys(("arguments", "input", "action", "code", "output", "results"), VALUES),
    },
)
PROMPT = WORDS | st.lists(WORDS, min_size=1, max_size=3)
LIMITS: dict[str, Any] = dict.fromkeys(BOUNDS, VALUES)


def fields(*names: str) -> dict[str, Any]:
    """Return fields of any value, and those that bound an answer."""
    return dict.fromkeys(names, VALUES) | LIMITS


CHATTED = fields(
    *("tools", "documents", "response_format", "prediction"),
    *("chat_template_kwargs", "web_search_options"),
)
TEXT: Any = WORDS.filter(bool)
BODIES: dict[Api, st.SearchStrategy[dict[str, Any]]] = {
    Api.CHAT: some(
        CHATTED, {"model": st.just("m"), "messages": st.lists(MESSAGE, min_size=1, max_size=4)}
    ),
    Api.COMPLETIONS: some(fields() | {"suffix": TEXT}, {"model": st.just("m"), "prompt": PROMPT}),
    Api.EMBEDDINGS: some(
        {"messages": st.lists(MESSAGE, max_size=2)}, {"model": st.just("m"), "input": PROMPT}
    ),
    Api.RESPONSES: some(
        fields("tools", "prompt", "text") | {"instructions": TEXT},
        {"model": st.just("m"), "input": WORDS | st.lists(ITEM, min_size=1, max_size=4)},
    ),
}


@given(st.data(), st.sampled_from(list(BODIES)))
def test_the_texts_of_a_call_are_those_of_its_passages(data: st.DataObject, api: Api) -> None:
    body = json.dumps(data.draw(BODIES[api])).encode()
    call = parse_call(PATH_OF[api], "", body)
    assert isinstance(call, Call), call

    assert call.texts == tuple(Text(p.role, p.text) for p in passages(api, body))


@given(st.data(), st.sampled_from(list(BODIES)))
def test_a_passage_stands_where_its_path_leads(data: st.DataObject, api: Api) -> None:
    body = json.dumps(data.draw(BODIES[api])).encode()
    for passage in passages(api, body):
        value: Any = json.loads(body)
        for step in passage.path:
            value = value[step]

        assert (value == passage.text) is passage.whole
        if passage.whole:
            after = passages(api, patched(body, {passage.path: "other"}))
            assert ("other", passage.path) in [(p.text, p.path) for p in after]


def test_a_passage_says_who_speaks_when_and_what_it_is() -> None:
    call = {"function": {"name": "f", "arguments": "{}"}}
    called = ("messages", 2, "tool_calls", 0, "function")
    body = json.dumps(
        {
            "tools": [{"name": "f"}],
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": [{"type": "text", "text": "u"}]},
                {
                    "role": "assistant",
                    "tool_calls": [call],
                },
                {"role": "tool", "content": "r"},
            ],
        }
    ).encode()

    assert [(p.role, p.said, p.turn, p.text, p.path) for p in passages(Api.CHAT, body)] == [
        ("tools", Said.TOOLS, 0, '[{"name":"f"}]', ("tools",)),
        ("system", Said.SYSTEM, 0, "s", ("messages", 0, "content")),
        ("user", Said.PROSE, 1, "u", ("messages", 1, "content", 0, "text")),
        ("tool", Said.TOOL_CALL, 2, "f", (*called, "name")),
        (
            "tool",
            Said.TOOL_CALL,
            2,
            "{}",
            ("messages", 2, "tool_calls", 0, "function", "arguments"),
        ),
        ("tool", Said.TOOL_RESULT, 3, "r", ("messages", 3, "content")),
    ]


def test_the_entries_of_a_list_of_prompts_are_turns() -> None:
    found = passages(Api.COMPLETIONS, b'{"prompt":["a",[1,2],"b"]}')

    assert [(p.turn, p.text) for p in found] == [(0, "a"), (2, "b")]


@pytest.mark.parametrize("api", list(Api))
def test_what_is_no_body_of_the_api_cannot_be_read(api: Api) -> None:
    with pytest.raises(Unreadable):
        passages(api, b"{")
