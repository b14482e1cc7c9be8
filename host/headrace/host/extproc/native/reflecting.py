"""What goes on in a stream of server reflection."""

from collections.abc import Callable

from headrace.host.extproc.native.calls import LATE, TRUNCATED, Link
from headrace.host.extproc.native.deadlines import Deadline
from headrace.host.extproc.native.messages import Assembler, Refusal
from headrace.host.extproc.native.stream import Stream
from headrace.host.extproc.reflection import (
    QUESTIONS_MAX,
    REQUEST_BYTES_MAX,
    UNREAD_BYTES_MAX,
    Reflection,
    ReflectionFault,
)

UNREAD = Refusal("RESOURCE_EXHAUSTED", "the answers are not read")
CURIOUS = Refusal("RESOURCE_EXHAUSTED", "too many questions")


class Reflecting:
    """One stream of questions. Mutable; *on_end* is told once that it is over."""

    __slots__ = (
        "_assembler",
        "_link",
        "_on_end",
        "_questions",
        "_reflection",
        "_stream",
        "deadline",
        "over",
    )

    def __init__(
        self,
        link: Link,
        stream: Stream,
        reflection: Reflection,
        on_end: Callable[["Reflecting"], None],
    ) -> None:
        self._link = link
        self._stream = stream
        self._reflection = reflection
        self._on_end = on_end
        self._assembler = Assembler(REQUEST_BYTES_MAX, b"")
        self._questions = 0
        self.deadline: Deadline | None = None
        self.over = False

    def data(self, payload: bytes) -> None:
        """Take the content of one DATA frame."""
        for message in self._assembler.feed(payload):
            refusal = self._answer(message)
            if refusal is not None:
                self._refuse(refusal)
                return
        if self._assembler.refusal is not None:
            self._refuse(self._assembler.refusal)

    def ended(self) -> None:
        """Note that the peer asks no more."""
        if self._assembler.held_bytes:
            self._refuse(TRUNCATED)
        else:
            self._link.finish(self._stream, "OK")
            self._leave()

    def gone(self) -> None:
        """Note that the stream is dead."""
        self._leave()

    def expire(self) -> None:
        """End the call, whose deadline has passed."""
        self._link.finish(self._stream, "DEADLINE_EXCEEDED", LATE)
        self._leave()

    def expel(self, message: str) -> None:
        """End the call because the host must go."""
        self._link.finish(self._stream, "UNAVAILABLE", message)
        self._leave()

    def _answer(self, message: bytes) -> Refusal | None:
        """Answer one question; return why the stream cannot go on, if it cannot."""
        self._questions += 1
        if self._questions > QUESTIONS_MAX:
            return CURIOUS
        if self._stream.queued_bytes > UNREAD_BYTES_MAX:
            return UNREAD
        try:
            self._link.send(self._stream, self._reflection.answer(message))
        except ReflectionFault as fault:
            return Refusal(fault.code, str(fault))
        return None

    def _refuse(self, refusal: Refusal) -> None:
        self._link.refuse(self._stream, refusal)
        self._leave()

    def _leave(self) -> None:
        if not self.over:
            self.over = True
            self._stream.call = None
            self._on_end(self)
            if self.deadline is not None:
                self.deadline.lift()
