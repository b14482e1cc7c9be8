import json

import pytest

from headrace.extensions.apis import Api
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Reject
from headrace.extensions.texts.errors import NOTHING, Begun, error_events, error_object

BLOCKED = Reject(Reason.SAFETY_BLOCKED, "blocked", param="messages")
OPENAI = {
    "error": {
        "message": "blocked",
        "type": "content_policy_violation",
        "param": "messages",
        "code": "safety-blocked",
    }
}
ANTHROPIC = {"type": "error", "error": {"type": "invalid_request_error", "message": "blocked"}}
GRPC = (Api.GRPC_GENERATE, Api.GRPC_EMBED)
OTHERS = (Api.MESSAGES, Api.COUNT_TOKENS, Api.PREDICT, Api.GEMINI, *GRPC)


@pytest.mark.parametrize("api", [None, *(api for api in Api if api not in OTHERS)])
def test_most_apis_tell_an_error_as_openai_does(api: Api | None) -> None:
    assert json.loads(error_object(api, BLOCKED)) == OPENAI


@pytest.mark.parametrize("api", [Api.MESSAGES, Api.COUNT_TOKENS])
def test_anthropic_has_a_form_of_its_own(api: Api) -> None:
    assert json.loads(error_object(api, BLOCKED)) == ANTHROPIC


@pytest.mark.parametrize(
    ("reject", "kind"),
    [
        (Reject(Reason.SHED, ""), "rate_limit_error"),
        (Reject(Reason.NO_ENDPOINTS, ""), "overloaded_error"),
        (Reject(Reason.STAGE_FAILED, ""), "api_error"),
        (Reject(Reason.UNKNOWN_MODEL, ""), "not_found_error"),
        (Reject(Reason.SAFETY_BLOCKED, "", status=403), "permission_error"),
    ],
)
def test_the_status_tells_anthropic_clients_what_it_is(reject: Reject, kind: str) -> None:
    assert json.loads(error_object(Api.MESSAGES, reject))["error"]["type"] == kind


def test_vertex_gets_a_status_of_google() -> None:
    assert json.loads(error_object(Api.PREDICT, BLOCKED)) == {
        "error": {
            "code": 400,
            "message": "blocked",
            "status": "INVALID_ARGUMENT",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "SAFETY_BLOCKED",
                    "domain": "headrace",
                }
            ],
        }
    }


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_status_of_google(reason: Reason) -> None:
    status = json.loads(error_object(Api.PREDICT, Reject(reason, "")))["error"]["status"]

    assert (status == "INTERNAL") is (reason.status == 500)


@pytest.mark.parametrize("api", GRPC)
def test_grpc_has_the_message_alone_and_nothing_in_a_stream(api: Api) -> None:
    assert error_object(api, BLOCKED) == b"blocked"
    assert error_events(api, BLOCKED) == b""


@pytest.mark.parametrize("api", [None, Api.CHAT, Api.COMPLETIONS, Api.GENERATE])
def test_a_stream_of_openai_ends_with_the_error_and_its_end_mark(api: Api | None) -> None:
    first, second, rest = error_events(api, BLOCKED).split(b"\n\n")

    assert json.loads(first.removeprefix(b"data: ")) == OPENAI
    assert (second, rest) == (b"data: [DONE]", b"")


def events_of(api: Api, begun: Begun = NOTHING) -> list[tuple[str, dict[str, object]]]:
    told = error_events(api, BLOCKED, begun).removesuffix(b"\n\n").split(b"\n\n")
    split = [event.split(b"\ndata: ") for event in told]
    return [(name.removeprefix(b"event: ").decode(), json.loads(data)) for name, data in split]


def test_a_stream_of_anthropic_ends_with_an_error_event() -> None:
    assert events_of(Api.MESSAGES) == [("error", ANTHROPIC)]


def test_a_stream_of_responses_ends_with_a_failed_response() -> None:
    (first, error), (second, failed) = events_of(Api.RESPONSES)

    assert (first, second) == ("error", "response.failed") == (error["type"], failed["type"])
    assert (error["message"], error["code"]) == ("blocked", "safety-blocked")
    assert failed["response"] == {
        "object": "response",
        "status": "failed",
        "error": {"code": "safety-blocked", "message": "blocked"},
        "output": [],
    }


def test_a_stream_of_responses_ends_the_response_that_it_began() -> None:
    begun = Begun(
        b'{"type":"response.created","sequence_number":0,'
        b'"response":{"id":"resp_1","model":"m","status":"in_progress","created_at":7}}',
        b'{"type":"response.output_text.delta","sequence_number":41,"delta":"a"}',
    )
    (_, error), (_, failed) = events_of(Api.RESPONSES, begun)

    assert (error["sequence_number"], failed["sequence_number"]) == (42, 43)
    response = failed["response"]
    assert isinstance(response, dict)
    assert [response[k] for k in ("id", "model", "created_at")] == ["resp_1", "m", 7]
    assert response["status"] == "failed"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"response":1,"sequence_number":"x"}'])
def test_a_stream_that_cannot_be_read_ends_all_the_same(data: bytes) -> None:
    (_, error), (_, failed) = events_of(Api.RESPONSES, Begun(data, data))
    assert (error["sequence_number"], failed["sequence_number"]) == (0, 1)


@pytest.mark.parametrize("api", [Api.PREDICT, Api.GEMINI])
def test_a_stream_of_google_ends_with_the_error(api: Api) -> None:
    told = error_events(api, BLOCKED)

    assert json.loads(told.removeprefix(b"data: ")) == json.loads(error_object(api, BLOCKED))
    assert b"[DONE]" not in told
