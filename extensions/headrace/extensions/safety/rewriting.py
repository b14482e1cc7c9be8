"""Texts that guards change, one after the other, and whether the body can take it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from headrace.dsl.guarding import OnMatch
from headrace.extensions.safety.contract import Hit, Verdict
from headrace.extensions.safety.edits import applied, edits
from headrace.extensions.texts.values import Passage, Path

NOT_LOCATED = "the guard does not say what to take out"
NOT_WHOLE = "it stands where the text cannot be changed"


class Masking(Protocol):
    """Puts placeholders for what is found, and knows which stands for what. One per exchange."""

    def mask(self, text: str, hits: Sequence[Hit]) -> str:
        """Return *text* with a placeholder for each of *hits*."""
        ...


class Texts:
    """The passages of one body as they go on. Written by the screening of that body."""

    __slots__ = ("_changed", "_found", "_passages", "texts")

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages
        self.texts = [passage.text for passage in passages]
        self._changed: set[int] = set()
        self._found: dict[int, list[tuple[Hit, OnMatch]]] = {}

    def find(self, which: Sequence[int], verdict: Verdict, action: OnMatch) -> str:
        """Note what *verdict* found in the texts *which*, and is to be taken out by *action*.

        Its hits count these texts from 0. Returns why it cannot be done; empty if it can.
        """
        for hit in verdict.hits:
            if not 0 <= hit.at < len(which):
                return NOT_LOCATED
            place = which[hit.at]
            if not self._passages[place].whole:
                return NOT_WHOLE
            self._found.setdefault(place, []).append((hit, action))
        return ""

    def take_out(self, vault: Masking | None) -> None:
        """Take out what was found in the texts as they are.

        A text in which something is to be redacted has what is to be masked redacted, too.
        """
        found, self._found = self._found, {}
        for place, pairs in found.items():
            text, hits = self.texts[place], [hit for hit, _ in pairs]
            if vault is not None and all(action is OnMatch.MASK for _, action in pairs):
                self.put(place, vault.mask(text, hits))
            else:
                self.put(place, applied(text, edits(hits, len(text))))

    def put(self, place: int, text: str) -> None:
        """Let *text* go on as the passage *place*."""
        if text != self.texts[place]:
            self.texts[place] = text
            self._changed.add(place)

    def patches(self) -> Mapping[Path, str]:
        """Return what is to be put where."""
        return {self._passages[at].path: self.texts[at] for at in sorted(self._changed)}
