"""The safety stage in an exchange: what the client gets on the wire, whatever Envoy's modes are."""

import json

import pytest

from headrace.dsl.guarding import Streamed as How
from headrace.dsl.guarding import Window
from headrace.extensions.reasons import Reason
from headrace.extensions.records import Guarded
from headrace.extensions.safety.contract import HttpReply
from headrace.extensions.safety.desk import Desk
from headrace.extensions.safety.stage import safety
from headrace.extensions.stage import Outcome
from headrace.host.exchange.part import BodyMode, Modes
from headrace.host.exchange.reply import (
    BodyReply,
    HeadersReply,
    ImmediateReply,
    Output,
    Perform,
    Streamed,
)
from tests.extensions.safety.doubles import desk, flagged_by, remote, words
from tests.extensions.safety.streaming import delta, done, said
from tests.host.exchange.drive import Drive

FDS = BodyMode.FULL_DUPLEX_STREAMED
ANSWERS = frozenset(("response",))
ASKED = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]})
SSE = ("content-type", "text/event-stream")


def asked(at: Desk | None = None, modes: Modes | None = None) -> Drive:
    """Return an exchange whose request has gone upstream."""
    stage = safety(at or desk(words("g", "sarin", inspect=ANSWERS)))
    drive = Drive((stage,), modes or Modes(FDS, FDS))
    drive.head(("content-type", "application/json"))
    drive.chunk(ASKED.encode(), end=True)
    return drive


def delivered(outputs: list[Output]) -> bytes:
    bodies = [o.body for o in outputs if isinstance(o, BodyReply)]
    return b"".join(body.data for body in bodies if isinstance(body, Streamed))


def outcome_of(drive: Drive, how: str = "complete") -> Outcome:
    drive.exchange.end(how, drive.now_s)
    outcome = drive.exchange.outcome
    assert outcome is not None
    return outcome


def proof(outcome: Outcome) -> Guarded:
    (found,) = [
        r
        for run in outcome.runs
        for r in run.records
        if isinstance(r, Guarded) and r.direction == "response"
    ]
    return found


def test_a_block_in_mid_stream_is_an_error_event_and_a_clean_end() -> None:
    drive = asked()
    drive.answer(SSE)
    outputs: list[Output] = []
    for piece in ("all is well here", " and there, sa", "rin is a gas, ", "as you know"):
        outputs += drive.answer_chunk(delta(piece).raw)
    outputs += drive.answer_chunk(done().raw, end=True)
    got = delivered(outputs)

    assert got.startswith(delta("all is well here").raw)
    assert said(got) == "all is well here"
    assert b'"code":"safety-blocked"' in got
    assert got.endswith(b"data: [DONE]\n\n")
    assert sum(isinstance(o, BodyReply) and o.body == Streamed(b"", True) for o in outputs) <= 1


def test_a_block_before_the_head_has_gone_is_a_plain_answer() -> None:
    drive = asked()
    drive.answer(SSE)
    outputs = drive.answer_chunk(delta("sarin, as we know").raw)

    (reply,) = [o for o in outputs if isinstance(o, ImmediateReply)]
    assert reply.status == 400
    assert not delivered(outputs)


@pytest.mark.parametrize("response", [BodyMode.NONE, BodyMode.BUFFERED_PARTIAL])
def test_an_answer_that_cannot_be_seen_is_refused_and_counted(response: BodyMode) -> None:
    drive = asked(modes=Modes(FDS, response))
    outputs = drive.answer(SSE)
    if response is not BodyMode.NONE:
        outputs += drive.answer_chunk(delta("hello").raw)
    outcome = outcome_of(drive)

    assert any(isinstance(o, ImmediateReply) for o in outputs)
    assert outcome.reason is Reason.BODY_UNAVAILABLE
    assert "FULL_DUPLEX_STREAMED" in outcome.message


def test_a_coding_that_nobody_can_decode_is_refused() -> None:
    drive = asked()
    drive.answer(SSE, ("content-encoding", "rot13"))
    drive.answer_chunk(delta("hello").raw)

    assert outcome_of(drive).reason is Reason.RESPONSE_UNREADABLE


