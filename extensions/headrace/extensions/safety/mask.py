"""Reversible masking: placeholders go upstream, the client gets back what it wrote.

A placeholder is ``<EMAIL_1>``: what was found, and which of its kind in the order in which they
first appear. The same value has the same one in the whole exchange, and in the next turns of the
conversation too, since a client sends back what it got: the originals, in the same order.

A number that the prompt itself has behind the same word is left out, so nobody gets a value by
writing its placeholder down. A placeholder that was not given out stays as it is.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator

from headrace.extensions.safety.contract import Found, Hit
from headrace.extensions.safety.escapes import Quotes, Unescaped, escaped, unescaped
from headrace.extensions.safety.local import apart

VALUES_MAX = 10_000
WORD_CHARS_MAX = 40
DEFAULT_WORD = "VALUE"
# Without brackets, which some encoders of JSON write as escapes.
_LIKE = re.compile(r"(?:\\u003[cC])?([A-Za-z][A-Za-z0-9_]{0,39})_([0-9]{1,6})(?![0-9])")
_UNFIT = re.compile("[^A-Z0-9]+")


class VaultFull(Exception):
    """A prompt has more different values than are remembered; see `VALUES_MAX`."""


class Vault:
    """The values of one exchange and their placeholders.

    Lives as long as its exchange, in memory only; shows nothing of what it keeps. Written by
    `mask`, from one thread.
    """

    __slots__ = (
        "_counts",
        "_placeholder_of",
        "_sorted",
        "_taken",
        "_value_of",
        "_values_max",
        "chars_max",
    )

    def __init__(self, prompt: Iterable[str] = (), values_max: int = VALUES_MAX) -> None:
        """Begin with all texts of the *prompt*, or its body: no placeholder may be in there."""
        self._value_of: dict[str, str] = {}
        self._placeholder_of: dict[tuple[str, str], str] = {}
        self._counts: Counter[str] = Counter()
        self._values_max = values_max
        self._taken = {
            f"<{word.upper()}_{int(number)}>"
            for text in prompt
            for word, number in _LIKE.findall(text)
        }
        self._sorted: tuple[str, ...] = ()
        self.chars_max = 0

    def __len__(self) -> int:
        """Return how many values it keeps."""
        return len(self._value_of)

    def __repr__(self) -> str:
        return f"Vault({len(self)} values)"

    def mask(self, text: str, hits: Iterable[Hit | Found], json: bool = False) -> str:
        """Return *text* with a placeholder for each of the *hits*, all of which are of this text.

        *json*: the text is source of JSON, as the arguments of a tool's call are, and so are
        the places of the hits; see `escapes`. The value is what the source means. A number goes
        as a whole, and its placeholder is a string.

        Raises:
            VaultFull: there are too many different values.
        """
        parts: list[str] = []
        read = 0
        for start, end, is_bare, what in places(text, hits, json):
            value = unescaped(text[start:end]).text if json else text[start:end]
            placeholder = self._placeholder(what, value)
            parts += (text[read:start], f'"{placeholder}"' if is_bare else placeholder)
            read = end
        parts.append(text[read:])
        return "".join(parts)

    def restore(self, text: str, json: bool = False) -> str:
        """Return *text* with the values instead of their placeholders; *json* as for `mask`."""
        restorer = Restorer(self, json)
        return restorer.push(text) + restorer.finish()

    def value(self, placeholder: str) -> str | None:
        """Return what *placeholder* stands for, None if it was not given out."""
        return self._value_of.get(placeholder)

    def placeholders(self) -> tuple[str, ...]:
        """Return the placeholders that were given out, sorted."""
        if len(self._sorted) < len(self):
            self._sorted = tuple(sorted(self._value_of))
        return self._sorted

    def _placeholder(self, what: str, value: str) -> str:
        word = _word(what)
        known = self._placeholder_of.get((word, value))
        if known is not None:
            return known
        if len(self) >= self._values_max:
            most = self._values_max
            raise VaultFull(f"the prompt has more than {most} different values to mask")
        while True:
            self._counts[word] += 1
            placeholder = f"<{word}_{self._counts[word]}>"
            if placeholder not in self._taken:
                break
        self._placeholder_of[word, value] = placeholder
        self._value_of[placeholder] = value
        self.chars_max = max(self.chars_max, len(placeholder))
        return placeholder


class Restorer:
    """Puts the values back into one text that comes in pieces, however it is cut.

    Holds back what could be the beginning of a placeholder and no more. Placeholders count as
    they were given out, to the letter. One belongs to one text: to the content of an answer, or
    the arguments of one call of a tool. With *json* the text is source of JSON, and values are
    escaped for it; a placeholder may have ``\\u003c`` and ``\\u003e`` for its brackets.
    """

    __slots__ = ("_begun", "_held", "_json", "_vault")

    def __init__(self, vault: Vault, json: bool = False) -> None:
        self._vault = vault
        self._json = json
        self._held = ""

    def __repr__(self) -> str:
        return f"Restorer({len(self._held)} characters held)"

    @property
    def holds(self) -> bool:
        """Whether it keeps something that the next `push` or `finish` returns."""
        return bool(self._held)

    def push(self, text: str) -> str:
        """Return what is certain of the text so far and was not returned yet."""
        if not len(self._vault):
            return text
        source = self._held + text
        view = Unescaped(source, len(source))
        if self._json:
            view = unescaped(source[: unescaped(source).open_from])
        parts: list[str] = []
        read, at = 0, view.text.find("<")
        held_from = view.open_from
        while at >= 0:
            placeholder = self._at(view.text, at)
            if placeholder:
                value = self._vault.value(placeholder) or ""
                parts += (
                    source[read : view.source(at)],
                    escaped(value) if self._json else value,
                )
                read = view.source(at + len(placeholder))
            elif self._is_begun(view.text[at:]):
                held_from = min(held_from, view.source(at))
                break
            at = view.text.find("<", at + max(1, len(placeholder)))
        parts.append(source[read:held_from])
        self._held = source[held_from:]
        return "".join(parts)

    def finish(self) -> str:
        """Return what is held back when the text has ended; it is no placeholder."""
        held, self._held = self._held, ""
        return held

    def _at(self, text: str, at: int) -> str:
        """Return the placeholder that is at *at*, nothing if none is."""
        end = text.find(">", at, at + self._vault.chars_max) + 1
        placeholder = text[at:end]
        return placeholder if self._vault.value(placeholder) is not None else ""

    def _is_begun(self, text: str) -> bool:
        if len(text) >= self._vault.chars_max:
            return False
        known = self._vault.placeholders()
        place = bisect_left(known, text)
        return place < len(known) and known[place].startswith(text)


def places(
    text: str, hits: Iterable[Hit | Found], json: bool
) -> Iterator[tuple[int, int, bool, str]]:
    """Yield what *hits* take out of *text*, in order and apart; whether it is bare; its kind.

    *json*: the text is source of JSON; what is bare is no part of a string there, but all of a
    number or a word, so that only a string may come instead.
    """
    found = [
        Found(hit.what, hit.start, hit.end, hit.start)
        if hit.start < hit.end
        else Found(hit.what, 0, len(text), 0)
        for hit in hits
    ]
    if not json:
        yield from ((one.start, one.end, False, one.what) for one in apart(found))
        return
    view, quotes = unescaped(text), Quotes(text)
    read = 0
    for one in apart(found):
        for start, end, is_bare in quotes.spans(view.clear(one.start), view.clear(one.end)):
            if max(read, start) < end:
                yield max(read, start), end, is_bare, one.what
                read = end


def _word(what: str) -> str:
    """Return *what* as a placeholder has it: capitals, digits and underscores."""
    word = _UNFIT.sub("_", what.upper())[:WORD_CHARS_MAX].strip("_")
    return word if word[:1].isalpha() else DEFAULT_WORD
