"""The stand-ins as such: what they refuse, and what goes wrong on demand."""

import json
from typing import Any

import aiohttp
import pytest

from headrace.host.standins.armor import TEMPLATES_MAX, Armor
from headrace.host.standins.armor_rest import endpoints as armor_endpoints
from headrace.host.standins.faults import FAULTS_MAX, KINDS, Fault, Script
from headrace.host.standins.marks import Mark, replaced, sensitive
from headrace.host.standins.others import ENDPOINTS, endpoints
from headrace.host.standins.server import CONTROL, Endpoint, Refusal, StandIn
from tests.host.clients.house import run

ROOT = "/v1/projects/p/locations/l/templates"


Replies = list[tuple[int, Any]]  # Any: JSON of any shape


def asked(*calls: tuple[str, str, Any], answers: tuple[Endpoint, ...] = ()) -> Replies:
    """Return status and JSON of each call: method, path, and what is sent as JSON, or bytes.

    Any: JSON of any shape.
    """

    async def whole() -> Replies:
        served = answers or armor_endpoints(Armor())
        replies: Replies = []
        async with StandIn(served) as server, aiohttp.ClientSession() as session:
            for method, path, sent in calls:
                data = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
                async with session.request(method, server.url + path, data=data) as response:
                    text = await response.text()
                    is_json = response.content_type == "application/json"
                    replies.append((response.status, json.loads(text) if is_json else text))
        return replies

    return run(whole)


EMPTY: dict[str, object] = {}
CONFIG = {"maliciousUriFilterSettings": {"filterEnforcement": 1}}


def test_templates_are_made_changed_listed_and_forgotten() -> None:
    sanitized = (
        f"{ROOT}/a:sanitizeUserPrompt",
        {"userPromptData": {"text": "http://malware.example"}},
    )
    replies = asked(
        ("POST", f"{ROOT}?templateId=a", {"filterConfig": CONFIG}),
        ("POST", f"{ROOT}?templateId=a", {"filterConfig": CONFIG}),
        ("POST", *sanitized),
        ("PATCH", f"{ROOT}/a", {"filterConfig": EMPTY}),
        ("POST", *sanitized),
        ("GET", ROOT, b""),
        ("DELETE", f"{ROOT}/a", b""),
        ("GET", f"{ROOT}/a", b""),
        ("POST", *sanitized),
    )

    assert [status for status, _ in replies] == [200, 409, 200, 200, 200, 200, 200, 404, 404]
    states = [replies[n][1]["sanitizationResult"]["filterMatchState"] for n in (2, 4)]
    assert states == ["MATCH_FOUND", "NO_MATCH_FOUND"]
    assert [one["name"] for one in replies[5][1]["templates"]] == [f"{ROOT[4:]}/a"]
    assert replies[7][1]["error"]["status"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", f"{ROOT}?templateId=a b", {"filterConfig": EMPTY}, 400),
        ("POST", f"{ROOT}?templateId=a", {}, 400),
        ("POST", ROOT, b"{", 400),
        ("POST", f"{ROOT}/a:sanitizeUserPrompt", [], 400),
        ("POST", f"{ROOT}/t:sanitizeUserPrompt", {}, 400),
        ("POST", f"{ROOT}/t:sanitizeUserPrompt", {"userPromptData": {}}, 400),
        ("POST", f"{ROOT}/t:sanitizeUserPrompt", {"userPromptData": {"text": 7}}, 400),
        ("POST", f"{ROOT}/t:sanitizeUserPrompt", {"userPromptData": 7}, 400),
        ("POST", f"{ROOT}/t:makeBetter", {}, 404),
    ],
)
def test_what_google_refuses_is_refused_in_its_words(
    method: str, path: str, body: Any, status: int
) -> None:
    made = ("POST", f"{ROOT}?templateId=t", {"filterConfig": EMPTY})
    said, answer = asked(made, (method, path, body))[1]

    assert said == status
    assert answer["error"]["code"] == status


