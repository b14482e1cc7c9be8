"""What a host is told about its policy: the first program, and how to read it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from headrace.dsl.problems.diagnostic import Diagnostic
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.host.serve.texts import Texts

VACANT = Program("")  # before there is a policy: nothing is heard of requests then


@dataclass(frozen=True, slots=True)
class Loaded:
    """One attempt to read a policy.

    program   None if it was refused
    problems  why, each as `headrace check` prints it
    read      file -> SHA-256 of the text that was compiled, imports included
    found     those of the problems that are at a place of a text
    """

    program: Program | None
    problems: Sequence[str] = ()
    read: Mapping[str, str] = field(default_factory=dict[str, str])
    found: Sequence[Diagnostic] = ()


class Load(Protocol):
    """Reads and compiles a policy; called in a thread."""

    def __call__(self, texts: Sequence[Source] = ()) -> Loaded:
        """Return what its files, and *texts* beside, come to."""
        ...


@dataclass(frozen=True, slots=True)
class Reloading:
    """How a host follows its policy's files.

    load        reads and compiles them
    paths       files and directories; empty if the policy cannot be read again
    read        what the first program was made of, as `Loaded.read`
    interval_s  between two looks at the files; 0 looks only when asked to (SIGHUP)
    texts       what of the policy is no file; None: nothing
    soak_s      how long a new policy decides beside the old one before it takes over; 0 not at all
    """

    load: Load
    paths: Sequence[str] = ()
    read: Mapping[str, str] = field(default_factory=dict[str, str])
    interval_s: float = 1.0
    soak_s: float = 0.0
    texts: Texts | None = None
