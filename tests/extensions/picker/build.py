"""Small policies made by hand: what the compiler would make of the rules' texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from headrace.dsl.cel.values import Timestamp
from headrace.dsl.program import (
    EndpointFilter,
    EndpointValues,
    Overload,
    Pool,
    PoolValues,
    Profile,
    Program,
    RequestValues,
    Rule,
    RuleFault,
    Scorer,
    Values,
    When,
)
from headrace.dsl.source import Source, Span
from headrace.extensions.hints import NO_HINTS, Hints
from headrace.extensions.picker.snapshot import ServerFacts
from headrace.extensions.picker.store import Store
from headrace.extensions.values import NO_BONDS, NO_MODEL, Bonds, ModelFacts
from headrace.extensions.work import NO_WORK, Work

MIDNIGHT = Timestamp(0)
NAMES = ("10.0.0.1:8000", "10.0.0.2:8000", "10.0.0.3:8000")


@dataclass(frozen=True, slots=True)
class Asked:
    """Request values, written down."""

    id: str = "r-1"
    model: str = "m"
    adapter: str = ""
    path: str = "/v1/chat/completions"
    method: str = "POST"
    priority: int = 0
    prompt_tokens: int = 10
    max_tokens: int = 0
    stream: bool = True
    size: int = 100
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    prefix: Mapping[str, float] = field(default_factory=dict[str, float])
    now: Timestamp = MIDNIGHT
    asked: ModelFacts = NO_MODEL
    hints: Hints = NO_HINTS
    work: Work = NO_WORK
    bonds: Bonds = NO_BONDS


def span(text: str, line: int = 1) -> Span:
    """Return *text* as it would stand on *line* of a policy."""
    source = Source("test.sched", "\n" * (line - 1) + text)
    return Span(source, line - 1, line - 1 + len(text))


def rule(name: str, text: str, *reads: str, line: int = 1) -> Rule:
    return Rule(name, span(text, line), frozenset(reads))


def keep(
    name: str,
    test: Callable[[EndpointValues, float], bool | RuleFault],
    *reads: str,
    text: str = "",
) -> EndpointFilter:
    """Return a filter that asks *test* of each endpoint and the time, and says what it *reads*."""

    def column(
        endpoints: Values, request: RequestValues, pool: PoolValues, now_s: float
    ) -> list[bool | RuleFault]:
        return [test(e, now_s) for e in endpoints]

    return EndpointFilter(rule(name, text or f"{name}(endpoint)", *reads), column)


def score(
    name: str, value: Callable[[EndpointValues, RequestValues], float | RuleFault], *reads: str
) -> Scorer:
    """Return a scorer that asks *value* of each endpoint and the request."""

    def column(
        endpoints: Values, request: RequestValues, pool: PoolValues, now_s: float
    ) -> list[float | RuleFault]:
        return [value(e, request) for e in endpoints]

    return Scorer(rule(name, f"{name}(endpoint)", *reads), column)


def when(text: str, test: Callable[[RequestValues, PoolValues], bool | RuleFault]) -> When:
    """Return a condition on request and pool."""

    def condition(
        request: RequestValues, pool: PoolValues | None, now_s: float
    ) -> bool | RuleFault:
        assert pool is not None
        return test(request, pool)

    return When(rule("", text), condition)


ALIVE = keep(
    "alive",
    lambda e, now_s: e.ready and now_s - e.scraped_at_s < 2.0,
    "endpoint.ready",
    "endpoint.age",
    text="endpoint.ready && endpoint.age < 2s",
)
HAS_ROOM = keep("has_room", lambda e, now_s: e.kv_cache < 0.95, "endpoint.kv_cache")
PREFIX = score("prefix", lambda e, r: r.prefix.get(e.address, 0.0), "endpoint.prefix_match")
KV_FREE = score("kv_free", lambda e, r: 1.0 - e.kv_cache, "endpoint.kv_cache")
SHORT_QUEUE = score("short_queue", lambda e, r: 1.0 / (1.0 + e.queue), "endpoint.queue")
RUNNING = score("running", lambda e, r: float(e.running), "endpoint.running")


def profile(name: str = "default", **settings: object) -> Profile:
    return Profile(name, span(f"profile {name}"), **settings)  # type: ignore[arg-type]


def program(
    *profiles: Profile,
    pools: Mapping[str, Sequence[str]] | None = None,
    overloads: tuple[Overload, ...] = (),
    adapters_max: int | None = None,
) -> Program:
    """Return a policy with pool `gemma` of three endpoints, unless others are given."""
    named = pools or {"gemma": NAMES}
    return Program(
        "digest",
        {n: Pool(n, span("pool"), tuple(a), adapters_max=adapters_max) for n, a in named.items()},
        profiles={p.name: p for p in profiles or (profile(),)},
        overloads=overloads,
    )


def ready_store(policy: Program, now_s: float = 0.0, **facts: ServerFacts) -> Store:
    """Return a store in which every endpoint was scraped at *now_s*, all idle."""
    store = Store.for_program(policy)
    for pool in policy.pools.values():
        for address in pool.endpoints:
            store.scraped(pool.name, address, ServerFacts(0, 0, 0.0), now_s)
    return store
