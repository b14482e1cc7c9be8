"""One direction of a model of Envoy's ext_proc filter: what it sends, takes and passes on.

Source: Envoy's `ext_proc.proto` and the behaviour of Envoy 1.40 towards a processor.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from headrace.extensions.headers import Headers, Pairs
from headrace.host.exchange.part import BodyMode, Chunk, Direction, Head, Part, Trailers
from headrace.host.exchange.reply import (
    BodyReply,
    HeaderMutation,
    HeadersReply,
    Keep,
    Streamed,
    TrailersReply,
)
from headrace.host.testing.message import Message

FDS = BodyMode.FULL_DUPLEX_STREAMED
WHOLE = (BodyMode.BUFFERED, BodyMode.BUFFERED_PARTIAL)


class Spurious(Exception):
    """A reply that Envoy would refuse."""


@dataclass(slots=True)
class Lane:
    """One direction of one exchange. Written by the model of Envoy it belongs to.

    pieces        the body as it arrives from the network
    bare_end      the end of the body comes as an empty last piece
    flushed       the head has gone on: upstream, or to the client
    unanswered    body messages that wait for a reply, oldest first
    """

    direction: Direction
    mode: BodyMode
    message: Message
    pieces: list[bytes]
    bare_end: bool
    headers: Headers = field(init=False)
    to_send: deque[Part] = field(default_factory=deque[Part])
    out: list[bytes] = field(default_factory=list[bytes])
    unanswered: deque[bytes] = field(default_factory=deque[bytes])
    head_owed: bool = False
    trailers_owed: bool = False
    flushed: bool = False
    ended: bool = False
    begun: bool = False

    def __post_init__(self) -> None:
        self.headers = Headers(self.message.headers)

    @property
    def bare(self) -> bool:
        """Whether the head is all there is."""
        return not self.message.body and not self.bare_end and self.message.trailers is None

    def begin(self) -> Head:
        """Send the head."""
        self.begun = self.head_owed = True
        if self.mode is FDS and not self.bare:
            self.to_send.extend(self._messages())
        return Head(self.direction, self.headers, end_of_stream=self.bare)

    def _messages(self) -> Iterator[Part]:
        trailers = self.message.trailers
        end = trailers is None
        if self.mode in WHOLE:
            yield Chunk(self.direction, self.message.body, end)
        elif self.mode is not BodyMode.NONE:
            pieces = [*self.pieces, b""] if self.bare_end or not self.pieces else self.pieces
            if not end and not pieces[-1]:
                pieces = pieces[:-1]
            for at, piece in enumerate(pieces):
                yield Chunk(self.direction, piece, end and at == len(pieces) - 1)
        if trailers is not None:
            yield Trailers(self.direction, Headers(trailers))

    def may_send(self) -> bool:
        """Whether Envoy would send the next message now."""
        if not self.to_send:
            return False
        if self.mode is FDS:
            return True
        if self.head_owed:
            return False
        # Trailers wait for the replies to the body.
        return isinstance(self.to_send[0], Chunk) or not self.unanswered

    def next_part(self) -> Part:
        """Send the next message."""
        part = self.to_send.popleft()
        if isinstance(part, Chunk) and self.mode is not FDS:
            self.unanswered.append(part.data)
        if isinstance(part, Trailers):
            self.trailers_owed = True
        return part

    def take_head(self, reply: HeadersReply) -> None:
        """Take the headers reply.

        Raises:
            Spurious: none is owed.
        """
        if not self.head_owed:
            raise Spurious(f"{self.direction.value} headers reply that nobody waits for")
        self.head_owed = False
        self.headers = mutated(self.headers, reply.mutation)
        if reply.body is not None:
            self._replace(reply.body)
            return
        self.flushed = self.mode not in WHOLE or self.bare
        if self.bare:
            self.ended = True
        elif self.mode is not FDS:
            self.to_send.extend(self._messages())
        if self.mode is BodyMode.NONE:
            self.out = list(self.pieces)
            self.ended = self.message.trailers is None

    def _replace(self, body: bytes) -> None:
        """Take *body* with the head: nothing more is sent or asked, and trailers follow."""
        if self.bare:
            raise Spurious(f"{self.direction.value} body for a head without one")
        self.to_send.clear()
        self.unanswered.clear()
        self.out, self.trailers_owed = [body], False
        self.flushed = self.ended = True

    def take_body(self, reply: BodyReply) -> None:
        """Take a body reply.

        Raises:
            Spurious: it is of the wrong kind, too early, too late or one too many.
        """
        where = self.direction.value
        if self.head_owed or self.ended or not self.begun:
            raise Spurious(f"{where} body reply out of order")
        if isinstance(reply.body, Streamed):
            self._take_streamed(reply.body)
            return
        if self.mode is FDS or not self.unanswered:
            raise Spurious(f"{where} body reply that nobody waits for")
        data = self.unanswered.popleft()
        self.out.append(data if isinstance(reply.body, Keep) else reply.body.data)
        if self.mode in WHOLE:
            self.headers = mutated(self.headers, reply.mutation)
            self._check_length()
            self.flushed = True
        if not self.unanswered and not self.to_send and self.message.trailers is None:
            self.ended = True

    def take_trailers(self, reply: TrailersReply) -> None:
        """Take the trailers reply.

        Raises:
            Spurious: no trailers wait, or body replies are missing before it.
        """
        if not self.trailers_owed or self.unanswered or self.head_owed:
            raise Spurious(f"{self.direction.value} trailers reply out of order")
        self.trailers_owed, self.ended = False, True

    def result(self) -> Message:
        """Return the message as it went on."""
        return Message(self.headers.pairs, b"".join(self.out), self.message.trailers)

    def _take_streamed(self, body: Streamed) -> None:
        where = self.direction.value
        if self.mode is not FDS:
            raise Spurious(f"streamed {where} body in mode {self.mode.name}")
        if self.bare:
            raise Spurious(f"{where} body for a head without one")
        if len(body.data) > 64 * 1024:
            raise Spurious(f"{where} body reply of {len(body.data)} bytes")
        if body.end_of_stream and self.message.trailers is not None:
            raise Spurious(f"{where} body ended although trailers came")
        self.out.append(body.data)
        self.ended = body.end_of_stream

    def _check_length(self) -> None:
        length = self.headers.get("content-length")
        if length and int(length) != sum(map(len, self.out)) and self.mode is BodyMode.BUFFERED:
            raise Spurious(f"{self.direction.value} body does not fit its content-length")


def mutated(headers: Headers, mutation: HeaderMutation) -> Headers:
    """Return *headers* as Envoy changes them: removals first, then sets."""
    pairs: list[tuple[str, str]] = [p for p in headers if p[0] not in mutation.remove_headers]
    for name, value, append in mutation.set_headers:
        if any(c in value for c in "\r\n\0") or name.startswith(":") or name != name.lower():
            raise Spurious(f"header mutation of {name!r}")
        if not append:
            pairs = [p for p in pairs if p[0] != name]
        pairs.append((name, value))
    return Headers(pairs)


def headers_of(pairs: Pairs, status: int) -> Pairs:
    """Return the head of a local reply."""
    return ((":status", str(status)), *pairs)
