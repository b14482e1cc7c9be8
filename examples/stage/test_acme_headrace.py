"""The stage, tried in every body mode, however the bytes are cut. No gRPC, no Envoy."""

import json

from acme_headrace import Masked, Redactor

from headrace.host.testing import Case, Message, StageTester

TESTER = StageTester((Redactor(),))


def chat(text: str) -> Message:
    body = {"model": "chatbot", "messages": [{"role": "user", "content": text}]}
    return Message.post("/v1/chat/completions", json.dumps(body).encode())


def test_an_address_is_masked_wherever_the_body_is_cut() -> None:
    seen = TESTER.everywhere(Case(chat("write to ann@example.org or bob@example.com, please")))

    assert seen.upstream is not None
    assert b"write to [e-mail] or [e-mail], please" in seen.upstream.body
    assert seen.outcome is not None
    assert [run.records for run in seen.outcome.runs if run.records] == [(Masked(2),)]


def test_a_prompt_without_an_address_passes_as_it_is() -> None:
    request = chat("no address @ all")

    seen = TESTER.everywhere(Case(request))

    assert seen.upstream is not None
    assert seen.upstream.body == request.body
