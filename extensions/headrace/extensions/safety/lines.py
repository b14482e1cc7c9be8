"""The lines of an event of a stream: its data, and what stands beside it.

What no guard reads may still be read by a client. Under guards that act, a line that is no data
goes on only if it can say nothing: the name of an event, a count, a pulse. Clients of server-sent
events ignore comments and unknown fields anyway (HTML Living Standard, 9.2).
"""

import re
from collections.abc import Iterator

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)?")
_DATA = re.compile(rb"(?:\xef\xbb\xbf)?data(?::|$)")
_SAYS_NOTHING = re.compile(
    rb"event: ?[a-z]+(?:[._][a-z]+){0,8}"
    rb"|(?:id|retry): ?[0-9]{0,10}"
    rb"|: ?(?:ping|keep-?alive|heartbeat)?",
)
NAME_BYTES_MAX = 80


def without_unread(raw: bytes, data: bytes) -> bytes:
    """Return the event *raw*, whose data is *data*, without lines that say what nobody reads.

    *raw* itself if there are none; nothing if nothing but its blank line is left.
    """
    if len(raw) == len(data) + 8 and raw.startswith(b"data: ") and raw.endswith(b"\n\n"):
        return raw  # one line of data, as nearly always
    kept = [line for line in lines_of(raw) if _may_stay(line.rstrip(b"\r\n"))]
    if not any(map(bytes.strip, kept)):
        return b"" if raw.strip() else raw
    left = b"".join(kept)
    return raw if len(left) == len(raw) else left


def with_data(raw: bytes, data: bytes) -> bytes:
    """Return the event *raw* with other *data*, in one line; all its other lines stay."""
    lines: list[bytes] = []
    told = False
    for line in lines_of(raw):
        bare = line.rstrip(b"\r\n")
        if not _DATA.match(bare):
            lines.append(line)
        elif not told:
            told = True
            lines += (b"data: ", data.replace(b"\n", b"").replace(b"\r", b""), line[len(bare) :])
    return b"".join(lines)


def lines_of(raw: bytes) -> Iterator[bytes]:
    """Yield the lines of *raw* with their ends."""
    for found in _LINE.finditer(raw):
        if found[0]:
            yield found[0]


def _may_stay(line: bytes) -> bool:
    if not line or _DATA.match(line):
        return True
    return len(line) <= NAME_BYTES_MAX and _SAYS_NOTHING.fullmatch(line) is not None
