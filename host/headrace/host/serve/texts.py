"""Texts of a policy that are no files, such as those that objects of a cluster hold."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from headrace.dsl.problems.diagnostic import Diagnostic
from headrace.dsl.source import Source


class Stand(Enum):
    """What became of the texts that were taken."""

    REFUSED = auto()  # they do not make a policy, or one that fails its own tests
    WAITING = auto()  # they do; it is warmed, or soaks
    LIVE = auto()  # it decides
    UNSERVABLE = auto()  # it cannot decide here
    LEFT = auto()  # an operator went back to an earlier one


@dataclass(frozen=True, slots=True)
class Judged:
    """The judgement on texts that were taken together.

    digest    of the policy that serves now; empty if there is none
    problems  why they are refused, each as `headrace check` prints it
    found     those of the problems that are at a place of a text
    """

    stand: Stand
    digest: str
    problems: Sequence[str] = ()
    found: Sequence[Diagnostic] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """All texts at one moment.

    sources   the texts, in the order in which they are compiled
    problems  why they cannot be taken for a policy, each as a line; the last policy then goes on
    stamp     name -> what changes when the text of that name does, or whose it is
    tell      takes what became of them
    """

    sources: Sequence[Source]
    problems: Sequence[str]
    stamp: Mapping[str, str]
    tell: Callable[[Judged], None] = field(repr=False)


class Texts(Protocol):
    """Where texts are that are no files. Its methods may be called from any thread."""

    def pending(self) -> str:
        """Return why it is not known yet which texts there are; "" if it is."""
        ...

    def take(self) -> Taken:
        """Return the texts as they are now."""
        ...

    def owns(self, name: str) -> bool:
        """Return whether a text of that name is one of these, and no file."""
        ...


def of_files(sources: Sequence[Source] = ()) -> Taken:
    """Return what is taken where there are only files."""
    return Taken(sources, (), {}, _nobody)


def _nobody(judged: Judged) -> None:
    """Tell nobody: the files have no place to write to."""
