"""What guards can look for and ask: data that hangs together."""

import pytest

from headrace.dsl.checks.sending import url_fault
from headrace.dsl.policy import check_policy
from headrace.dsl.providers import BODY, BODY_VALUES, BOTH, DETECTORS, SCHEMAS, Schema
from headrace.dsl.secret_forms import looks_secret
from headrace.dsl.source import Source

BASE = 'sched 1\npool p { endpoints "10.0.0.1:8000" }\nmodel m { route p }\n'
TEMPLATE = '"projects/acme/locations/eu/templates/t"'
# Without these a provider cannot be asked; each is the least that is accepted.
LEAST = {
    "model_armor": f"ask model_armor {{ template {TEMPLATE} }}",
    "nemo": 'ask nemo "http://h" { config "c" }',
    "llama_guard": 'ask llama_guard "http://h" { model "m" }',
    "presidio": 'ask presidio "http://h" { }',
    "lakera": "ask lakera { }",
    "openai_moderation": "ask openai_moderation { }",
    "guardrails_ai": 'ask guardrails_ai "http://h" { guard "g" }',
    "http": 'ask http "http://h" { match when answer.bad }',
}


def codes(guard: str) -> list[str]:
    return [d.code for d in check_policy([Source("p.sched", f"{BASE}guard g {{ {guard} }}")])]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_least_that_a_provider_needs_is_accepted(name: str) -> None:
    assert codes(LEAST[name]) == []
    assert codes(f"{LEAST[name]} inspect prompt, response") == []


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=lambda s: s.name)
def test_a_schema_says_what_everything_is(schema: Schema) -> None:
    assert schema.directions <= BOTH
    assert schema.doc
    assert all(option.doc and option.many >= bool(option.of) for option in schema.options)
    assert not schema.url or url_fault(schema.url) == ""
    assert not any(option.required and option.default for option in schema.options)


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=lambda s: s.name)
def test_what_a_provider_cannot_locate_is_not_masked(schema: Schema) -> None:
    least = LEAST[schema.name]
    changes = schema.locates or (schema.rewrites and not schema.readings)

    assert codes(f"{least} on match mask") == ([] if schema.locates else ["S217"])
    assert codes(f"{least} on match redact") == ([] if changes else ["S217"])


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_can_be_named(name: str) -> None:
    assert codes(f"detect {name}  on match mask") == []


@pytest.mark.parametrize("value", BODY_VALUES)
def test_every_value_can_stand_in_a_body(value: str) -> None:
    both = f'{{"t": {{text}}, "v": {{{value}}}}}' if value != "texts" else '{"v": {texts}}'
    said = f"ask http \"http://h\" {{ body '{both}' match when answer.bad }}"

    assert codes(said) == []
    assert "{text}" in BODY


@pytest.mark.parametrize(
    "text",
    [
        "sk-0123456789abcdef", "Bearer abcdef", "key=ghp_0123456789", "AKIA0123456789ABCDEF",
        "glpat-0123456789", "eyJhbGciOiJIUzI1NiJ9.e30.x", "-----BEGIN PRIVATE KEY-----",
        "Basic dXNlcjpwYXNz", "xoxb-0123456789",
    ],
)  # fmt: skip
def test_what_services_give_as_keys_looks_secret(text: str) -> None:
    assert looks_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "gateway", "task-12345678", "the bearer of news", '{"text": {text}}', "europe-west4",
        "meta-llama/Llama-Guard-3-8B", "omni-moderation-latest", "Basic English",
        "https://screen.acme.example/check?kind=prompt",
    ],
)  # fmt: skip
def test_plain_words_do_not_look_secret(text: str) -> None:
    assert not looks_secret(text)


@pytest.mark.parametrize(
    "url",
    ["http://h", "https://h:8443/a/b?c=d", "http://127.0.0.1:1", "http://[::1]:8080/x"],
)
def test_a_url_of_a_server_is_one(url: str) -> None:
    assert url_fault(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "", "h:80", "//h", "ftp://h", "http://", "http://h:0", "http://h:x", "http://h:70000",
        "http://h/a b", "http://h/#a", "http://[::1", "http://h/\n", "http://h/" + "a" * 2000,
    ],
)  # fmt: skip
def test_what_is_no_url_of_a_server_is_told(url: str) -> None:
    assert url_fault(url) != ""
