"""Values to evaluate expressions on, and the shortest way from a text to its value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headrace.dsl import vocabulary
from headrace.dsl.cel import generate
from headrace.dsl.cel.check import check
from headrace.dsl.cel.scope import Scope
from headrace.dsl.cel.typed import Typed
from headrace.dsl.cel.values import Timestamp
from headrace.dsl.problems.diagnostic import Diagnostic, Problems
from headrace.dsl.source import Source, Span
from headrace.dsl.syntax.build_expr import ExprBuilder
from headrace.dsl.syntax.grammar import Misfit, parse
from headrace.dsl.syntax.tree import Written
from headrace.extensions.values import NO_BONDS, Bonds

ROOTS = frozenset({"request", "endpoint", "pool", "model", "now"})
NOW_S = 100.0


@dataclass(frozen=True, slots=True)
class ModelFacts:
    name: str = "chatbot"
    priority: int = 10
    objective_s: float | None = 0.4


@dataclass(frozen=True, slots=True)
class HintFacts:
    fairness_id: str = "tenant-a"
    session: str = "s-1"
    ttl_s: float | None = 5.0
    slo_ttft_s: float | None = 0.5
    slo_tpot_s: float | None = None


@dataclass(frozen=True, slots=True)
class RequestFacts:
    id: str = "r-1"
    model: str = "chatbot"
    adapter: str = "english-bot"
    path: str = "/v1/chat/completions"
    method: str = "POST"
    priority: int = -10
    prompt_tokens: int = 120
    max_tokens: int = 64
    stream: bool = True
    size: int = 2048
    headers: Mapping[str, str] = field(default_factory=lambda: {"x-job": "batch"})
    prefix: Mapping[str, float] = field(default_factory=lambda: {"10.0.0.1:8000": 0.75})
    now: Timestamp = field(default_factory=lambda: Timestamp(1_234_567_890_000_000_000))
    asked: "ModelFacts" = field(default_factory=lambda: ModelFacts())
    hints: "HintFacts" = field(default_factory=lambda: HintFacts())
    work: None = None
    bonds: Bonds = NO_BONDS


class OutlookFacts:
    """A cost model that has made up its mind, whatever it is asked of."""

    def predicted_ttft(self, e: object, work: object, now_s: float) -> float:
        return 0.25

    def decode_delay(self, e: object, work: object, now_s: float) -> float:
        return 0.05

    def itl(self, e: object, work: object, now_s: float) -> float:
        return 0.02

    def slo_slack(self, e: object, work: object, now_s: float) -> float:
        return 2.0

    def eviction_cost(self, e: object, work: object, now_s: float) -> float:
        return 0.1

    def uncached_tokens(self, e: object, work: object, now_s: float) -> int:
        return 30

    def kv_free_tokens(self, e: object, work: object, now_s: float) -> int | None:
        return None

    def decode_context_tokens(self, e: object, work: object, now_s: float) -> int:
        return 640

    def speed(self, e: object, work: object, now_s: float) -> float:
        return 1.25

    def error_rate(self, e: object, work: object, now_s: float) -> float:
        return 0.125

    def ttft(self, e: object, work: object, now_s: float) -> float | None:
        return 0.5


@dataclass(frozen=True, slots=True)
class EndpointFacts:
    name: str = "gemma-a"
    address: str = "10.0.0.1:8000"
    zone: str = "eu-1"
    role: str = "decode"
    labels: Mapping[str, str] = field(default_factory=lambda: {"app": "gemma"})
    ready: bool = True
    scraped_at_s: float = 99.0
    queue: int = 3
    running: int = 0
    in_flight: int = 2
    kv_cache: float = 0.25
    gpu: float | None = None
    adapters: Sequence[str] = ("english-bot", "french-bot")
    adapters_waiting: Sequence[str] = ()
    adapter_slots: int = 1
    metrics: Mapping[str, float] = field(default_factory=lambda: {"vllm:x": 1.5})
    tokens_in_flight: int = 900
    uncached_tokens_in_flight: int = 300
    decoding: int = 1
    outlook: OutlookFacts = field(default_factory=lambda: OutlookFacts())


@dataclass(frozen=True, slots=True)
class SpreadFacts:
    queue: float = 9
    running: float = 4
    kv_cache: float = 0.9
    in_flight: float = 6


@dataclass(frozen=True, slots=True)
class PoolFacts:
    name: str = "gemma"
    size: int = 4
    ready: int = 3
    queue: float = 2.5
    running: float = 1.0
    in_flight: float = 3.0
    tokens_in_flight: float = 1500.0
    saturation: float = 0.75
    kv_cache: float = 0.5
    max: SpreadFacts = field(default_factory=SpreadFacts)
    min: SpreadFacts = field(default_factory=lambda: SpreadFacts(1, 0, 0.1, 2))
    p90: SpreadFacts = field(default_factory=lambda: SpreadFacts(5.5, 3.0, 0.8))


def checked(text: str) -> tuple[Typed, tuple[Diagnostic, ...]]:
    """Return *text* checked where every name is known, and what was found."""
    source = Source("t.sched", text)
    span, problems = Span(source, 0, len(text)), Problems()
    node = parse(text, "expr")
    assert not isinstance(node, Misfit), node
    written = ExprBuilder(span, problems).written(node)
    scope = Scope(problems, "a test", ROOTS, vocabulary.variables())
    return check(Written(written.expr, span), scope), problems.sorted(["t.sched"])


def value(
    text: str,
    endpoint: EndpointFacts | None = None,
    request: RequestFacts | None = None,
    pool: PoolFacts | None = None,
) -> object:
    """Return what *text* gives for one endpoint, as the generated column gives it."""
    typed, found = checked(text)
    assert typed.type.known, found
    column = generate.bool_column(typed, typed.span, "test")
    endpoints = [endpoint or EndpointFacts()]
    return column(endpoints, request or RequestFacts(), pool or PoolFacts(), NOW_S)[0]
