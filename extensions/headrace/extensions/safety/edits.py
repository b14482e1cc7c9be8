"""Changes to a text: which of its characters go, and what comes there instead."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from headrace.extensions.safety.contract import Hit

REDACTED = "[redacted]"


class Edit(Struct, frozen=True):
    """The characters [start, end) become *text*; at least one goes."""

    start: int
    end: int
    text: str = REDACTED

    def __repr__(self) -> str:
        return f"Edit({self.start}:{self.end})"


def edits(hits: Iterable[Hit], length: int) -> tuple[Edit, ...]:
    """Return what *hits* in one text of *length* characters change, in order, none overlapping.

    A hit that does not say where takes the whole text. Hits that overlap are one change,
    with the words of the one that covers all of it, if one does.
    """
    return merged(_edit(hit, length) for hit in hits)


def merged(found: Iterable[Edit]) -> tuple[Edit, ...]:
    """Return the changes *found* in order, those that overlap as one."""
    kept: list[Edit] = []
    for edit in sorted(found, key=lambda e: (e.start, -e.end)):
        if edit.start >= edit.end:
            continue
        if kept and edit.start < kept[-1].end:
            kept[-1] = _both(kept[-1], edit)
        else:
            kept.append(edit)
    return tuple(kept)


def _edit(hit: Hit, length: int) -> Edit:
    words = REDACTED if hit.replacement is None else hit.replacement
    if hit.start == hit.end == 0:
        return Edit(0, length, words)
    return Edit(max(0, min(hit.start, length)), max(0, min(hit.end, length)), words)


def _both(one: Edit, other: Edit) -> Edit:
    """Return two overlapping changes as one; *one* does not start later."""
    if other.end <= one.end:
        return one
    words = other.text if other.start == one.start else REDACTED
    return Edit(one.start, other.end, words)


def applied(text: str, changes: Sequence[Edit]) -> str:
    """Return *text* with *changes*, which are in order and do not overlap."""
    if not changes:
        return text
    pieces: list[str] = []
    at = 0
    for change in changes:
        pieces += (text[at : change.start], change.text)
        at = change.end
    pieces.append(text[at:])
    return "".join(pieces)


def difference(old: str, new: str) -> Edit | None:
    """Return the one change that makes *new* of *old*: the shortest; None if they are equal."""
    if old == new:
        return None
    start = _common(old, new)
    same = _common(old[start:][::-1], new[start:][::-1])
    words = new[start : len(new) - same]
    if len(old) - same > start:
        return Edit(start, len(old) - same, words)
    # Nothing of the old goes: take a neighbour along.
    if start:
        return Edit(start - 1, start, old[start - 1] + words)
    return Edit(0, 1, words + old[:1])


def _common(one: str, other: str) -> int:
    """Return how many characters both begin with: by halves, as comparing slices is fast."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
