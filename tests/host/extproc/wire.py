"""A small exchange to drive the wire with, and a client that speaks as Envoy does."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from headrace.extensions.stage import Effect, Reject
from headrace.host.exchange.part import Chunk, Direction, Head, Part, Trailers
from headrace.host.exchange.reply import (
    BodyReply,
    HeadersReply,
    Output,
    Streamed,
    TrailersReply,
)
from headrace.host.extproc.counts import Counts
from headrace.host.extproc.edge import Performer
from headrace.host.extproc.grpcio import SERVICE, GrpcServer
from headrace.host.extproc.native.server import NativeServer
from headrace.host.extproc.opening import Factory, Opening
from headrace.host.extproc.options import GrpcOptions
from headrace.host.extproc.proto import messages as pb

grpc: Any = import_module("grpc")  # untyped: its published types differ
aio: Any = import_module("grpc.aio")

Server = GrpcServer | NativeServer
TRANSPORTS: dict[str, type[Server]] = {"grpcio": GrpcServer, "native": NativeServer}
# Which of them `serving` starts; the folder's conftest runs every test with each.
TRANSPORT: ContextVar[type[Server]] = ContextVar("TRANSPORT", default=NativeServer)

REQUEST, RESPONSE = Direction.REQUEST, Direction.RESPONSE
PATIENCE_S = 5.0


def echo(part: Part) -> list[Output]:
    """Return the reply that passes *part* on, in full duplex."""
    match part:
        case Head():
            return [HeadersReply(part.direction)]
        case Chunk():
            return [BodyReply(part.direction, Streamed(part.data, part.end_of_stream))]
        case Trailers():
            return [TrailersReply(part.direction)]


def nothing(*_: object) -> list[Output]:
    """Return no output."""
    return []


@dataclass(slots=True)
class Play:
    """An exchange that does what a test says, and remembers what happened to it."""

    on_part: Callable[[Part], list[Output]] = echo
    on_reply: Callable[[object], list[Output]] = nothing
    on_refusal: Callable[[str], list[Output]] = nothing
    on_expire: Callable[[], list[Output]] = nothing
    on_interrupt: Callable[[Reject], list[Output]] = nothing
    due_s: float | None = None
    opening: Opening | None = None
    parts: list[Part] = field(default_factory=list[Part])
    refusals: list[str] = field(default_factory=list[str])
    ends: list[str] = field(default_factory=list[str])
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self, opening: Opening, now_s: float) -> "Play":
        """Serve as the factory of the one exchange."""
        self.opening = opening
        return self

    @property
    def closed(self) -> bool:
        return self.due_s is None

    def receive(self, part: Part, now_s: float) -> list[Output]:
        self.parts.append(part)
        return self.on_part(part)

    def resume(self, ticket: int, reply: object, now_s: float) -> list[Output]:
        return self.on_reply(reply)

    def interrupt(self, ticket: int, reject: Reject, now_s: float) -> list[Output]:
        return self.on_interrupt(reject)

    def refuse(self, ticket: int, error: str, now_s: float) -> list[Output]:
        self.refusals.append(error)
        return self.on_refusal(error)

    def deadline(self) -> float | None:
        return self.due_s

    def expire(self, now_s: float) -> list[Output]:
        self.due_s = None
        return self.on_expire()

    def end(self, termination: str, now_s: float) -> list[Output]:
        self.ends.append(termination)
        self.ended.set()
        return []


def fresh(opening: Opening, now_s: float) -> Play:
    """Serve as the factory of any number of echoes."""
    return Play().open(opening, now_s)


def each(plays: Iterable[Play]) -> Factory:
    """Return the factory that gives every stream the next of *plays*."""
    waiting = iter(plays)
    return lambda opening, now_s: next(waiting).open(opening, now_s)


@dataclass(slots=True)
class Tally:
    """Counts by word."""

    counted: dict[str, int] = field(default_factory=dict[str, int])
    active: int = 0

    def _add(self, word: str, by: int = 1) -> None:
        self.counted[word] = self.counted.get(word, 0) + by

    def opened(self) -> None:
        self.active += 1

    def closed(self, termination: str) -> None:
        self.active -= 1
        self._add(f"closed {termination}")

    def received(self, messages: int, size_bytes: int) -> None:
        self._add("received", messages)

    def sent(self, messages: int, size_bytes: int) -> None:
        self._add("sent", messages)

    def ignored(self) -> None:
        self._add("ignored")

    def aborted(self, code: str) -> None:
        self._add(f"aborted {code}")

    def bug(self, where: str) -> None:
        self._add(f"bug {where}")

    def refused(self, kind: str) -> None:
        self._add(f"refused {kind}")


@dataclass(frozen=True, slots=True)
class Ask(Effect[str]):
    """An effect of these tests."""

    question: str = "?"


@dataclass(slots=True)
class Sleeper:
    """Performs `Ask` by sleeping; knows how many sleep and how many were woken by force."""

    asleep: int = 0
    cancelled: int = 0

    async def sleep(self, _: Ask) -> str:
        """Sleep for longer than any test lasts."""
        self.asleep += 1
        try:
            await asyncio.sleep(4 * PATIENCE_S)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.asleep -= 1
        return ""


class Stream(Protocol):
    """The client's side of one ext_proc stream."""

    async def write(self, request: pb.ProcessingRequest) -> None: ...
    async def read(self) -> object: ...
    async def done_writing(self) -> None: ...
    async def code(self) -> object: ...
    async def details(self) -> str: ...
    def cancel(self) -> bool: ...


