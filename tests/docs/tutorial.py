"""The tutorial's pages as they are worked through: files written, commands typed, answers shown."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import ROOT, blocks_of
from tests.host.cli.command import headrace

TUTORIAL = ROOT / "docs" / "tutorial"
PAGES = ("first-policy.md", "promises.md", "change.md")
_TOOK = re.compile(r"\d+\.\d+ s\)")


@dataclass(frozen=True, slots=True)
class Typed:
    """One command of a page, and what the page shows below it."""

    page: str
    command: str
    shown: str


def write_files(folder: Path) -> None:
    """Write every policy of the pages into *folder*, under the name that the page gives it."""
    for page in PAGES:
        for block in blocks_of(TUTORIAL / page):
            kind, _, name = block.kind.partition(":")
            if kind == "sched":
                (folder / (name or "my.sched")).write_text(block.text)


def typed(page: str) -> Iterator[Typed]:
    """Yield the commands of the `console` blocks of *page*, in order."""
    for block in blocks_of(TUTORIAL / page):
        if block.kind == "console":
            for piece in block.text.removeprefix("$ ").split("\n$ "):
                command, _, shown = piece.partition("\n")
                yield Typed(page, command, shown.rstrip("\n"))


def answer(command: str) -> str:
    """Return what *command* prints, but for how long it took."""
    name, *arguments = command.split()
    assert name == "headrace", command
    return timeless(headrace(*arguments).out)


def timeless(text: str) -> str:
    """Return *text* without durations and without empty lines at its end."""
    return _TOOK.sub("T s)", text).rstrip("\n")
