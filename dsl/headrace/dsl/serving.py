"""Pools and models: where requests can go, and what callers ask for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from headrace.dsl.dialects import builtin
from headrace.dsl.dialects.dialect import Dialect
from headrace.dsl.source import Span


@dataclass(frozen=True, slots=True)
class InferencePoolRef:
    """An InferencePool of Kubernetes. *namespace* is None for the host's own."""

    name: str
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Selector:
    """Pods with all of these labels, each an endpoint at *port*."""

    labels: tuple[tuple[str, str], ...]
    port: int = 8000


@dataclass(frozen=True, slots=True)
class Member:
    """An endpoint as somebody declares it. *name* is its address if none is said.

    role  what it is there for, such as ``prefill``; empty if that is not said
    """

    address: str
    name: str
    zone: str = ""
    role: str = ""
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def label_map(self) -> Mapping[str, str]:
        """Its labels by name."""
        return MappingProxyType(dict(self.labels))


@dataclass(frozen=True, slots=True)
class GpuSource:
    """Where the utilisation of a host's accelerators stands, beside the servers' own metrics."""

    dialect: Dialect
    port: int


@dataclass(frozen=True, slots=True)
class Speed:
    """How long a step of a server of the pool takes: the sum of its parts; see docs/explain.

    step_s        of any step             request_s  more per answer that it continues
    context_s     more per 1,000 tokens of these answers, prompts included
    prefill_s     more per prompt token that it computes
    pair_s        more per pair of tokens that attention looks at then
    arrival_s     from the gateway to the server's queue
    batch_tokens  a step computes at most      slots  answers it continues at most

    The defaults are of a 32-billion-parameter model in 16 bits on two H100.
    """

    step_s: float = 0.014
    request_s: float = 57e-6
    context_s: float = 54e-6
    prefill_s: float = 49e-6
    pair_s: float = 0.75e-9
    arrival_s: float = 0.015
    batch_tokens: int = 8192
    slots: int = 256


DEFAULT_SPEED = Speed()


@dataclass(frozen=True, slots=True)
class KvEvents:
    """Servers publish what they cache at *port* of their address, and again at *replay_port*."""

    port: int
    replay_port: int | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """Who serves: exactly one of *endpoints*, *inference_pool* and *selector*.

    endpoints  ``ip:port``
    described  those of them of which more is said than the address
    metrics    names the *dialect* of server metrics
    stale_after_s, dead_after_s  from the one to the other age of what was measured the endpoint
               is used, and taken to be busier than it was; the second is the greater one
    wait_s     how long a request waits while no endpoint is ready; 0: not at all
    wait_max   how many may wait so
    block_tokens  in a block of the prefix index; None: as the servers' own blocks fit
    prefix_bytes_max  that the prefix index may take; None: what a host thinks fit
    ranks_port  where the hosts take requests for all their endpoints, which are ranks of one
               server; None: each endpoint takes its own
    """

    name: str
    span: Span = field(repr=False)
    endpoints: tuple[str, ...] = ()
    metrics: str = "vllm"
    stale_after_s: float = 2.0
    adapters_max: int | None = None
    profile: str | None = None
    inference_pool: InferencePoolRef | None = None
    selector: Selector | None = None
    speed: Speed = DEFAULT_SPEED
    wait_s: float = 0.0
    wait_max: int = 100
    block_tokens: int | None = None
    prefix_bytes_max: int | None = None
    kv_events: KvEvents | None = None
    dead_after_s: float = 10.0
    dialect: Dialect = field(default_factory=builtin.vllm, repr=False)
    gpu: GpuSource | None = None
    described: tuple[Member, ...] = ()
    ranks_port: int | None = None

    @property
    def destinations(self) -> tuple[str, ...]:
        """Where a proxy sends what its endpoints are picked for, each place once."""
        if self.ranks_port is None:
            return self.endpoints
        hosts = dict.fromkeys(address.rpartition(":")[0] for address in self.endpoints)
        return tuple(f"{host}:{self.ranks_port}" for host in hosts)

    @property
    def members(self) -> tuple[Member, ...]:
        """Its endpoints, in the order of the policy."""
        described = {m.address: m for m in self.described}
        return tuple(described.get(a) or Member(a, a) for a in self.endpoints)


@dataclass(frozen=True, slots=True)
class Objective:
    """A named serving priority, asked for by a model."""

    name: str
    span: Span = field(repr=False)
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Latency:
    """A bound on a latency: the *quantile* of *metric* shall stay below *below_s*.

    metric    of ``ttft tpot itl latency``
    quantile  0..1
    """

    metric: str
    quantile: float
    below_s: float

    @property
    def per_token(self) -> bool:
        """Whether it bounds the time of a token after the first, as `endpoint.slo_slack` reads."""
        return self.metric in ("tpot", "itl")


@dataclass(frozen=True, slots=True)
class Share:
    """One target of a route. *share* is 0..1 and the shares of a route add up to 1."""

    pool: str
    share: float
    rewrite: str | None = None


@dataclass(frozen=True, slots=True)
class Mirror:
    """Send a copy of this share, 0..1, of the requests to *pool* and forget its answer."""

    pool: str
    share: float


@dataclass(frozen=True, slots=True)
class Model:
    """A name callers use; a *pattern* if it has ``*`` in it.

    A model with an alias is two entries: the alias has the same settings, and its
    routes ask the upstream for the model itself.

    priority  the model's own, else its objective's
    alias_of  the model that this name is an alias of; empty if it is none
    passthrough  paths whose bodies go to it unread; with ``*`` at its end, all that begin so
    unscreened  whether they may pass guards unread, too
    states_priority  whether it has an objective, or a priority other than 0, which says nothing
    """

    name: str
    span: Span = field(repr=False)
    priority: int = 0
    routes: tuple[Share, ...] = ()
    adapter: bool = False  # `adapter of POOL`: routes has that pool, the name is the adapter
    profile: str | None = None
    alias_of: str = ""
    objective: str | None = None
    latency: Latency | None = None
    mirrors: tuple[Mirror, ...] = ()
    states_priority: bool = False
    passthrough: tuple[str, ...] = ()
    unscreened: bool = False

    @property
    def pattern(self) -> bool:
        return "*" in self.name
