"""What a host is told about its policy: the first program, and how to read it again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from headrace.dsl.program import Program


@dataclass(frozen=True, slots=True)
class Loaded:
    """One attempt to read a policy.

    program   None if it was refused
    problems  why, each as `headrace check` prints it
    read      file -> SHA-256 of the text that was compiled, imports included
    """

    program: Program | None
    problems: Sequence[str] = ()
    read: Mapping[str, str] = field(default_factory=dict[str, str])


Load = Callable[[], Loaded]


@dataclass(frozen=True, slots=True)
class Reloading:
    """How a host follows its policy's files.

    load        reads and compiles them; called in a thread
    paths       files and directories; empty if the policy cannot be read again
    read        what the first program was made of, as `Loaded.read`
    interval_s  between two looks at the files; 0 looks only when asked to (SIGHUP)
    soak_s      how long a new policy decides beside the old one before it takes over; 0 not at all
    """

    load: Load
    paths: Sequence[str] = ()
    read: Mapping[str, str] = field(default_factory=dict[str, str])
    interval_s: float = 1.0
    soak_s: float = 0.0
