"""What the arguments of a tool's call mean is judged, however a model spells it."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.guarding import OnMatch
from headrace.extensions.safety.contract import Hit, Kind, Trouble, Verdict
from headrace.extensions.safety.meaning import Meaning
from tests.extensions.safety.hostile import (
    BLOCKS,
    SECRET,
    SSE,
    answered,
    asked,
    blocks,
    called,
    delta,
)

DONE = b"data: [DONE]\n\n"
REDACTS = replace(BLOCKS, on_match=OnMatch.REDACT)
SPELLINGS = st.lists(st.booleans(), min_size=len(SECRET), max_size=len(SECRET))
CUTS = st.lists(st.integers(1, 9), min_size=1, max_size=6)
AROUND = st.text(alphabet='ab"\\\n \N{GRINNING FACE}', max_size=12)


def spelt(text: str, escaped: list[bool]) -> str:
    return "".join(
        f"\\u{ord(char):04x}" if is_escaped else char
        for char, is_escaped in zip(text, escaped, strict=True)
    )


def arguments(before: str, escaped: list[bool], after: str) -> str:
    """Return the source of an object whose only text has the secret in it."""
    return f'{{"a":"{json.dumps(before)[1:-1]}{spelt(SECRET, escaped)}{json.dumps(after)[1:-1]}"}}'


def pieces(source: str, sizes: list[int]) -> list[str]:
    found: list[str] = []
    while source:
        size = sizes[len(found) % len(sizes)]
        found.append(source[:size])
        source = source[size:]
    return found


def said(body: bytes) -> str:
    """Return the arguments in the events of *body*."""
    events = [json.loads(line[6:]) for line in body.split(b"\n") if line.startswith(b"data: {")]
    deltas = [event["choices"][0]["delta"] for event in events]
    return "".join(call["function"]["arguments"] for d in deltas for call in d["tool_calls"])


@settings(deadline=None)  # each example builds the stage
@given(AROUND, SPELLINGS, AROUND, CUTS)
def test_a_stream_is_blocked_before_a_character_that_means_it_is_delivered(
    before: str, escaped: list[bool], after: str, sizes: list[int]
) -> None:
    source = arguments(before, escaped, after)
    got = answered(b"".join(map(called, pieces(source, sizes))) + DONE, SSE)

    assert b"safety-blocked" in got.body
    assert not got.tells
    if not got.refused:
        body = got.body[: got.body.index(b'data: {"error"')]
        assert source[: source.index(spelt(SECRET, escaped))].startswith(said(body))


@settings(deadline=None)  # each example builds the stage
@given(AROUND, SPELLINGS, AROUND, CUTS)
def test_what_is_redacted_in_a_stream_leaves_json_that_means_all_the_rest(
    before: str, escaped: list[bool], after: str, sizes: list[int]
) -> None:
    source = arguments(before, escaped, after)
    events = b"".join(map(called, pieces(source, sizes)))
    got = answered(events + DONE, SSE, guard=REDACTS)

    assert json.loads(said(got.body)) == {"a": f"{before}[redacted]{after}"}


@settings(deadline=None)  # each example builds the stage
@given(AROUND, SPELLINGS, AROUND)
def test_what_is_redacted_in_a_whole_answer_leaves_json_that_means_all_the_rest(
    before: str, escaped: list[bool], after: str
) -> None:
    call = {"function": {"name": "f", "arguments": arguments(before, escaped, after)}}
    body = json.dumps({"choices": [{"index": 0, "message": {"tool_calls": [call]}}]}).encode()
    got = json.loads(answered(body, guard=REDACTS).body)

    (call,) = got["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"a": f"{before}[redacted]{after}"}


@pytest.mark.parametrize("on_match", [OnMatch.BLOCK, OnMatch.REDACT])
def test_a_prompt_is_judged_by_what_its_arguments_mean(on_match: OnMatch) -> None:
    call = {"function": {"name": "f", "arguments": arguments("", [True] * len(SECRET), "")}}
    messages = [{"role": "assistant", "content": None, "tool_calls": [call]}]
    body = json.dumps({"model": "m", "messages": messages}).encode()
    _, got = asked(replace(blocks("prompt"), on_match=on_match), body)

    if on_match is OnMatch.BLOCK:
        assert got.refused == 400
        return
    (message,) = json.loads(got.body)["messages"]
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"a": "[redacted]"}


def test_arguments_that_are_no_json_are_judged_as_they_are_written() -> None:
    guard = replace(BLOCKS, patterns=(r"C:\\temp",))

    assert answered(called("del C:\\temp") + DONE, SSE, guard=guard).refused == 400


def test_prose_is_judged_as_it_is_written() -> None:
    text = spelt(SECRET, [True] * len(SECRET))

    assert answered(delta(text) + DONE, SSE).body == delta(text) + DONE


def test_a_find_that_does_not_say_where_is_about_the_same_text() -> None:
    meaning = Meaning(["a", "\\u0062"], [True, True], beside=True)

    assert meaning.texts == ["a", "\\u0062", "b"]
    assert meaning.placed(Verdict((Hit("x", 2), Hit("y", 0)))) == Verdict(
        (Hit("x", 1), Hit("y", 0))
    )
    assert meaning.placed(Verdict((Hit("x", 2, 0, 1),))) == Verdict((Hit("x", 1, 0, 6),))


def test_trouble_stays_trouble() -> None:
    trouble = Trouble(Kind.TIMEOUT)

    assert Meaning(["\\n"], [True], beside=False).placed(trouble) is trouble
