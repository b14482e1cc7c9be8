"""A stage that holds events back gives several at once: the stages behind it see each of them."""

from dataclasses import dataclass, field

from headrace.extensions.reasons import Reason
from headrace.extensions.stage import (
    CONTINUE,
    Action,
    Asking,
    Continue,
    ExchangeInfo,
    Filter,
    Needs,
    OnFailure,
    Reject,
    ResponseEnd,
    ResponseEvent,
    ResponseNeed,
)
from headrace.host.exchange.part import BodyMode, Modes
from headrace.host.exchange.reply import BodyReply, Streamed
from tests.host.exchange.drive import Drive

FDS = BodyMode.FULL_DUPLEX_STREAMED
GATE = Needs(response=ResponseNeed.GATE)
SSE = ("content-type", "text/event-stream")


@dataclass(slots=True)
class Pairs(Filter):
    """Holds every event until the next one has come, or the end."""

    held: bytes = b""

    def on_response_event(self, event: ResponseEvent, now_s: float) -> Action | Asking:
        if not self.held:
            self.held = event.raw
            return Continue(body=b"")
        both, self.held = self.held + event.raw, b""
        return Continue(body=both)

    def on_response_end(self, end: ResponseEnd, now_s: float) -> Action | Asking:
        return Continue(body=self.held)


@dataclass(slots=True)
class Upper(Filter):
    """Writes events in capitals, drops those that say `drop` and refuses `bad` ones."""

    seen: list[bytes] = field(default_factory=list[bytes])

    def on_response_event(self, event: ResponseEvent, now_s: float) -> Action | Asking:
        self.seen.append(event.data)
        if event.data == b"bad":
            return Reject(Reason.REFUSED, "no")
        if event.data == b"drop":
            return Continue(body=b"")
        return Continue(body=event.raw.upper()) if event.data != b"same" else CONTINUE


@dataclass(frozen=True, slots=True)
class Fixed:
    """A stage with one filter."""

    filter: Filter
    name: str = "fixed"
    needs: Needs = GATE
    deadline_s: float = 1.0
    on_failure: OnFailure = OnFailure.CLOSED

    def open(self, info: ExchangeInfo) -> Filter:
        return self.filter


def told(*events: bytes) -> tuple[bytes, list[bytes]]:
    """Return what the client gets of *events*, and what the stage behind has seen."""
    upper = Upper()
    drive = Drive((Fixed(upper), Fixed(Pairs())), Modes(FDS, FDS))
    drive.head(end=True)
    drive.answer(SSE)
    outputs = [o for e in events for o in drive.answer_chunk(b"data: " + e + b"\n\n")]
    outputs += drive.answer_chunk(b"", end=True)
    replies = [o.body for o in outputs if isinstance(o, BodyReply)]
    data = b"".join(body.data for body in replies if isinstance(body, Streamed))
    return data, upper.seen


def test_each_of_several_events_is_seen_and_changed_by_itself() -> None:
    data, seen = told(b"a", b"b", b"same", b"drop")

    assert seen == [b"a", b"b", b"same", b"drop"]
    assert data == b"DATA: A\n\nDATA: B\n\ndata: same\n\n"


def test_what_is_added_at_the_end_is_seen_too() -> None:
    data, seen = told(b"a", b"b", b"c")

    assert seen == [b"a", b"b", b"c"]
    assert data.endswith(b"DATA: C\n\n")


def test_a_refusal_of_one_of_them_ends_the_stream() -> None:
    data, seen = told(b"same", b"same", b"a", b"bad", b"c", b"d")

    assert seen == [b"same", b"same", b"a", b"bad"]
    assert data.startswith(b"data: same\n\ndata: same\n\n")
    assert b'"code":"refused"' in data
    assert data.endswith(b"data: [DONE]\n\n")
