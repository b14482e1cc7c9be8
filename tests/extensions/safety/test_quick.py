"""What is read in one go is what the reader of all events says."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.call import Api
from headrace.extensions.safety.quick import the_piece
from headrace.extensions.texts.pieces import pieces
from headrace.extensions.texts.values import Unreadable

FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(max_size=3),
        "usage": st.sampled_from([None, {"completion_tokens": 1}]),
        "system_fingerprint": st.none(),
        "strange": st.text(max_size=3),
        "error": st.text(max_size=3),
    },
)
DELTAS = st.fixed_dictionaries(
    {},
    optional={
        "content": st.one_of(st.none(), st.text(max_size=5)),
        "role": st.just("assistant"),
        "reasoning_content": st.text(max_size=5),
        "refusal": st.one_of(st.none(), st.text(max_size=5)),
        "strange": st.text(max_size=3),
    },
)
CHOICES = st.fixed_dictionaries(
    {"delta": DELTAS},
    optional={
        "index": st.integers(0, 2),
        "finish_reason": st.sampled_from([None, "stop"]),
        "logprobs": st.sampled_from([None, {"content": "tokens"}]),
    },
)


@given(FIELDS, st.lists(CHOICES, max_size=2))
def test_the_usual_event_has_one_piece_and_it_is_that_of_all_readers(
    fields: dict[str, object], choices: list[dict[str, object]]
) -> None:
    data = msgspec.json.encode({**fields, "choices": choices})
    usual = the_piece(Api.CHAT, data)

    if usual is not None:
        assert pieces(Api.CHAT, data) == (usual,)


@pytest.mark.parametrize("data", [b"", b"{", b"[DONE]", b"[]", b'{"choices":[]}'])
def test_of_anything_else_nothing_is_said(data: bytes) -> None:
    assert the_piece(Api.CHAT, data) is None


def test_the_usual_event_is_read() -> None:
    data = b'{"id":"c","choices":[{"index":1,"delta":{"content":"hi"},"finish_reason":null}]}'

    assert the_piece(Api.CHAT, data) is not None
    assert the_piece(Api.COMPLETIONS, data) is None
    with pytest.raises(Unreadable):
        pieces(Api.CHAT, b"{")
