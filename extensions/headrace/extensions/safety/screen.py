"""Who screens: the shape of a provider, and the first one, a list of RE2 patterns."""

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

# Any: the wheel of google-re2 has no types.
import re2  # pyright: ignore[reportMissingTypeStubs]

from headrace.extensions.call import Call

# Bounds what one pattern's automaton may take; RE2 goes on more slowly beyond it, never wrong.
PATTERN_BYTES_MAX = 8 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a provider objects to. *what* is a word of the provider, never the text."""

    what: str


# Any: what a coroutine awaits; the host lets it await effects only.
Screening = Finding | None | Coroutine[Any, Any, Finding | None]


class Provider(Protocol):
    """Looks at a prompt and says what is wrong with it."""

    def screen(self, call: Call) -> Screening:
        """Return what is found in *call*, None for nothing, or a coroutine that awaits effects."""
        ...


class _Search(Protocol):
    """A compiled RE2 expression, as far as it is used here."""

    def search(self, text: bytes) -> object | None: ...


@dataclass(frozen=True, slots=True)
class Patterns:
    """Finds any of *patterns*. One search of all at once clears the usual prompt."""

    any_of: _Search = field(repr=False)
    each: tuple[_Search, ...] = field(repr=False)

    def screen(self, call: Call) -> Finding | None:
        """Return which pattern, by its number from 0, the first text to have one has first."""
        for text in call.texts:
            data = text.text.encode()
            if self.any_of.search(data) is not None:
                found = (i for i, one in enumerate(self.each) if one.search(data) is not None)
                return Finding(f"pattern {next(found)}")
        if call.token_ids:
            return Finding("token-ids")  # what cannot be read is not passed in silence
        return None


def patterns(texts: tuple[str, ...]) -> Patterns:
    """Compile RE2 *texts*, at least one.

    Raises:
        ValueError: one of them is no RE2 expression.
    """
    each = tuple(_compile(text) for text in texts)
    return Patterns(_compile("|".join(f"(?:{text})" for text in texts)), each)


def _compile(text: str) -> _Search:
    module = cast(Any, re2)
    options = module.Options()
    options.max_mem = PATTERN_BYTES_MAX
    options.log_errors = False
    try:
        return cast(_Search, module.compile(text, options))
    except module.error as error:
        raise ValueError(f"pattern `{text}` is no RE2 expression: {error}") from error
