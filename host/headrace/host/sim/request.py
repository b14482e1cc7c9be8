"""What a replica works on: a request, and how far it has come."""

from dataclasses import dataclass, field
from enum import Enum


class FinishReason(Enum):
    """Why a request ended, in vLLM's words."""

    STOP = "stop"
    LENGTH = "length"
    ABORT = "abort"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class SimRequest:
    """One prompt for a replica.

    *hashes* are the chained hashes of the full blocks of prompt and output together; blocks
    beyond them are never found in the cache. *output_tokens* 0 asks for an embedding. *finish*
    is the reason reported after the last token.
    """

    number: int
    prompt_tokens: int
    output_tokens: int
    hashes: tuple[int, ...] = field(default=(), repr=False)
    adapter: str | None = None
    finish: FinishReason = FinishReason.LENGTH

    def __post_init__(self) -> None:
        assert self.prompt_tokens > 0, self.prompt_tokens
        assert self.output_tokens >= 0, self.output_tokens


@dataclass(slots=True, eq=False)
class Progress:
    """How far a request has come. Written by the one `Replica` that runs it."""

    request: SimRequest
    arrived_s: float
    ready_s: float
    length: int
    computed: int = 0
    emitted: int = 0
    blocks: list[int] = field(default_factory=list[int])
    cached_tokens: int | None = None
    started_s: float | None = None
    first_token_s: float = 0.0
    last_token_s: float = 0.0
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """A request that ended with a step, and how much of its prompt came from the cache."""

    number: int
    reason: FinishReason
    cached_tokens: int


# A request and how many of its tokens a step computes. A plain pair: there is one for each
# running request in each step.
Chunk = tuple[Progress, int]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step computes, from *started_s* on for *duration_s* seconds."""

    started_s: float
    duration_s: float
    chunks: tuple[Chunk, ...]
    preempted: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What a step yielded at its end: one token for each request in *emitted*."""

    duration_s: float
    emitted: tuple[int, ...]
    finished: tuple[Finished, ...]
    preempted: tuple[int, ...]
