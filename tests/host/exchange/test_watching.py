"""An exchange that may be ended from outside while it is with the upstream."""

from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Action, Continue, Needs, Reject, ResponseNeed
from headrace.host.exchange.part import BodyMode, Modes
from headrace.host.exchange.reply import Abort, Cancel, ImmediateReply, Output, Watch
from tests.host.exchange.drive import FDS, Drive
from tests.host.exchange.stages import Ping, Script

END = Reject(Reason.EVICTED, "ended", retry_after_s=3.0)
BODY = b'{"model": "m", "messages": []}'


def watched(_: object) -> Action:
    return Continue(watch=Ping("until"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def sent(mode: BodyMode = FDS, need: ResponseNeed = ResponseNeed.OBSERVE) -> tuple[Drive, int]:
    """Return an exchange whose request is with the upstream, and the ticket to end it by."""
    needs = Needs(request_body=True, response=need)
    drive = Drive((Script(request=watched, needs=needs),), Modes(FDS, mode))
    outputs = [*drive.head(("content-type", "application/json")), *drive.chunk(BODY, end=True)]
    (watch,) = [o for o in outputs if isinstance(o, Watch)]
    assert watch.effect == Ping("until")
    assert drive.exchange.closed  # nobody waits for it
    assert drive.exchange.deadline() is None
    return drive, watch.ticket


def answers(outputs: list[Output]) -> list[tuple[int, str]]:
    return [
        (o.status, dict(o.headers)["x-headrace-reason"])
        for o in outputs
        if isinstance(o, ImmediateReply)
    ]


def test_before_the_response_it_is_answered() -> None:
    drive, ticket = sent()
    outputs = drive.exchange.interrupt(ticket, END, 101.0)

    assert answers(outputs) == [(429, "evicted")]
    assert drive.answer() == []
    drive.exchange.end("complete", 102.0)
    outcome = drive.exchange.outcome
    assert outcome is not None
    assert (outcome.reason, outcome.status, outcome.retry_after_s) == (Reason.EVICTED, 429, 3.0)


def test_a_response_that_has_begun_is_broken_off() -> None:
    drive, ticket = sent()
    drive.answer(("content-type", "text/event-stream"))
    drive.answer_chunk(b"data: 1\n\n")
    outputs = drive.exchange.interrupt(ticket, END, 101.0)

    assert [o for o in outputs if isinstance(o, Abort)] == [Abort("UNAVAILABLE", "ended")]
    drive.exchange.end("processor-abort", 102.0)
    outcome = drive.exchange.outcome
    assert outcome is not None
    assert (outcome.reason, outcome.termination) == (Reason.EVICTED, "processor-abort")


def test_a_response_that_is_over_is_left_alone() -> None:
    drive, ticket = sent()
    drive.answer()
    drive.answer_chunk(b"x", end=True)

    assert drive.exchange.interrupt(ticket, END, 101.0) == []
    assert drive.exchange.end("complete", 102.0) == []


def test_a_response_whose_body_is_not_shown_is_left_alone_once_it_has_begun() -> None:
    drive, ticket = sent(BodyMode.NONE, ResponseNeed.NONE)
    drive.answer()

    assert drive.exchange.interrupt(ticket, END, 101.0) == []


def test_the_end_of_the_exchange_ends_the_watch() -> None:
    drive, ticket = sent()
    drive.answer()
    drive.answer_chunk(b"x", end=True)

    assert drive.exchange.end("complete", 102.0) == [Cancel(ticket)]
    assert drive.exchange.interrupt(ticket, END, 103.0) == []


def test_another_ticket_ends_nothing_and_one_ends_once() -> None:
    drive, ticket = sent()

    assert drive.exchange.interrupt(ticket + 1, END, 101.0) == []
    assert len(answers(drive.exchange.interrupt(ticket, END, 101.0))) == 1
    assert drive.exchange.interrupt(ticket, END, 101.0) == []


def test_only_a_request_can_be_watched() -> None:
    drive = Drive((Script(head=watched),))
    drive.head()
    drive.chunk(BODY, end=True)

    assert answers(drive.answer()) == [(500, "change-refused")]
