"""Raw HTTP/1.1 over asyncio streams: every byte is the caller's, nothing is added or repaired.

Owns framing (content-length, chunked, trailers, interim heads). Used by client and upstream alike.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.e2e.rig.config import LOOPBACK

Value = str | bytes
Fields = Iterable[tuple[str, Value]]
READ_BYTES = 256 * 1024
LINE_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Head:
    """A start line and its fields: names lower case, values as raw bytes, order kept."""

    start: str
    fields: tuple[tuple[str, bytes], ...] = ()

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1])

    @property
    def method(self) -> str:
        return self.start.split(" ")[0]

    @property
    def path(self) -> str:
        return self.start.split(" ")[1]

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of *name* as Latin-1 text, or *default*."""
        return next((value.decode("latin-1") for key, value in self.fields if key == name), default)

    def all(self, name: str) -> list[bytes]:
        """Return every value of *name*, in order."""
        return [value for key, value in self.fields if key == name]

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self.fields)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it arrived. *complete*: its body ended as its framing says it should."""

    head: Head
    body: bytes = field(repr=False)
    complete: bool
    trailers: tuple[tuple[str, bytes], ...] = ()
    interim: tuple[int, ...] = ()

    @property
    def status(self) -> int:
        return self.head.status


class Wire:
    """One connection. Its owner is the only reader and the only writer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.trailers: tuple[tuple[str, bytes], ...] = ()

    async def send(self, data: bytes) -> None:
        """Write *data* as it is and wait until the socket takes more."""
        self.writer.write(data)
        await self.writer.drain()

    async def send_head(self, start: str, fields: Fields = (), body: bytes = b"") -> None:
        """Write a start line, *fields* and the blank line, in one piece with *body*."""
        lines = [start.encode("latin-1"), *(_line(name, value) for name, value in fields)]
        await self.send(b"\r\n".join(lines) + b"\r\n\r\n" + body)

    async def send_chunk(self, data: bytes) -> None:
        """Write *data* as one chunk; empty data writes nothing, for it would end the body."""
        if data:
            await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def end_chunks(self, trailers: Fields = ()) -> None:
        """Write the last chunk and *trailers*."""
        lines = [_line(name, value) + b"\r\n" for name, value in trailers]
        await self.send(b"0\r\n" + b"".join(lines) + b"\r\n")

    async def read_head(self) -> Head:
        """Return the next head.

        Raises:
            EOFError: the peer closed instead.
        """
        block = await self.reader.readuntil(b"\r\n\r\n")
        start, *lines = block[:-4].split(b"\r\n")
        return Head(start.decode("latin-1"), tuple(_field(line) for line in lines))

    async def body(self, head: Head, *, bodiless: bool = False) -> AsyncIterator[bytes]:
        """Yield the body of the message *head* began, as it arrives; sets `trailers`.

        Raises:
            EOFError: the connection ended before the body did.
        """
        if bodiless:
            return
        if "chunked" in head.get("transfer-encoding"):
            async for piece in self._chunks():
                yield piece
        elif "content-length" in head:
            async for piece in self._exactly(int(head.get("content-length"))):
                yield piece
        elif head.start.startswith("HTTP/"):
            while piece := await self.reader.read(READ_BYTES):
                yield piece

    async def _exactly(self, size_bytes: int) -> AsyncIterator[bytes]:
        while size_bytes:
            piece = await self.reader.read(min(size_bytes, READ_BYTES))
            if not piece:
                raise EOFError("the connection ended inside a body")
            size_bytes -= len(piece)
            yield piece

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size_bytes := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
            async for piece in self._exactly(size_bytes):
                yield piece
            await self.reader.readexactly(2)
        lines: list[bytes] = []
        while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
            lines.append(line[:-2])
        self.trailers = tuple(_field(line) for line in lines)

    async def close(self) -> None:
        """Close the connection in order."""
        self.writer.close()
        with suppress(OSError):  # the peer was faster
            await self.writer.wait_closed()

    async def reset(self) -> None:
        """End the connection with a TCP reset."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        with suppress(OSError):  # the peer was faster
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.close()


async def connect(port: int) -> Wire:
    """Return a connection to *port* on loopback."""
    return Wire(*await asyncio.open_connection(LOOPBACK, port, limit=LINE_BYTES_MAX))


async def read_answer(wire: Wire, method: str) -> Answer:
    """Read interim heads and one response to *method*; an early end makes it incomplete."""
    interim: list[int] = []
    head = await wire.read_head()
    while 100 <= head.status < 200 and head.status != 101:
        interim.append(head.status)
        head = await wire.read_head()
    bodiless = method == "HEAD" or head.status in (101, 204, 304)
    body = bytearray()
    try:
        async for piece in wire.body(head, bodiless=bodiless):
            body += piece
        complete = True
    except (EOFError, ConnectionError):
        complete = False
    return Answer(head, bytes(body), complete, wire.trailers, tuple(interim))


def _line(name: str, value: Value) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode("latin-1")
    return name.encode("latin-1") + b": " + raw


def _field(line: bytes) -> tuple[str, bytes]:
    name, _, value = line.partition(b":")
    return name.decode("latin-1").lower(), value.strip(b" \t")
