import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.call import Api, Call, CallFault, Text, api_of, parse_call
from headrace.extensions.reasons import Reason
from headrace.extensions.shapes import ITEMS_MAX, TOKEN_IDS_MAX, is_deeper

CHAT = "/v1/chat/completions"
PATHS = (CHAT, "/v1/completions", "/v1/embeddings", "/v1/responses")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["model", "messages", "content", "role", "prompt", "input", "stream", "a"]
            )
            | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


def chat(**fields: object) -> bytes:
    return json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    ).encode()


@pytest.mark.parametrize(
    ("path", "api"),
    [
        ("/v1/chat/completions", Api.CHAT),
        ("/v1/completions", Api.COMPLETIONS),
        ("/v1/embeddings", Api.EMBEDDINGS),
        ("/v1/responses", Api.RESPONSES),
        ("/openai/v1/chat/completions?x=/v1/embeddings", Api.CHAT),
        ("/v1/chat/completions/", None),
        ("/v2/chat/completions", None),
        ("/v1/CHAT/completions", None),
        ("/v1/chat%2Fcompletions", None),
        ("/x?/v1/completions", None),
        ("", None),
    ],
)
def test_the_api_is_known_by_the_end_of_the_path(path: str, api: Api | None) -> None:
    assert api_of(path) is api


@pytest.mark.parametrize(
    ("path", "fields", "texts"),
    [
        (CHAT, {}, [("user", "hi")]),
        (
            CHAT,
            {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": None}]},
            [("system", "s")],
        ),
        (
            CHAT,
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "a"},
                            {"type": "image_url", "image_url": {"url": "data:..."}},
                            "b",
                        ],
                    },
                    {"role": "tool", "tool_call_id": "1", "content": "t"},
                ]
            },
            [("user", "a"), ("user", "b"), ("tool", "t")],
        ),
        (
            CHAT,
            {
                "tools": [{"type": "function", "function": {"name": "f"}}],
                "messages": [
                    {"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]}
                ],
            },
            [
                ("tools", '[{"type":"function","function":{"name":"f"}}]'),
                ("tool", "{}"),
            ],
        ),
        ("/v1/completions", {"prompt": "p", "suffix": "s"}, [("user", "p"), ("user", "s")]),
        ("/v1/completions", {"prompt": ["p", "q"]}, [("user", "p"), ("user", "q")]),
        ("/v1/completions", {"prompt": ""}, [("user", "")]),
        ("/v1/embeddings", {"input": "e"}, [("user", "e"), ("user", "hi")]),
        (
            "/v1/embeddings",
            {"input": ["e", "f"], "messages": None},
            [("user", "e"), ("user", "f")],
        ),
        ("/v1/responses", {"input": "r"}, [("user", "r")]),
        (
            "/v1/responses",
            {
                "instructions": "i",
                "input": [
                    {"role": "user", "content": [{"type": "input_text", "text": "r"}]},
                    {"type": "function_call", "arguments": '{"a":1}'},
                    {"type": "function_call_output", "output": "out"},
                    {"type": "input_text", "text": "bare"},
                ],
            },
            [
                ("system", "i"),
                ("user", "r"),
                ("tool", '{"a":1}'),
                ("tool", "out"),
                ("user", "bare"),
            ],
        ),
    ],
)
def test_texts_come_in_order_with_who_says_them(
    path: str, fields: dict[str, object], texts: list[tuple[str, str]]
) -> None:
    call = parse_call(path, "application/json", chat(**fields))

    assert isinstance(call, Call)
    assert call.model == "m"
    assert call.texts == tuple(Text(role, text) for role, text in texts)


