"""The exchange gives a stage the same world whatever the body modes and however bytes are cut."""

import gzip
import zlib
from collections.abc import Callable
from typing import Any, cast

import brotli
import pytest
import zstandard

from headrace.extensions.reasons import Reason
from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Answer,
    Continue,
    OnFailure,
    Reject,
    Request,
    ResponseEvent,
)
from headrace.host.testing import Case, Message, Seen, StageTester
from tests.host.exchange.stages import (
    ALL,
    BODY,
    GATE,
    OBSERVE,
    Ping,
    Script,
    ask_twice,
    go_on,
    shout,
    stream_hello,
)

CHAT = b'{"model":"m","messages":[{"role":"user","content":"gr\xc3\xbc\xc3\x9fe"}]}'
SSE = b'data: {"a":1}\n\nevent: x\r\ndata: 2\r\ndata: 3\r\n\r\n: ping\n\ndata: [DONE]\n\n'
STREAM = Message.answer(SSE, content_type="text/event-stream; charset=utf-8")
POST = Message.post("/v1/chat/completions", CHAT)
GET = Message(((":method", "GET"), (":path", "/v1/models"), (":authority", "t")))


def pong(ping: Ping) -> str:
    return ping.word.upper()


PONG = {Ping: pong}


def upstream(seen: Seen) -> Message:
    assert seen.upstream is not None
    return seen.upstream


def downstream(seen: Seen) -> Message:
    assert seen.downstream is not None
    return seen.downstream


@pytest.mark.parametrize(
    "needs", [BODY, OBSERVE, GATE, ALL], ids=["body", "observe", "gate", "all"]
)
@pytest.mark.parametrize("request_", [POST, GET], ids=["post", "get"])
@pytest.mark.parametrize(
    "response",
    [STREAM, Message.answer(b"{}"), Message.answer(b"", 204), Message.answer(b"x", 503)],
    ids=["sse", "json", "204", "503"],
)
def test_bytes_pass_untouched(needs: object, request_: Message, response: Message) -> None:
    stage = Script(needs=needs)  # type: ignore[arg-type]
    seen = StageTester([stage]).everywhere(Case(request_, response))

    assert upstream(seen).body == request_.body
    assert downstream(seen).body == response.body


@pytest.mark.parametrize("needs", [BODY, OBSERVE], ids=["body", "observe"])
def test_trailers_pass_behind_the_body(needs: object) -> None:
    request = Message(POST.headers, CHAT, (("x-checksum", "1"),))
    response = Message(STREAM.headers, SSE, (("grpc-status", "0"),))
    tester = StageTester([Script(needs=needs)])  # type: ignore[arg-type]
    seen = tester.run(Case(request, response))

    assert upstream(seen) == Message(request.headers, CHAT, request.trailers)
    assert downstream(seen).trailers == response.trailers


def test_gated_events_pass_before_trailers() -> None:
    response = Message(STREAM.headers, SSE, (("grpc-status", "0"),))
    seen = StageTester([Script(needs=GATE, event=shout)]).run(Case(POST, response))

    assert downstream(seen).body == SSE.upper()
    assert downstream(seen).trailers == response.trailers


def test_header_changes_reach_the_upstream_folded() -> None:
    first = Script("first", request=lambda _: Continue(set_headers={"x-a": "1", "x-b": "1"}))
    second = Script(
        "second",
        request=lambda r: Continue(
            set_headers={"x-a": r.headers.get("x-a") + "2"}, remove_headers=("x-b", "x-old")
        ),
    )
    request = Message((*POST.headers, ("x-old", "1"), ("x-old", "2")), CHAT)
    seen = StageTester([first, second]).everywhere(Case(request))

    assert upstream(seen).headers == (*POST.headers, ("x-a", "12"))


