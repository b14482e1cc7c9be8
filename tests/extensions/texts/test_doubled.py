"""A name that stands twice in one object is seen, wherever it stands and however it is spelt."""

import json
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.apis import Api
from headrace.extensions.texts import answer, pieces
from headrace.extensions.texts.doubled import is_doubled
from headrace.extensions.texts.values import Unreadable

NAMES = st.sampled_from(["a", "b", 'q"', "\\", '\\"', "é", ""])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(-1, 1) | NAMES | st.text(max_size=3)


class Pairs(list[tuple[str, Any]]):
    """An object, each of whose names may come more than once."""


VALUES: Any = st.recursive(
    LEAVES,
    lambda below: (
        st.lists(below, max_size=3) | st.lists(st.tuples(NAMES, below), max_size=3).map(Pairs)
    ),
    max_leaves=8,
)


def written(value: Any, ascii_: bool) -> str:
    """Return *value* as JSON, with every name that it has."""
    if isinstance(value, Pairs):
        pairs = (f"{written(n, ascii_)} : {written(v, ascii_)}" for n, v in value)
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(written(v, ascii_) for v in cast("list[Any]", value)) + "]"
    return json.dumps(value, ensure_ascii=ascii_)


def has_double(value: Any) -> bool:
    if isinstance(value, Pairs):
        names = [name for name, _ in value]
        return len(set(names)) < len(names) or any(has_double(below) for _, below in value)
    return isinstance(value, list) and any(map(has_double, cast("list[Any]", value)))


@given(VALUES, st.booleans())
def test_it_is_seen_if_and_only_if_it_is_there(value: Any, ascii_: bool) -> None:
    data = written(value, ascii_).encode()

    assert is_doubled(data, msgspec.json.decode(data)) is has_double(value)


def test_a_name_that_is_spelt_by_escapes_is_the_same_name() -> None:
    data = rb'{"x": {"content": "bad", "\u0063ontent": "good"}}'

    assert is_doubled(data, msgspec.json.decode(data))


def test_an_answer_that_says_two_things_cannot_be_read() -> None:
    choice = b'{"message":{"content":"bad","content":"good"}}'

    with pytest.raises(Unreadable, match="stands twice"):
        answer.passages(Api.CHAT, b'{"choices":[%b]}' % choice)
    with pytest.raises(Unreadable, match="stands twice"):
        pieces.pieces(Api.CHAT, b'{"choices":[{"delta":{"content":"x","content":"y"}}]}')