@pytest.mark.parametrize(
    ("path", "fields", "tokens", "ids"),
    [
        (CHAT, {"messages": [{"content": "x" * 400}]}, 100, 0),
        (CHAT, {"messages": [{"content": "\N{SNOWMAN}" * 4}]}, 3, 0),
        (CHAT, {"messages": [{"content": ""}]}, 1, 0),
        ("/v1/completions", {"prompt": [1, 2, 3]}, 3, 3),
        ("/v1/completions", {"prompt": [[1, 2], [3]]}, 3, 3),
    ],
)
def test_prompt_tokens_are_estimated_by_bytes_and_counted_by_ids(
    path: str, fields: dict[str, object], tokens: int, ids: int
) -> None:
    call = parse_call(path, "", chat(**fields))

    assert isinstance(call, Call)
    assert (call.prompt_tokens, call.token_ids) == (tokens, ids)


@pytest.mark.parametrize(
    ("path", "fields", "stream", "max_tokens"),
    [
        (CHAT, {}, False, None),
        (CHAT, {"stream": True, "max_tokens": 7}, True, 7),
        (CHAT, {"stream": None, "max_tokens": None}, False, None),
        (CHAT, {"max_tokens": 7, "max_completion_tokens": 0}, False, 0),
        ("/v1/completions", {"prompt": "p", "max_tokens": 3}, False, 3),
        ("/v1/responses", {"input": "p", "max_output_tokens": 4, "stream": True}, True, 4),
    ],
)
def test_stream_and_bound_are_read(
    path: str, fields: dict[str, object], stream: bool, max_tokens: int | None
) -> None:
    call = parse_call(path, "", chat(**fields))

    assert isinstance(call, Call)
    assert (call.stream, call.max_tokens) == (stream, max_tokens)


BAD = Reason.INVALID_REQUEST
FAULTS: list[tuple[str, bytes, Reason, str | None]] = [
    ("/v1/other", chat(), Reason.UNKNOWN_PATH, None),
    (CHAT, b"", Reason.MALFORMED_JSON, None),
    (CHAT, b" \n", Reason.MALFORMED_JSON, None),
    (CHAT, b"{", Reason.MALFORMED_JSON, None),
    (CHAT, b"\xef\xbb\xbf" + chat(), Reason.MALFORMED_JSON, None),
    (CHAT, chat() + b"x", Reason.MALFORMED_JSON, None),
    (CHAT, chat() + chat(), Reason.MALFORMED_JSON, None),
    (
        CHAT,
        b'{"model":"m","messages":[{"content":"a"}],"temperature":NaN}',
        Reason.MALFORMED_JSON,
        None,
    ),
    (CHAT, b'{"model":"m","messages":[{"content":"\\ud800"}]}', Reason.MALFORMED_JSON, None),
    (CHAT, b'{"model":"m","messages":[{"content":"\xff"}]}', Reason.INVALID_UTF8, None),
    (CHAT, b'{"model":"m","unknown":"\xed\xa0\x80"}', Reason.INVALID_UTF8, None),
    (CHAT, b"[1]", BAD, None),
    (CHAT, b'"text"', BAD, None),
    (CHAT, b"null", BAD, None),
    (CHAT, b'{"messages":[]}', Reason.MISSING_MODEL, "model"),
    (CHAT, b'{"messages":5}', Reason.MISSING_MODEL, "model"),
    (CHAT, chat(model=5), Reason.INVALID_MODEL, "model"),
    (CHAT, chat(model=None), Reason.INVALID_MODEL, "model"),
    (CHAT, chat(model=""), Reason.INVALID_MODEL, "model"),
    (CHAT, chat(model=" m"), Reason.INVALID_MODEL, "model"),
    (CHAT, chat(model="m\r\nx-evil: 1"), Reason.INVALID_MODEL, "model"),
    (CHAT, chat(model="m" * 257), Reason.INVALID_MODEL, "model"),
    (CHAT, chat(model=5, messages=5), Reason.INVALID_MODEL, "model"),
    (CHAT, b'{"model":"a","messages":[{}],"model":"b"}', Reason.INVALID_MODEL, "model"),
    (CHAT, b'{"model":"a","messages":[{}],"\\u006dodel":"b"}', Reason.INVALID_MODEL, "model"),
    (CHAT, b'{"model":"a","messages":[{}],"messages":[{}]}', BAD, "messages"),
    (CHAT, b'{"model":"a","messages":[{}],"stream":true,"stream":false}', BAD, "stream"),
    (CHAT, b'{"model":"a"}', BAD, "messages"),
    (CHAT, chat(messages=[]), BAD, "messages"),
    (CHAT, chat(messages=None), BAD, "messages"),
    (CHAT, chat(messages="hi"), BAD, "messages"),
    (CHAT, chat(messages=["hi"]), BAD, "messages[0]"),
    (CHAT, chat(messages=[{"content": 5}]), BAD, "messages[0].content"),
    (CHAT, chat(messages=[{"content": [{"text": 5}]}]), BAD, "messages[0].content[0].text"),
    (CHAT, chat(messages=[{"role": 5}]), BAD, "messages[0].role"),
    (CHAT, chat(messages=[{"role": "user"}] * (ITEMS_MAX + 1)), BAD, "messages"),
    (CHAT, chat(stream="yes"), BAD, "stream"),
    (CHAT, chat(max_tokens=-1), BAD, "max_tokens"),
    (CHAT, chat(max_tokens=1.5), BAD, "max_tokens"),
    (CHAT, chat(max_tokens=True), BAD, "max_tokens"),
    ("/v1/completions", chat(), BAD, "prompt"),
    ("/v1/completions", chat(prompt=[]), BAD, "prompt"),
    ("/v1/completions", chat(prompt={"a": 1}), BAD, "prompt"),
    ("/v1/completions", chat(prompt=[1.5]), BAD, "prompt[0]"),
    ("/v1/completions", chat(prompt=[0] * (TOKEN_IDS_MAX + 1)), BAD, "prompt"),
    ("/v1/embeddings", b'{"model":"m"}', BAD, "input"),
    ("/v1/responses", b'{"model":"m"}', BAD, "input"),
    ("/v1/responses", chat(input=7), BAD, "input"),
    (CHAT, b'{"model":"m","x":' + b"[" * 65 + b"]" * 65 + b"}", Reason.JSON_TOO_DEEP, None),
    (CHAT, b"[" * 1_000_000, Reason.JSON_TOO_DEEP, None),
    (CHAT, b'{"a":' * 1_000_000, Reason.JSON_TOO_DEEP, None),
]


