"""The names an expression may read, as data: type, range, when it is known, what it means.

The reference page, completion and the checker all read this table; generated code
reads the values through `code`, in terms of the protocols of `headrace.dsl.program`.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from headrace.dsl.cel.interval import COUNTS, Interval
from headrace.dsl.cel.interval import RATIOS as SHARE
from headrace.dsl.cel.kinds import (
    BOOL,
    BYTES,
    COUNT,
    DOUBLE,
    DURATION,
    INT,
    RATIO,
    STRING,
    STRING_MAP,
    STRINGS,
    TIMESTAMP,
    TOKENS,
    Base,
    Type,
    Unit,
    optional_of,
)
from headrace.dsl.cel.typed import Binding, Variable
from headrace.dsl.dialects.dialect import GPU_SOURCES as GPU_SOURCES
from headrace.dsl.dialects.dialect import METRIC_DIALECTS as METRIC_DIALECTS

Stage = Literal["static", "scrape", "request"]
PRIORITY_MIN, PRIORITY_MAX = -(2**31), 2**31 - 1
_PRIORITIES = Interval(PRIORITY_MIN, PRIORITY_MAX)
_SIZES = Interval(0, 2**53)
_AGES = Interval(0.0, float("inf"))
_MEANS = Interval(0.0, 2.0**31)
_MEAN = Type(Base.DOUBLE, Unit.COUNT)


_SPEEDS = Interval(1 / 64, 64.0)
_STATUSES = Interval(0, 599)
# Lists and maps are cut to these lengths by whoever fills them.
_ADAPTERS_MAX, _LABELS_MAX, _HEADERS_MAX = 64, 64, 128


def _request(
    name: str, type_: Type, doc: str, range_: Interval | None = None, items_max: int = 0
) -> Variable:
    full = f"request.{name}"
    return Variable(full, type_, Binding.REQUEST, doc, full, range_, items_max=items_max)


def _hint(name: str, type_: Type, doc: str, code: str = "") -> Variable:
    full, code = f"request.{name}", f"request.hints.{code or name}"
    given = type_ is DURATION
    range_ = _AGES if given else None
    return Variable(full, type_, Binding.REQUEST, doc, code, range_, optional=given)


def _endpoint(
    name: str, type_: Type, doc: str, range_: Interval | None = None, items_max: int = 0
) -> Variable:
    full, code = f"endpoint.{name}", f"e.{name}"
    return Variable(full, type_, Binding.SCRAPE, doc, code, range_, items_max=items_max)


def _outlook(
    name: str, type_: Type, doc: str, range_: Interval, optional: bool = False
) -> Variable:
    full, code = f"endpoint.{name}", f"e.outlook.{name}(e, {{0}}, now_s)"
    return Variable(full, type_, Binding.BOTH, doc, code, range_, optional, hoisted="request.work")


def _pool(name: str, type_: Type, doc: str, range_: Interval | None = None) -> Variable:
    return Variable(f"pool.{name}", type_, Binding.SCRAPE, doc, f"pool.{name}", range_)


def _over(name: str, type_: Type, doc: str) -> Variable:
    return Variable(f"candidates.{name}", type_, Binding.BOTH, f"a function: {doc}", "")


def _model(name: str, type_: Type, doc: str, code: str, optional: bool = False) -> Variable:
    range_ = _PRIORITIES if type_ is INT else _AGES if type_ is DURATION else None
    full = f"model.{name}"
    return Variable(full, type_, Binding.REQUEST, doc, f"model.{code}", range_, optional)


def _after(name: str, type_: Type, doc: str, code: str = "", optional: bool = False) -> Variable:
    root, _, field = name.partition(".")
    ranges = {DURATION: _AGES, TOKENS: COUNTS, BYTES: _SIZES}
    range_ = _STATUSES if field == "status" else ranges.get(type_)
    code = f"{root}.{code or field}"
    items_max = _HEADERS_MAX if type_ is STRING_MAP else 0
    return Variable(name, type_, Binding.AFTER, doc, code, range_, optional, items_max=items_max)


VARIABLES = (
    _request("id", STRING, "the request's id, the same in every log and trace"),
    _request("model", STRING, "the model the caller asked for"),
    _request("adapter", STRING, "the adapter the model stands for, or empty"),
    _request("path", STRING, "the path, without the query"),
    _request("method", STRING, "the HTTP method"),
    _request("priority", INT, "of the class, else the model; more is more urgent", _PRIORITIES),
    _request("prompt_tokens", TOKENS, "an estimate of the prompt's length", COUNTS),
    _request("max_tokens", TOKENS, "the most tokens the caller wants back; 0 if not said", COUNTS),
    _request("stream", BOOL, "whether the caller wants a stream"),
    _request("size", BYTES, "the length of the body", _SIZES),
    _request("headers", STRING_MAP, "all headers, by lower-case name", items_max=_HEADERS_MAX),
    _hint("fairness_id", STRING, "whose share of the service it counts on, or empty"),
    _hint("session", STRING, "the conversation it is part of, or empty"),
    _hint("ttl", DURATION, "how long it may wait for its turn", "ttl_s"),
    _hint("slo_ttft", DURATION, "the time to the first token that it asks for", "slo_ttft_s"),
    _hint("slo_tpot", DURATION, "the time per further token that it asks for", "slo_tpot_s"),
    _endpoint("name", STRING, "its name"),
    _endpoint("zone", STRING, "its zone, or empty"),
    _endpoint("role", STRING, "what it is there for, such as prefill, or empty"),
    _endpoint("labels", STRING_MAP, "its labels", items_max=_LABELS_MAX),
    _endpoint("ready", BOOL, "whether it answers"),
    _endpoint("queue", COUNT, "requests waiting there, unscraped ones of ours too", COUNTS),
    _endpoint("running", COUNT, "requests running there", COUNTS),
    _endpoint("in_flight", COUNT, "our own open requests there", COUNTS),
    _endpoint("kv_cache", RATIO, "used share of the KV cache", SHARE),
    _endpoint("adapters", STRINGS, "the adapters loaded there", items_max=_ADAPTERS_MAX),
    _endpoint(
        "adapters_waiting", STRINGS, "further adapters that requests there wait for",
        items_max=_ADAPTERS_MAX,
    ),
    _endpoint("adapter_slots", COUNT, "how many more adapters it can load", COUNTS),
    Variable(
        "endpoint.gpu", RATIO, Binding.SCRAPE, "accelerator utilisation, if reported",
        "e.gpu", SHARE, optional=True,
    ),
    Variable(
        "endpoint.age", DURATION, Binding.BOTH, "how old its metrics are",
        "(now_s - e.scraped_at_s)", _AGES,
    ),
    Variable(
        "endpoint.prefix_match", RATIO, Binding.BOTH, "share of the prompt already cached there",
        "{0}(e.address, 0.0)", SHARE, hoisted="request.prefix.get",
    ),
    Variable(
        "endpoint.session_match", BOOL, Binding.BOTH, "whether its session is bound there",
        "(e.address == {0})", hoisted="request.bonds.session_at",
    ),
    Variable(
        "endpoint.cold_order", COUNT, Binding.BOTH,
        "the number of the last prompt without any cache that it was given; 0 if none ever",
        "{0}(e.address, 0)", COUNTS, hoisted="request.bonds.cold.get",
    ),
    Variable(
        "endpoint.media_match", RATIO, Binding.BOTH,
        "share of the prompt's images, sounds and files that were sent there before",
        "{0}(e.address, 0.0)", SHARE, hoisted="request.bonds.media.get",
    ),
    Variable(
        "endpoint.peer_labels", STRING_MAP, Binding.BOTH,
        "labels of the endpoint that it is picked beside; empty without one",
        "{0}", hoisted="request.bonds.peer_labels", items_max=_LABELS_MAX,
    ),
    Variable(
        "endpoint.peer_zone", STRING, Binding.BOTH,
        "the zone of the endpoint that it is picked beside, or empty",
        "{0}", hoisted="request.bonds.peer_zone",
    ),
    _endpoint("tokens_in_flight", TOKENS, "prompt tokens of our open requests there", COUNTS),
    _endpoint("uncached_tokens_in_flight", TOKENS, "of prompts of ours to be computed", COUNTS),
    _endpoint("decoding", COUNT, "our open requests there past their first token", COUNTS),
    _outlook("predicted_ttft", DURATION, "how long the first token would take", _AGES),
    _outlook("decode_delay", DURATION, "what the prompt adds to the answers there, in sum", _AGES),
    _outlook("itl", DURATION, "from token to token there, with this request added", _AGES),
    _outlook("slo_slack", DURATION, "by how much answers there would miss their SLO", _AGES),
    _outlook("eviction_cost", DURATION, "of computing again what it would push out", _AGES),
    _outlook(
        "uncached_tokens", TOKENS,
        "of the prompt, not cached there; or `request.uncached_tokens(endpoint)`", COUNTS,
    ),
    _outlook("kv_free_tokens", TOKENS, "free room of the KV cache, if reported", COUNTS, True),
    _outlook("decode_context_tokens", TOKENS, "of our answers there, with their prompts", COUNTS),
    _outlook("speed", DOUBLE, "against its pool's `speed`, learnt; 2 is twice as fast", _SPEEDS),
    _outlook("error_rate", RATIO, "share of its recent answers that failed", SHARE),
    _outlook("ttft", DURATION, "what first tokens have taken there lately, if any", _AGES, True),
    Variable(
        "endpoint.metric", optional_of(DOUBLE), Binding.SCRAPE,
        "a function: the metric of that name, summed over its series, if the server has it", "",
    ),
    _pool("name", STRING, "its name"),
    _pool("size", COUNT, "how many endpoints it has", COUNTS),
    _pool("ready", COUNT, "how many of them are ready", COUNTS),
    _pool("queue", _MEAN, "mean of the queues that the ready endpoints report", _MEANS),
    _pool("running", _MEAN, "mean running requests of the ready endpoints", _MEANS),
    _pool("in_flight", _MEAN, "mean of our own open requests at the ready endpoints", _MEANS),
    _pool("tokens_in_flight", Type(Base.DOUBLE, Unit.TOKENS), "mean of the prompt tokens of our "
          "open requests at the ready endpoints", Interval(0.0, 2.0**63)),
    _pool("saturation", DOUBLE, "mean of the fuller of queue / 5 and KV cache / 80%, 1 for each "
          "endpoint that is not ready", _MEANS),
    _pool("kv_cache", RATIO, "mean used share of the KV cache of the ready endpoints", SHARE),
    _pool("max.queue", COUNT, "the longest queue of the ready endpoints", COUNTS),
    _pool("max.running", COUNT, "the most running requests of a ready endpoint", COUNTS),
    _pool("max.in_flight", COUNT, "the most open requests of ours at a ready endpoint", COUNTS),
    _pool("max.kv_cache", RATIO, "the most used KV cache of the ready endpoints", SHARE),
    _pool("min.queue", COUNT, "the shortest queue of the ready endpoints", COUNTS),
    _pool("min.running", COUNT, "the fewest running requests of a ready endpoint", COUNTS),
    _pool("min.in_flight", COUNT, "the fewest open requests of ours at a ready endpoint", COUNTS),
    _pool("min.kv_cache", RATIO, "the least used KV cache of the ready endpoints", SHARE),
    _pool("p90.queue", _MEAN, "the queue that 90% of the ready endpoints are within", _MEANS),
    _pool("p90.running", _MEAN, "the running requests of 90% of the ready endpoints", _MEANS),
    _pool("p90.kv_cache", RATIO, "the share used by 90% of the ready endpoints", SHARE),
    Variable(
        "candidates.size", COUNT, Binding.BOTH, "how many endpoints are still in the running",
        "len(endpoints)", COUNTS,
    ),
    _over("min", DOUBLE, "the lowest value at any of them where the second argument holds"),
    _over("max", DOUBLE, "the highest value at any of them where the second argument holds"),
    _over("low", RATIO, "how low the value is here: 1 the lowest of them, 0 the highest"),
    _over("high", RATIO, "how high the value is here: 1 the highest of them, 0 the lowest"),
    _over("rank", COUNT, "how many of them have a lower value than it is here"),
    _over("any", BOOL, "whether the condition holds at any of them"),
    _over("all", BOOL, "whether the condition holds at all of them"),
    _over("count", COUNT, "at how many of them the condition holds"),
    Variable("now", TIMESTAMP, Binding.REQUEST, "when the request came, in UTC", "request.now"),
    _model("name", STRING, "the policy's name of the model", "name"),
    _model("priority", INT, "the priority that the model states, else 0", "priority"),
    _model("objective", DURATION, "the bound of its objective", "objective_s", optional=True),
    _after("decision.shed", BOOL, "whether an overload turned it away"),
    _after("decision.queued", BOOL, "whether it had to wait"),
    _after("decision.blocked", BOOL, "whether it was stopped as unsafe or unreadable"),
    _after("decision.redacted", BOOL, "whether a guard took out what it found"),
    _after("decision.masked", BOOL, "whether a guard hid what it found from the model"),
    _after("decision.rejected", BOOL, "whether the answer was ours"),
    _after("decision.status", INT, "the status of our answer; 0 without one"),
    _after("decision.reason", STRING, "why the answer was ours, or empty"),
    _after("decision.message", STRING, "what our answer says, or empty"),
    _after("decision.model", STRING, "the policy's name of the model"),
    _after("decision.target", STRING, "the model name that the upstream is asked for"),
    _after("decision.adapter", STRING, "the adapter, or empty"),
    _after("decision.pool", STRING, "the pool, or empty"),
    _after("decision.endpoint", STRING, "the endpoint, or empty"),
    _after("decision.prefill", STRING, "the endpoint that prefills beside it, or empty"),
    _after("decision.encode", STRING, "the endpoint that encodes beside it, or empty"),
    _after("decision.profile", STRING, "the profile that picked"),
    _after("decision.priority", INT, "the priority it was decided by"),
    _after("decision.class", STRING, "the first class that matched, or empty", "kind"),
    _after("decision.guard", STRING, "the guard that stopped it, else the first to find something"),
    _after("decision.wait", DURATION, "how long it waited", "wait_s"),
    _after("decision.retry_after", DURATION, "what the client was told to wait", "retry_after_s"),
    _after("response.status", INT, "the status; 0 if no response came"),
    _after("response.headers", STRING_MAP, "its headers, by lower-case name"),
    _after("response.size", BYTES, "the length of its body"),
    _after("response.prompt_tokens", TOKENS, "as the server counts them", optional=True),
    _after("response.completion_tokens", TOKENS, "as the server counts them", optional=True),
    _after("response.cached_tokens", TOKENS, "as the server counts them", optional=True),
    _after("response.ttft", DURATION, "until the first byte of the body", "ttft_s", optional=True),
    _after("response.duration", DURATION, "until the end", "duration_s"),
)  # fmt: skip
TRUST_NAMES = (
    "objective", "fairness_id", "model_rewrite", "slo", "ttl", "session", "endpoint",
)  # fmt: skip
STAGES = frozenset({"body_router", "safety", "picker", "observability"})


def variables() -> Mapping[str, Variable]:
    """Return the vocabulary by name."""
    return {v.name: v for v in VARIABLES}


def stage_of(reads: Iterable[str]) -> Stage:
    """Return when a rule that reads these names is known: it can be kept until that changes.

    ``static`` at load, ``scrape`` when endpoints change, ``request`` for each request.
    """
    bindings = {v.binding for v in VARIABLES if v.name in set(reads)}
    if not bindings:
        return "static"
    return "scrape" if bindings == {Binding.SCRAPE} else "request"
