"""A client that can say anything: one socket, frames by hand, every wait bounded."""

import os
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from select import select
from time import monotonic

from hpack import Decoder

from tests.conformance import frames
from tests.conformance.calls import Answer
from tests.conformance.frames import HEADER_BYTES, PREFACE, Flag, Frame, Kind, Setting, uint32
from tests.conformance.referee import Referee

PATIENCE_S = 3.0
READ_BYTES = 1 << 16
FIELDS_BYTES_MAX = 1 << 20


class Silent(AssertionError):
    """Nothing of what was waited for came in time."""


class Peer:
    """One connection. Mutable.

    seen     every frame that came, oldest first; HEADERS with their fields
    closed   whether the host has closed the connection
    polite   whether SETTINGS and PINGs of the host are acknowledged
    table    the dynamic table that the host's blocks are read with
    """

    def __init__(self, address: tuple[str, int], polite: bool = True, read_buffer: int = 0) -> None:
        self._socket = socket.socket()
        if read_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, read_buffer)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._data = bytearray()
        self._block: list[Frame] = []
        self.table = Decoder(max_header_list_size=FIELDS_BYTES_MAX)
        self.referee = Referee()
        self.seen: list[Frame] = []
        self.settings: dict[int, int] = {}
        self.closed = False
        self.polite = polite

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def half_close(self) -> None:
        """Send FIN and go on reading."""
        self._socket.shutdown(socket.SHUT_WR)

    def greet(self, settings: dict[int, int] | None = None) -> None:
        """Send the preface, and wait until both sides' SETTINGS are acknowledged."""
        self.send(PREFACE, frames.settings(settings))
        self.until(lambda f: f.kind == Kind.SETTINGS and f.acknowledges)

    def send(self, *parts: bytes) -> None:
        """Send octets in one write. A host that has hung up is noted, not raised."""
        data = b"".join(parts)
        self.referee.sent(data)
        self._write(data, PATIENCE_S)

    def push(self, data: bytes, patience_s: float = PATIENCE_S) -> bool:
        """Send octets that the referee does not see; return whether all of them went out."""
        self.referee.blind = True
        return self._write(data, patience_s)

    def _write(self, data: bytes, patience_s: float) -> bool:
        self._socket.settimeout(patience_s)
        try:
            self._socket.sendall(data)
        except TimeoutError:
            return False
        except OSError:
            self.closed = True
            return False
        return True

    def pour(self, data: bytes, reading: bool = True, patience_s: float = PATIENCE_S) -> int:
        """Send octets past the referee, as fast as they are taken; return how many were.

        Stops when the host closes, or takes nothing more for *patience_s*. *reading*: what
        comes meanwhile is taken from the socket.
        """
        self.referee.blind = True
        self._socket.setblocking(False)
        view, sent = memoryview(data), 0
        due_s = monotonic() + patience_s
        while sent < len(data) and not self.closed and monotonic() < due_s:
            wanted = [self._socket] if reading else []
            readable, writable, _ = select(wanted, [self._socket], [], 0.05)
            try:
                if readable and not self._read(0.001):
                    break
                self._socket.setblocking(False)
                if writable:
                    sent += self._socket.send(view[sent : sent + (1 << 18)])
                    due_s = monotonic() + patience_s
            except BlockingIOError:
                continue
            except OSError:
                self.closed = True
        return sent

    def next(self, patience_s: float = PATIENCE_S) -> Frame | None:
        """Return the next frame; None once the host has closed.

        Raises:
            Silent: nothing came in time.
        """
        due_s = monotonic() + patience_s
        while True:
            found = self._take()
            if found is not None:
                return self._noted(found)
            left_s = due_s - monotonic()
            if left_s <= 0:
                raise Silent(f"nothing in {patience_s} s after {self.seen[-5:]}")
            if not self._read(left_s):
                return None

    def until(
        self, wanted: Callable[[Frame], bool], patience_s: float = PATIENCE_S
    ) -> Frame | None:
        """Return the first frame from here on that is *wanted*; None if the host closes first.

        Raises:
            Silent: it did not come in time.
        """
        due_s = monotonic() + patience_s
        while (frame := self.next(due_s - monotonic())) is not None:
            if wanted(frame):
                return frame
        return None

    def settle(self) -> bool:
        """Wait for the ACK of a PING, so for all that is owed at once. False if it closed."""
        token = os.urandom(8)
        self.send(frames.ping(token))
        return self.until(lambda f: f.acknowledges and f.payload == token) is not None

    def answer(self, stream: int, patience_s: float = PATIENCE_S) -> Answer:
        """Return what comes on *stream* until it ends, in whatever way."""

        def over(frame: Frame) -> bool:
            return frame.stream == stream and (frame.ends_stream or frame.kind == Kind.RST_STREAM)

        if not any(over(frame) for frame in self.seen):
            self.until(over, patience_s)
        return self.on(stream)

    def arrived(self, stream: int, messages: int, patience_s: float = PATIENCE_S) -> Answer:
        """Return what came on *stream* once it holds so many gRPC messages."""
        due_s = monotonic() + patience_s
        while len((answer := self.on(stream)).messages) < messages and not answer.complete:
            if self.next(due_s - monotonic()) is None:
                break
        return self.on(stream)

    def on(self, stream: int) -> Answer:
        """Return what came on *stream*."""
        return Answer(tuple(frame for frame in self.seen if frame.stream == stream))

    def granted(self, stream: int) -> int:
        """Return how much the host has let us send on *stream* altogether, 0 for all of them."""
        first = self.settings.get(Setting.INITIAL_WINDOW_SIZE) if stream else None
        updates = [f for f in self.of(Kind.WINDOW_UPDATE) if f.stream == stream]
        more = sum(uint32(f.payload, 0) for f in updates)
        return (frames.WINDOW_START_BYTES if first is None else first) + more

    def gone(self, patience_s: float = PATIENCE_S) -> Frame | None:
        """Wait until the host closes; return its last GOAWAY.

        Raises:
            Silent: it did not close in time.
        """
        self.until(lambda _: False, patience_s)
        away = [frame for frame in self.seen if frame.kind == Kind.GOAWAY]
        return away[-1] if away else None

    def of(self, *kinds: Kind) -> list[Frame]:
        """Return what came of these *kinds*."""
        return [frame for frame in self.seen if frame.kind in kinds]

    def _read(self, patience_s: float) -> bool:
        self._socket.settimeout(max(0.001, patience_s))
        try:
            data = self._socket.recv(READ_BYTES)
        except TimeoutError:
            return True
        except OSError:
            data = b""
        self._data += data
        self.closed = self.closed or not data
        return bool(data)

    def _take(self) -> Frame | None:
        if len(self._data) < HEADER_BYTES:
            return None
        size = HEADER_BYTES + int.from_bytes(self._data[:3], "big")
        found = frames.split(bytes(self._data[:size]))
        if found is None:
            return None
        del self._data[:size]
        return found[0]

    def _noted(self, frame: Frame) -> Frame:
        frame = self._decoded(frame)
        self.referee.received(frame)
        self.seen.append(frame)
        if frame.kind == Kind.SETTINGS and not frame.acknowledges:
            for at in range(0, len(frame.payload), 6):
                name = int.from_bytes(frame.payload[at : at + 2], "big")
                self.settings[name] = uint32(frame.payload, at + 2)
            if self.polite:
                self.send(frames.settings(ack=True))
        elif frame.kind == Kind.PING and not frame.acknowledges and self.polite:
            self.send(frames.ping(frame.payload, ack=True))
        return frame

    def _decoded(self, frame: Frame) -> Frame:
        if frame.kind not in (Kind.HEADERS, Kind.CONTINUATION):
            assert not self._block, f"{frame} inside of a header block (6.10)"
            return frame
        self._block.append(frame)
        if not frame.flags & Flag.END_HEADERS:
            return frame
        block, first = b"".join(f.payload for f in self._block), self._block[0]
        self._block = []
        fields = tuple((str(name), str(value)) for name, value in self.table.decode(block))
        return replace(frame, kind=Kind.HEADERS, flags=first.flags | frame.flags, fields=fields)


@contextmanager
def raw(port: int, polite: bool = True) -> Generator[Peer]:
    """Give a peer that has said nothing yet."""
    peer = Peer(("127.0.0.1", port), polite)
    try:
        yield peer
    finally:
        peer.close()


@contextmanager
def connected(
    port: int, settings: dict[int, int] | None = None, polite: bool = True
) -> Generator[Peer]:
    """Give a peer that has greeted; with *settings* of its own."""
    with raw(port, polite) as peer:
        peer.table.max_allowed_table_size = (settings or {}).get(Setting.HEADER_TABLE_SIZE, 4096)
        peer.greet(settings)
        yield peer