@pytest.mark.parametrize(
    ("path", "body", "reason", "param"),
    FAULTS,
    ids=[f"{i}-{fault[2].word}" for i, fault in enumerate(FAULTS)],
)
def test_a_bad_body_says_what_is_bad(
    path: str, body: bytes, reason: Reason, param: str | None
) -> None:
    fault = parse_call(path, "application/json", body)

    assert isinstance(fault, CallFault)
    assert (fault.reason, fault.param) == (reason, param)
    assert fault.message
    assert "\n" not in fault.message
    assert not fault.message.endswith(".")


@pytest.mark.parametrize(
    ("content_type", "accepted"),
    [
        ("", True),
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("Application/JSON", True),
        ("application/vnd.api+json", True),
        (" application/json ", True),
        ("text/plain", False),
        ("multipart/form-data; boundary=x", False),
        ("application/octet-stream", False),
        ("application/jsonp", False),
        ("image/svg+json", False),
    ],
)
def test_only_json_media_types_are_read(content_type: str, accepted: bool) -> None:
    call = parse_call(CHAT, content_type, chat())

    assert isinstance(call, Call) is accepted
    if isinstance(call, CallFault):
        assert call.reason is Reason.UNSUPPORTED_MEDIA_TYPE


def test_a_fault_names_the_model_if_that_much_could_be_read() -> None:
    fault = parse_call(CHAT, "", chat(model="chatbot", stream="yes"))

    assert isinstance(fault, CallFault)
    assert fault.model == "chatbot"


def test_text_that_speaks_of_models_is_no_doubled_key() -> None:
    said = '{"model":"x"} "model" "messages"'
    call = parse_call(CHAT, "", chat(messages=[{"content": said, "model": 1}], x={"model": []}))

    assert isinstance(call, Call)
    assert call.texts == (Text("user", said),)


