"""Colours for people at a terminal, and for nobody else."""

from collections.abc import Mapping
from typing import Protocol

from headrace.dsl.problems.snippet import Paint, Role, plain

_SGR = {
    Role.ERROR: "1;31",
    Role.WARNING: "1;33",
    Role.OTHER: "1;34",
    Role.FRAME: "34",
    Role.HELP: "1;36",
    Role.MESSAGE: "1",
}


class Screen(Protocol):
    """What text is printed to."""

    def isatty(self) -> bool:
        """Return whether a person sees it."""
        ...


def paint_for(screen: Screen, environment: Mapping[str, str]) -> Paint:
    """Return how to paint on *screen*: not at all if it is no terminal, or under NO_COLOR.

    Source: https://no-color.org; a terminal that calls itself dumb has no colours.
    """
    wanted = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    return _coloured if wanted and screen.isatty() else plain


def _coloured(role: Role, text: str) -> str:
    return f"\x1b[{_SGR[role]}m{text}\x1b[0m" if text else text
