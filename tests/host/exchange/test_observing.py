"""Observers are told of every event once and in order, however the bytes came and who waits."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.stage import CONTINUE, Action, Asking, ResponseEvent
from headrace.host.exchange.event_stream import events_in
from headrace.host.exchange.limits import Limits
from headrace.host.exchange.part import BodyMode, Direction, Modes
from headrace.host.exchange.reply import UNTOUCHED, BodyReply, Keep, Output, Perform
from headrace.host.extproc.codec import encode
from tests.host.exchange.drive import Drive
from tests.host.exchange.stages import OBSERVE, Ping, Script

WAITS = b"wait"
WORDS = st.lists(st.sampled_from([b"a", b"bb", WAITS, b"[DONE]"]), min_size=1, max_size=12)


def ask_of_some(event: ResponseEvent) -> Action | Asking:
    return _asked() if event.data == WAITS else CONTINUE


async def _asked() -> Action:
    await Ping("event")
    return CONTINUE


@given(words=WORDS, cuts=st.lists(st.integers(0, 150), max_size=6))
def test_each_event_is_told_once_in_order_however_cut_and_whoever_waits(
    words: list[bytes], cuts: list[int]
) -> None:
    body = b"".join(b"data: %b\n\n" % word for word in words)
    script = Script(event=ask_of_some, needs=OBSERVE)
    drive = Drive((script,), Modes(BodyMode.NONE, BodyMode.STREAMED))
    drive.head(end=True)
    drive.answer(("content-type", "text/event-stream"))
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    for begin, end in pairwise(edges):
        answer(drive, drive.answer_chunk(body[begin:end]))
    answer(drive, drive.answer_chunk(b"", end=True))

    told = [entry[1] for entry in script.log if entry[0] == "event"]
    assert told == [event.data for event in events_in(body)]


def test_events_behind_one_that_waits_are_not_bounded_if_they_came_with_it() -> None:
    script = Script(event=ask_of_some, needs=OBSERVE)
    limits = Limits(observe_bytes_max=64)
    drive = Drive((script,), Modes(BodyMode.NONE, BodyMode.STREAMED), limits)
    drive.head(end=True)
    drive.answer(("content-type", "text/event-stream"))
    answer(drive, drive.answer_chunk(b"data: wait\n\n" + b"data: a\n\n" * 20))

    assert [entry[1] for entry in script.log if entry[0] == "event"] == [WAITS, *[b"a"] * 20]


def test_what_is_left_untouched_is_sent_as_any_other_reply_that_keeps_a_piece() -> None:
    alike = BodyReply(Direction.RESPONSE, Keep())

    assert alike == UNTOUCHED
    assert encode(alike) == encode(UNTOUCHED)


def answer(drive: Drive, outputs: list[Output]) -> None:
    """Answer every effect that comes of *outputs*."""
    while tickets := [o.ticket for o in outputs if isinstance(o, Perform)]:
        outputs = [o for t in tickets for o in drive.exchange.resume(t, "pong", drive.now_s)]
