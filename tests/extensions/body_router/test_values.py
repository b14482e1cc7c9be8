import pytest

from headrace.dsl.program import RequestValues
from headrace.extensions.body_router.values import Facts, HeaderMap, facts
from headrace.extensions.headers import Headers
from headrace.extensions.stage import Request, Route
from tests.extensions.body_router.policies import CHAT, changed, request


def test_facts_are_what_expressions_may_know() -> None:
    routed = changed(
        request(path="/v1/chat/completions?x"), route=Route("m", "p", "t", "a", priority=3)
    )
    values: RequestValues = facts(routed, {"10.0.0.1:8000": 0.5})

    assert values.id == "r-1"
    assert (values.model, values.adapter, values.priority) == ("chatbot", "a", 3)
    assert (values.path, values.method) == ("/v1/chat/completions", "POST")
    assert (values.prompt_tokens, values.max_tokens, values.stream) == (1, 0, False)
    assert values.size == len(CHAT)
    assert values.prefix == {"10.0.0.1:8000": 0.5}


def test_a_request_without_call_and_route_has_the_rest() -> None:
    values = facts(Request("r", Headers(((":method", "GET"),))))

    assert values == Facts(id="r", method="GET", headers=values.headers)


def test_headers_are_a_mapping_to_first_values() -> None:
    headers = HeaderMap(Headers((("a", "1"), ("b", "2"), ("a", "3"))))

    assert dict(headers) == {"a": "1", "b": "2"}
    assert len(headers) == 2
    assert headers.get("c", "") == ""
    with pytest.raises(KeyError):
        headers["c"]
