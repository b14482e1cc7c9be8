"""Texts that guards change, one after the other, and whether the body can take it."""

from collections.abc import Mapping, Sequence

import msgspec

from headrace.dsl.guarding import OnMatch
from headrace.extensions.safety.contract import Hit, Verdict
from headrace.extensions.safety.edits import REDACTED, applied, edits
from headrace.extensions.safety.mask import Vault, places
from headrace.extensions.safety.meaning import Meaning
from headrace.extensions.texts.values import Passage, Path, Said

NOT_LOCATED = "the guard does not say what to take out"
NOT_WHOLE = "it stands where the text cannot be changed"


IN_JSON = frozenset((Said.TOOL_CALL, Said.TOOLS))
"""What is source of JSON itself: what is put there is escaped."""


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
            if not self._passages[place].path:
                return NOT_WHOLE
            self._found.setdefault(place, []).append((hit, action))
        return ""

    def take_out(self, vault: Vault | None) -> None:
        """Take out what was found in the texts as they are.

        A text in which something is to be redacted has what is to be masked redacted, too.

        Raises:
            VaultFull: there are too many values to mask.
        """
        found, self._found = self._found, {}
        for place, pairs in found.items():
            text, hits = self.texts[place], [hit for hit, _ in pairs]
            in_json = self._is_json(place)
            if vault is not None and all(action is OnMatch.MASK for _, action in pairs):
                new = vault.mask(text, hits, in_json)
            elif in_json:
                new = without(text, hits)
            else:
                new = applied(text, edits(hits, len(text)))
            if not self._passages[place].whole and not _is_value(new):
                new = f'"{REDACTED}"'  # a find that goes over the structure takes all of it
            self.put(place, new)

    def meaning(self, which: Sequence[int], beside: bool) -> Meaning:
        """Return what the texts *which* mean as they are now; *beside* as for `Meaning`."""
        texts = [self.texts[at] for at in which]
        return Meaning(texts, [self._passages[at].said is Said.TOOL_CALL for at in which], beside)

    def _is_json(self, place: int) -> bool:
        """Return whether the text at *place* is source of JSON."""
        passage = self._passages[place]
        return passage.said in IN_JSON or not passage.whole

    def put(self, place: int, text: str) -> None:
        """Let *text* go on as the passage *place*."""
        if text != self.texts[place]:
            self.texts[place] = text
            self._changed.add(place)

    def restore(self, vault: Vault) -> None:
        """Put the originals of *vault* back."""
        for place, text in enumerate(self.texts):
            if self._passages[place].path:
                self.put(place, vault.restore(text, self._is_json(place)))

    def patches(self) -> Mapping[Path, bytes]:
        """Return which JSON values are to be put where."""
        found: dict[Path, bytes] = {}
        for at in sorted(self._changed):
            passage, text = self._passages[at], self.texts[at]
            found[passage.path] = encoded(text) if passage.whole else text.encode()
        return found


def _is_value(source: str) -> bool:
    try:
        msgspec.json.decode(source)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def encoded(text: str) -> bytes:
    """Return *text* as a JSON string; half of a surrogate pair becomes a question mark."""
    return msgspec.json.encode(text.encode("utf-8", "replace").decode())


def without(text: str, hits: Sequence[Hit]) -> str:
    """Return *text*, source of JSON, without what *hits* are about: it stays JSON."""
    parts: list[str] = []
    read = 0
    for start, end, is_bare, _ in places(text, hits, json=True):
        parts += (text[read:start], f'"{REDACTED}"' if is_bare else REDACTED)
        read = end
    parts.append(text[read:])
    return "".join(parts)
