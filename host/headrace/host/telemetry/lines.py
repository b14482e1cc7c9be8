"""Write log lines without ever waiting for whoever reads them."""

import os
import threading
from collections import deque
from collections.abc import Callable

LINES_MAX = 8192
BATCH_LINES_MAX = 512
PAUSE_S = 0.2
PIPE_BUF = 4096  # what a pipe takes whole, on Linux; POSIX grants 512


class LineWriter:
    """Hands lines to a file descriptor from a thread of its own.

    A reader of standard error may stop reading; an event loop that writes to it then
    stops serving. So `put` only appends, and the thread alone waits. It sleeps while
    there is nothing to write, and gathers lines for a while when there is: each time it
    wakes it takes the interpreter from the event loop, which costs more than many lines.
    """

    def __init__(
        self,
        fd: int,
        dropped: Callable[[int], None],
        lines_max: int = LINES_MAX,
        worker: int = 0,
    ) -> None:
        """Write to *fd*, for a *worker* that shares it with others: 0 for a process alone.

        Each line then says which worker it is of, and a write is one that no other can cut.
        """
        self._mark = b'{"worker":%d,' % worker if worker else b""
        self._fd = fd
        self._dropped = dropped
        self._lines_max = lines_max
        self._lines: deque[bytes] = deque()
        self._some = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._drain, name="log-lines", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Queue *line*, which has no newline; drop and count it if too many wait."""
        if len(self._lines) >= self._lines_max:
            self._dropped(1)
        else:
            self._lines.append(self._mark + line[1:] if self._mark else line)
            if not self._some.is_set():
                self._some.set()

    def close(self, timeout_s: float) -> bool:
        """Write what waits, for at most *timeout_s*; return whether all of it went out."""
        self._stop.set()
        self._some.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive() and not self._lines

    def _drain(self) -> None:
        while True:
            self._some.wait()
            self._stop.wait(PAUSE_S)
            self._some.clear()  # before the lines are taken: one that comes now wakes us again
            while self._lines:
                if not self._write():
                    return
            if self._stop.is_set() and not self._lines:
                return

    def _at_once(self) -> int:
        """Return how many lines to write at once."""
        count = min(len(self._lines), BATCH_LINES_MAX)
        if not self._mark:
            return count
        size = 0
        for at in range(count):
            size += len(self._lines[at]) + 1
            if size > PIPE_BUF:
                return max(1, at)
        return count

    def _write(self) -> bool:
        """Write one batch; return False if nobody can read any more."""
        count = self._at_once()
        data = b"".join(self._lines.popleft() + b"\n" for _ in range(count))
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            self._dropped(count + len(self._lines))
            self._lines.clear()
            return False
        return True
