"""Gemini's answers past a guard: whole, as a stream of events, and as a stream in a JSON list."""

import json
from dataclasses import replace
from typing import Any

import pytest

from headrace.dsl.guarding import OnMatch
from headrace.dsl.program import Guard
from headrace.extensions.headers import Headers
from headrace.host.exchange.part import Direction, Head
from tests.extensions.safety.hostile import (
    BLOCKS,
    JSON,
    SECRET,
    SSE,
    Got,
    Pairs,
    asked,
    blocks,
    event,
    received,
)

WHOLE = "/v1beta/models/m:generateContent"
STREAM = "/v1beta/models/m:streamGenerateContent"
REDACTS = replace(BLOCKS, on_match=OnMatch.REDACT)


def question(text: str) -> bytes:
    return json.dumps({"contents": [{"role": "user", "parts": [{"text": text}]}]}).encode()


def said(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "index": 0}]}


def answered(body: bytes, path: str, fields: Pairs, guard: Guard = BLOCKS, size: int = 7) -> Got:
    drive, _ = asked(guard, question("hi"), path)
    head = Head(Direction.RESPONSE, Headers(((":status", "200"), *fields)), False)
    outputs = drive.send(head)
    for at in range(0, len(body), size):
        outputs += drive.answer_chunk(body[at : at + size])
    return received(outputs + drive.answer_chunk(b"", end=True))


def test_a_prompt_is_blocked_in_the_form_of_google() -> None:
    _, got = asked(blocks("prompt"), question(f"say {SECRET}"), WHOLE)

    error = json.loads(got.body)["error"]
    assert (got.refused, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "part", [{"text": SECRET}, {"functionCall": {"name": "f", "args": {"a": [SECRET]}}}]
)
def test_a_whole_answer_is_blocked_by_its_text_and_its_calls(part: dict[str, Any]) -> None:
    got = answered(json.dumps(said(part)).encode(), WHOLE, JSON)

    assert got.refused
    assert not got.tells


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_a_word_cut_over_events_is_blocked_and_the_stream_ends_in_an_error(size: int) -> None:
    first = [said({"text": "well "})] * 99
    events = [*first, *(said({"text": letter}) for letter in SECRET)]
    got = answered(b"".join(map(event, events)), STREAM + "?alt=sse", SSE, size=size)

    data = [json.loads(one[6:]) for one in got.body.strip().split(b"\n\n")]
    texts = [one["candidates"][0]["content"]["parts"][0]["text"] for one in data[:-1]]
    assert "".join(texts).startswith("well well")
    assert SECRET[0] not in "".join(texts)
    assert set(data[-1]["error"]) == {"code", "message", "status", "details"}


def test_a_word_cut_over_parts_of_other_events_is_blocked() -> None:
    events = [
        said({"text": "x", "thought": True}, {"text": SECRET[:5]}),
        said({"text": SECRET[5:]}),
    ]
    got = answered(b"".join(map(event, events)), STREAM + "?alt=sse", SSE)

    assert b'"error"' in got.body
    assert SECRET[5:].encode() not in got.body


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_a_word_cut_over_events_is_redacted_and_all_else_stays(size: int) -> None:
    events = [said({"text": piece}) for piece in ("well ", SECRET[:3], SECRET[3:], " then")]
    usage = {"usageMetadata": {"promptTokenCount": 1}}
    body = b"".join(map(event, [*events, usage]))
    got = answered(body, STREAM + "?alt=sse", SSE, REDACTS, size)

    data = [json.loads(one[6:]) for one in got.body.strip().split(b"\n\n")]
    texts = [one["candidates"][0]["content"]["parts"][0]["text"] for one in data[:-1]]
    assert "".join(texts) == "well [redacted] then"
    assert data[-1] == usage


def test_a_stream_in_a_json_list_is_refused_under_a_guard() -> None:
    body = json.dumps([said({"text": SECRET[:5]}), said({"text": SECRET[5:]})]).encode()
    got = answered(body, STREAM, JSON)

    assert got.refused
    assert SECRET[5:].encode() not in got.body
