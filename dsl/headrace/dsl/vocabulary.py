"""The names an expression may read, as data: type, range, when it is known, what it means.

The reference page, completion and the checker all read this table; generated code
reads the values through `code`, in terms of the protocols of `headrace.dsl.program`.
"""

from collections.abc import Mapping

from headrace.dsl.cel.interval import COUNTS, Interval
from headrace.dsl.cel.interval import RATIOS as SHARE
from headrace.dsl.cel.kinds import (
    BOOL,
    BYTES,
    COUNT,
    DURATION,
    INT,
    RATIO,
    STRING,
    STRING_MAP,
    STRINGS,
    TOKENS,
    Base,
    Type,
    Unit,
)
from headrace.dsl.cel.typed import Binding, Variable
from headrace.dsl.later import LATER_FIELDS, LATER_ROOTS

PRIORITY_MIN, PRIORITY_MAX = -(2**31), 2**31 - 1
_PRIORITIES = Interval(PRIORITY_MIN, PRIORITY_MAX)
_SIZES = Interval(0, 2**53)
_AGES = Interval(0.0, float("inf"))
_MEANS = Interval(0.0, 2.0**31)
_MEAN = Type(Base.DOUBLE, Unit.COUNT)


def _request(name: str, type_: Type, doc: str, range_: Interval | None = None) -> Variable:
    code = f"request.{name}"
    return Variable(f"request.{name}", type_, Binding.REQUEST, doc, code, range_)


def _endpoint(name: str, type_: Type, doc: str, range_: Interval | None = None) -> Variable:
    return Variable(f"endpoint.{name}", type_, Binding.SCRAPE, doc, f"e.{name}", range_)


def _pool(name: str, type_: Type, doc: str, range_: Interval | None = None) -> Variable:
    return Variable(f"pool.{name}", type_, Binding.SCRAPE, doc, f"pool.{name}", range_)


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
    _request("headers", STRING_MAP, "all headers, by lower-case name"),
    _endpoint("name", STRING, "its name"),
    _endpoint("zone", STRING, "its zone, or empty"),
    _endpoint("labels", STRING_MAP, "its labels"),
    _endpoint("ready", BOOL, "whether it answers"),
    _endpoint("queue", COUNT, "requests waiting there, unscraped ones of ours too", COUNTS),
    _endpoint("running", COUNT, "requests running there", COUNTS),
    _endpoint("in_flight", COUNT, "our own open requests there", COUNTS),
    _endpoint("kv_cache", RATIO, "used share of the KV cache", SHARE),
    _endpoint("adapters", STRINGS, "the adapters loaded there"),
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
    _pool("name", STRING, "its name"),
    _pool("size", COUNT, "how many endpoints it has", COUNTS),
    _pool("ready", COUNT, "how many of them are ready", COUNTS),
    _pool("queue", _MEAN, "mean of the queues that the ready endpoints report", _MEANS),
    _pool("running", _MEAN, "mean running requests of the ready endpoints", _MEANS),
    _pool("kv_cache", RATIO, "mean used share of the KV cache of the ready endpoints", SHARE),
)  # fmt: skip
TRUST_NAMES = (
    "objective", "fairness_id", "model_rewrite", "slo", "ttl", "session", "endpoint",
)  # fmt: skip
METRIC_DIALECTS = ("vllm",)
STAGES = frozenset({"body_router", "safety", "picker", "observability"})


def variables() -> Mapping[str, Variable]:
    """Return the vocabulary by name."""
    return {v.name: v for v in VARIABLES}


def names_of_later() -> Mapping[str, str]:
    """Return the names of later editions, and what to write instead of each."""
    return {
        **LATER_ROOTS,
        **{f"{root}.{name}": cure for (root, name), cure in LATER_FIELDS.items()},
    }
