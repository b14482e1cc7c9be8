"""What a test gives beside endpoints: providers that are not asked, and the model's answer."""

import msgspec
import pytest

from headrace.dsl.program import Program
from headrace.host.policytest.beside import assumed, offline, reply
from headrace.host.policytest.report import Tally, human
from headrace.host.policytest.suite import run_suite, suite_of
from headrace.host.testing.message import Message
from tests.host.policytest.house import CHAT, program, results

ARMOR = 'guard armor { template "projects/acme/locations/eu/templates/chat" }\n'
ASKED = 'when request { "model": "chat" } expect decision.pool == "gemma"'
WORD = 'guard word { patterns "x" }\n'


def test_a_guard_that_asks_is_told_what_to_say_and_another_stays_as_it_is() -> None:
    found = program(f'{CHAT}{ARMOR}{WORD}test "t" {{ given guard armor finds "a" {ASKED} }}')

    armor, word = offline(found, found.tests[0].guards).guards
    assert word is found.guards[1]
    assert armor.ask is not None
    assert armor.ask.provider == "given"
    assert armor.ask.settings == {
        "prompt": (("finds", "a"),),
        "response": (("finds", "a"),),
    }


def test_what_is_given_of_one_direction_says_nothing_of_the_other() -> None:
    both = ARMOR.replace("{ t", "{ inspect prompt, response t")
    test = f'test "t" {{ given guard armor fails timeout in response {ASKED} }}'
    found = program(f"{CHAT}{both}{test}")

    (armor,) = offline(found, found.tests[0].guards).guards
    assert armor.ask is not None
    assert armor.ask.settings == {"response": (("fails", "timeout"),)}


def test_a_policy_whose_guards_ask_nobody_is_left_as_it_is() -> None:
    found = program(f"{CHAT}{WORD}")

    assert offline(found, ()) is found


@pytest.mark.parametrize(
    ("test", "quiet"),
    [
        (f'test "t" {{ {ASKED} }}', ("armor",)),
        (f'test "t" {{ given guard armor finds "x" {ASKED} }}', ()),
        (f'test "t" {{ {ASKED} }} chain default {{ body_router safety picker }}', ("armor",)),
        (
            f'test "t" {{ {ASKED} }} chain other {{ body_router safety picker }}'
            " chain default { body_router picker }",
            (),
        ),
    ],
)
def test_it_is_known_of_which_providers_a_test_assumes_that_they_find_nothing(
    test: str, quiet: tuple[str, ...]
) -> None:
    found: Program = program(f"{CHAT}{ARMOR}{WORD}{test}")

    assert assumed(found, found.tests[0]) == quiet


def test_the_report_says_what_is_assumed() -> None:
    found = program(f'{CHAT}{ARMOR}test "a" {{ {ASKED} }} test "b" {{ {ASKED} }}')

    lines = list(human(Tally([run_suite(suite_of(found, ["p.sched"]))])))
    assert lines[0].startswith("note: 2 tests assume that guard `armor` finds nothing")
    assert 'given guard armor finds "..."' in lines[1]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/v1/chat/completions", ["choices", 0, "message", "content"]),
        ("/v1/completions", ["choices", 0, "text"]),
        ("/v1/responses?x=1", ["output", 0, "content", 0, "text"]),
        ("/v1/messages", ["content", 0, "text"]),
    ],
)
def test_the_answer_has_the_shape_of_the_api(path: str, text: list[str | int]) -> None:
    at = msgspec.json.decode(reply(Message.post(path, b"{}"), "hi").body)
    for step in text:
        at = at[step]

    assert at == "hi"


def test_the_model_answers_as_given() -> None:
    (found,) = results(f'{CHAT}test "t" {{ given response "well, well" {ASKED} }}')

    assert found.ran is not None
    assert found.ran.seen.downstream is not None
    assert b'"content":"well, well"' in found.ran.seen.downstream.body


