import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, structs

from headrace.dsl.providers import SCHEMAS
from headrace.dsl.values import RuleFault
from headrace.extensions.safety.breaker import Breaker
from headrace.extensions.safety.contract import (
    Hit,
    HttpReply,
    Judged,
    Kind,
    Secret,
    Trouble,
    Verdict,
)
from headrace.extensions.safety.providers import PROVIDERS, ProviderFault, remote
from headrace.extensions.safety.providers.asking import (
    combined,
    read,
    refused,
    retry_after_s,
    word,
)
from tests.extensions.safety.providers.talk import guard, ok, prompt, response, talked

TEMPLATE = "projects/p/locations/l/templates/t"
LEAST: dict[str, dict[str, Any]] = {
    "model_armor": {"template": TEMPLATE},
    "nemo": {"config": "c"},
    "llama_guard": {},
    "presidio": {},
    "lakera": {},
    "openai_moderation": {},
    "guardrails_ai": {"guard": "n"},
    "http": {},
}


def flagged(answer: Any) -> object:
    """Return what a rule `answer.flagged` reads; Any: JSON of any shape."""
    try:
        return answer["flagged"]
    except (LookupError, TypeError):
        return RuleFault("missing")


MATCH = {"match": flagged}


class Flagged(Struct):
    flagged: bool


def made(name: str, **other: Any) -> Any:
    """Return the guard with the least settings of a provider; Any: see `guard`."""
    return guard(name, rules=MATCH if name == "http" else None, **LEAST[name], **other)


def test_all_providers_of_the_language_are_asked_here() -> None:
    assert LEAST.keys() == PROVIDERS.keys() == SCHEMAS.keys()


@pytest.mark.parametrize("name", LEAST)
def test_a_provider_can_do_what_the_language_says(name: str) -> None:
    schema = SCHEMAS[name]
    rules = dict.fromkeys(schema.readings, flagged)
    reach = remote(guard(name, rules=rules, **LEAST[name])).reach

    assert reach.chars_max == schema.chars_max
    assert reach.locates == (schema.locates or schema.rewrites)
    assert {direction.value for direction in reach.directions} == schema.directions


@pytest.mark.parametrize("name", LEAST)
def test_without_texts_nobody_is_asked(name: str) -> None:
    assert talked(made(name), prompt()) == (Verdict(), [])


@pytest.mark.parametrize("name", LEAST)
def test_a_provider_has_its_name_and_its_reach(name: str) -> None:
    provider = remote(made(name))

    assert provider.name == name
    assert 0 < provider.reach.chars_max <= 1 << 20
    assert 0 < provider.reach.texts_max <= 256
    assert not provider.reach.local


@pytest.mark.parametrize("name", LEAST)
def test_a_call_has_the_guards_limits_and_secrets_by_name_only(name: str) -> None:
    of = made(name, secrets={"authorization": "KEY", "x-more": "MORE"})
    _, sent = talked(of, prompt("a planted text"), Trouble(Kind.TIMEOUT))
    call: Any = sent[0]

    assert (call.guard, call.timeout_s, call.at_once) == ("g", 0.5, 7)
    assert [secret.variable for secret in call.secrets] == ["KEY", "MORE"]
    assert call.secrets[1].prefix == ""
    assert not call.google
    assert "planted" not in repr(call)


@pytest.mark.parametrize("name", [name for name in LEAST if name not in ("presidio", "http")])
def test_an_authorization_header_is_a_bearers(name: str) -> None:
    _, sent = talked(made(name, secrets={"Authorization": "K"}), prompt("x"), Trouble(Kind.OPEN))
    call: Any = sent[0]

    assert call.secrets[0].prefix == "Bearer "


def test_headers_and_prefixes_are_what_the_policy_says() -> None:
    of = made("http", secrets={"Authorization": "A", "X-Key": "B"})
    ask = structs.replace(of.ask, headers={"X-Team": "t"}, prefixes={"x-key": "Key "})
    call: Any = talked(replace(of, ask=ask), prompt("x"), Trouble(Kind.OPEN))[1][0]

    assert ("x-team", "t") in call.headers
    assert call.secrets == (Secret("authorization", "A"), Secret("x-key", "B", "Key "))


