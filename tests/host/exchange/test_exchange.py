"""Single rules of an exchange: bounds, deadlines, order, and the one honest end."""

import pytest

from headrace.extensions.headers import Headers
from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Continue,
    Needs,
    OnFailure,
    Request,
    ResponseHead,
)
from headrace.host.exchange.chain import RUNS_MAX
from headrace.host.exchange.limits import Limits
from headrace.host.exchange.order import NEXT, Order, ProtocolFault, Stand
from headrace.host.exchange.part import (
    BodyMode,
    Chunk,
    Direction,
    Head,
    Kind,
    Modes,
    Part,
    Trailers,
)
from headrace.host.exchange.reply import (
    Abort,
    BodyReply,
    Cancel,
    ExtendTimeout,
    HeadersReply,
    ImmediateReply,
    Perform,
    Replace,
    Streamed,
)
from tests.host.exchange.drive import FDS, REQUEST, RESPONSE, Drive
from tests.host.exchange.stages import GATE, OBSERVE, Ping, Script, ask_twice, shout

SMALL = Limits(body_bytes_max=10, body_idle_s=5.0, observe_bytes_max=20, gate_bytes_max=20)


def reason(outputs: list[object]) -> str:
    replies = [o for o in outputs if isinstance(o, ImmediateReply)]
    return dict(replies[0].headers).get("x-headrace-reason", "") if replies else ""


@pytest.mark.parametrize("mode", [FDS, BodyMode.BUFFERED, BodyMode.STREAMED])
def test_a_body_over_the_limit_is_answered_413_and_the_rest_ignored(mode: BodyMode) -> None:
    drive = Drive((Script(),), Modes(mode, mode), SMALL)
    drive.head()
    outputs = drive.chunk(b"x" * 11, end=True)

    assert reason([*outputs]) == "body-too-large"
    assert drive.exchange.closed
    assert drive.answer() == []


def test_a_body_of_exactly_the_limit_passes() -> None:
    drive = Drive((Script(),), limits=SMALL)
    drive.head()
    outputs = drive.chunk(b"x" * 10, end=True)

    assert outputs[-1] == BodyReply(REQUEST, Streamed(b"x" * 10, True))


def test_a_body_that_stage_need_not_see_passes_at_once_whatever_its_size() -> None:
    drive = Drive((Script(needs=Needs()),), limits=SMALL)
    drive.head()

    assert drive.chunk(b"x" * 100) == [BodyReply(REQUEST, Streamed(b"x" * 100))]


def test_a_held_body_that_pauses_too_long_is_answered_408() -> None:
    drive = Drive((Script(),), limits=SMALL)
    drive.head()
    drive.now_s += 4
    drive.chunk(b"x")
    assert drive.exchange.deadline() == drive.now_s + 5
    assert drive.at(4.9) == []

    assert reason([*drive.at(0.2)]) == "body-timeout"


@pytest.mark.parametrize(
    ("road", "status"), [(OnFailure.CLOSED, 504), (OnFailure.OPEN, 0), (OnFailure.FALLBACK, 0)]
)
def test_a_stage_that_misses_its_deadline_takes_its_road(road: OnFailure, status: int) -> None:
    drive = Drive((Script("slow", request=ask_twice, on_failure=road),))
    drive.head()
    asked = drive.chunk(b"{}", end=True)
    assert asked == [Perform(1, "slow", Ping("one"))]
    assert drive.exchange.deadline() == drive.now_s + 0.5
    assert drive.at(0.49) == []
    outputs = drive.at(0.01)

    assert outputs[0] == Cancel(1)
    got = [o.status for o in outputs if isinstance(o, ImmediateReply)]
    assert got == ([status] if status else [])
    assert drive.exchange.resume(1, "late", drive.now_s) == []


def test_outside_full_duplex_envoy_is_asked_once_for_more_time() -> None:
    limits = Limits(message_timeout_s=0.2, message_timeout_max_s=2.0)
    drive = Drive((Script(request=ask_twice),), Modes(BodyMode.BUFFERED), limits)
    drive.head()
    outputs = drive.chunk(b"{}", end=True)

    assert outputs == [Perform(1, "script", Ping("one")), ExtendTimeout(2.0)]
    assert not any(isinstance(o, ExtendTimeout) for o in drive.exchange.resume(1, "x", drive.now_s))


def test_without_an_extension_we_answer_before_envoys_timer() -> None:
    drive = Drive((Script(request=ask_twice),), Modes(BodyMode.BUFFERED))
    drive.head()
    drive.chunk(b"{}", end=True)
    due_s = drive.exchange.deadline()

    assert due_s is not None
    assert due_s - drive.now_s < 0.2


def test_the_headers_reply_waits_for_the_body_in_full_duplex_only() -> None:
    assert Drive((Script(),)).head() == []
    buffered = Drive((Script(),), Modes(BodyMode.BUFFERED)).head()

    assert buffered == [HeadersReply(REQUEST)]