def test_escapes_in_tools_do_not_hide_text() -> None:
    body = b'{"model":"m","messages":[{}],"tools":["\\u0062\\u006f\\u006d\\u0062"]}'
    call = parse_call(CHAT, "", body)

    assert isinstance(call, Call)
    assert call.texts == (Text("tools", '["bomb"]'),)


def test_the_bound_on_depth_counts_levels() -> None:
    deep = b'{"model":"m","messages":[{}],"x":' + b"[" * 63 + b"]" * 63 + b"}"

    assert isinstance(parse_call(CHAT, "", deep), Call)
    assert isinstance(parse_call(CHAT, "", deep, depth_max=63), CallFault)


@given(st.sampled_from(PATHS) | st.text(max_size=20), st.text(max_size=20), st.binary())
def test_no_bytes_raise(path: str, content_type: str, body: bytes) -> None:
    assert isinstance(parse_call(path, content_type, body), Call | CallFault)


@given(st.sampled_from(PATHS), JSON)
def test_no_json_raises(path: str, value: object) -> None:
    assert isinstance(parse_call(path, "", json.dumps(value).encode()), Call | CallFault)


@given(st.sampled_from(PATHS), st.dictionaries(st.text(max_size=6), JSON, max_size=4), st.text())
def test_unknown_fields_change_nothing(path: str, extra: dict[str, object], text: str) -> None:
    known: dict[str, Any] = {
        "model": "m",
        "messages": [{"content": text}],
        "prompt": text,
        "input": text,
    }
    body = json.dumps({**{f"x-{k}": v for k, v in extra.items()}, **known})
    plain = parse_call(path, "", json.dumps(known).encode())
    if "NaN" in body or "Infinity" in body or "\\ud" in body:
        return

    assert parse_call(path, "", body.encode()) == plain


def _depth(value: object) -> int:
    if isinstance(value, list):
        return 1 + max((_depth(v) for v in value), default=0)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, dict):
        return 1 + max((_depth(v) for v in value.values()), default=0)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return 0


@given(JSON, st.integers(0, 6))
def test_depth_is_what_a_recursive_count_says(value: object, depth_max: int) -> None:
    assert is_deeper(json.dumps(value).encode(), depth_max) is (_depth(value) > depth_max)


@given(st.text(alphabet='[]{}"\\ab', max_size=40), st.integers(0, 4))
def test_brackets_in_strings_are_no_depth(text: str, depth_max: int) -> None:
    body = json.dumps([text, [text]]).encode()

    assert is_deeper(body, depth_max) is (depth_max < 2)


def test_a_string_longer_than_a_block_stays_a_string() -> None:
    body = json.dumps(["[" * 200_000 + '"' * 70_000, [["{" * 100]]]).encode()

    assert not is_deeper(body, 3)
    assert is_deeper(body, 2)


@pytest.mark.parametrize("quotes", [0, 5000])
def test_a_field_that_is_given_twice_is_found_however_many_quotes_there_are(quotes: int) -> None:
    said = json.dumps({"messages": [{"role": "user", "content": 'say "' * quotes + "hi"}]})
    once = said[:-1] + ', "model": "m"}'
    twice = once[:-1] + ', "model": "n"}'

    assert isinstance(parse_call(CHAT, "", once.encode()), Call)
    fault = parse_call(CHAT, "", twice.encode())
    assert isinstance(fault, CallFault)
    assert fault.message == "`model` is given twice; give it once"


def test_a_charset_that_a_server_may_read_otherwise_is_refused() -> None:
    fault = parse_call(CHAT, "application/json; charset=utf-7", b'{"model":"m","messages":[]}')

    assert isinstance(fault, CallFault)
    assert fault.reason is Reason.UNSUPPORTED_MEDIA_TYPE
    assert fault.message == "charset `utf-7` is not understood; send UTF-8"
