"""What came of the requests, counted. Pure: times are arguments."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from headrace.host.demo.workload import BATCH, CLASSES

SHED_WORD = "shed"
NOTES_MAX = 20  # of unexpected results, kept word for word


@dataclass(frozen=True, slots=True)
class Result:
    """How one request ended, as its client saw it.

    status         0 if there was no response
    reason         the `x-headrace-reason` header; empty if the answer was the model server's
    first_token_s  from sending to the first event; None if none came
    error          what was wrong with the exchange; empty if nothing
    """

    workload_class: str
    model: str
    status: int
    endpoint: str = ""
    reason: str = ""
    first_token_s: float | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    error: str = ""

    @property
    def shed(self) -> bool:
        """Whether the policy turned it away because of overload."""
        return self.status == 429 and self.reason == SHED_WORD


@dataclass(slots=True)
class EndpointTally:
    """What one endpoint served. Written by its Tally."""

    served: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0


@dataclass(slots=True)
class Tally:
    """Counts results. Written by the one task that gets them.

    pool_of  endpoint -> its pool: every endpoint that may serve
    """

    pool_of: Mapping[str, str]
    sent: int = 0
    by_status: Counter[str] = field(default_factory=Counter[str])
    by_model: Counter[str] = field(default_factory=Counter[str])
    shed: Counter[str] = field(default_factory=Counter[str])
    endpoints: dict[str, EndpointTally] = field(default_factory=dict[str, EndpointTally])
    first_tokens_s: list[float] = field(default_factory=list[float])
    errors: int = 0
    notes: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.endpoints = {address: EndpointTally() for address in self.pool_of}

    @property
    def done(self) -> int:
        """Requests that have ended."""
        return sum(self.by_status.values())

    def add(self, result: Result) -> None:
        """Count *result*; note it if it is not what a sound system does."""
        self.by_status[str(result.status)] += 1
        self.by_model[result.model] += 1
        if result.shed:
            self.shed[result.workload_class] += 1
        if result.first_token_s is not None:
            self.first_tokens_s.append(result.first_token_s)
        if result.endpoint in self.endpoints:
            one = self.endpoints[result.endpoint]
            one.served += 1
            one.prompt_tokens += result.prompt_tokens
            one.cached_tokens += result.cached_tokens
        problem = self._unexpected(result)
        if problem:
            self.fault(problem)

    def fault(self, problem: str) -> None:
        """Count *problem* as an error."""
        self.errors += 1
        if len(self.notes) < NOTES_MAX:
            self.notes.append(problem)

    def prefix_hit_ratio(self) -> float:
        """Return the share of prompt tokens that some cache had, 0..1."""
        prompt = sum(e.prompt_tokens for e in self.endpoints.values())
        return sum(e.cached_tokens for e in self.endpoints.values()) / prompt if prompt else 0.0

    def by_pool(self) -> dict[str, int]:
        """Return how many requests each pool served."""
        pools = dict.fromkeys(self.pool_of.values(), 0)
        for address, one in self.endpoints.items():
            pools[self.pool_of[address]] += one.served
        return pools

    def summary(self) -> dict[str, object]:
        """Return what `headrace demo --json` prints."""
        return {
            "requests": self.done,
            "by_status": dict(sorted(self.by_status.items())),
            "by_model": dict(sorted(self.by_model.items())),
            "by_pool": self.by_pool(),
            "by_endpoint": {address: one.served for address, one in self.endpoints.items()},
            "shed": {name: self.shed[name] for name in CLASSES},
            "ttft_ms": {
                f"p{rank}": round(quantile(self.first_tokens_s, rank / 100) * 1000, 1)
                for rank in (50, 90, 99)
            },
            "prefix_hit_ratio": round(self.prefix_hit_ratio(), 4),
            "errors": self.errors,
            "unexpected": list(self.notes),
        }

    def _unexpected(self, result: Result) -> str:
        who = f"{result.workload_class} request for `{result.model}`"
        if result.error:
            return f"{who}: {result.error}"
        if result.shed:
            return "" if result.workload_class == BATCH else f"{who} was shed"
        if result.status != 200:
            return f"{who}: status {result.status} ({result.reason or 'no reason given'})"
        if result.endpoint not in self.endpoints:
            return f"{who} was served by `{result.endpoint}`, which is no endpoint of the policy"
        return ""


def quantile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that at least *share* of *values* do not exceed; 0 of none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    rank = -(-len(ordered) * share // 1)  # rounded up
    return ordered[max(0, int(rank) - 1)]
