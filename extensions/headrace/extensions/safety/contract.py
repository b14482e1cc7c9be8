"""What a guard asks and what it is told: the values between the guards and their providers.

A provider is pure. One that looks by itself answers with a Verdict; one that must ask the
world is a coroutine that awaits `Http` and reads what comes back. So every provider can be
tested with values alone, and what is asked for can be seen, bounded and replayed.
"""

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, Protocol

from msgspec import Struct

from headrace.extensions.call import Text
from headrace.extensions.stage import Effect


class Direction(Enum):
    """Which way the text goes that is screened."""

    PROMPT = "prompt"
    RESPONSE = "response"

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is a Python function


class Context(Struct, frozen=True):
    """What a provider may want to know beside the texts.

    model         as the client named it
    exchange_id   for the provider's own log
    conversation  the readable prompt so far, oldest first; of a response: what was asked
    tenant        whose request it is, if the policy says so
    """

    model: str = ""
    exchange_id: str = ""
    conversation: tuple[Text, ...] = ()
    tenant: str = ""

    def __repr__(self) -> str:
        return f"Context({self.model}, {self.exchange_id})"


class Asked(Struct, frozen=True):
    """Texts to be judged, none longer than the provider's `Reach.chars_max`.

    texts     in the order of the body; a piece of a long one repeats the end of the last piece
    streamed  they are a window of a response that is still being written
    """

    direction: Direction
    texts: tuple[Text, ...]
    context: Context = Context()
    streamed: bool = False

    def __repr__(self) -> str:
        return f"Asked({self.direction.value}, {len(self.texts)} texts)"


class Hit(Struct, frozen=True):
    """Something a provider objects to.

    what         the category, a word of the provider; never the text
    at           which of the texts, from 0; -1: the provider does not say
    start, end   the characters it is about, [start, end); both 0: the whole text
    replacement  what the provider would put there; None: it does not say
    """

    what: str
    at: int = -1
    start: int = 0
    end: int = 0
    replacement: str | None = None

    def __repr__(self) -> str:
        return f"Hit({self.what}, {self.at}, {self.start}:{self.end})"


class Verdict(Struct, frozen=True):
    """What a provider says of the texts. Nothing wrong: no hits.

    rewritten  which of the texts -> the whole text as the provider would have it
    partial    why not all of the texts was looked at; empty if all was
    code       the error's `code` that the provider wants the client to get; empty: the guard's
    message    the error's message, likewise
    """

    hits: tuple[Hit, ...] = ()
    rewritten: Mapping[int, str] = MappingProxyType({})
    partial: str = ""
    code: str = ""
    message: str = ""

    def __repr__(self) -> str:
        words = ", ".join(dict.fromkeys(hit.what for hit in self.hits))
        return f"Verdict({words}{' partial' if self.partial else ''})"


CLEAR = Verdict()


class Kind(Enum):
    """Why there is no verdict: a label of metrics, so a closed list."""

    ERROR = "error"  # the provider answered with an error, or with what cannot be read
    UNREACHABLE = "unreachable"  # no connection, or it broke
    TIMEOUT = "timeout"
    BUSY = "busy"  # our own limit of calls at once
    OPEN = "circuit-open"  # it failed too often just now, so it was not asked
    QUOTA = "quota"  # it refuses for a while: 429 or RESOURCE_EXHAUSTED
    DECLINED = "declined"  # nobody judges this one: a 400, 413 or 422, no template for its model
    UNREADABLE = "unreadable"  # the texts cannot be read: token ids, a coding, broken JSON

    __hash__ = object.__hash__


class Trouble(Struct, frozen=True):
    """Why there is no verdict. *detail* is for the log: no text, no secret, at most 200 characters.

    retry_after_s  when the provider wants to be asked again, if it says so
    """

    kind: Kind
    detail: str = ""
    retry_after_s: float | None = None