def test_a_streamed_body_is_asked_for_whole() -> None:
    modes = Modes(BodyMode.STREAMED, BodyMode.STREAMED)
    outputs = Drive((Script(),), modes).head()

    assert outputs == [
        HeadersReply(REQUEST, mode_override=Modes(BodyMode.BUFFERED, BodyMode.STREAMED))
    ]


def test_a_head_that_has_gone_cannot_be_changed_and_the_client_is_told() -> None:
    stage = Script(request=lambda _: Continue(set_headers={"x-a": "1"}))
    drive = Drive((stage,), Modes(BodyMode.STREAMED, FDS))
    drive.head()
    drive.chunk(b"one")
    outputs = drive.chunk(b"two", end=True)

    assert reason([*outputs]) == "body-unavailable"


def test_a_streamed_body_is_held_by_clearing_and_released_by_the_last_piece() -> None:
    drive = Drive((Script(),), Modes(BodyMode.STREAMED, FDS))
    drive.head()
    first, last = drive.chunk(b"one"), drive.chunk(b"two", end=True)

    assert first == [BodyReply(REQUEST, Replace(b""))]
    assert last == [BodyReply(REQUEST, Replace(b"onetwo"))]


@pytest.mark.parametrize("changed", [False, True])
def test_every_chunk_that_came_while_a_hook_waited_gets_its_reply(changed: bool) -> None:
    """As under `send_body_without_waiting_for_header_response`."""

    async def slow(request: Request) -> Action:
        await Ping("x")
        return Continue(set_headers={"x-a": "1"})

    needs = Needs(request_body=changed)
    stages = (Script(request=slow, needs=needs),)
    drive = Drive(stages, Modes(BodyMode.STREAMED, BodyMode.NONE))
    drive.head()
    early = [drive.chunk(b"a"), drive.chunk(b"b"), drive.chunk(b"c", end=True)]
    outputs = drive.exchange.resume(1, "pong", drive.now_s)
    replies = [o for out in (*early, outputs) for o in out if isinstance(o, BodyReply)]

    assert len(replies) == (2 if changed else 3)
    assert changed == any(isinstance(o, ImmediateReply) for o in outputs)


def test_a_response_that_outruns_a_waiting_head_hook_is_refused() -> None:
    async def slow(head: ResponseHead) -> Action:
        if not head.local:
            await Ping("x")
        return CONTINUE

    drive = Drive((Script(head=slow, needs=OBSERVE),), limits=SMALL)
    drive.head(end=True)
    drive.answer()
    assert drive.answer_chunk(b"x" * 20) == []

    assert reason([*drive.answer_chunk(b"x")]) == "response-too-large"


def test_a_get_gets_no_body_reply() -> None:
    seen: list[bytes | None] = []

    def look(request: Request) -> Action:
        seen.append(request.body)
        return CONTINUE

    outputs = Drive((Script(request=look),)).head(end=True)

    assert outputs == [HeadersReply(REQUEST)]
    assert seen == [b""]


def test_only_observed_responses_are_kept_and_within_a_bound() -> None:
    stage = Script(needs=OBSERVE)
    drive = Drive((stage,), limits=SMALL)
    drive.head(end=True)
    drive.answer()
    outputs = drive.answer_chunk(b"x" * 21, end=True)

    assert outputs == [BodyReply(RESPONSE, Streamed(b"x" * 21, True))]
    assert ("end", b"", True) in stage.log


def test_a_gated_response_that_cannot_be_held_is_refused() -> None:
    drive = Drive((Script(needs=GATE),), limits=SMALL)
    drive.head(end=True)
    drive.answer()

    assert reason([*drive.answer_chunk(b"x" * 21)]) == "response-unreadable"


def test_a_gated_response_that_envoy_does_not_show_is_refused() -> None:
    drive = Drive((Script(needs=GATE),), Modes(FDS, BodyMode.NONE))
    drive.head(end=True)

    assert reason([*drive.answer()]) == "body-unavailable"


def test_a_gated_head_waits_for_the_first_verdict() -> None:
    drive = Drive((Script(needs=GATE, event=shout),))
    drive.head(end=True)
    assert drive.answer(("content-type", "text/event-stream")) == []
    outputs = drive.answer_chunk(b"data: a\n\nda")

    assert outputs == [
        HeadersReply(RESPONSE),
        BodyReply(RESPONSE, Streamed(b"DATA: A\n\n")),
    ]


def test_an_observer_that_waits_does_not_hold_the_bytes() -> None:
    drive = Drive((Script(needs=OBSERVE, event=ask_twice),))
    drive.head(end=True)
    drive.answer(("content-type", "text/event-stream"))
    outputs = drive.answer_chunk(b"data: a\n\n")

    assert outputs == [
        BodyReply(RESPONSE, Streamed(b"data: a\n\n")),
        Perform(1, "script", Ping("one")),
    ]
    assert drive.answer_chunk(b"data: b\n\n") == [BodyReply(RESPONSE, Streamed(b"data: b\n\n"))]


