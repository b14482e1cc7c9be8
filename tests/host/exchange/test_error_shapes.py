"""An error has the form of the API that was asked, wherever in the exchange it is told."""

import json

import pytest

from headrace.extensions.headers import Headers
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import CONTINUE, Needs, Reject, ResponseNeed
from headrace.host.exchange.part import Head
from headrace.host.exchange.reply import BodyReply, ImmediateReply, Streamed
from tests.host.exchange.drive import FDS, REQUEST, Drive, Modes
from tests.host.exchange.stages import Script


def head(path: str, end: bool) -> Head:
    return Head(REQUEST, Headers(((":method", "POST"), (":path", path))), end)


@pytest.mark.parametrize(
    ("path", "top"),
    [
        ("/v1/chat/completions", {"error"}),
        ("/v1/messages?beta=true", {"type", "error"}),
        ("/nowhere", {"error"}),
    ],
)
def test_an_answer_of_ours_has_the_form_of_the_api(path: str, top: set[str]) -> None:
    drive = Drive((Script(request=lambda _: Reject(Reason.SHED, "later")),))
    reply = drive.send(head(path, end=True))[-1]

    assert isinstance(reply, ImmediateReply)
    assert set(json.loads(reply.body)) == top


@pytest.mark.parametrize(
    ("path", "last"),
    [
        ("/v1/chat/completions", b"data: [DONE]\n\n"),
        ("/v1/messages", b'"message":"no"}}\n\n'),
    ],
)
def test_a_refused_stream_ends_as_streams_of_the_api_do(path: str, last: bytes) -> None:
    verdicts = iter((CONTINUE, Reject(Reason.SAFETY_BLOCKED, "no")))
    stage = Script(needs=Needs(response=ResponseNeed.GATE), event=lambda _: next(verdicts))
    drive = Drive((stage,), Modes(FDS, FDS))
    drive.send(head(path, end=True))
    drive.answer(("content-type", "text/event-stream"))
    drive.answer_chunk(b"data: 1\n\n")
    reply = drive.answer_chunk(b"data: 2\n\n")[-1]

    assert isinstance(reply, BodyReply)
    assert isinstance(reply.body, Streamed)
    assert reply.body.end_of_stream
    assert reply.body.data.endswith(last)
