import json
from typing import Any

import pytest

from headrace.extensions.apis import Api
from headrace.extensions.texts.answer import passages
from headrace.extensions.texts.patch import patched
from headrace.extensions.texts.values import Unreadable
from tests.extensions.texts.samples import ANSWERS, encoded

SAMPLES = [(api, answer) for api, answer, _ in ANSWERS]


@pytest.mark.parametrize(("api", "answer", "said"), ANSWERS)
def test_every_answer_says_what_it_says(
    api: Api, answer: object, said: list[tuple[str, int, str]]
) -> None:
    found = passages(api, encoded(answer))

    assert [(p.said.value, p.turn, p.text) for p in found] == said


@pytest.mark.parametrize(("api", "answer"), SAMPLES)
def test_a_whole_passage_can_be_replaced(api: Api, answer: object) -> None:
    body = encoded(answer)
    for passage in passages(api, body):
        value: Any = json.loads(body)
        for step in passage.path:
            value = value[step]

        assert (value == passage.text) is passage.whole
        assert passage.whole or json.loads(passage.text) == value
        replaced = passages(api, patched(body, {passage.path: "other"}))
        assert ("other", passage.path) in [(p.text, p.path) for p in replaced]


@pytest.mark.parametrize("api", list(Api))
def test_what_is_no_json_cannot_be_read(api: Api) -> None:
    if api is Api.GRPC_EMBED:
        assert passages(api, b"\0") == ()
        return
    with pytest.raises(Unreadable):
        passages(api, b"<html>Bad Gateway</html>")


@pytest.mark.parametrize(
    "body", [b'{"choices":[{"index":0,"token_ids":[7]}]}', b'{"choices":[{"token_ids":{"a":1}}]}']
)
def test_token_ids_instead_of_text_cannot_be_read(body: bytes) -> None:
    with pytest.raises(Unreadable, match="token ids"):
        passages(Api.TOKENS, body)


def test_no_token_ids_say_nothing() -> None:
    assert passages(Api.TOKENS, b'{"choices":[{"index":0,"token_ids":[]}]}') == ()


def test_text_of_a_shape_that_nobody_expects_is_read_as_json() -> None:
    found = passages(Api.CHAT, b'{"choices":{"message":"hi"}}')

    assert [(p.text, p.whole) for p in found] == [('{"message":"hi"}', False)]


def test_a_stream_of_gemini_as_a_json_list_is_refused_as_its_words_may_be_cut() -> None:
    with pytest.raises(Unreadable, match="alt=sse"):
        passages(Api.GEMINI, b'[{"candidates":[]}]')