@pytest.mark.parametrize("name", LEAST)
def test_no_reply_is_the_trouble_it_is(name: str) -> None:
    trouble = Trouble(Kind.BUSY, "too many")

    assert talked(made(name), prompt("x"), trouble)[0] == trouble


@pytest.mark.parametrize("name", LEAST)
@given(body=st.binary(max_size=64) | st.sampled_from([b"null", b"[]", b"{}", b"[" * 5000, b"0"]))
def test_any_bytes_as_an_answer_are_a_verdict_or_trouble(name: str, body: bytes) -> None:
    said, _ = talked(made(name, url="http://h"), prompt("x"), ok(body))

    assert isinstance(said, Verdict | Trouble)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["flagged", "results", "status", "choices", "message", "content", "error", "payload",
             "sanitizationResult", "filterMatchState", "filterResults", "categories", "start",
             "end", "entity_type", "validation_passed", "breakdown", "x"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize("name", LEAST)
@given(value=json_values)
def test_any_json_as_an_answer_is_a_verdict_or_trouble(name: str, value: object) -> None:
    said, _ = talked(made(name), prompt("x"), ok(value))

    assert isinstance(said, Verdict | Trouble)


@pytest.mark.parametrize(
    ("reply", "kind", "detail"),
    [
        (ok(b"<html>"), Kind.ERROR, "the answer is no JSON (HTML, 6 bytes)"),
        (ok(b'{"flagg'), Kind.ERROR, "the answer is no JSON (cut off, 7 bytes)"),
        (ok(b""), Kind.ERROR, "the answer is no JSON (empty, 0 bytes)"),
        (ok(b"oops"), Kind.ERROR, "the answer is no JSON (something else, 4 bytes)"),
        (
            ok({"flagged": "yes"}),
            Kind.ERROR,
            "not the answer of such a provider: Expected `bool`, got `str` - at `$.flagged`",
        ),
        (
            ok({"error": {"code": 500, "message": "planted", "status": "INTERNAL"}}),
            Kind.ERROR,
            "status 200 with an error inside: INTERNAL",
        ),
        (
            ok({"error": {"status": "RESOURCE_EXHAUSTED"}}),
            Kind.QUOTA,
            "status 200 with an error inside: RESOURCE_EXHAUSTED",
        ),
        (ok({"error": {"type": None}}), Kind.ERROR, "status 200 with an error inside: error"),
        (HttpReply(500, {}, b"planted"), Kind.ERROR, "status 500"),
        (HttpReply(204, {}, b""), Kind.ERROR, "status 204"),
        (
            HttpReply(400, {}, b'{"error": {"type": "invalid_request"}}'),
            Kind.DECLINED,
            "status 400 invalid_request",
        ),
        (
            HttpReply(403, {}, b'{"error": {"status": "PERMISSION_DENIED"}}'),
            Kind.ERROR,
            "status 403 PERMISSION_DENIED: are the credentials right, and may they do this?",
        ),
        (HttpReply(422, {}, b'{"detail": "planted"}'), Kind.DECLINED, "status 422"),
        (HttpReply(429, {"retry-after": "3"}, b""), Kind.QUOTA, "status 429"),
    ],
)
def test_what_is_no_answer_says_why_and_nothing_of_its_text(
    reply: HttpReply, kind: Kind, detail: str
) -> None:
    said = read(reply, Flagged)

    assert isinstance(said, Trouble)
    assert (said.kind, said.detail) == (kind, detail)


def test_a_text_that_is_declined_does_not_open_the_breaker_for_the_others() -> None:
    breaker = Breaker(2, 10.0)
    for _ in range(10):
        breaker.failed(refused(HttpReply(400, {}, b"")), 0.0)

    assert breaker.allows(0.0)

    for _ in range(2):
        breaker.failed(refused(HttpReply(500, {}, b"")), 0.0)

    assert not breaker.allows(0.0)


def test_an_error_that_is_null_is_none() -> None:
    assert read(ok({"flagged": True, "error": None}), Flagged) == Flagged(True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "99999999999999"}, 3600.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, None),
        (
            {
                "retry-after": "Fri, 31 Dec 1999 23:59:59 GMT",
                "date": "Fri, 31 Dec 1999 23:59:29 GMT",
            },
            30.0,
        ),
        (
            {
                "retry-after": "Fri, 31 Dec 1999 23:59:29 GMT",
                "date": "Fri, 31 Dec 1999 23:59:59 GMT",
            },
            0.0,
        ),
        (
            {
                "retry-after": "Fri, 31 Dec 1999 23:59:29 -0000",
                "date": "Fri, 31 Dec 1999 23:59:59 GMT",
            },
            None,
        ),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