BOTH = """
guard armor {
  template "projects/acme/locations/eu/templates/chat"
  inspect  prompt, response
  on match block with 403 "no"
  on timeout allow
}
guard mail { detect email  inspect prompt, response  on match mask }
guard names { deny "bluebird"  inspect response  on match redact }
"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ('given guard armor finds "jailbreak"', "decision.blocked && decision.status == 403"),
        ('given guard armor finds "a" in response', 'decision.blocked && decision.message == "no"'),
        ('given guard armor finds "a" in prompt', 'decision.blocked && decision.guard == "armor"'),
        ("given guard armor fails timeout", "!decision.rejected && response.status == 200"),
        ("given guard armor fails error", 'decision.reason == "safety-unavailable"'),
        ("given guard armor fails error", '!decision.blocked && decision.guard == "armor"'),
        ("given guard armor fails partial in response", "decision.rejected"),
        ("", "!decision.rejected && response.status == 200"),
        ('given response "the project bluebird"', 'decision.guard == "names"'),
        ('given response "bluebird"', "decision.redacted && !decision.masked"),
        ("", "!decision.redacted && !decision.masked"),
        ('given request { "prompt": "ann@example.com" }', "decision.masked && !decision.redacted"),
    ],
)
def test_what_providers_say_has_its_consequences(given: str, expected: str) -> None:
    asked = 'when request { "model": "chat" }'
    (found,) = results(f'{CHAT}{BOTH}test "t" {{ {given} {asked} expect {expected} }}')

    assert found.passed, found


@pytest.mark.parametrize("path", ["chat/completions", "completions", "responses", "messages"])
def test_what_guards_of_their_own_find_is_really_changed(path: str) -> None:
    mail = "write to ann@example.com"
    request = f'{{ "model": "chat", "path": "/v1/{path}", "prompt": "{mail}" }}'
    said = 'given response "bluebird is at <EMAIL_1>"'
    text = f'{CHAT}{BOTH}test "t" {{ {said} when request {request} expect !decision.rejected }}'
    (found,) = results(text)

    assert found.passed, found
    assert found.ran is not None
    seen = found.ran.seen
    assert seen.upstream is not None
    assert seen.downstream is not None
    assert b"ann@example.com" not in seen.upstream.body
    assert b"bluebird" not in seen.downstream.body
    assert b"[redacted] is at ann@example.com" in seen.downstream.body


def text_of(stream: bytes) -> str:
    """Return the text of a chat's stream."""
    events = [line.removeprefix(b"data: ") for line in stream.split(b"\n\n") if line]
    deltas = [msgspec.json.decode(e)["choices"][0]["delta"] for e in events if e != b"[DONE]"]
    return "".join(delta.get("content") or "" for delta in deltas)


def test_a_stream_is_answered_with_one_and_its_guards_look_at_it() -> None:
    said = 'given response "ask bluebird, or <EMAIL_1>, or nobody"'
    prompt = '"prompt": "write to ann@example.com"'
    asked = f'when request {{ "model": "chat", "stream": true, {prompt} }}'
    (found,) = results(f'{CHAT}{BOTH}test "t" {{ {said} {asked} expect decision.redacted }}')

    assert found.passed, found
    assert found.ran is not None
    assert found.ran.seen.downstream is not None
    body = found.ran.seen.downstream.body
    assert text_of(body) == "ask [redacted], or ann@example.com, or nobody"
    assert body.endswith(b"data: [DONE]\n\n")


def test_a_finding_in_a_stream_ends_it() -> None:
    said = 'given guard armor finds "toxic" in response given response "something very bad"'
    asked = 'when request { "model": "chat", "stream": true }'
    (found,) = results(f'{CHAT}{BOTH}test "t" {{ {said} {asked} expect decision.blocked }}')

    assert found.passed, found
    assert found.ran is not None
    assert found.ran.seen.downstream is not None
    assert b"bad" not in found.ran.seen.downstream.body