class Reach(Struct, frozen=True):
    """What a provider can do, so that a guard which asks more of it is an error at load.

    chars_max   the longest text of one call; longer ones are cut into overlapping windows
    texts_max   the most texts of one call
    directions  which ways it can judge
    locates     its hits say where, or it rewrites: so what it finds can be redacted
    local       it answers at once, without a call
    """

    chars_max: int = 1 << 22
    texts_max: int = 1 << 14
    directions: frozenset[Direction] = frozenset(Direction)
    locates: bool = False
    local: bool = False


Judged = Verdict | Trouble
# Any: what a coroutine awaits; the host lets it await effects only.
Judging = Judged | Coroutine[Any, Any, Judged]


class Provider(Protocol):
    """Judges texts. Built once per policy, shared by all exchanges; a bad answer is Trouble."""

    @property
    def name(self) -> str: ...

    @property
    def reach(self) -> Reach: ...

    def screen(self, asked: Asked) -> Judging:
        """Return the verdict on *asked*, or a coroutine that awaits effects and returns it."""
        ...


@dataclass(frozen=True, slots=True)
class Secret:
    """A header whose value the host takes from the environment at each call.

    *prefix* goes before it, e.g. ``Bearer ``. The value is in no policy, span, log or error.
    """

    header: str
    variable: str
    prefix: str = ""


class HttpReply(Struct, frozen=True):
    """What a provider's server answered; *headers* by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"HttpReply({self.status}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True)
class Http(Effect[HttpReply | Trouble]):
    """Send one HTTP request to a provider.

    guard       whose limits count: calls at once, the circuit breaker
    google      adds a bearer token of the application default credentials
    timeout_s   of the whole call, waiting for a free connection included
    answer_bytes_max  a longer answer is Trouble
    at_once     how many calls of *guard* may be under way; who comes later waits
    """

    guard: str
    method: str
    url: str
    body: bytes = field(default=b"", repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    secrets: tuple[Secret, ...] = ()
    google: bool = False
    timeout_s: float = 1.0
    answer_bytes_max: int = 1 << 20
    at_once: int = 64


@dataclass(frozen=True, slots=True)
class Rpc(Effect[HttpReply | Trouble]):
    """Call *method* of a provider's gRPC service; the JSON that goes and comes is REST's.

    call    as of REST, but its URL names only the server; over TLS if it begins with https
    stream  of a text that comes in pieces: those of the same name go through one stream, so that
            the service sees each with what came before; empty: the call stands alone
    """

    call: Http
    method: str
    stream: str = ""


@dataclass(frozen=True, slots=True)
class Together(Effect[tuple[Any, ...]]):
    """Perform *effects* at the same time; the replies come in their order."""

    effects: tuple[Effect[Any], ...]


class Found(Struct, frozen=True):
    """What a local provider finds in one text: the characters [start, end), and why they count.

    since   the first character that it had to see; before *start* if a word tells what follows
    """

    what: str
    start: int
    end: int
    since: int

    def __repr__(self) -> str:
        return f"Found({self.what}, {self.start}:{self.end})"


class Local(Provider, Protocol):
    """A provider that looks by itself, so that it can say what of a growing text is settled.

    `safety.local.settled` is how a stream uses it.
    """

    @property
    def width_max(self) -> int | None:
        """The most characters from `Found.since` to `Found.end`; None: there is no limit."""
        ...

    def screen(self, asked: Asked) -> Verdict:
        """Return the verdict on *asked*: never trouble, since nobody is asked."""
        ...

    def found(self, text: str, start: int = 0) -> tuple[Found, ...]:
        """Return what is in *text* since *start* or later, in order; before *start* is context.

        Of two that overlap, both may be there.
        """
        ...

    def partial_start(self, text: str, overlap: int = 64) -> int:
        """Return the first character of *text* that could be of a match that goes on after it.

        What lies before it is found, or never will be. *overlap* is how many characters at the
        end are taken to be such where that cannot be known: of patterns.
        """
        ...
