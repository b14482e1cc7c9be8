"""RE2 expressions over bytes: the one place of this package that knows the library."""

from collections.abc import Iterator
from typing import Any, Protocol, cast

# Any: the wheel of google-re2 has no types.
import re2  # pyright: ignore[reportMissingTypeStubs]

# Bounds what one automaton may take; RE2 goes on more slowly beyond it, never wrong.
BYTES_MAX = 8 << 20


class Place(Protocol):
    """Where an expression matched."""

    def span(self) -> tuple[int, int]:
        """Return the bytes [start, end)."""
        ...


class Expression(Protocol):
    """A compiled RE2 expression, as far as it is used here."""

    def search(self, text: bytes, pos: int = 0) -> Place | None:
        """Return the leftmost match that starts at *pos* or later; before it is context."""
        ...

    def finditer(self, text: bytes, pos: int = 0) -> Iterator[Place]:
        """Yield the matches from *pos* on that do not overlap."""
        ...


def expression(text: str, bytes_max: int = BYTES_MAX) -> Expression:
    """Compile *text*, which matches UTF-8.

    Raises:
        ValueError: it is no RE2 expression.
    """
    try:
        return cast(Expression, _module().compile(text, _options(bytes_max)))
    except _module().error as error:
        raise ValueError(f"pattern `{text}` is no RE2 expression: {error}") from error


def flat_expression(text: str, bytes_max: int = BYTES_MAX) -> Expression:
    """Compile *text*, which matches bytes that are one character each."""
    options = _options(bytes_max)
    options.encoding = _module().Options.Encoding.LATIN1
    return cast(Expression, _module().compile(text.encode("latin-1"), options))


def _module() -> Any:
    return re2


def _options(bytes_max: int) -> Any:
    options = _module().Options()
    options.max_mem = bytes_max
    options.log_errors = False
    options.never_capture = True
    return options