@asynccontextmanager
async def serving(
    factory: Factory,
    performer: Performer | None = None,
    options: GrpcOptions | None = None,
    counts: Counts | None = None,
) -> AsyncGenerator[tuple[Server, str], None]:
    """Serve on a free port of loopback; nothing is left at the end."""
    server = TRANSPORT.get()(factory, performer, options, counts)
    port = await server.start("127.0.0.1:0")
    server.set_serving(True)
    try:
        yield server, f"127.0.0.1:{port}"
    finally:
        await server.drain(0.0)


@asynccontextmanager
async def client(
    address: str,
    metadata: Sequence[tuple[str, str]] = (),
    credentials: object = None,
    timeout_s: float = PATIENCE_S,
) -> AsyncGenerator[Callable[[], Stream], None]:
    """Give a function that opens a stream to *address*, for at most *timeout_s*."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    if credentials is None:
        channel = aio.insecure_channel(address, options=options)
    else:
        channel = aio.secure_channel(address, credentials, options=options)
    method = channel.stream_stream(
        f"/{SERVICE}/Process",
        request_serializer=pb.ProcessingRequest.SerializeToString,
        response_deserializer=pb.ProcessingResponse.FromString,
    )
    try:
        yield lambda: method(metadata=list(metadata), timeout=timeout_s)
    finally:
        await channel.close()


def head(end_of_stream: bool = False, **fields: object) -> pb.ProcessingRequest:
    """Return `request_headers` of a small POST."""
    names = {":method": "POST", ":path": "/v1/chat/completions", "host": "example"}
    headers = pb.HeaderMap(
        headers=[pb.HeaderValue(key=n, raw_value=v.encode()) for n, v in names.items()]
    )
    request = pb.ProcessingRequest(
        request_headers=pb.HttpHeaders(headers=headers, end_of_stream=end_of_stream),
        protocol_config=pb.ProtocolConfiguration(request_body_mode=4, response_body_mode=4),
    )
    for name, value in fields.items():
        setattr(request, name, value)
    return request


def body(data: bytes, end_of_stream: bool = False) -> pb.ProcessingRequest:
    """Return a `request_body`."""
    return pb.ProcessingRequest(request_body=pb.HttpBody(body=data, end_of_stream=end_of_stream))


async def reply(stream: Stream) -> pb.ProcessingResponse:
    """Return the next message of *stream*."""
    message = await stream.read()
    assert isinstance(message, pb.ProcessingResponse), f"the stream ended: {message}"
    return message


async def until(holds: Callable[[], bool]) -> None:
    """Wait until *holds*; `run` bounds the wait."""
    while not holds():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.001)


async def ends(play: Play) -> list[str]:
    """Return how *play* was ended, once it was."""
    await asyncio.wait_for(play.ended.wait(), PATIENCE_S)
    return play.ends


def on_head(*outputs: Output) -> Callable[[Part], list[Output]]:
    """Return a script: *outputs* at the head, an echo of all else."""
    return lambda part: list(outputs) if isinstance(part, Head) else echo(part)


async def status(stream: Stream) -> str:
    """Return the name of the final status of *stream*."""
    code: Any = await stream.code()
    return str(code.name)


def run(test: Awaitable[None]) -> None:
    """Run *test* to its end, but not for ever."""

    async def bounded() -> None:
        await asyncio.wait_for(test, 4 * PATIENCE_S)

    asyncio.run(bounded())
