"""Carries messages between the workers of one host: a datagram socket each, in a folder."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headrace.extensions.picker.peers.note import NOTE_BYTES_MAX
from headrace.host.bus.port import Hear

BUFFER_BYTES = 4 << 20
AT_ONCE = 64  # messages taken in one turn of the loop

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seat:
    """Which of the *count* workers of a host we are, from 1; *folder* is theirs alone."""

    folder: Path
    index: int
    count: int

    def others(self) -> Iterator[Path]:
        """Yield where the others listen."""
        for index in range(1, self.count + 1):
            if index != self.index:
                yield _socket(self.folder, index)


class LocalChannel:
    """The way to the other workers. Event loop's thread only."""

    name = "local"

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._others = [str(path) for path in seat.others()]
        self._socket: socket.socket | None = None
        self._hear: Hear | None = None

    @property
    def up(self) -> bool:
        """Whether we listen."""
        return self._socket is not None

    async def start(self, hear: Hear) -> None:
        """Listen in the folder.

        Raises:
            OSError: the socket cannot be had.
        """
        path = _socket(self._seat.folder, self._seat.index)
        path.unlink(missing_ok=True)  # of the worker that was here before
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        opened.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            opened.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
        opened.bind(str(path))
        self._socket, self._hear = opened, hear
        asyncio.get_running_loop().add_reader(opened.fileno(), self._readable)

    def send(self, message: bytes) -> int:
        """Send to each of the others; return to how many it could not go."""
        opened, missed = self._socket, 0
        if opened is None:
            return len(self._others)
        for path in self._others:
            try:
                opened.sendto(message, path)
            except OSError:  # it is being started again, or has no room: it will be told again
                missed += 1
        return missed

    async def stop(self) -> None:
        """Stop listening."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
            _socket(self._seat.folder, self._seat.index).unlink(missing_ok=True)

    def _readable(self) -> None:
        assert self._socket is not None, "it was started"
        assert self._hear is not None, "it was started"
        for _ in range(AT_ONCE):
            try:
                message = self._socket.recv(NOTE_BYTES_MAX + 1)
            except BlockingIOError:
                return
            except OSError as error:
                log.warning("state: cannot read from the other workers: %s", error)
                return
            self._hear(message)


def _socket(folder: Path, index: int) -> Path:
    return folder / f"state.{index}"
