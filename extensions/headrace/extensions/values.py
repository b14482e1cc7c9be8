"""The values that a stage is handed: what is known of one exchange, and in the end how it went.

Most are msgspec structs: as frozen as a dataclass, and ten times as fast to make, which
counts where every exchange makes many. Those that carry prompts or bodies do not show them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from headrace.dsl.program import Program
from headrace.extensions.call import Call, CallFault
from headrace.extensions.headers import EMPTY, Headers
from headrace.extensions.reasons import Reason

Json = Any  # a JSON value: str, int, float, bool, None, list or dict of the same
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
NO_VALUES: Mapping[str, Json] = MappingProxyType({})
NO_METADATA: Mapping[str, Mapping[str, Json]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """`model.*`; see `program.ModelValues`. Without a model, or before it is known, all empty."""

    name: str = ""
    priority: int = 0
    objective_s: float | None = None


NO_MODEL = ModelFacts()


class Bonds(Struct, frozen=True):
    """What ties a request to endpoints of its pool; see `program.BondValues`."""

    session_at: str = ""
    cold: Mapping[str, int] = MappingProxyType({})
    media: Mapping[str, float] = MappingProxyType({})
    peer_labels: Mapping[str, str] = MappingProxyType({})
    peer_zone: str = ""


NO_COLD: Mapping[str, int] = MappingProxyType({})
NO_BONDS = Bonds()


@dataclass(frozen=True, slots=True)
class Route:
    """Where the body router sends a request, for the stages behind it.

    model         the policy's name for what the caller asked
    pool          the pool chosen among the model's shares
    target        the model name the upstream is asked for
    adapter       the LoRA adapter's name; empty for a base model
    profile       the profile to pick by
    kind          the class that matched; empty if none
    share_bucket  where the sticky key fell in [0, 1)
    asked         what the policy says of *model*
    session       what its class says the session is; None: what its headers say
    unread        whether its path passes without anybody reading the body
    unscreened    whether it passes guards so, too
    """

    model: str
    pool: str
    target: str
    adapter: str = ""
    priority: int = 0
    profile: str = "default"
    kind: str = ""
    share_bucket: float = 0.0
    asked: ModelFacts = field(default=NO_MODEL, compare=False, repr=False)
    session: str | None = field(default=None, repr=False)
    unread: bool = False
    unscreened: bool = False


class Request(Struct, frozen=True):
    """One inference request, as the stage at its turn sees it.

    headers  with the changes of the stages before it
    body     whole and content-decoded; None if no stage needs it or Envoy does not send it
    call     the body as an API call, parsed once per exchange; None if there is no body to parse
    unix_s   what the wall clock showed when the exchange began
    """

    id: str
    headers: Headers
    body: bytes | None = None
    call: Call | CallFault | None = None
    route: Route | None = None
    attributes: Mapping[str, Json] = NO_VALUES
    metadata: Mapping[str, Mapping[str, Json]] = NO_METADATA
    unix_s: float = 0.0

    @property
    def method(self) -> str:
        return self.headers.get(":method")

    @property
    def path(self) -> str:
        """The path with its query, as the client sent it."""
        return self.headers.get(":path")

    def __repr__(self) -> str:
        return f"Request({self.id}, {self.method} {self.path.partition('?')[0]})"


class ResponseHead(Struct, frozen=True):
    """The head of the response, changes so far included. *local*: an answer of ours."""

    status: int
    headers: Headers
    local: bool = False
    metadata: Mapping[str, Mapping[str, Json]] = NO_METADATA


# The data of the last event of a stream, in OpenAI's API. Its clients hang up when they have it.
DONE = b"[DONE]"


class ResponseEvent(Struct, frozen=True):
    """A piece of a response body, content-decoded.

    Of an event stream (``text/event-stream``): one event, *raw* with its blank line,
    *data* its joined data lines. Of any other body: *raw* and *data* are a run of its bytes.
    """

    raw: bytes
    data: bytes
    event_stream: bool

    def __repr__(self) -> str:
        return f"ResponseEvent({len(self.raw)} bytes)"


class ResponseEnd(Struct, frozen=True):
    """The response body is complete. *body* is the whole of it unless it was an event stream.

    *body* is empty too if it was larger than the host keeps for observers (`truncated`).
    """

    body: bytes
    event_stream: bool
    truncated: bool = False
    trailers: Headers = EMPTY

    def __repr__(self) -> str:
        return f"ResponseEnd({len(self.body)} bytes, truncated={self.truncated})"


class StageRun(Struct, frozen=True):
    """One call of one hook, for observers.

    result  ``continue``, ``reject``, ``answer``, ``failed``, ``timeout``, or ``left`` if the
            exchange ended while it was waiting
    road    what `OnFailure` did about a failure; empty without one
    error   one line about the failure; never a prompt or a body
    """

    stage: str
    hook: str
    started_s: float
    ended_s: float
    result: str
    road: str = ""
    error: str = ""
    records: tuple[object, ...] = ()


class Outcome(Struct, frozen=True):
    """How an exchange ended, and everything that was decided in it.

    Times are monotonic seconds of the host's clock, None if it did not come that far.
    status       the status the client got, as far as we know it; 0 if none
    reason       set if the answer was ours
    termination  ``complete``, ``client-gone``, ``processor-abort`` or ``bug``
    policy       the digest of the policy that decided, in its *generation* of this process
    message, retry_after_s  what a reject told the client
    response_headers  of what the client got, our changes included; empty if nothing came
    program      the policy that decided, for observers that look back by its rules
    announced    the traceparent that the upstream was sent, whose span this exchange is
    """

    request: Request
    started_s: float
    ended_s: float
    status: int
    termination: str
    reason: Reason | None = None
    decided_s: float | None = None
    response_head_s: float | None = None
    first_event_s: float | None = None
    last_event_s: float | None = None
    event_count: int = 0
    event_stream: bool = False
    runs: tuple[StageRun, ...] = ()
    traceparent: str = ""
    request_bytes: int = 0
    response_bytes: int = 0
    policy: str = ""
    generation: int = 0
    message: str = ""
    retry_after_s: float | None = None
    response_headers: Headers = EMPTY
    program: Program | None = None
    announced: str = ""

    def __repr__(self) -> str:
        why = f", {self.reason.word}" if self.reason else ""
        return f"Outcome({self.request.id}, {self.status}, {self.termination}{why})"


class ExchangeInfo(Struct, frozen=True):
    """What is known of an exchange when its first part arrives.

    headers      the request's; empty if Envoy begins with something else
    traceparent  of the gRPC call's initial metadata, else of the request
    """

    id: str
    chain: str
    headers: Headers
    now_s: float
    traceparent: str = ""
