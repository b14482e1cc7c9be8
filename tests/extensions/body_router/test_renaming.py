"""`answer as asked`: the caller's name for the model stands in the answer, all else stays."""

from dataclasses import replace
from typing import Any

import pytest

from headrace.dsl.program import Model
from headrace.extensions.body_router import build
from headrace.extensions.body_router.renaming import HELD_BYTES_MAX, renamed
from headrace.extensions.records import RuleError
from headrace.extensions.stage import (
    Action,
    Continue,
    ExchangeInfo,
    Filter,
    Needs,
    ResponseEnd,
    ResponseEvent,
    ResponseNeed,
    Stage,
)
from headrace.host.testing import Case, Message, StageTester
from tests.extensions.body_router.policies import model, program, site
from tests.host.exchange.stages import Script

PATH = "/v1/chat/completions"
ASK = b'{"model":"chat","messages":[{"role":"user","content":"hi"}]}'
CHAT: Model = replace(model("chat", ("gemma", 1.0, "google/gemma")), as_asked=True)
WHOLE = b'{"id": "1", "model": "google/gemma" , "choices":[{"message":{"content":"google/gemma"}}]}'
STREAM = (
    b'data: {"model":"google/gemma","choices":[{"delta":{"content":"google/gemma"}}]}\n\n'
    b': ping\n\nevent: x\r\ndata: {"model":"google/gemma"}\r\n\r\ndata: [DONE]\n\n'
)


def answered(reply: Message, *stages: Stage, asks: Model = CHAT, body: bytes = ASK) -> bytes:
    """Return what the client gets for *reply*, the same in every body mode and cutting."""
    tester = StageTester((build(program((asks,)), site()), *stages))
    seen = tester.everywhere(Case(Message.post(PATH, body), reply))
    assert seen.downstream is not None
    return bytes(seen.downstream.body)


def test_a_whole_answer_names_the_model_as_asked() -> None:
    after = answered(Message.answer(WHOLE))

    assert after == WHOLE.replace(b'"model": "google/gemma"', b'"model": "chat"')


def test_every_event_of_a_stream_names_the_model_as_asked() -> None:
    after = answered(Message.answer(STREAM, content_type="text/event-stream"))

    assert after == STREAM.replace(b'"model":"google/gemma"', b'"model":"chat"')


def test_an_answer_to_a_name_that_was_not_changed_stays() -> None:
    same = replace(model("chat", ("gemma", 1.0, None)), as_asked=True)

    assert answered(Message.answer(WHOLE), asks=same) == WHOLE


def test_a_policy_that_does_not_ask_for_it_sees_no_response() -> None:
    plain = build(program((replace(CHAT, as_asked=False),)), site())

    assert plain.needs == Needs(request_body=True)
    assert build(program((CHAT,)), site()).needs.response is ResponseNeed.GATE


@pytest.mark.parametrize("reply", [WHOLE, STREAM])
def test_what_a_guard_has_held_to_the_end_is_renamed_too(reply: bytes) -> None:
    class Holding(Filter):
        def __init__(self) -> None:
            self.held = b""

        def on_response_event(self, event: ResponseEvent, now_s: float) -> Action:
            self.held += event.raw
            return Continue(body=b"")

        def on_response_end(self, end: ResponseEnd, now_s: float) -> Action:
            return Continue(body=self.held)

    class Holder(Script):
        def open(self, info: ExchangeInfo) -> Filter:
            return Holding()

    holder = Holder(needs=Needs(request_body=True, response=ResponseNeed.GATE))
    kind = "application/json" if reply is WHOLE else "text/event-stream"
    after = answered(Message.answer(reply, content_type=kind), holder)

    assert after.count(b'"chat"') == reply.count(b'"model"')


@pytest.mark.parametrize(
    ("data", "after"),
    [
        (b'{"response":{"model":"old"},"type":"x"}', b'{"response":{"model":"new"},"type":"x"}'),
        (b'{"message":{"model":"old"}}', b'{"message":{"model":"new"}}'),
        (b'{"m\\u006fdel":"\\u006fld"}', b'{"m\\u006fdel":"new"}'),
        (b'{"model":"other","old":"old"}', b'{"model":"other","old":"old"}'),
        (b'{"message":"old","model":"old"}', b'{"message":"old","model":"old"}'),
        (b'["model"]', b'["model"]'),
        (b"[DONE]", b"[DONE]"),
    ],
)
def test_only_the_names_of_the_answer_itself_are_replaced(data: bytes, after: bytes) -> None:
    assert renamed(data, "old", "new") == after


def test_an_answer_that_is_too_long_to_hold_passes_and_is_recorded() -> None:
    stage: Any = build(program((CHAT,)), site())
    tester = StageTester((stage,))
    long = b'{"model":"google/gemma","data":"' + b"x" * HELD_BYTES_MAX + b'"}'
    seen = tester.run(Case(Message.post(PATH, ASK), Message.answer(long)))

    assert seen.downstream is not None
    assert bytes(seen.downstream.body) == long
    assert seen.outcome is not None
    records = [record for run in seen.outcome.runs for record in run.records]
    assert RuleError("answer as asked", "too-large") in records