def test_a_client_that_leaves_in_mid_stream_leaves_the_proof_behind() -> None:
    drive = asked()
    drive.answer(SSE)
    outputs = drive.answer_chunk(delta("all is well here").raw)
    outputs += drive.answer_chunk(delta(" and there, too").raw)
    found = proof(outcome_of(drive, "client-gone"))

    assert any(isinstance(o, HeadersReply) for o in outputs)
    assert (found.state, found.inspected_bytes) == ("applied", 31)
    assert found.delivered_bytes == 16


def test_the_text_of_a_model_that_pauses_is_judged_without_a_full_window() -> None:
    window = Window("characters", 200, 20)
    judging = remote(flagged_by("bad"), inspect=ANSWERS, window=window)
    drive = asked(desk(judging))
    drive.answer(SSE)
    first = drive.answer_chunk(delta("let me look that up").raw)

    due_s = drive.exchange.deadline()
    assert not delivered(first)
    assert due_s == pytest.approx(drive.now_s + 0.5)
    assert not drive.at(0.4)

    (ask,) = [o for o in drive.at(0.1) if isinstance(o, Perform)]
    outputs = drive.exchange.resume(ask.ticket, HttpReply(200, {}, b""), drive.now_s)

    assert delivered(outputs) == delta("let me look that up").raw
    assert drive.exchange.deadline() is None

    drive.answer_chunk(delta(", and now I know").raw)

    assert drive.exchange.deadline() == pytest.approx(drive.now_s + 0.5)


def test_a_guard_that_looks_by_itself_needs_no_pause() -> None:
    drive = asked()
    drive.answer(SSE)
    drive.answer_chunk(delta("hello you").raw)

    assert drive.at(0.5) == []
    assert drive.exchange.deadline() is None


def watching() -> Drive:
    """Return an exchange whose stream is only watched, by a provider; its head has come."""
    window = Window("characters", 20, 4)
    post = remote(flagged_by("bad"), inspect=ANSWERS, window=window, streamed=How.OBSERVE)
    drive = asked(desk(post))
    drive.answer(SSE)
    return drive


def told(outputs: list[Output]) -> list[Perform]:
    return [o for o in outputs if isinstance(o, Perform)]


CLEAN = HttpReply(200, {}, b"")


def test_what_is_watched_goes_on_while_the_provider_judges() -> None:
    drive = watching()
    events = [delta(f"{n}: all is well here, ") for n in range(4)]
    outputs = [drive.answer_chunk(one.raw) for one in events]

    assert [delivered(one) for one in outputs] == [one.raw for one in events]
    assert all(len(told(one)) == 1 for one in outputs)

    for one in outputs:
        (ask,) = told(one)
        assert not delivered(drive.exchange.resume(ask.ticket, CLEAN, drive.now_s))
    end = drive.answer_chunk(done().raw, end=True)
    found = proof(outcome_of(drive))

    assert delivered(end) == done().raw
    assert found.inspected_bytes == found.delivered_bytes == sum(len(said(e.raw)) for e in events)


def test_a_find_in_what_is_watched_ends_the_stream_wherever_it_is_by_then() -> None:
    drive = watching()
    first = drive.answer_chunk(delta("so bad, so very very bad").raw)
    second = drive.answer_chunk(delta(", and so on").raw)
    (ask,) = told(first)
    cut = drive.exchange.resume(ask.ticket, CLEAN, drive.now_s)
    late = drive.answer_chunk(delta("more").raw)

    assert said(delivered(first) + delivered(second)) == "so bad, so very very bad, and so on"
    assert b'"code":"safety-blocked"' in delivered(cut)
    assert delivered(cut).endswith(b"data: [DONE]\n\n")
    assert not delivered(late)
    assert proof(outcome_of(drive)).action == "block"


def test_the_end_of_what_is_watched_waits_for_the_last_verdicts() -> None:
    drive = watching()
    first = drive.answer_chunk(delta("all is well and good here").raw)
    second = drive.answer_chunk(done().raw, end=True)
    asks = [*told(first), *told(second)]

    assert delivered(first) + delivered(second) == b"".join(
        (delta("all is well and good here").raw, done().raw)
    )
    assert not any(o.body == Streamed(b"", True) for o in second if isinstance(o, BodyReply))

    end = drive.exchange.resume(asks[-1].ticket, CLEAN, drive.now_s)

    assert [o.body for o in end if isinstance(o, BodyReply)] == [Streamed(b"", True)]
    assert drive.exchange.closed
