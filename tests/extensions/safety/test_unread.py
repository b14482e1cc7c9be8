"""What guards of prompts must not miss, and what they may: fields, doubled names, other paths."""

from collections.abc import Mapping

import msgspec
import pytest

from headrace.dsl.guarding import Scope
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Continue, Reject, ResponseEvent, Route
from tests.extensions.body_router.policies import changed, request
from tests.extensions.safety.doubles import World, desk, words
from tests.extensions.safety.streaming import Client
from tests.extensions.safety.test_prompts import PROMPT, proof

FIELDS = {
    "message's name": {"messages": [{"role": "user", "content": "hi", "name": "sarin"}]},
    "template's arguments": {"chat_template_kwargs": {"persona": {"is": "sarin"}}},
    "predicted answer": {"prediction": {"type": "content", "content": "sarin"}},
    "choice": {"guided_choice": ["yes", "sarin"]},
    "schema": {"guided_json": {"properties": {"x": {"const": "sarin"}}}},
    "grammar": {"structured_outputs": {"grammar": 'root ::= "sarin"'}},
    "expression": {"regex": "sarin"},
}


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_what_the_model_is_made_to_read_or_to_say_is_judged(fields: Mapping[str, object]) -> None:
    talk = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    at = desk(words(inspect=PROMPT))
    clean = msgspec.json.encode(talk).replace(b"sarin", b"water")

    assert isinstance(Client(at, World()).ask(request(msgspec.json.encode(talk))), Reject)
    assert isinstance(Client(at, World()).ask(request(clean)), Continue)


@pytest.mark.parametrize("scope", [Scope.ALL, Scope.NEW_TURNS])
def test_a_message_that_says_two_things_does_not_pass_guards(scope: Scope) -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"sarin","content":"hi"}]}'
    guarded = Client(desk(words(inspect=PROMPT, scope=scope)), World()).ask(request(body))
    answers_only = Client(desk(words(inspect=frozenset(("response",)))), World()).ask(request(body))

    assert isinstance(guarded, Reject)
    assert guarded.reason is Reason.INVALID_REQUEST
    assert "stands twice" in guarded.message
    assert isinstance(answers_only, Continue)


@pytest.mark.parametrize("directions", [("prompt",), ("response",), ("prompt", "response")])
def test_what_passes_unread_leaves_a_proof_that_says_so(directions: tuple[str, ...]) -> None:
    at = desk(words(inspect=frozenset(directions)))
    route = Route("whisper", "ears", "", unread=True, unscreened=True)
    client = Client(at, World())
    action = client.ask(changed(request(b"sarin", "/v1/audio/x"), route=route))

    assert isinstance(action, Continue)
    assert action.body is None
    if "prompt" in directions:
        assert (proof(action).state, proof(action).reason) == ("skipped", "passthrough")
    if "response" in directions:
        assert client.answered([ResponseEvent(b"sarin", b"sarin", False)]) == b"sarin"
        found = client.proofs()["g"]
        assert (found.state, found.reason) == ("skipped", "passthrough")


def test_what_passes_unread_is_refused_where_guards_were_not_told_to_let_it() -> None:
    route = Route("whisper", "ears", "", unread=True)
    client = Client(desk(words(inspect=PROMPT)), World())
    action = client.ask(changed(request(b"x", "/v1/audio/x"), route=route))

    assert isinstance(action, Reject)
    assert action.reason is Reason.SAFETY_BLOCKED
