import json

import pytest

from headrace.extensions.observability import build
from headrace.extensions.observability.usage import usage_in
from headrace.extensions.records import Usage
from headrace.extensions.stage import (
    CONTINUE,
    Continue,
    ExchangeInfo,
    Filter,
    OnFailure,
    Outcome,
    ResponseEnd,
    ResponseEvent,
    ResponseNeed,
)
from tests.extensions.body_router.policies import program, request, site


def observer(reports: list[Outcome]) -> Filter:
    stage = build(program(), site(reports.append))
    return stage.open(ExchangeInfo("r-1", "default", request().headers, 0.0))


def event(data: bytes, stream: bool = True) -> ResponseEvent:
    return ResponseEvent(b"data: " + data + b"\n\n", data, stream)


CHAT_USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 4,
    "total_tokens": 13,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
RESPONSES_USAGE = {
    "input_tokens": 9,
    "output_tokens": 4,
    "input_tokens_details": {"cached_tokens": 8},
    "output_tokens_details": {"reasoning_tokens": 2},
}


@pytest.mark.parametrize(
    ("document", "usage"),
    [
        ({"choices": [], "usage": CHAT_USAGE}, Usage(9, 4, 8, 2)),
        ({"usage": RESPONSES_USAGE}, Usage(9, 4, 8, 2)),
        ({"type": "response.completed", "response": {"usage": RESPONSES_USAGE}}, Usage(9, 4, 8, 2)),
        ({"usage": {"prompt_tokens": 9, "total_tokens": 9}}, Usage(9, 0)),
        ({"usage": {"prompt_tokens": 9, "prompt_tokens_details": None}}, Usage(9, 0)),
        (
            {
                "candidates": [],
                "usageMetadata": {
                    "promptTokenCount": 9,
                    "candidatesTokenCount": 3,
                    "thoughtsTokenCount": 1,
                    "cachedContentTokenCount": 8,
                },
            },
            Usage(9, 4, 8, 1),
        ),
        ({"usage": None}, None),
        ({"usage": 5}, None),
        ({"choices": [{"text": '"usage"'}]}, None),
        ({}, None),
        ([], None),
    ],
)
def test_counts_are_read_where_servers_put_them(document: object, usage: Usage | None) -> None:
    assert usage_in(json.dumps(document).encode()) == usage


@pytest.mark.parametrize(
    "data", [b"", b'"usage"', b'{"usage":', b'{"usage":"\xff"}', b"[" * 9000 + b'"usage"']
)
def test_what_is_no_json_has_no_counts(data: bytes) -> None:
    assert usage_in(data) is None


def test_of_a_stream_the_last_counts_are_recorded() -> None:
    filter = observer([])
    for data in (
        b'{"choices":[{"delta":{"content":"a"}}],"usage":null}',
        b'{"usage":{"prompt_tokens":9,"completion_tokens":1}}',
        b'{"usage":{"prompt_tokens":9,"completion_tokens":2}}',
        b'{"usage":null}',
    ):
        assert filter.on_response_event(event(data), 0.0) is CONTINUE
    end = filter.on_response_end(ResponseEnd(b"", True), 0.0)

    assert end == Continue(records=(Usage(9, 2),))


def test_a_client_that_leaves_after_the_last_event_has_been_counted() -> None:
    filter = observer([])
    filter.on_response_event(event(b'{"usage":{"prompt_tokens":9,"completion_tokens":2}}'), 0.0)

    assert filter.on_response_event(event(b"[DONE]"), 0.0) == Continue(records=(Usage(9, 2),))
    assert filter.on_response_end(ResponseEnd(b"", True), 0.0) is CONTINUE


def test_of_a_whole_answer_the_body_is_read_once_at_the_end() -> None:
    filter = observer([])
    body = json.dumps({"usage": CHAT_USAGE}).encode()
    filter.on_response_event(event(body[:20], stream=False), 0.0)
    end = filter.on_response_end(ResponseEnd(body, False), 0.0)

    assert end == Continue(records=(Usage(9, 4, 8, 2),))


def test_without_counts_nothing_is_recorded() -> None:
    filter = observer([])

    assert filter.on_response_end(ResponseEnd(b"{}", False), 0.0) is CONTINUE
    assert filter.on_response_end(ResponseEnd(b"", True), 0.0) is CONTINUE


def test_every_exchange_is_reported_once_at_its_end() -> None:
    reports: list[Outcome] = []
    outcome = Outcome(request(), 0.0, 1.0, 200, "complete")
    observer(reports).on_end(outcome, 1.0)

    assert reports == [outcome]


def test_the_stage_observes_and_fails_open() -> None:
    stage = build(program(), site())

    assert stage.needs.response is ResponseNeed.OBSERVE
    assert not stage.needs.request_body
    assert stage.on_failure is OnFailure.OPEN
