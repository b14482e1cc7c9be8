"""Raw HTTP/2 over asyncio with the h2 state machine: streams, trailers, resets, flow control.

One class serves both sides. Owns reading and flow control; what to say is its caller's affair.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError

from tests.e2e.rig.config import LOOPBACK

Pairs = tuple[tuple[str, bytes], ...]
Fields = Iterable[tuple[str, str | bytes]]
READ_BYTES = 256 * 1024
WINDOW_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it arrived. *reset*: the error code of the reset that ended it, else None."""

    headers: Pairs = ()
    body: bytes = field(default=b"", repr=False)
    trailers: Pairs = ()
    reset: int | None = None
    interim: tuple[int, ...] = ()

    @property
    def status(self) -> int:
        return int(self.get(":status", "0"))

    def get(self, name: str, default: str = "") -> str:
        """Return the first header *name* as text, or *default*."""
        return next(
            (value.decode("latin-1") for key, value in self.headers if key == name), default
        )


class Stream:
    """One stream of a connection. *arrived*: pieces in order; None once the peer is done."""

    def __init__(self, wire: "Wire", number: int) -> None:
        self._wire, self.number = wire, number
        self.arrived: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.headed = asyncio.Event()
        self.headers: Pairs = ()
        self.trailers: Pairs = ()
        self.interim: list[int] = []
        self.reset_code: int | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the peer's body as it arrives, until its end or a reset."""
        while (piece := await self.arrived.get()) is not None:
            yield piece

    async def send_headers(self, fields: Fields, *, end: bool = False) -> None:
        """Send a head, or trailers if a head went before."""
        raw = [(name.encode(), _bytes(value)) for name, value in fields]
        self._wire.machine.send_headers(self.number, raw, end_stream=end)
        await self._wire.flush()

    async def send(self, data: bytes, *, end: bool = False) -> None:
        """Send *data* as the peer's windows allow."""
        machine = self._wire.machine
        while data:
            room = min(
                machine.local_flow_control_window(self.number), machine.max_outbound_frame_size
            )
            if room <= 0:
                await self._wire.window_grew()
                continue
            machine.send_data(self.number, data[:room])
            data = data[room:]
            await self._wire.flush()
        if end:
            machine.end_stream(self.number)
            await self._wire.flush()

    async def reset(self, code: int = 8) -> None:
        """Reset the stream; 8 is CANCEL."""
        self._wire.machine.reset_stream(self.number, code)
        await self._wire.flush()

    async def answer(self) -> Answer:
        """Read the whole response."""
        body = b"".join([piece async for piece in self.pieces()])
        return Answer(self.headers, body, self.trailers, self.reset_code, tuple(self.interim))


Serve = Callable[[Stream], Awaitable[None]]


