"""What a policy compiles to: immutable values and compiled rules, ready to decide by.

Everything here is checked: names resolve, types and units fit, shares add up. The
stages read it; nothing at run time parses, looks up or interprets policy text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from headrace.dsl.source import Span


class RequestValues(Protocol):
    """What expressions may know of a request: `request.*`.

    prefix  endpoint address -> share of the prompt already cached there, 0..1; absent means 0
    """

    @property
    def id(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def adapter(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def max_tokens(self) -> int: ...
    @property
    def stream(self) -> bool: ...
    @property
    def size(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def prefix(self) -> Mapping[str, float]: ...


class EndpointValues(Protocol):
    """What expressions may know of one endpoint: `endpoint.*`.

    scraped_at_s  when its metrics were read, monotonic seconds; `endpoint.age` is now minus that
    queue         requests waiting there, own ones that no scrape has seen yet included
    running       requests running there as last scraped
    in_flight     our own open exchanges there
    kv_cache      used share of the KV cache, 0..1
    gpu           accelerator utilisation, 0..1; None if nothing reports it
    """

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def ready(self) -> bool: ...
    @property
    def scraped_at_s(self) -> float: ...
    @property
    def queue(self) -> int: ...
    @property
    def running(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def kv_cache(self) -> float: ...
    @property
    def gpu(self) -> float | None: ...
    @property
    def adapters(self) -> Sequence[str]: ...
    @property
    def adapter_slots(self) -> int: ...


class PoolValues(Protocol):
    """What expressions may know of a pool: `pool.*`.

    Means are over its ready endpoints, of what they report: unlike `endpoint.queue`,
    `pool.queue` has no requests of ours that no scrape has seen.
    """

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def ready(self) -> int: ...
    @property
    def queue(self) -> float: ...
    @property
    def running(self) -> float: ...
    @property
    def kv_cache(self) -> float: ...


@dataclass(frozen=True, slots=True)
class RuleFault:
    """A sound rule failed on these values. It stands where the value would stand.

    kind  one of ``overflow``, ``division-by-zero``, ``missing``, ``nan``, ``range``, ``type``
    """

    kind: str


Values = Sequence[EndpointValues]
Condition = Callable[[RequestValues, "PoolValues | None", float], "bool | RuleFault"]
BoolColumn = Callable[[Values, RequestValues, PoolValues, float], "list[bool | RuleFault]"]
RatioColumn = Callable[[Values, RequestValues, PoolValues, float], "list[float | RuleFault]"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A named expression and where it stands. *reads*: vocabulary names, e.g. `endpoint.queue`."""

    name: str
    span: Span = field(repr=False)
    reads: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """The expression as written."""
        return self.span.text


@dataclass(frozen=True, slots=True)
class When:
    """A condition on a request, and on a pool where the statement allows it. A fault is false."""

    rule: Rule
    test: Condition = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class EndpointFilter:
    """Keep the endpoints for which the column is true. A fault excludes the endpoint."""

    rule: Rule
    column: BoolColumn = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Scorer:
    """One value per endpoint, meant to be in [0, 1]; the picker clamps. A fault scores 0."""

    rule: Rule
    column: RatioColumn = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Term:
    """A scorer and its weight, > 0."""

    weight: float
    scorer: Scorer


class Pick(Enum):
    """How the winner is taken from the scored endpoints."""

    MAX = "max"
    WEIGHTED = "weighted"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Profile:
    """How to choose an endpoint.

    require    filters that must hold
    prefer     filters that are skipped, each in turn, if they leave nothing
    pick_top   of WEIGHTED: among how many best
    ties       lower is better; None: go on to the hash of request id and endpoint
    otherwise  the profile to ask if `require` leaves nothing
    """

    name: str
    span: Span = field(repr=False)
    require: tuple[EndpointFilter, ...] = ()
    prefer: tuple[EndpointFilter, ...] = ()
    terms: tuple[Term, ...] = ()
    pick: Pick = Pick.MAX
    pick_top: int = 1
    ties: Scorer | None = None
    otherwise: str | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """Who serves. *endpoints* are ``ip:port``; *metrics* names a dialect of server metrics."""

    name: str
    span: Span = field(repr=False)
    endpoints: tuple[str, ...] = ()
    metrics: str = "vllm"
    stale_after_s: float = 2.0
    adapters_max: int | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """One target of a route. *share* is 0..1 and the shares of a route add up to 1."""

    pool: str
    share: float
    rewrite: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A name callers use; a *pattern* if it has ``*`` in it."""

    name: str
    span: Span = field(repr=False)
    priority: int = 0
    routes: tuple[Share, ...] = ()
    adapter: bool = False  # `adapter of POOL`: routes has that pool, the name is the adapter
    profile: str | None = None

    @property
    def pattern(self) -> bool:
        return "*" in self.name


@dataclass(frozen=True, slots=True)
class Class:
    """A kind of request. The first that matches wins; after an `also` class matching goes on."""

    name: str
    when: When
    priority: int | None = None
    profile: str | None = None
    also: bool = False


@dataclass(frozen=True, slots=True)
class Shed:
    """Turn a request away if *when* holds while the pool is overloaded."""

    when: When
    status: int = 429
    message: str = "overloaded, try again later"
    retry_after_s: float | None = 1.0


@dataclass(frozen=True, slots=True)
class Overload:
    """When a pool counts as overloaded, and what then happens. *pools* is empty for all pools."""

    when: When
    pools: tuple[str, ...] = ()
    sheds: tuple[Shed, ...] = ()


class OnMatch(Enum):
    """What a guard does about a finding."""

    BLOCK = "block"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Guard:
    """A screen on prompts: a list of RE2 patterns; a match of any is a finding."""

    name: str
    span: Span = field(repr=False)
    patterns: tuple[str, ...] = ()
    when: When | None = None
    on_match: OnMatch = OnMatch.BLOCK
    status: int = 400
    message: str = "blocked by safety policy"


@dataclass(frozen=True, slots=True)
class Trust:
    """Control headers that are believed when *when* holds; all others are stripped.

    names  of ``objective fairness_id model_rewrite slo ttl session endpoint``
    """

    names: frozenset[str]
    when: When


@dataclass(frozen=True, slots=True)
class Chain:
    """The stages of one role, in order."""

    name: str
    stages: tuple[str, ...]
    span: Span | None = field(default=None, repr=False)


DEFAULT_CHAIN = Chain("default", ("body_router", "safety", "picker", "observability"))


@dataclass(frozen=True, slots=True)
class Program:
    """A whole policy. *digest* is the SHA-256 of its sources, in hex."""

    digest: str
    pools: Mapping[str, Pool] = field(default_factory=dict[str, Pool])
    models: Mapping[str, Model] = field(default_factory=dict[str, Model])
    classes: tuple[Class, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict[str, Profile])
    overloads: tuple[Overload, ...] = ()
    guards: tuple[Guard, ...] = ()
    trusts: tuple[Trust, ...] = ()
    chains: Mapping[str, Chain] = field(default_factory=dict[str, Chain])

    def chain(self, name: str) -> Chain | None:
        """Return the chain *name*; `default` exists in every program."""
        if name in self.chains:
            return self.chains[name]
        return DEFAULT_CHAIN if name == DEFAULT_CHAIN.name else None
