"""The arguments of a tool's call as guards judge them: by what they mean, placed in their source.

A model that writes ``\\u0041`` for ``A`` into JSON has said ``A``. Arguments need not be JSON,
though: a guard that looks by itself looks at what is written, too.
"""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from headrace.extensions.call import Text
from headrace.extensions.safety.contract import Hit, Judged, Verdict
from headrace.extensions.safety.escapes import Unescaped, unescaped

Settle = Callable[[str, int, bool], tuple[Sequence[Hit], int]]


class Meaning:
    """Texts, and what those of them mean that are arguments and have escapes.

    texts  what is to be judged: the meanings in their place, or behind all of them (*beside*)
    """

    __slots__ = ("_views", "texts")

    def __init__(self, texts: Sequence[str], sources: Sequence[bool], beside: bool) -> None:
        self._views: dict[int, tuple[int, Unescaped]] = {}
        self.texts = list(texts)
        for at, (text, is_source) in enumerate(zip(texts, sources, strict=True)):
            if is_source and "\\" in text:
                view = unescaped(text)
                place = len(self.texts) if beside else at
                self.texts[place : place + 1] = [view.text]
                self._views[place] = at, view

    def said(self, roles: Sequence[str]) -> tuple[Text, ...]:
        """Return `texts`, those that they were made of being by *roles*."""
        behind = ["tool"] * (len(self.texts) - len(roles))
        return tuple(map(Text, [*roles, *behind], self.texts))

    def placed(self, judged: Judged) -> Judged:
        """Return *judged*, a verdict on `texts`, as one on the texts that they were made of."""
        if not self._views or not isinstance(judged, Verdict):
            return judged
        return replace(judged, hits=tuple(dict.fromkeys(map(self._placed, judged.hits))))

    def _placed(self, hit: Hit) -> Hit:
        at, view = self._views.get(hit.at, (hit.at, None))
        if view is None or hit.start == hit.end == 0:
            return replace(hit, at=at)
        return replace(hit, at=at, start=view.source(hit.start), end=view.source(hit.end))


def settled(settle: Settle, source: str, start: int, whole: bool) -> tuple[Sequence[Hit], int]:
    """Return what *settle* says of *source*, and of what it means, by places in the source.

    *source* is a part of arguments that are still being written; *start*, where an escape
    can begin but not go on, is as *settle* wants it; *whole*: nothing follows. Of an escape that
    is not complete nothing is said.
    """
    before, rest = unescaped(source[:start]).text, source[start:]
    view = unescaped(rest)
    if not whole and view.open_from < len(rest):
        view = unescaped(rest[: view.open_from])
    written, until = settle(source, start, whole)
    meant, sure = settle(before + view.text, len(before), whole)

    def place(at: int) -> int:
        return start + view.source(at - len(before))

    hits = [*written, *(replace(h, start=place(h.start), end=place(h.end)) for h in meant)]
    until = start + view.begin(min(until, place(sure)) - start)
    while late := [hit.start for hit in hits if hit.start < until < hit.end]:
        until = start + view.begin(min(late) - start)
    return [hit for hit in dict.fromkeys(hits) if hit.end <= until], until
