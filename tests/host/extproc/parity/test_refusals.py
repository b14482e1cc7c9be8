"""What is answered by the host itself: one immediate response, and nothing after it."""

import json

import pytest

from headrace.dsl.cases import Given
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Reject
from headrace.host.exchange.local import head_of
from tests.host.extproc.parity.house import (
    POLICY,
    House,
    asked,
    body,
    chat,
    head,
    pods,
    refusal,
    sets,
)

BUSY = pods((9, 0.2), (9, 0.1))
IDLE = pods((0, 0.2), (0, 0.1))
DESTINATION = "x-gateway-destination-endpoint"
DROPPED = "x-llm-d-request-dropped-reason"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no healthy upstream", "malformed-json"),
        (b'{"prompt":"hello world"}', "missing-model"),
        (b'{"model":"my-model"}', "invalid-request"),
    ],
)
def test_a_body_that_cannot_be_read_is_answered_400(data: bytes, reason: str) -> None:
    (answer,) = House(IDLE).say([head({"content-type": "application/json"}), body(data)], 1)
    status, fields, text = refusal(answer)

    assert status == 400
    assert fields == {"content-type": "application/json", "x-headrace-reason": reason}
    assert set(json.loads(text)["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("name", ["x-llm-d-inference-objective", "x-gateway-inference-objective"])
def test_who_may_wait_is_turned_away_from_a_saturated_pool(name: str) -> None:
    (answer,) = House(BUSY).say(chat("my-model", **{name: "low"}), 1)
    status, fields, _ = refusal(answer)

    assert status == 429
    assert fields["retry-after"] == "3"
    assert fields["x-headrace-reason"] == "shed"
    assert fields[DROPPED] == "rejected-saturated"


@pytest.mark.parametrize("objective", ["", "high", "unheard-of"])
def test_nobody_else_is(objective: str) -> None:
    named = {"x-llm-d-inference-objective": objective} if objective else {}
    (first, _) = House(BUSY).say(chat("my-model", **named), 2)

    assert sets(first)[DESTINATION].startswith("192.168.1.2:8000")


ALL, ONE = "192.168.1.2:8000,192.168.1.1:8000", "192.168.1.1:8000"


@pytest.mark.parametrize(
    ("hint", "where"),
    [
        (None, ALL),
        (["192.168.1.1:8000", "192.168.1.2:8000", "192.168.1.9:8000"], ALL),
        (["192.168.1.1:8000"], ONE),
        (["192.168.1.1"], ONE),
        ("192.168.1.1:8000", ONE),
        ("192.168.1.1:8000, 192.168.1.2:8000", ALL),
        ([7, "192.168.1.1:8000"], ONE),
    ],
)
@pytest.mark.parametrize("beside_head", [True, False])
def test_a_hint_says_which_endpoints_may_be_taken(
    hint: object, where: str, beside_head: bool
) -> None:
    first = head({"hi": "mom"}, subset=hint if beside_head else None)
    second = body(asked("my-model"), subset=None if beside_head else hint)
    (answer, _) = House(IDLE).say([first, second], 2)

    assert sets(answer)[DESTINATION] == where


@pytest.mark.parametrize(
    "hint",
    [[], "", ["192.168.1.99:8000"], ["192.168.1.1:9000"], "10.0.0.1", [7], True, ["[::1", "::"]],
)
def test_a_hint_that_names_nobody_is_answered_503_and_never_passed_over(hint: object) -> None:
    (answer,) = House(IDLE).say([head({}, subset=hint), body(asked("my-model"), subset=hint)], 1)
    status, fields, _ = refusal(answer)

    assert status == 503
    assert fields["x-headrace-reason"] == "no-endpoints"
    assert fields[DROPPED] == "rejected-no-endpoints"
    assert fields["retry-after"] == "2"


@pytest.mark.parametrize(
    "hint",
    [["[fd00::1]:8000"], ["fd00::1"], "[fd00::1]", ["[FD00:0:0::1]:8000"], ["fd00:0::0:1"]],
)
def test_addresses_of_ipv6_are_known_in_every_spelling(hint: object) -> None:
    house = House({"[fd00::1]:8000": {}, "[fd00::2]:8000": {}})
    (answer, _) = house.say([head({}), body(asked("my-model"), subset=hint)], 2)

    assert sets(answer)[DESTINATION] == "[fd00::1]:8000"


STRICT = POLICY.replace("  score 2", "  require up\n  score 2").replace(
    "profile", "filter up = endpoint.ready\nprofile", 1
)
GONE = {"192.168.1.1:8000": {"ready": False}}


@pytest.mark.parametrize(("given", "policy"), [({}, POLICY), (GONE, STRICT)])
@pytest.mark.parametrize("end_of_stream", [True, False])
def test_a_pool_without_an_endpoint_that_may_be_taken_is_answered_503(
    given: dict[str, dict[str, Given]], policy: str, end_of_stream: bool
) -> None:
    sent = [head({"content-type": "application/json"}, end_of_stream)]
    if not end_of_stream:
        sent.append(body(asked("my-model")))
    (answer,) = House(given, policy).say(sent, 1)
    status, fields, _ = refusal(answer)

    assert (status, fields[DROPPED]) == (503, "rejected-no-endpoints")


@pytest.mark.parametrize(
    ("sent", "status", "text"),
    [
        (
            b"no healthy upstream",
            400,
            "BadRequest - error unmarshaling request bodyMap: the body is malformed JSON: ",
        ),
        (b'{"prompt":"hello world"}', 400, "BadRequest - model not found in request body"),
        (
            b'{"model":"my-model","messages":[]}',
            400,
            "BadRequest - invalid chat completions request: must have valid messages field",
        ),
        (
            b'{"model":"unheard-of","prompt":"x"}',
            404,
            "NotFound - unknown model `unheard-of`",
        ),
        (
            b'{"model":"my-model","prompt":"x"}',
            503,
            "ServiceUnavailable - failed to find endpoint candidates for serving the request",
        ),
    ],
)
def test_errors_can_look_as_the_references_do(sent: bytes, status: int, text: str) -> None:
    house = House({}, plain_errors=True)
    (answer,) = house.say([head({}), body(sent)], 1)
    code, fields, found = refusal(answer)

    assert code == status
    assert found.decode().startswith(f"inference error: {text}")
    assert fields["content-type"] == "text/plain"
    assert house.outcomes[0].status == status


def test_a_status_that_the_reference_has_no_code_for_becomes_one_that_it_has() -> None:
    path = head({":path": "/v1/completions", "content-type": "text/plain"})
    (answer,) = House({}, plain_errors=True).say([path, body(b"x")], 1)

    assert refusal(answer)[0] == 400
    assert refusal(answer)[2].startswith(b"inference error: BadRequest - content type")


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        (Reason.SHED, "rejected-saturated"),
        (Reason.QUEUE_FULL, "rejected-saturated"),
        (Reason.QUEUE_TIMEOUT, "rejected-ttl-expired"),
        (Reason.DRAINING, "rejected-shutting-down"),
        (Reason.NO_ENDPOINTS, "rejected-no-endpoints"),
        (Reason.UNKNOWN_MODEL, None),
        (Reason.STAGE_FAILED, None),
    ],
)
def test_who_is_turned_away_is_told_why_in_the_references_words(
    reason: Reason, word: str | None
) -> None:
    assert head_of(Reject(reason, "because")).get(DROPPED) == word
