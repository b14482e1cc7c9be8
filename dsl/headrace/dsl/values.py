"""What compiled expressions read, and what they are: functions over these values.

The protocols say what a host or a test must bring; nothing here knows how.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from headrace.dsl.cel.values import Timestamp


class RequestValues(Protocol):
    """What expressions may know of a request: `request.*`.

    prefix  endpoint address -> share of the prompt already cached there, 0..1; absent means 0
    now     the wall clock when the exchange began: `now`, the same in all its rules
    asked   the policy's model that it asks for: `model.*`
    hints   what its headers ask of its serving, as far as the policy trusts them
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
    @property
    def now(self) -> "Timestamp": ...
    @property
    def asked(self) -> "ModelValues": ...
    @property
    def hints(self) -> "HintValues": ...


class HintValues(Protocol):
    """What the headers of a request ask for: `request.fairness_id` and the like, else empty."""

    @property
    def fairness_id(self) -> str: ...
    @property
    def session(self) -> str: ...
    @property
    def ttl_s(self) -> float | None: ...
    @property
    def slo_ttft_s(self) -> float | None: ...
    @property
    def slo_tpot_s(self) -> float | None: ...


class EndpointValues(Protocol):
    """What expressions may know of one endpoint: `endpoint.*`.

    scraped_at_s  when its metrics were read, monotonic seconds; `endpoint.age` is now minus that
    queue         requests waiting there, own ones that no scrape has seen yet included
    running       requests running there as last scraped
    in_flight     our own open exchanges there
    kv_cache      used share of the KV cache, 0..1
    gpu           accelerator utilisation, 0..1; None if nothing reports it
    metrics       what `endpoint.metric` finds, by the server's own names; never NaN
    """

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def role(self) -> str: ...
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
    @property
    def metrics(self) -> Mapping[str, float]: ...


class SpreadValues(Protocol):
    """One figure of each kind over the ready endpoints of a pool; 0 if none is ready."""

    @property
    def queue(self) -> float: ...
    @property
    def running(self) -> float: ...
    @property
    def in_flight(self) -> float: ...
    @property
    def kv_cache(self) -> float: ...


class PoolValues(Protocol):
    """What expressions may know of a pool: `pool.*`.

    Means are over its ready endpoints, of what they report: unlike `endpoint.queue`,
    `pool.queue` has no requests of ours that no scrape has seen.

    max, min  the highest and the lowest figure: counts are ints
    p90       the lowest figure that nine in ten of them do not exceed
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
    @property
    def max(self) -> SpreadValues: ...
    @property
    def min(self) -> SpreadValues: ...
    @property
    def p90(self) -> SpreadValues: ...


@dataclass(frozen=True, slots=True)
class RuleFault:
    """A sound rule failed on these values. It stands where the value would stand.

    kind  one of ``overflow``, ``division-by-zero``, ``missing``, ``nan``, ``range``, ``type``
    """

    kind: str


class ModelValues(Protocol):
    """What expressions may know of the model that was asked for: `model.*`.

    objective_s  the bound that its `objective METRIC pNN < D` states; None without one
    """

    @property
    def name(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def objective_s(self) -> float | None: ...


class DecisionValues(Protocol):
    """What `trace` and `test` may know of what was decided: `decision.*`.

    status         of the answer we gave instead of the upstream's; 0 if we gave none
    reason         of the closed list of reasons; empty if nothing was rejected
    guard          the first guard that found something; empty if none did
    kind           the first class that matched; `decision.class` in expressions
    wait_s         how long it waited in the queue
    retry_after_s  what the client was told to wait; 0 if nothing
    """

    @property
    def shed(self) -> bool: ...
    @property
    def queued(self) -> bool: ...
    @property
    def blocked(self) -> bool: ...
    @property
    def rejected(self) -> bool: ...
    @property
    def status(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def adapter(self) -> str: ...
    @property
    def pool(self) -> str: ...
    @property
    def endpoint(self) -> str: ...
    @property
    def profile(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def guard(self) -> str: ...
    @property
    def wait_s(self) -> float: ...
    @property
    def retry_after_s(self) -> float: ...


class ResponseValues(Protocol):
    """What `trace` and `test` may know of the response: `response.*`.

    status  0 if no response came
    size    bytes of the body
    ttft_s  from the request's head to the first byte of the body; None if none came
    """

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def size(self) -> int: ...
    @property
    def prompt_tokens(self) -> int | None: ...
    @property
    def completion_tokens(self) -> int | None: ...
    @property
    def cached_tokens(self) -> int | None: ...
    @property
    def ttft_s(self) -> float | None: ...
    @property
    def duration_s(self) -> float: ...


Values = Sequence[EndpointValues]
Condition = Callable[[RequestValues, "PoolValues | None", float], "bool | RuleFault"]
BoolColumn = Callable[[Values, RequestValues, PoolValues, float], "list[bool | RuleFault]"]
RatioColumn = Callable[[Values, RequestValues, PoolValues, float], "list[float | RuleFault]"]
NumberOf = Callable[[RequestValues, "PoolValues | None", float], "float | RuleFault"]
TextOf = Callable[[RequestValues, "PoolValues | None", float], "str | RuleFault"]
Scalar = bool | int | float | str
Afterwards = Callable[
    [RequestValues, ModelValues, DecisionValues, ResponseValues, float], "Scalar | RuleFault"
]