class Wire:
    """One connection. Its task is the only reader; streams write from any task of the loop."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, serve: Serve | None = None
    ) -> None:
        self._reader, self._writer, self._serve = reader, writer, serve
        config = H2Configuration(
            client_side=serve is None,
            header_encoding=None,
            validate_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.machine = H2Connection(config)
        self.machine.initiate_connection()
        self.machine.increment_flow_control_window(WINDOW_BYTES)
        self.streams: dict[int, Stream] = {}
        self._grew = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Read until the connection ends; open streams see a reset."""
        try:
            await self.flush()
            while data := await self._reader.read(READ_BYTES):
                for event in self.machine.receive_data(data):
                    self._on(event)
                await self.flush()
        except (ConnectionError, ProtocolError):
            pass  # the peer is gone or speaks nonsense: the streams' readers learn it below
        finally:
            for stream in self.streams.values():
                stream.headed.set()
                stream.arrived.put_nowait(None)
            for task in [*self._tasks]:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._writer.close()

    def open(self) -> Stream:
        """Return a new stream of ours."""
        stream = Stream(self, self.machine.get_next_available_stream_id())
        self.streams[stream.number] = stream
        return stream

    async def flush(self) -> None:
        """Write what the machine wants written."""
        if data := self.machine.data_to_send():
            self._writer.write(data)
            await self._writer.drain()

    async def window_grew(self) -> None:
        """Wait until the peer has granted more room."""
        self._grew.clear()
        await self._grew.wait()

    def _on(self, event: Event) -> None:
        self._grew.set()  # any frame may be the one that grew a window
        match event:
            case RequestReceived(stream_id=number, headers=headers):
                stream = self.streams[number] = Stream(self, number)
                stream.headers = _pairs(headers)
                stream.headed.set()
                self._spawn(stream)
            case InformationalResponseReceived(stream_id=number, headers=headers):
                self.streams[number].interim.append(int(dict(_pairs(headers))[":status"]))
            case ResponseReceived(stream_id=number, headers=headers):
                self.streams[number].headers = _pairs(headers)
                self.streams[number].headed.set()
            case TrailersReceived(stream_id=number, headers=headers):
                self.streams[number].trailers = _pairs(headers)
            case DataReceived(stream_id=number, data=data, flow_controlled_length=size):
                self.machine.acknowledge_received_data(size or 0, number)
                self.streams[number].arrived.put_nowait(bytes(data or b""))
            case StreamEnded(stream_id=number):
                self.streams[number].arrived.put_nowait(None)
            case StreamReset(stream_id=number, error_code=code):
                if number in self.streams:
                    stream = self.streams[number]
                    stream.reset_code = int(code or 0)
                    stream.headed.set()
                    stream.arrived.put_nowait(None)
            case ConnectionTerminated():
                self._writer.close()
            case _:
                pass

    def _spawn(self, stream: Stream) -> None:
        assert self._serve is not None
        task = asyncio.ensure_future(self._served(self._serve(stream)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _served(self, work: Awaitable[None]) -> None:
        with suppress(ConnectionError, ProtocolError):  # the peer reset what we still answered
            await work


@asynccontextmanager
async def connected(port: int) -> AsyncGenerator[Wire]:
    """Open an HTTP/2 connection with prior knowledge to *port* for a while."""
    wire = Wire(*await asyncio.open_connection(LOOPBACK, port))
    reading = asyncio.create_task(wire.run())
    try:
        yield wire
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading


@asynccontextmanager
async def serving(serve: Serve) -> AsyncGenerator[int]:
    """Run an HTTP/2 upstream that gives every request to *serve*; yields its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):  # the end of the rig
            await Wire(reader, writer, serve).run()
        tasks.discard(task)

    server = await asyncio.start_server(accepted, LOOPBACK, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in [*tasks]:
            task.cancel()
        await asyncio.gather(*tasks)
        await server.wait_closed()


async def fetch(
    port: int,
    method: str = "GET",
    path: str = "/",
    fields: Fields = (),
    body: Iterable[bytes] = (),
    trailers: Fields = (),
) -> Answer:
    """Return the answer to one request on a connection of its own."""
    tail = list(trailers)
    async with asyncio.timeout(30), connected(port) as wire:
        stream = wire.open()
        await stream.send_headers([*pseudo(method, path), *fields])
        sending = asyncio.create_task(_send(stream, body, tail))
        answer = await stream.answer()
        sending.cancel()
        with suppress(asyncio.CancelledError, ProtocolError, ConnectionError):
            await sending
        return answer


def pseudo(method: str, path: str) -> list[tuple[str, str | bytes]]:
    """Return the pseudo headers of a request."""
    return [(":method", method), (":path", path), (":scheme", "http"), (":authority", "rig")]


async def _send(
    stream: Stream, body: Iterable[bytes], trailers: list[tuple[str, str | bytes]]
) -> None:
    for piece in body:
        await stream.send(piece)
    if trailers:
        await stream.send_headers(trailers, end=True)
    else:
        await stream.send(b"", end=True)


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


def _pairs(headers: Iterable[tuple[bytes | str, bytes | str]] | None) -> Pairs:
    return tuple((_text(name), _bytes(value)) for name, value in headers or ())


def _text(name: bytes | str) -> str:
    return name.decode("latin-1") if isinstance(name, bytes) else name