@pytest.mark.parametrize("length", [False, True], ids=["chunked", "content-length"])
def test_a_replaced_body_reaches_the_upstream(length: bool) -> None:
    headers = (*POST.headers, ("content-length", str(len(CHAT)))) if length else POST.headers
    stage = Script(
        request=lambda r: Continue(body=r.body + b"!" if r.body else b"", set_headers={"x-n": "1"})
    )
    seen = StageTester([stage]).everywhere(
        Case(Message(headers, CHAT)), compare=lambda s: s.upstream and s.upstream.body
    )

    assert upstream(seen).body == CHAT + b"!"


def test_effects_are_replied_to_where_they_were_awaited() -> None:
    seen = StageTester([Script(request=ask_twice)]).everywhere(Case(POST, performs=PONG))

    assert ("x-pings", "ONE TWO") in upstream(seen).headers


def test_a_reject_is_seen_by_the_stages_before_it_last_to_first() -> None:
    mark: Callable[[str], Script] = lambda name: Script(  # noqa: E731
        name, head=lambda head: Continue(append_headers=(("x-via", name),))
    )
    stop = Script("stop", request=lambda _: Reject(Reason.SHED, "later", retry_after_s=1.2))
    never = Script("never")
    seen = StageTester([mark("a"), mark("b"), stop, never]).everywhere(Case(POST))

    assert seen.status == 429
    assert seen.reason == "shed"
    assert Message(downstream(seen).headers[-2:]).headers == (("x-via", "b"), ("x-via", "a"))
    assert ("retry-after", "2") in downstream(seen).headers
    assert [call[0] for call in never.log if call[0] != "over"] == []


def test_an_answer_is_given_whole() -> None:
    stage = Script(request=lambda _: Answer(200, b"[]", {"x-mine": "1"}))
    seen = StageTester([stage]).everywhere(Case(POST))

    assert downstream(seen).body == b"[]"
    assert seen.reason == ""


def test_a_streamed_answer_goes_out_piece_by_piece_and_passes_earlier_stages() -> None:
    before = Script("before", head=lambda head: Continue(set_headers={"x-seen": str(head.status)}))
    tester = StageTester([before, Script(request=stream_hello)])
    # Outside NONE and FULL_DUPLEX_STREAMED Envoy takes no trailers of ours.
    seen = tester.everywhere(
        Case(POST, performs=PONG), lambda s: (downstream(s).headers, downstream(s).body)
    )

    assert downstream(seen) == Message(
        ((":status", "200"), ("content-type", "text/event-stream"), ("x-seen", "200")),
        b"data: a\n\ndata: b\n\n",
        (("x-done", "yes"),),
    )


def test_observers_see_the_same_events() -> None:
    stage = Script(needs=OBSERVE)
    seen = StageTester([stage]).everywhere(Case(POST, STREAM), lambda _: take(stage))

    assert seen.status == 200


def take(stage: Script) -> object:
    calls = [c for c in stage.log if c[0] in ("event", "end", "over")]
    stage.log.clear()
    return calls


def test_gated_events_are_changed_and_dropped() -> None:
    def edit(event: ResponseEvent) -> Action:
        return Continue(body=b"") if b"[DONE]" in event.data else shout(event)

    seen = StageTester([Script(needs=GATE, event=edit)]).everywhere(Case(POST, STREAM))

    assert downstream(seen).body == SSE.upper().removesuffix(b"DATA: [DONE]\n\n")


def test_a_gated_response_that_is_refused_at_once_is_a_clean_answer() -> None:
    stage = Script(needs=GATE, event=lambda _: Reject(Reason.SAFETY_BLOCKED, "no"))
    seen = StageTester([stage]).everywhere(Case(POST, Message.answer(b'{"bad":1}')))

    assert seen.status == 400
    assert b"bad" not in downstream(seen).body


