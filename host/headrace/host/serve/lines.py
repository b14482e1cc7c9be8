"""Bounds what stays of policies that were compiled: the lines of the last two, for tracebacks.

The compiler gives every rule's lines to `linecache`, which forgets nothing by itself, and
the parser keeps trees, which only an editor reads twice.
"""

import linecache
from collections.abc import Callable

from headrace.dsl.syntax.grammar import forget
from headrace.host.serve.load import Loaded

PREFIX = "<sched:"  # as `headrace.dsl.cel.generate` names the files of rules


class Lines:
    """Keeps the lines of the last two policies. Used from one thread at a time."""

    def __init__(self) -> None:
        self._last = set(_rules())

    def around(self, load: Callable[[], Loaded]) -> Loaded:
        """Return what *load* returns; drop the lines of the policy before the last."""
        before = {name: linecache.cache.pop(name) for name in _rules()}
        loaded = load()
        forget()
        if loaded.program is None:
            for name in _rules():
                del linecache.cache[name]
            linecache.cache.update(before)
            return loaded
        fresh = set(_rules())
        kept = {name: lines for name, lines in before.items() if name in self._last - fresh}
        linecache.cache.update(kept)
        self._last = fresh
        return loaded


def _rules() -> list[str]:
    return [name for name in list(linecache.cache) if name.startswith(PREFIX)]