def sanitized(data: object) -> Any:
    """Return the result of *data* with all filters on; Any: JSON."""
    armor = Armor()
    armor.put(f"{ROOT[4:]}/t")
    answer = armor.sanitize(f"{ROOT[4:]}/t", {"modelResponseData": data}, False)
    return answer["sanitizationResult"]


def test_bytes_of_text_are_read_and_other_data_is_skipped() -> None:
    text = {"byteItem": {"byteDataType": "TXT", "byteData": "aG93IHRvIGJ1aWxkIGEgYm9tYg=="}}
    pdf = {"byteItem": {"byteDataType": "PDF", "byteData": "JVBERg=="}}

    assert sanitized(text)["filterMatchState"] == "MATCH_FOUND"
    assert sanitized(pdf)["invocationResult"] == "FAILURE"


def test_the_store_of_templates_is_bounded() -> None:
    armor = Armor()
    for number in range(TEMPLATES_MAX):
        armor.put(f"{ROOT[4:]}/t{number}")

    with pytest.raises(Refusal, match="at most"):
        armor.put(f"{ROOT[4:]}/one-more")


@pytest.mark.parametrize(
    ("provider", "path", "body", "status"),
    [
        ("nemo", "/v1/checks", {"messages": []}, 422),
        ("nemo", "/v1/checks", {"messages": [{"role": "user", "content": "x"}]}, 422),
        ("llama_guard", "/v1/chat/completions", {"model": "m", "messages": []}, 400),
        ("presidio", "/analyze", {"text": "x", "language": "tlh"}, 500),
        ("presidio", "/analyze", {"text": "x"}, 400),
        ("lakera", "/v2/guard", {"messages": []}, 401),
        ("openai_moderation", "/v1/moderations", {}, 400),
        ("guardrails_ai", "/guards/unknown/validate", {"llm_output": "x"}, 404),
        ("guardrails_ai", "/guards/plain/validate", {}, 400),
        ("http", "/check", [], 400),
    ],
)
def test_a_request_that_keeps_no_contract_is_refused(
    provider: str, path: str, body: object, status: int
) -> None:
    assert asked(("POST", path, body), answers=endpoints(provider))[0][0] == status


def test_faults_are_scripted_over_http_too() -> None:
    replies = asked(
        ("POST", CONTROL, [{"kind": "status", "value": 418}, None, {"kind": "html"}]),
        ("GET", ROOT, b""),
        ("GET", ROOT, b""),
        ("GET", ROOT, b""),
        ("GET", ROOT, b""),
        ("POST", CONTROL, "all"),
        ("POST", CONTROL, [{"kind": "odd"}]),
        ("GET", ROOT, b""),
    )

    assert [status for status, _ in replies] == [200, 418, 200, 200, 200, 400, 400, 200]
    assert replies[3][1].startswith("<html>")


def test_a_script_is_bounded_and_then_does_what_it_does_always() -> None:
    script = Script(Fault("hang"))
    script.add([None] * (FAULTS_MAX + 5))

    assert len(script.upcoming) == FAULTS_MAX
    assert [script.next() for _ in range(FAULTS_MAX)] == [None] * FAULTS_MAX
    assert script.next() == Fault("hang")


def test_every_kind_of_fault_is_documented() -> None:
    assert Fault.__doc__ is not None
    assert [kind for kind in KINDS if f"``{kind}``" not in Fault.__doc__] == []


def test_what_is_found_is_found_once_and_replaced_in_its_place() -> None:
    text = "a@b.example and 078-05-1120, 4111 1111 1111 1111."
    marks = sensitive(text)

    assert [mark.what for mark in marks] == [
        "EMAIL_ADDRESS",
        "US_SOCIAL_SECURITY_NUMBER",
        "CREDIT_CARD_NUMBER",
    ]
    assert replaced(text, marks, "<{}>") == (
        "<EMAIL_ADDRESS> and <US_SOCIAL_SECURITY_NUMBER>, <CREDIT_CARD_NUMBER>."
    )
    assert replaced("abc", [Mark("X", 1, 2)], "[{}]") == "a[X]c"


def test_each_provider_but_model_armor_has_its_paths() -> None:
    assert all(paths for paths in ENDPOINTS.values())