def test_a_gated_stream_that_is_refused_later_ends_with_an_error_event() -> None:
    calls = iter([CONTINUE, Reject(Reason.SAFETY_BLOCKED, "no")])
    stage = Script(needs=GATE, event=lambda _: next(calls))
    body = b"data: 1\n\ndata: 2\n\ndata: 3\n\n"
    case = Case(POST, Message.answer(body, content_type="text/event-stream"))
    tester = StageTester([stage])
    cutting = next(c for _, _, c in tester.weathers() if c.name.startswith("1 byte"))
    seen = tester.run(case, cutting=cutting)

    assert seen.status == 200
    assert downstream(seen).body.startswith(b'data: 1\n\ndata: {"error"')
    assert downstream(seen).body.endswith(b"data: [DONE]\n\n")


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: bytes(brotli.compress(data)),  # pyright: ignore
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("coding", ENCODERS)
def test_a_compressed_body_is_read_and_forwarded_as_it_came(coding: str) -> None:
    sent = ENCODERS[coding](CHAT)
    request = Message((*POST.headers, ("content-encoding", coding)), sent)
    stage = Script()
    seen = StageTester([stage]).everywhere(Case(request))

    assert upstream(seen).body == sent
    assert {call[1] for call in stage.log if call[0] == "request"} == {CHAT}


@pytest.mark.parametrize("coding", ENCODERS)
def test_a_compressed_response_is_read_by_observers_and_forwarded_as_it_came(coding: str) -> None:
    sent = ENCODERS[coding](SSE)
    response = Message((*STREAM.headers, ("content-encoding", coding)), sent)
    stage = Script(needs=OBSERVE)

    def view(seen: Seen) -> object:
        return take(stage), seen.downstream

    seen = StageTester([stage]).everywhere(Case(POST, response), compare=view)

    assert downstream(seen).body == sent


FAILURES: dict[str, Callable[[Request], Action]] = {
    "raises": lambda _: dict[str, Action]()["absent"],
    "header": lambda _: Continue(set_headers={"x-first": "1", "transfer-encoding": "chunked"}),
    "crlf": lambda _: Continue(set_headers={"x-first": "1", "x-bad": "a\r\nb"}),
    "nonsense": lambda _: cast(Any, 7),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_stage_that_fails_closed_answers_and_changes_nothing(failure: str) -> None:
    seen = StageTester([Script(request=FAILURES[failure])]).everywhere(Case(POST))

    assert seen.status == 500
    assert seen.reason in ("stage-failed", "change-refused")


@pytest.mark.parametrize("failure", FAILURES)
def test_a_stage_that_fails_open_leaves_nothing_half_done(failure: str) -> None:
    stage = Script(request=FAILURES[failure], on_failure=OnFailure.OPEN)
    seen = StageTester([stage]).everywhere(Case(POST))

    assert upstream(seen).headers == POST.headers
    assert seen.outcome is not None
    assert [(r.result, r.road) for r in seen.outcome.runs if r.hook == "on_request"] == [
        ("failed", "open")
    ]


def test_a_stage_that_falls_back_does_what_its_fallback_says() -> None:
    stage = Script("picky", request=FAILURES["raises"], on_failure=OnFailure.FALLBACK)
    seen = StageTester([stage]).everywhere(Case(POST))

    assert ("x-fallback", "picky") in upstream(seen).headers


def test_a_refused_effect_takes_the_road() -> None:
    seen = StageTester([Script(request=ask_twice)]).everywhere(Case(POST))

    assert seen.reason == "stage-failed"


def test_forged_control_headers_are_removed_on_every_path() -> None:
    forged = (("x-gateway-destination-endpoint", "10.0.0.1:22"), ("x-headrace-pool", "other"))
    request = Message((*POST.headers, *forged), CHAT)
    failing = Script(request=FAILURES["raises"], on_failure=OnFailure.OPEN)
    for stage in (Script(), failing, Script(request=go_on, needs=OBSERVE)):
        seen = StageTester([stage]).everywhere(Case(request))

        assert upstream(seen).headers == POST.headers
