"""Server-sent events, split piece by piece: the same events however the bytes were cut.

Source: HTML Living Standard, 9.2 (lines end with CR LF, LF or CR; a blank line ends an event).
"""

import re

from headrace.extensions.stage import ResponseEvent

# Atomic groups, so that the CR LF of one line end is never taken for two line ends.
_BLANK_LINE = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")


class EventSplitter:
    """Cuts one body into events. An event keeps its bytes exactly, its blank line included.

    rest  what waits for the end of its event; for others to read only
    """

    __slots__ = ("_scanned", "rest")

    def __init__(self) -> None:
        self.rest = b""
        self._scanned = 0

    def push(self, data: bytes) -> list[ResponseEvent]:
        """Return the events that *data* completes."""
        # The usual case: one whole event, and nothing held before it.
        if not self.rest and data.find(b"\n\n") == len(data) - 2 >= 0 and b"\r" not in data:
            return [read_event(data)]
        buffer = self.rest + data if self.rest else data
        events: list[ResponseEvent] = []
        start, scan = 0, self._scanned
        while found := _BLANK_LINE.search(buffer, scan):
            end = found.end()
            # A CR at the very end may be half of a CR LF.
            if end == len(buffer) and buffer.endswith(b"\r"):
                break
            events.append(read_event(buffer[start:end]))
            start = scan = end
        self.rest = buffer[start:]
        self._scanned = max(0, len(self.rest) - 3)
        return events

    def finish(self) -> list[ResponseEvent]:
        """Return what is left at the end of the body as a last event, if anything is."""
        rest, self.rest, self._scanned = self.rest, b"", 0
        return [read_event(rest)] if rest else []


def events_in(raw: bytes) -> list[ResponseEvent]:
    """Return the events of a whole piece of a stream."""
    splitter = EventSplitter()
    return [*splitter.push(raw), *splitter.finish()]


def read_event(raw: bytes) -> ResponseEvent:
    """Return the event whose bytes are *raw*."""
    if raw.startswith(b"data: ") and raw.count(b"\n") == 2 and b"\r" not in raw:
        return ResponseEvent(raw, raw[6:-2], True)
    lines = _LINE_END.split(raw.removeprefix(BYTE_ORDER_MARK))
    data = [_value(line) for line in lines if line[:5] in (b"data:", b"data")]
    return ResponseEvent(raw, b"\n".join(data), True)


def _value(line: bytes) -> bytes:
    return line[5:].removeprefix(b" ")
