import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.apis import Api
from headrace.extensions.texts.layout import is_object, steps_of
from headrace.extensions.texts.patch import patched
from headrace.extensions.texts.pieces import pieces
from headrace.extensions.texts.values import Unreadable
from tests.extensions.texts.samples import EVENTS, Heard, chunk, encoded

SAMPLES = [(api, event) for api, event, _ in EVENTS]


def heard(api: Api, data: bytes) -> list[Heard]:
    return [
        (p.channel.said.value, p.channel.choice, p.channel.item, p.channel.field, p.text, p.repeats)
        for p in pieces(api, data)
    ]


@pytest.mark.parametrize(("api", "event", "said"), EVENTS)
def test_every_event_says_what_it_adds_to_which_text(
    api: Api, event: object, said: list[Heard]
) -> None:
    assert heard(api, encoded(event)) == said


@pytest.mark.parametrize(("api", "event"), SAMPLES)
def test_a_piece_stands_where_its_path_leads(api: Api, event: object) -> None:
    data = encoded(event)
    for piece in pieces(api, data):
        value: Any = json.loads(data)
        for step in piece.path:
            value = value[step]

        assert value == piece.text or json.loads(piece.text) == value


@pytest.mark.parametrize(("api", "event"), SAMPLES)
def test_another_text_can_be_put_there(api: Api, event: object) -> None:
    data = encoded(event)
    for piece in pieces(api, data):
        after = patched(data, {piece.path: "other"})

        assert ("other", piece.channel) in [(p.text, p.channel) for p in pieces(api, after)]


@pytest.mark.parametrize("data", [b"", b"[DONE]"])
@pytest.mark.parametrize("api", list(Api))
def test_the_end_mark_says_nothing(api: Api, data: bytes) -> None:
    assert pieces(api, data) == ()


@pytest.mark.parametrize(
    ("api", "data"),
    [
        (Api.CHAT, b"{"),
        (Api.CHAT, b'{"choices":[{"delta":{"content":"\\ud800"}}]}'),
        (Api.CHAT, b"\xff"),
        (Api.TOKENS, b'{"choices":[{"index":0,"token_ids":[1]}]}'),
        (Api.EMBEDDINGS, b'{"data":[]}'),
        (Api.GRPC_GENERATE, b"\0\0\0\0\0"),
        (Api.CHAT, b'{"choices":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    ],
)
def test_what_nobody_can_read_is_unreadable(api: Api, data: bytes) -> None:
    with pytest.raises(Unreadable):
        pieces(api, data)


@pytest.mark.parametrize(
    ("api", "data", "field"),
    [
        (Api.CHAT, encoded(chunk({"speech": "hi"})), "speech"),
        (Api.CHAT, encoded(chunk({"speech": [{"deep": ["hi"]}]})), "speech"),
        (Api.RESPONSES, b'{"type":"response.gossip.delta","delta":"hi"}', "delta"),
        (Api.MESSAGES, b'{"type":"gossip","text":"hi"}', "text"),
    ],
)
def test_what_nothing_is_known_of_is_a_text_of_its_own(api: Api, data: bytes, field: str) -> None:
    (piece,) = pieces(api, data)
    value = msgspec.json.decode(data)
    for step in piece.path:
        value = value[step]

    assert (piece.text, value, piece.channel.field) == ("hi", "hi", field)


@pytest.mark.parametrize(
    "extra",
    [
        {"metadata": {"weight_version": "default"}},  # SGLang
        {"kv_transfer_params": {"remote_engine_id": "e1"}, "service_tier": "default"},  # vLLM
        {"nvext": {"worker_id": {"prefill_worker_id": "w1"}}},  # Dynamo
    ],
)
def test_what_servers_add_of_themselves_is_no_text(extra: dict[str, Any]) -> None:
    assert pieces(Api.CHAT, encoded({**chunk({"content": ""}), **extra})) == ()


# What only echoes the request, or is taken out by `copies`.
UNREAD = ("usage", "meta_info", "logprobs", "tools", "metadata", "text", "reasoning")
NAMES = ("content", "text", "delta", "thinking", "arguments", "speech", "refusal", "x")


def objects_in(value: Any) -> list[dict[str, Any]]:
    """Return the objects in *value* that are read."""
    inner = [below for name, below in steps_of(value) if name not in UNREAD]
    found = [found for below in inner for found in objects_in(below)]
    return [value, *found] if is_object(value) else found


@given(st.sampled_from(SAMPLES), st.sampled_from(NAMES), st.data())
def test_a_secret_under_any_name_is_read_or_makes_the_event_unreadable(
    sample: tuple[Api, Any], name: str, data: st.DataObject
) -> None:
    api, event = sample
    event = json.loads(json.dumps(event))
    place = data.draw(st.sampled_from(objects_in(event)))
    if name in place:
        return
    place[name] = "s3cret"
    try:
        read = pieces(api, encoded(event))
    except Unreadable:
        return

    assert any("s3cret" in piece.text for piece in read)
