import pytest

from headrace.extensions.texts.copies import without_copies
from headrace.extensions.texts.values import Unreadable


@pytest.mark.parametrize(
    ("data", "after"),
    [
        (b'{"a": 1}', b'{"a": 1}'),
        (
            b'{"choices":[{"text":"hi", "logprobs":null}]}',
            b'{"choices":[{"text":"hi", "logprobs":null}]}',
        ),
        (
            b'{"choices":[{"text":"hi", "logprobs":{"tokens":["hi"],"top_logprobs":[{"hi":0}]}}]}',
            b'{"choices":[{"text":"hi", "logprobs":null}]}',
        ),
        (
            b'{"text":"hi","output_ids":[1],"meta_info":{"output_token_logprobs":[[0,1,"hi"]]}}',
            b'{"text":"hi","output_ids":null,"meta_info":{"output_token_logprobs":null}}',
        ),
        (b'{"\\u006cogprob\\u0073":["hi"]}', b'{"\\u006cogprob\\u0073":null}'),
        (b'{"logprobs":1,"logprobs":["hi"]}', b'{"logprobs":1,"logprobs":null}'),
        (b'{"content":"logprobs"}', b'{"content":"logprobs"}'),
    ],
)
def test_what_repeats_the_text_is_taken_out_and_the_rest_stays(data: bytes, after: bytes) -> None:
    assert without_copies(data) == after


def test_what_is_no_json_and_may_have_copies_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        without_copies(b'{"logprobs":')
