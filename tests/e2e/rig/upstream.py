"""The rig's HTTP/1.1 upstream: does what the script says that the request names in `x-script`."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256

from tests.e2e.rig.config import LOOPBACK
from tests.e2e.rig.http1 import LINE_BYTES_MAX, Fields, Head, Wire

BODY_KEPT_BYTES = 2 * 1024 * 1024
SEEN_MAX = 4096


@dataclass(frozen=True, slots=True)
class Seen:
    """A whole request as it reached the upstream; *body* is empty above `BODY_KEPT_BYTES`."""

    head: Head
    body: bytes = field(repr=False)
    size_bytes: int
    sha256: str
    trailers: tuple[tuple[str, bytes], ...]


Script = Callable[["Call"], Awaitable[None]]


@dataclass(slots=True)
class Call:
    """One request at the upstream, for its script. Written by the connection's task only.

    keep  whether the connection serves another request; a script that hangs up clears it
    """

    head: Head
    wire: Wire
    seen: "Requests"
    keep: bool = True
    _read: bool = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the request body as it arrives, then note the request as seen."""
        digest, size, kept = sha256(), 0, bytearray()
        async for piece in self.wire.body(self.head):
            digest.update(piece)
            size += len(piece)
            if size <= BODY_KEPT_BYTES:
                kept += piece
            yield piece
        self._read = True
        body = bytes(kept) if size <= BODY_KEPT_BYTES else b""
        self.seen.add(Seen(self.head, body, size, digest.hexdigest(), self.wire.trailers))

    async def read(self) -> Seen:
        """Read the whole request."""
        async for _ in self.pieces():
            pass
        return self.seen.newest

    async def answer(
        self, status: int = 200, fields: Fields = (), body: bytes = b"", *, length: bool = True
    ) -> None:
        """Send a whole response, with a content-length or as one chunk."""
        framing = ("content-length", str(len(body))) if length else ("transfer-encoding", "chunked")
        await self.begin(status, [*fields, framing])
        if length:
            await self.wire.send(body)
        else:
            await self.wire.send_chunk(body)
            await self.wire.end_chunks()

    async def begin(self, status: int = 200, fields: Fields = ()) -> None:
        """Send a response head with exactly *fields*."""
        await self.wire.send_head(f"HTTP/1.1 {status} Rig", fields)

    async def hang_up(self) -> None:
        """Reset the connection."""
        self.keep = False
        await self.wire.reset()

    @property
    def reusable(self) -> bool:
        return self.keep and self._read


class Requests:
    """What an upstream has seen, by the `x-id` of the request. Written by its connections."""

    def __init__(self) -> None:
        self._recent: deque[Seen] = deque(maxlen=SEEN_MAX)

    def add(self, seen: Seen) -> None:
        """Note *seen*; the oldest is forgotten above `SEEN_MAX`."""
        self._recent.append(seen)

    @property
    def newest(self) -> Seen:
        return self._recent[-1]

    def of(self, request_id: str) -> list[Seen]:
        """Return every request whose `x-id` was *request_id*."""
        return [seen for seen in self._recent if seen.head.get("x-id") == request_id]


@dataclass(slots=True)
class Upstream:
    """A running upstream. *scripts* may be added to at any time, by tests only."""

    port: int
    scripts: dict[str, Script]
    seen: Requests = field(default_factory=Requests)

    @contextmanager
    def script(self, name: str, run: Script) -> Generator[None]:
        """Serve *run* under *name* for a while."""
        self.scripts[name] = run
        try:
            yield
        finally:
            del self.scripts[name]


@asynccontextmanager
async def serving(
    scripts: Mapping[str, Script], host: str = LOOPBACK, port: int = 0
) -> AsyncGenerator[Upstream]:
    """Run an upstream with *scripts*, on a free port; a request that names none gets `echo`."""
    tasks: set[asyncio.Task[None]] = set()
    upstream = Upstream(0, dict(scripts))

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await _serve(Wire(reader, writer), upstream)
        except asyncio.CancelledError:
            pass  # the end of the rig; asyncio's stream callback would log it
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(connected, host, port, limit=LINE_BYTES_MAX)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        for task in [*tasks]:
            task.cancel()
        await asyncio.gather(*tasks)
        await server.wait_closed()


async def _serve(wire: Wire, upstream: Upstream) -> None:
    try:
        reusable = True
        while reusable:
            head = await wire.read_head()
            call = Call(head, wire, upstream.seen)
            await upstream.scripts[head.get("x-script", "echo")](call)
            reusable = call.reusable
    except (EOFError, ConnectionError):
        pass  # Envoy closed: it may at any time
    finally:
        await wire.close()
