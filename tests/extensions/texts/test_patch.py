import json
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.texts.patch import event_with, patched, spliced, with_model
from headrace.extensions.texts.values import Path, Unreadable

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=16,
)
SPACES = st.sampled_from(["", " ", "\n\t", " \r\n  "])


@st.composite
def spelt(draw: st.DrawFn, value: object) -> str:
    """Return *value* as JSON, with blanks and escapes anywhere that they may be."""

    def blank() -> str:
        return draw(SPACES)

    def write(value: Any) -> str:
        if isinstance(value, dict):
            pairs: list[tuple[Any, Any]] = list(value.items())  # pyright: ignore[reportUnknownArgumentType]
            fields = [f"{write(k)}{blank()}:{blank()}{write(v)}" for k, v in pairs]
            return "{" + blank() + f"{blank()},{blank()}".join(fields) + blank() + "}"
        if isinstance(value, list):
            items = [write(v) for v in cast(list[Any], value)]
            return "[" + blank() + f"{blank()},{blank()}".join(items) + blank() + "]"
        return json.dumps(value, ensure_ascii=draw(st.booleans()))

    return blank() + write(value) + blank()


def paths_in(value: Any, path: Path = ()) -> list[Path]:
    below: list[Path] = []
    if isinstance(value, dict):
        steps: list[Any] = list(value.items())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    else:
        steps = list(enumerate(value)) if isinstance(value, list) else []  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    for step, inner in steps:
        below += [(*path, step), *paths_in(inner, (*path, step))]
    return below


def put(value: Any, path: Path, text: str) -> None:
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = text


@given(st.data(), JSON, TEXT)
def test_the_value_at_a_path_is_replaced_and_no_other(
    data: st.DataObject, value: Any, text: str
) -> None:
    body = data.draw(spelt(value)).encode()
    paths = paths_in(value)
    if not paths:
        return
    path = data.draw(st.sampled_from(paths))
    put(value, path, text)

    assert json.loads(patched(body, {path: text})) == value


@given(st.data(), JSON, TEXT)
def test_only_the_bytes_of_the_value_change(data: st.DataObject, value: Any, text: str) -> None:
    body = data.draw(spelt(value)).encode()
    paths = paths_in(value)
    if not paths:
        return
    path = data.draw(st.sampled_from(paths))
    new = msgspec.json.encode(text)
    after = patched(body, {path: text})

    # There is one cut: what is before and behind it is the body's own.
    assert any(
        after[:at] == body[:at] and body.endswith(after[at + len(new) :])
        for at in range(len(after))
        if after.startswith(new, at)
    )


@given(st.data(), JSON)
def test_nothing_to_put_changes_nothing(data: st.DataObject, value: Any) -> None:
    body = data.draw(spelt(value)).encode()

    assert patched(body, {}) == body
    assert spliced(body, {}) == body


def test_many_values_are_replaced_at_once() -> None:
    body = b'{ "a" : [ "x", {"b": "y\\"]}"} ],\n "c": 1.50 , "d": "\\ud83d\\ude00" }'

    assert patched(body, {("d",): "é", ("a", 1, "b"): 'q"', ("a", 0): ""}) == (
        '{ "a" : [ "", {"b": "q\\""} ],\n "c": 1.50 , "d": "é" }'.encode()
    )


def test_of_a_doubled_name_the_one_that_a_decoder_takes_is_replaced() -> None:
    body = b'{"a":"first","a":"last","\\u0061":"latest"}'

    assert json.loads(body)["a"] == "latest"
    assert patched(body, {("a",): "new"}) == b'{"a":"first","a":"last","\\u0061":"new"}'


@pytest.mark.parametrize("path", [("b",), ("a", "b"), ("a", 1), (0,), ("a", 0, 0)])
def test_a_path_that_leads_nowhere_is_an_error(path: Path) -> None:
    with pytest.raises(Unreadable, match="no value at"):
        patched(b'{"a":["x"]}', {path: "y"})


@pytest.mark.parametrize("body", [b'{"a":{"b":', b'{"a":{"b":"x', b'{"a":['])
def test_a_body_that_ends_too_soon_is_an_error(body: bytes) -> None:
    with pytest.raises(Unreadable):
        patched(body, {("a", "b"): "y"})


def test_half_of_a_surrogate_pair_is_never_written() -> None:
    with pytest.raises(UnicodeEncodeError):
        patched(b'{"a":"x"}', {("a",): "\ud800"})


def test_the_shorter_of_two_paths_counts() -> None:
    assert spliced(b'{"a":{"b":1}}', {("a", "b"): b"2", ("a",): b"null"}) == b'{"a":null}'


def test_a_long_body_takes_linear_time() -> None:
    inner = "[" * 10_000 + "]" * 10_000
    body = ('{"deep":' + inner + ',"s":"' + '\\"' * 200_000 + '","model":"m"}').encode()

    assert patched(body, {("model",): "n"}) == body[:-4] + b'"n"}'


@given(st.dictionaries(TEXT, JSON, max_size=6), TEXT)
def test_with_model_changes_the_model_alone(fields: dict[str, object], model: str) -> None:
    body = json.dumps({**fields, "model": "old"}).encode()
    before = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    after = msgspec.json.decode(with_model(body, model), type=dict[str, msgspec.Raw])

    assert list(after) == list(before)
    assert msgspec.json.decode(after.pop("model")) == model
    before.pop("model")
    assert {k: bytes(v) for k, v in after.items()} == {k: bytes(v) for k, v in before.items()}


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (b'{"a": 1.50, "model": "old", "e": 1E5}', b'{"a": 1.50, "model": "new", "e": 1E5}'),
        (b'{"old": "x", "model" :"old"}', b'{"old": "x", "model" :"new"}'),
        (b'{"x":{"model":"old"},"model":"old"}', b'{"x":{"model":"old"},"model":"new"}'),
        (b'{"model":","}', b'{"model":"new"}'),
        (b'{"a":"b","model":",","c":"d"}', b'{"a":"b","model":"new","c":"d"}'),
        (b'{"model": "\\u006fld"}', b'{"model": "new"}'),
        (b' { "a": 1}', b' {"model":"new", "a": 1}'),
        (b"{ }", b'{"model":"new" }'),
    ],
)
def test_with_model_keeps_every_other_byte(body: bytes, after: bytes) -> None:
    assert with_model(body, "new") == after


def test_with_model_needs_an_object() -> None:
    with pytest.raises(Unreadable):
        with_model(b"[1]", "new")


@pytest.mark.parametrize(
    ("raw", "after"),
    [
        (b"data: old\n\n", b"data: new\n\n"),
        (b"event: x\r\nid: old\r\ndata:old\r\n\r\n", b"event: x\r\nid: old\r\ndata: new\r\n\r\n"),
        (b"data: o\ndata: ld\nretry: 1\n\n", b"data: new\nretry: 1\n\n"),
        (b"data: old", b"data: new\n"),
    ],
)
def test_an_event_keeps_its_other_lines(raw: bytes, after: bytes) -> None:
    assert event_with(raw, b"new") == after
