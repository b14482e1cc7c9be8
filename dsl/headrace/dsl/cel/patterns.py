# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (google-re2 has no types.)
"""Patterns in RE2: linear time on any text, whoever wrote the pattern.

The only module that knows re2.
"""

import functools
from typing import Protocol, cast

import re2

PATTERN_CHARS_MAX = 1000
_MEMORY_BYTES_MAX = 1 << 20


class Pattern(Protocol):
    """A compiled pattern over UTF-8."""

    def search(self, text: bytes, /) -> object | None:
        """Return something if the pattern is found anywhere in *text*, else None."""
        ...


@functools.lru_cache(maxsize=256)
def compile_pattern(text: str) -> Pattern | str:
    """Return the compiled pattern, or in words why it is none."""
    if len(text) > PATTERN_CHARS_MAX:
        return f"longer than {PATTERN_CHARS_MAX} characters"
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY_BYTES_MAX
    try:
        return cast(Pattern, re2.compile(text.encode("utf-8", "replace"), options))
    except re2.error as error:
        reason: object = error.args[0] if error.args else ""
        return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def found(pattern: Pattern, text: str) -> bool:
    """Return whether *pattern* is found anywhere in *text*."""
    return pattern.search(text.encode("utf-8", "replace")) is not None
