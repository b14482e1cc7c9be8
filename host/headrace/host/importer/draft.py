"""The policy that is being imported: its parts, before they are text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A `filter` or `scorer`, with the comments above it; *soft*: only preferred.

    Without a *text* it is the library's, which goes by *lets*, names and values.
    """

    keyword: str
    name: str
    text: str
    comments: tuple[str, ...]
    soft: bool = False
    lets: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Scored:
    """A scorer and its weight."""

    weight: float
    name: str


@dataclass(frozen=True, slots=True)
class DraftProfile:
    """A `profile`: names of filters, weighted scorers, and the `pick` with its comment."""

    name: str
    require: tuple[str, ...]
    prefer: tuple[str, ...]
    scored: tuple[Scored, ...]
    pick: str
    pick_comment: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A `class` that asks for a profile by a header's value."""

    name: str
    header: str
    value: str
    profile: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A `queue`: how long and how many may wait, and by which header they take turns."""

    up_to_s: float
    at_most: int
    fair_header: str = ""


@dataclass(frozen=True, slots=True)
class Overloaded:
    """An `overload`: its condition with a comment, and what happens then."""

    condition: str
    comment: str
    queue: Waiting | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A whole policy but for pools and models, which a configuration does not have.

    main  the profile that requests have unless a class says another
    """

    rules: tuple[Rule, ...]
    profiles: tuple[DraftProfile, ...]
    main: str
    choices: tuple[Choice, ...] = ()
    overload: Overloaded | None = None
    metrics: str = "vllm"
