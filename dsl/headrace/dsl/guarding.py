"""What a policy says of safety: its guards, whom they ask, and how they work together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from msgspec import Struct

from headrace.dsl.compiled import Rule, When
from headrace.dsl.source import Span
from headrace.dsl.values import RuleFault


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """What is computed from a provider's answer, a JSON value. A fault is a value.

    `match` is a bool; `category` and `text` are a text, a list of texts, or None.
    """

    rule: Rule
    read: Callable[[object], object | RuleFault] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class VerdictRule:
    """A condition over guards' names -> whether each found something; absent: it was not asked."""

    rule: Rule
    test: Callable[[Mapping[str, bool]], bool | RuleFault] = field(repr=False, compare=False)


class OnMatch(Enum):
    """What a guard does about a finding."""

    BLOCK = "block"
    REDACT = "redact"
    MASK = "mask"  # placeholders go upstream, and the answer gets the originals back
    LOG = "log"


class OnTrouble(Enum):
    """What a guard does when it has no verdict, or only a part of one."""

    BLOCK = "block"
    ALLOW = "allow"
    LOG = "log"


class Scope(Enum):
    """How much of a conversation a guard of the prompt looks at."""

    ALL = "all"
    NEW_TURNS = "new_turns"  # what was said since the last answer of the model
    LAST_TURN = "last_turn"  # the last message of the user


class Streamed(Enum):
    """What a guard of the response does with a stream."""

    HOLD = "hold"  # no text passes that was not judged
    OBSERVE = "observe"  # all passes at once; a finding ends the stream or is logged


class Window(Struct, frozen=True):
    """How much of a stream is judged at once.

    unit     of *size*: ``characters`` or ``sentences``
    overlap  characters that are judged again with the next window
    """

    unit: str = "characters"
    size: int = 200
    overlap: int = 64


class Provision(Struct, frozen=True):
    """Whom a guard asks, and what for.

    url       of the provider's server, its own if the policy says none; empty: by the template
    settings  name -> its values in their order, each with what it is `for`, or empty
    headers   header -> its value, which is no secret
    secrets   header -> the environment variable that holds its value
    prefixes  header of *secrets* -> what goes before its value, e.g. ``Bearer ``
    rules     name -> what is computed from the provider's answer
    """

    provider: str
    url: str = ""
    settings: Mapping[str, tuple[tuple[str | float, str], ...]] = MappingProxyType({})
    headers: Mapping[str, str] = MappingProxyType({})
    secrets: Mapping[str, str] = MappingProxyType({})
    prefixes: Mapping[str, str] = MappingProxyType({})
    rules: Mapping[str, AnswerRule] = MappingProxyType({})


DEFAULT_WINDOW = Window()


@dataclass(frozen=True, slots=True)
class Guard:
    """A screen: of patterns, detectors and words, or of a provider; a match is a finding.

    detect      names of built-in detectors
    deny        words and phrases, in any case
    ask         the provider, if the guard does not look by itself
    inspect     of ``prompt response``
    timeout_s   how long a provider may take; None: the stage's deadline
    on_partial  what to do about a text the provider has screened in part
    on_unreadable  what to do about what no guard can read, e.g. token ids
    at_once     calls of the provider at the same time, in one process
    cache_s     for how long a verdict counts for the same text; None: not at all
    breaker_failures  in a row, after which the provider is left alone for `breaker_s`
    """

    name: str
    span: Span = field(repr=False)
    patterns: tuple[str, ...] = ()
    when: When | None = None
    on_match: OnMatch = OnMatch.BLOCK
    status: int = 400
    message: str = "blocked by safety policy"
    inspect: frozenset[str] = frozenset({"prompt"})
    timeout_s: float | None = None
    on_error: OnTrouble = OnTrouble.BLOCK
    on_timeout: OnTrouble = OnTrouble.BLOCK
    on_partial: OnTrouble = OnTrouble.BLOCK
    detect: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    ask: Provision | None = None
    scope: Scope = Scope.ALL
    window: Window = DEFAULT_WINDOW
    streamed: Streamed = Streamed.HOLD
    on_unreadable: OnTrouble = OnTrouble.BLOCK
    at_once: int = 64
    cache_s: float | None = None
    cache_entries: int = 10_000
    breaker_failures: int = 5
    breaker_s: float = 10.0


class SafetyRule(Struct, frozen=True):
    """How the guards of a policy work together.

    parallel      all are asked at once; else in order, and the first that blocks ends it
    block         over the verdicts, instead of "any that blocks"; None without such a rule
    inspect_only  nothing is blocked or changed; everything is recorded
    """

    parallel: bool = False
    block: VerdictRule | None = None
    inspect_only: bool = False


NO_SAFETY_RULE = SafetyRule()
