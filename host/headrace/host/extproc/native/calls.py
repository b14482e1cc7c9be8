"""What goes on in a stream: an exchange driven by a Session, or a question about health."""

from collections.abc import Callable
from typing import Protocol

from headrace.host.extproc import health as words
from headrace.host.extproc.counts import Counts
from headrace.host.extproc.health import Health, HealthFault
from headrace.host.extproc.native.deadlines import Deadline
from headrace.host.extproc.native.messages import Assembler, Refusal
from headrace.host.extproc.native.stream import Stream
from headrace.host.extproc.session import Door, Session

TRUNCATED = Refusal("INTERNAL", "the stream ended inside a message")
LATE = "the deadline of the call has passed"
CROWDED = Refusal("RESOURCE_EXHAUSTED", "too many incomplete messages on this connection")


class Link(Protocol):
    """The way back to the peer, of one connection."""

    def send(self, stream: Stream, message: bytes) -> None:
        """Send one message."""
        ...

    def finish(self, stream: Stream, code: str, message: str = "") -> None:
        """End *stream* with a gRPC status."""
        ...

    def refuse(self, stream: Stream, refusal: Refusal) -> None:
        """End *stream* for what the peer has sent on it."""
        ...

    def hold(self, change_bytes: int) -> bool:
        """Note that more or less is held of incomplete messages; return whether it may be."""
        ...


class Exchanging:
    """One ext_proc stream. Mutable; everything runs in the event loop's thread."""

    __slots__ = (
        "_assembler",
        "_counts",
        "_link",
        "_on_end",
        "_sent",
        "_sent_bytes",
        "_stream",
        "deadline",
        "over",
        "session",
    )

    def __init__(
        self,
        link: Link,
        stream: Stream,
        assembler: Assembler,
        on_end: Callable[["Exchanging"], None],
        counts: Counts,
    ) -> None:
        self._link = link
        self._stream = stream
        self._assembler = assembler
        self._on_end = on_end
        self._counts = counts
        self._sent = self._sent_bytes = 0
        self.deadline: Deadline | None = None
        self.over = False
        self.session: Session

    def begin(self, door: Door, chain: str, traceparent: str) -> None:
        """Open the Session."""
        self.session = Session(door, chain, traceparent, self.flush)

    def data(self, payload: bytes) -> None:
        """Take the content of one DATA frame."""
        assembler, session = self._assembler, self.session
        before = assembler.held_bytes
        for message in assembler.feed(payload):
            session.receive(message)
            if session.abort is not None:
                break
        held = assembler.held_bytes
        if held != before and not self._link.hold(held - before):
            self._refuse(CROWDED)
            return
        if session.frames or session.abort is not None:
            self.flush()
        if assembler.refusal is not None and not self.over:
            self._refuse(assembler.refusal)

    def ended(self) -> None:
        """Note that the peer sends no more."""
        if self._assembler.held_bytes:
            self._refuse(TRUNCATED)
            return
        self.session.half_close()
        self.flush()
        if not self.over:
            self._link.finish(self._stream, "OK")
            self._leave()

    def gone(self) -> None:
        """Note that the stream is dead."""
        if not self.over:
            self._leave()

    def expire(self) -> None:
        """End the call, whose deadline has passed."""
        self._link.finish(self._stream, "DEADLINE_EXCEEDED", LATE)
        self._leave()

    def expel(self, message: str) -> None:
        """End the call because the host must go."""
        self.session.expel(message)
        if not self.over:  # in observability mode the Session has nothing to say
            self._link.finish(self._stream, "UNAVAILABLE", message)
            self._leave()

    def flush(self) -> None:
        """Send what the Session has to say."""
        if self.over:
            return
        session, stream, link = self.session, self._stream, self._link
        frames = session.frames
        while frames:
            message = frames.popleft()
            link.send(stream, message)
            self._sent += 1
            self._sent_bytes += len(message)
        abort = session.abort
        if abort is not None:
            link.finish(stream, abort.code, abort.message)
            self._leave()

    def _refuse(self, refusal: Refusal) -> None:
        self._link.refuse(self._stream, refusal)
        self._leave()

    def _leave(self) -> None:
        self.over = True
        self._stream.call = None
        if self._assembler.held_bytes:
            self._link.hold(-self._assembler.held_bytes)
        self.session.leave()
        if self.deadline is not None:
            self.deadline.lift()
        self._counts.sent(self._sent, self._sent_bytes)
        self._on_end(self)


class Asking:
    """One question about health: Check, or Watch if *watching*. Mutable."""

    __slots__ = (
        "_assembler",
        "_health",
        "_link",
        "_name",
        "_stream",
        "_told",
        "_watching",
        "deadline",
        "over",
    )

    def __init__(
        self,
        link: Link,
        stream: Stream,
        health: Health,
        *,
        watching: bool,
    ) -> None:
        self._link = link
        self._stream = stream
        self._health = health
        self._watching = watching
        self._assembler = Assembler(words.REQUEST_BYTES_MAX, b"")
        self._name: str | None = None
        self._told: int | None = None
        self.deadline: Deadline | None = None
        self.over = False

    def data(self, payload: bytes) -> None:
        """Take the content of one DATA frame."""
        for message in self._assembler.feed(payload):
            if self._name is not None:
                self._end(HealthFault("INTERNAL", "more than one request"))
                return
            try:
                self._name = words.requested(message)
            except HealthFault as fault:
                self._end(fault)
                return
        if self._assembler.refusal is not None:
            self._link.refuse(self._stream, self._assembler.refusal)
            self._leave()

    def ended(self) -> None:
        """Answer: the peer sends no more."""
        if self._name is None:
            self._end(HealthFault("INTERNAL", "no request"))
        elif self._watching:
            if self._health.watch(self._news):
                self._news()
            else:
                self._end(HealthFault("RESOURCE_EXHAUSTED", "too many watchers"))
        else:
            self._check(self._name)

    def gone(self) -> None:
        """Note that the stream is dead."""
        self._leave()

    def expire(self) -> None:
        """End the call, whose deadline has passed."""
        self._end(HealthFault("DEADLINE_EXCEEDED", LATE))

    def expel(self, message: str) -> None:
        """End the call because the host must go."""
        self._end(HealthFault("UNAVAILABLE", message))

    def _check(self, name: str) -> None:
        found = self._health.status(name)
        if found == words.SERVICE_UNKNOWN:
            self._end(HealthFault("NOT_FOUND", "no such service"))
            return
        self._link.send(self._stream, words.reply(found))
        self._link.finish(self._stream, "OK")
        self._leave()

    def _news(self) -> None:
        assert self._name is not None
        news = self._health.status(self._name)
        if news != self._told:
            self._told = news
            self._link.send(self._stream, words.reply(news))
        if self._health.closed:
            self._end(HealthFault("UNAVAILABLE", "the host is going"))

    def _end(self, fault: HealthFault) -> None:
        if not self.over:
            self._link.finish(self._stream, fault.code, str(fault))
            self._leave()

    def _leave(self) -> None:
        if not self.over:
            self.over = True
            self._stream.call = None
            self._health.unwatch(self._news)
            if self.deadline is not None:
                self.deadline.lift()
