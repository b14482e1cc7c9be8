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

    endpoints     ``ip:port``
    metrics       names a dialect of server metrics
    wait_s        how long a request waits while no endpoint is ready; 0: not at all
    wait_max      how many may wait so
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
    speed: Speed = DEFAULT_SPEED
    wait_s: float = 0.0
    wait_max: int = 100
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
