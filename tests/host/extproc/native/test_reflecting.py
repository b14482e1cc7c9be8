"""Server reflection on the native transport: each way in which a stream of questions ends."""

from dataclasses import dataclass, field

import pytest

from headrace.host.extproc.native.messages import Refusal
from headrace.host.extproc.native.reflecting import Reflecting
from headrace.host.extproc.native.stream import Stream
from headrace.host.extproc.proto import messages as pb
from headrace.host.extproc.reflection import REQUEST_BYTES_MAX, UNREAD_BYTES_MAX, Reflection
from headrace.host.extproc.service import SERVICE
from tests.host.extproc.native.speech import message

LIST = message(pb.ServerReflectionRequest(list_services="").SerializeToString())
FILES = message(pb.ServerReflectionRequest(file_containing_symbol=SERVICE).SerializeToString())


@dataclass(slots=True)
class Way:
    """A Link to a peer that reads nothing, and what was said on it."""

    sent: int = 0
    said: list[str] = field(default_factory=list[str])

    def send(self, stream: Stream, message: bytes) -> None:
        self.sent += 1
        stream.queued_bytes += len(message)

    def finish(self, stream: Stream, code: str, message: str = "") -> None:
        self.said.append(code)

    def refuse(self, stream: Stream, refusal: Refusal) -> None:
        self.said.append(f"{refusal.code}: {refusal.message}")

    def hold(self, change_bytes: int) -> bool:
        return True


@dataclass(slots=True)
class Asked:
    """One stream of questions."""

    way: Way = field(default_factory=Way)
    ends: list[Reflecting] = field(default_factory=list[Reflecting])
    call: Reflecting = field(init=False)

    def __post_init__(self) -> None:
        stream = Stream(1, 1 << 18, 1 << 18)
        stream.call = self.call = Reflecting(
            self.way, stream, Reflection((SERVICE,)), self.ends.append
        )


def test_questions_are_answered_however_they_are_cut() -> None:
    asked = Asked()
    for at in range(0, 3 * len(LIST), 5):
        asked.call.data((LIST * 3)[at : at + 5])
    asked.call.ended()

    assert (asked.way.sent, asked.way.said) == (3, ["OK"])
    assert asked.ends == [asked.call]


def test_who_does_not_read_the_answers_is_told_no_more() -> None:
    asked = Asked()
    asked.call.data(FILES * 900)

    assert asked.way.said == ["RESOURCE_EXHAUSTED: the answers are not read"]
    assert UNREAD_BYTES_MAX / 12_000 < asked.way.sent < 900


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (message(b"\xff"), "INVALID_ARGUMENT: no `ServerReflectionRequest`"),
        (message(bytes(REQUEST_BYTES_MAX + 1)), "RESOURCE_EXHAUSTED: message of 4097 bytes"),
        (b"\x01" + LIST[1:], "INTERNAL: a message says it is compressed"),
        (LIST[:3], "INTERNAL: the stream ended inside a message"),
    ],
    ids=["garbage", "large", "compressed", "cut"],
)
def test_what_is_no_question_ends_the_stream_once(payload: bytes, said: str) -> None:
    asked = Asked()
    asked.call.data(payload)
    if not asked.call.over:
        asked.call.ended()

    (found,) = asked.way.said
    assert found.startswith(said)
    assert asked.ends == [asked.call]


def test_a_deadline_a_reset_and_a_shutdown_end_it() -> None:
    late, gone, expelled = Asked(), Asked(), Asked()
    late.call.expire()
    gone.call.gone()
    expelled.call.expel("the host is going")

    assert [late.way.said, gone.way.said, expelled.way.said] == [
        ["DEADLINE_EXCEEDED"],
        [],
        ["UNAVAILABLE"],
    ]
    assert all(one.ends == [one.call] for one in (late, gone, expelled))
