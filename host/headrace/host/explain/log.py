"""The decision log: the story of every decision as one line of JSON, in files of bounded size.

Whoever decides never waits for it: stories are told and written in a thread of their own, and
what is too much is dropped and counted.
"""

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from headrace.host.explain.encode import encoded
from headrace.host.explain.tell import Noted, Teller

WAITING_MAX = 2048
PAUSE_S = 0.2
FILE_BYTES_MAX = 64 << 20
FILES_MAX = 3


class DecisionLog:
    """Writes decisions to *path*; older ones are in ``path.1`` and ``path.2``.

    dropped  told how many decisions were not written; called from any thread
    """

    def __init__(
        self,
        path: Path,
        dropped: Callable[[int], None],
        *,
        file_bytes_max: int = FILE_BYTES_MAX,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self._path = path
        self._dropped = dropped
        self._file_bytes_max = file_bytes_max
        self._waiting: deque[Noted] = deque()
        self._waiting_max = waiting_max
        self._some = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._drain, name="decision-log", daemon=True)
        self._file: BinaryIO | None = None
        self._teller = Teller()

    def start(self) -> None:
        """Open the file and begin to write.

        Raises:
            OSError: the file cannot be written.
        """
        self._file = self._path.open("ab")
        self._thread.start()

    def put(self, noted: Noted) -> None:
        """Take note of a decision; drop it if too many wait."""
        if len(self._waiting) >= self._waiting_max:
            self._dropped(1)
            return
        self._waiting.append(noted)
        if not self._some.is_set():
            self._some.set()

    def close(self, timeout_s: float) -> bool:
        """Write what waits, for at most *timeout_s*; return whether all of it was written."""
        self._stop.set()
        self._some.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        if self._file is not None:
            self._file.close()
        return not self._waiting

    def _drain(self) -> None:
        while not (self._stop.is_set() and not self._waiting):
            self._some.wait()
            self._stop.wait(PAUSE_S)  # gather some: each waking takes the interpreter from others
            self._some.clear()
            while self._waiting:
                self._write(self._waiting.popleft())
            self._flush()

    def _write(self, noted: Noted) -> None:
        """Write one story; what cannot be told or written is dropped, and the rest goes on."""
        try:
            line = encoded(self._teller.tell(noted)) + b"\n"
            if self._file is None:
                self._file = self._path.open("ab")
            size = self._file.tell()
            if size and size + len(line) > self._file_bytes_max:
                self._file = self._rotated(self._file)
            self._file.write(line)
        except Exception:  # a full disk, or a bug of ours: neither may end the thread
            self._dropped(1)

    def _rotated(self, file: BinaryIO) -> BinaryIO:
        """Close *file*, give the older files the next number, and return a new one."""
        self._file = None
        file.close()
        for number in range(FILES_MAX - 1, 0, -1):
            older = self._path if number == 1 else _numbered(self._path, number - 1)
            if older.exists():
                older.replace(_numbered(self._path, number))
        return self._path.open("ab")

    def _flush(self) -> None:
        try:
            if self._file is not None:
                self._file.flush()
        except OSError:
            self._dropped(1)


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
