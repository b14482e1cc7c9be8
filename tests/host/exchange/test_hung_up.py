"""Clients that hang up when they have what they want, before the body ends."""

import pytest

from headrace.extensions.stage import Needs
from tests.host.exchange.drive import Drive
from tests.host.exchange.stages import GATE, OBSERVE, Script


@pytest.mark.parametrize(
    ("last", "termination"), [(b"data: [DONE]\n\n", "complete"), (b"data: a\n\n", "client-gone")]
)
@pytest.mark.parametrize("needs", [OBSERVE, GATE])
def test_who_hangs_up_after_the_last_event_of_a_stream_has_got_it_whole(
    last: bytes, termination: str, needs: Needs
) -> None:
    stage = Script(needs=needs)
    drive = Drive((stage,))
    drive.head(end=True)
    drive.answer(("content-type", "text/event-stream"))
    drive.answer_chunk(b"data: a\n\n" + last)
    drive.exchange.end("client-gone", drive.now_s)

    assert stage.log[-1] == ("over", termination)