def test_an_observer_that_fails_is_asked_once_and_the_stream_goes_on() -> None:
    def fail(event: object) -> Action:
        raise ValueError("broken")

    stage = Script(needs=OBSERVE, event=fail)
    drive = Drive((stage,))
    drive.head(end=True)
    drive.answer(("content-type", "text/event-stream"))
    sent = [drive.answer_chunk(b"data: a\n\n") for _ in range(3)]
    drive.exchange.end("complete", drive.now_s)

    assert sent == [[BodyReply(RESPONSE, Streamed(b"data: a\n\n"))]] * 3
    assert [call[0] for call in stage.log].count("event") == 1


def test_the_log_of_an_exchange_is_bounded() -> None:
    stage = Script(needs=OBSERVE, event=lambda _: Continue(records=("seen",)))
    drive = Drive((stage,))
    drive.head(end=True)
    drive.answer(("content-type", "text/event-stream"))
    drive.answer_chunk(b"data: a\n\n" * (RUNS_MAX + 50))
    drive.exchange.end("complete", drive.now_s)

    assert drive.exchange.outcome is not None
    assert len(drive.exchange.outcome.runs) == RUNS_MAX


def test_an_end_while_a_hook_waits_leaves_the_hook_and_tells_the_filter() -> None:
    left: list[str] = []

    async def wait(request: Request) -> Action:
        try:
            return await ask_twice(request)
        finally:
            left.append("left")

    stage = Script(request=wait)
    drive = Drive((stage,))
    drive.head()
    drive.chunk(b"{}", end=True)

    assert drive.exchange.end("client-gone", drive.now_s) == [Cancel(1)]
    assert left == ["left"]
    assert stage.log[-1] == ("over", "client-gone")


def test_the_end_is_told_once() -> None:
    stage = Script()
    drive = Drive((stage,))
    drive.head(end=True)
    drive.exchange.end("complete", drive.now_s)
    drive.exchange.end("complete", drive.now_s)

    assert [call for call in stage.log if call[0] == "over"] == [("over", "client-gone")]


def test_a_filter_that_fails_at_the_end_does_not_keep_the_others_from_it() -> None:
    class Broken(list[object]):
        def append(self, item: object, /) -> None:
            if isinstance(item, tuple) and "over" in item:
                raise ValueError("broken")

    second = Script("second")
    drive = Drive((Script("first", log=Broken()), second))  # type: ignore[arg-type]
    drive.head(end=True)
    drive.exchange.end("complete", drive.now_s)

    assert second.log[-1][0] == "over"
    assert drive.exchange.outcome is not None


@pytest.mark.parametrize(
    ("coding", "body", "word"),
    [
        ("gzip", b"no gzip", "invalid-encoding"),
        ("compress", b"x", "unsupported-media-type"),
    ],
)
def test_a_body_that_cannot_be_read_is_answered(coding: str, body: bytes, word: str) -> None:
    drive = Drive((Script(),))
    drive.head(("content-encoding", coding))

    assert reason([*drive.chunk(body, end=True)]) == word


def test_grpc_clients_get_a_grpc_status() -> None:
    drive = Drive((Script(),), limits=SMALL)
    drive.head(("content-type", "application/grpc+proto"))
    reply = drive.chunk(b"x" * 11)[0]

    assert isinstance(reply, ImmediateReply)
    assert reply.grpc_status == 8
    assert not reply.body.startswith(b"{")


def test_a_second_request_head_aborts_the_stream() -> None:
    drive = Drive((Script(),))
    drive.head()
    outputs = drive.head()

    assert outputs == [Abort("INVALID_ARGUMENT", "request headers came while body")]
    assert drive.answer() == []


def test_a_repeated_last_chunk_is_ignored() -> None:
    drive = Drive((Script(),))
    drive.head()
    drive.chunk(b"{}", end=True)

    assert drive.chunk(b"{}", end=True) == []


def parts(kind: Kind, end: bool) -> Part:
    match kind:
        case Kind.HEAD:
            return Head(Direction.REQUEST, Headers(), end)
        case Kind.CHUNK:
            return Chunk(Direction.REQUEST, b"", end)
        case Kind.TRAILERS:
            return Trailers(Direction.REQUEST, Headers())


@pytest.mark.parametrize("stand", Stand)
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("end", [False, True])
def test_the_order_is_what_the_table_says(stand: Stand, kind: Kind, end: bool) -> None:
    order = Order(stand)
    if kind not in NEXT[stand]:
        with pytest.raises(ProtocolFault):
            order.advance(parts(kind, end))
        assert order.stand is stand
        return
    fresh = order.advance(parts(kind, end))

    assert order.stand is NEXT[stand][kind][0 if end else 1]
    assert fresh == (stand is not Stand.ENDED)