HIT = Verdict((Hit("a", 0),), {0: "x"}, "", "code", "message")
SHORT = Verdict((), {}, "cut")
DOWN = Trouble(Kind.TIMEOUT, "late")


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([HIT], HIT),
        ([DOWN], DOWN),
        ([Verdict(), Verdict()], Verdict()),
        ([Verdict(), DOWN], DOWN),
        ([DOWN, HIT], Verdict((Hit("a", 0),), {0: "x"}, "late", "code", "message")),
        ([SHORT, HIT], Verdict((Hit("a", 0),), {0: "x"}, "cut", "code", "message")),
        (
            [HIT, Verdict((Hit("b", 1),), {1: "y"})],
            Verdict((Hit("a", 0), Hit("b", 1)), {0: "x", 1: "y"}, "", "code", "message"),
        ),
    ],
)
def test_verdicts_on_parts_are_one_on_all(parts: list[Judged], whole: Judged) -> None:
    assert combined(parts) == whole


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("pii/email", "pii/email"),
        ("a" * 99, "a" * 64),
        ("a\nb", "a"),
        ("\u00e9", "unnamed"),
        ("", "unnamed"),
    ],
)
def test_a_providers_word_is_cut_to_what_may_be_logged(text: str, plain: str) -> None:
    assert word(text) == plain


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (guard("nobody"), "unknown provider `nobody`; known: model_armor, nemo, "),
        (guard("nemo", "", config="c"), "where is its `nemo`? write the URL"),
        (guard("nemo"), "`config` is missing"),
        (guard("guardrails_ai"), "`guard` is missing"),
        (guard("model_armor"), "`template` is missing"),
        (guard("model_armor", template="chat"), "`chat` is no template, write `projects/"),
        (guard("model_armor", template=TEMPLATE, response_template="x"), "`x` is no template"),
        (
            guard("model_armor", template=TEMPLATE, transport="soap"),
            "`transport` is `rest` or `grpc`, not `soap`",
        ),
        (guard("openai_moderation", above="much"), "`above` is a number, not `much`"),
        (guard("http"), "add `match when ...`"),
        (guard("http", rules=MATCH, method="GET"), "`method` is `POST` or `PUT`, not `GET`"),
        (guard("http", rules=MATCH, body='{"a": 1}'), "`body` needs one of `{text}`"),
        (guard("http", rules=MATCH, body="[{text}, {texts}]"), "`body` needs one of `{text}`"),
        (guard("http", rules=MATCH, body='{"a": "{text}"}'), "`body` is no JSON"),
    ],
)
def test_a_guard_that_cannot_be_built_says_which_and_why(given: Any, why: str) -> None:
    with pytest.raises(ProviderFault) as caught:
        remote(given)

    assert str(caught.value).startswith("guard `g`: ")
    assert why in str(caught.value)


def test_an_answer_stands_behind_its_question() -> None:
    asked = response("it does", asked="does it?")
    for name in ("nemo", "llama_guard", "lakera"):
        _, sent = talked(made(name), asked, DOWN)
        call: Any = sent[0]

        assert json.loads(call.body)["messages"] == [
            {"role": "user", "content": "does it?"},
            {"role": "assistant", "content": "it does"},
        ]
