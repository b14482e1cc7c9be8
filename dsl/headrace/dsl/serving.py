"""Pools and models: where requests can go, and what callers ask for."""

from dataclasses import dataclass, field

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
class KvEvents:
    """Servers publish what they cache at *port* of their address, and again at *replay_port*."""

    port: int
    replay_port: int | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """Who serves: exactly one of *endpoints*, *inference_pool* and *selector*.

    endpoints     ``ip:port``
    metrics       names a dialect of server metrics
    block_tokens  in a block of the prefix index; None: as the servers' own blocks fit
    prefix_bytes_max  that the prefix index may take; None: what a host thinks fit
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
    block_tokens: int | None = None
    prefix_bytes_max: int | None = None
    kv_events: KvEvents | None = None


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

    @property
    def pattern(self) -> bool:
        return "*" in self.name
