"""Providers that look by themselves: how streams use them, and several of them as one."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from headrace.extensions.safety.contract import Asked, Found, Hit, Local, Reach, Verdict

LOOK_BACK = 4
"""How many characters before a match tell whether it is one: the context a window needs."""

REACH = Reach(locates=True, local=True)


class TooMany(Exception):
    """A text has more candidates than are looked at; the message says of what, and no text."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Several local providers as one."""

    locals: tuple[Local, ...] = field(repr=False)
    name: str = "local"
    reach: Reach = REACH

    @property
    def width_max(self) -> int | None:
        """The most of all of them."""
        widths = [local.width_max for local in self.locals]
        known = [width for width in widths if width is not None]
        return max(known, default=0) if len(known) == len(widths) else None

    def screen(self, asked: Asked) -> Verdict:
        """Return what all of them find in the texts."""
        return verdict(self, asked)

    def found(self, text: str, start: int = 0) -> tuple[Found, ...]:
        """Return what all of them find in *text*."""
        found = [one for local in self.locals for one in local.found(text, start)]
        return tuple(sorted(found, key=_place)) if len(found) > 1 else tuple(found)

    def partial_start(self, text: str, overlap: int = 64) -> int:
        """Return the first character that could be of an unfinished match of any."""
        return min([local.partial_start(text, overlap) for local in self.locals])


def joined(locals: Iterable[Local]) -> Local:
    """Return *locals*, at least one, as one."""
    all_of = tuple(locals)
    return all_of[0] if len(all_of) == 1 else Joined(all_of)


def verdict(local: Local, asked: Asked) -> Verdict:
    """Return what *local* finds in the texts that it is asked about.

    It is partial if a text has too many candidates; of that text there are no hits.
    """
    hits: list[Hit] = []
    partial = ""
    for at, text in enumerate(asked.texts):
        try:
            found = local.found(text.text)
        except TooMany as error:
            partial = str(error)
            continue
        if found:
            hits += [Hit(one.what, at, one.start, one.end) for one in apart(found)]
    return Verdict(tuple(hits), partial=partial)


def settled(
    local: Local, text: str, start: int = 0, overlap: int = 64
) -> tuple[tuple[Found, ...], int]:
    """Return what is certain of a *text* that may go on: what is found, and up to where.

    *start* is where the last call said that all is settled; `LOOK_BACK` characters before it
    must still be there, or all that there were. What is found lies between *start* and the
    place that is returned, apart from each other. However a text is cut, all calls together
    find what one call finds in the whole; of patterns, if no match is longer than *overlap*.
    """
    found = apart(local.found(text, start))
    until = max(start, local.partial_start(text, overlap))
    for one in reversed(found):
        if one.end > until:
            until = min(until, max(start, one.since))
    return tuple(one for one in found if one.end <= until), until


def apart(found: Iterable[Found]) -> tuple[Found, ...]:
    """Return *found* in order, with those that overlap made one, called what the longest is."""
    kept: list[Found] = []
    for one in sorted(found, key=_place):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
            continue
        last = kept[-1]
        longer = one if one.end - one.start > last.end - last.start else last
        since, end = min(one.since, last.since), max(one.end, last.end)
        kept[-1] = Found(longer.what, last.start, end, since)
    return tuple(kept)


def _place(one: Found) -> tuple[int, int]:
    return one.start, -one.end
