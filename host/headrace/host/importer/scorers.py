"""The reference's scorers as expressions: ratios from 0 to 1, where more is better.

Source of the formulas: the reference's plugin sources; each function cites its type.
"""

from collections.abc import Mapping

from headrace.extensions.hints import SESSION
from headrace.extensions.picker.affinity import TOKEN
from headrace.host.importer.attributes import attribute
from headrace.host.importer.part import Formula, Known, Left, Named, Part, Reading, left
from headrace.host.importer.settings import Settings
from headrace.host.importer.words import double, number, text

SHORT_QUEUE = "1.0 / (1.0 + double({0}))"
TOKENS_PER_REQUEST = 1024  # what a request counts for where the reference counts tokens
RANGE_LABEL = "llm-d.ai/context-length-range"
PREDICTED = "latencies are predicted by the host's cost model"
SPEED = "say how fast the servers are: `speed step ..., prefill ...` of the `pool`"
APART = "who prefills is not picked beside who decodes by an imported policy"
NEAR = "write `also pick prefill by profile NAME`, and `topology_affinity_scorer` in that profile"
INDEX = "the host's index of prompts, in blocks of 256 bytes"


def spread(field: str, name: str, known: Known) -> Formula:
    """Return a scorer that is 1 for the least *field* of the candidates and 0 for the most."""
    if "candidates.low" in known:
        return Formula(name, f"candidates.low(endpoint.{field})")
    most, least = f"pool.max.{field}", f"pool.min.{field}"
    if most in known and least in known:
        width = f"math.greatest(1.0, double({most} - {least}))"
        ratio = f"double({most} - endpoint.{field}) / {width}"
        return Formula(
            name,
            f"{most} > {least} ? {clamped(ratio)} : 100%",
            note="the most and least of the pool's ready endpoints",
        )
    return Formula(
        name,
        SHORT_QUEUE.format(f"endpoint.{field}"),
        "the reference scores between the least and the most of the moment; here each "
        "endpoint is scored by itself: the order is the same, the distances are not",
        "compare decisions and adjust the weight",
    )


def clamped(ratio: str) -> str:
    """Return *ratio* cut to what a scorer may be: 0 to 1."""
    return f"math.greatest(0.0, math.least(1.0, {ratio}))"


def queue(settings: Settings, known: Known) -> Part:
    """`queue-scorer`: (max - q) / (max - min); 1 if all are equal."""
    return spread("queue", "short_queue", known)


def running(settings: Settings, known: Known) -> Part:
    """`running-requests-size-scorer`: as `queue-scorer`, of running requests."""
    return spread("running", "few_running", known)


def kv_cache(settings: Settings, known: Known) -> Part:
    """`kv-cache-utilization-scorer`: 1 - usage."""
    return Formula("kv_free", "1.0 - endpoint.kv_cache")


def load_aware(settings: Settings, known: Known) -> Part:
    """`load-aware-scorer`: 0.5 * (1 - min(q, T) / T)."""
    given = settings.number("threshold", 128)
    full = f"double(endpoint.queue) / {double(given if given > 0 else 128)}"
    return Formula("light_load", f"0.5 - 0.5 * math.least({full}, 1.0)")


def active_requests(settings: Settings, known: Known) -> Part:
    """`active-request-scorer`: 1 up to *idleThreshold*, else (max - a) / max * *maxBusyScore*."""
    settings.ignore("requestTimeout", "inFlightLoadProducerName")
    idle = max(0.0, settings.number("idleThreshold", 0))
    busy = settings.number("maxBusyScore", 1.0)
    busy = busy if 0 <= busy <= 1 else 1.0
    when = f"endpoint.in_flight <= {number(idle)} ? 100%"
    most = "pool.max.in_flight"
    if "candidates.max" in known:
        busiest = "math.greatest(candidates.max(endpoint.in_flight), 1)"
        ratio = f"double({busiest} - endpoint.in_flight) / double({busiest})"
        return Formula("few_active", f"{when} : {double(busy)} * {clamped(ratio)}")
    if most in known:
        width = f"math.greatest(1.0, double({most}))"
        ratio = f"double({most} - endpoint.in_flight) / {width}"
        return Formula("few_active", f"{when} : {double(busy)} * {clamped(ratio)}")
    return Formula(
        "few_active",
        f"{when} : {double(busy)} / (1.0 + double(endpoint.in_flight))",
        "the reference scores against the busiest endpoint of the moment; here each endpoint "
        "is scored by itself: the order is the same, the distances are not",
        "compare decisions and adjust the weight",
    )


def token_load(settings: Settings, known: Known) -> Part:
    """`token-load-scorer`: 1 - min(tokens in flight, T) / T."""
    settings.ignore("inFlightLoadProducerName")
    tokens = settings.number("queueThresholdTokens", 4_194_304)
    if "endpoint.tokens_in_flight" in known and "endpoint.uncached_tokens" in known:
        bound = max(1, round(tokens)) if tokens > 0 else 4_194_304
        load = "endpoint.tokens_in_flight + endpoint.uncached_tokens"
        return Formula("light_load", f"1.0 - math.least(double({load}) / {bound}.0, 1.0)")
    most = max(1, round(tokens / TOKENS_PER_REQUEST)) if tokens > 0 else 4096
    return Formula(
        "light_load",
        f"1.0 - math.least(double(endpoint.in_flight) / {most}.0, 1.0)",
        f"requests in flight are counted instead of their tokens, {TOKENS_PER_REQUEST} for each",
        f"write your own requests per endpoint in place of {most}",
    )


def adapters(settings: Settings, known: Known) -> Part:
    """`lora-affinity-scorer`: 1 if active, 0.8 with a free slot, 0.6 if waiting, else 0."""
    return Formula(
        "lora_ready",
        "request.adapter in endpoint.adapters ? 100% : endpoint.adapter_slots > 0 ? 80% "
        ": request.adapter in endpoint.adapters_waiting ? 60% : 0%",
        "the adapter is known for models that say `adapter of`",
        "name your adapters: `model my-adapter { adapter of POOL }`",
    )


def prefix(settings: Settings, known: Known) -> Part:
    """`prefix-cache-scorer`: w * min(1, matched / S)^2 + (1 - w) * matched / all."""
    settings.ignore("prefixMatchInfoProducerName")
    weight = min(1.0, max(0.0, settings.number("matchLengthWeight", 0.0)))
    scale = settings.number("matchLengthScaleTokens", 8192)
    share = "endpoint.prefix_match"
    if weight == 0 or scale <= 0:
        return Formula("prefix", share, note=f"matched against {INDEX}")
    matched = f"{share} * double(request.prompt_tokens) / {double(scale)}"
    most = f"math.least({matched}, 1.0)"
    parts = [f"{double(weight)} * {most} * {most}"]
    if weight < 1:
        parts.append(f"{double(1 - weight)} * {share}")
    return Formula("prefix", " + ".join(parts), note=f"matched against {INDEX}")


def precise_prefix(settings: Settings, known: Known) -> Part:
    """`precise-prefix-cache-scorer`: the same share, from the engines' own events."""
    settings.ignore("prefixMatchInfoProducerName")
    return Formula(
        "prefix",
        "endpoint.prefix_match",
        "what is cached is estimated from what was sent where, not from the engines' KV events",
    )


def header_label(settings: Settings, known: Known) -> Part:
    """`header-label-affinity-scorer`: 1 if the header's value is the label's."""
    header, label = settings.text("headerName").lower(), settings.text("labelKey")
    if not header or not label:
        return Left("`headerName` or `labelKey` is missing", "give both")
    key = text(label)
    wanted = f"request.header({text(header)})"
    same = f"{key} in endpoint.labels && endpoint.labels[{key}] == {wanted}"
    return Formula("same_label", f'{wanted} != "" && {same} ? 100% : 0%')


def endpoint_attribute(settings: Settings, known: Known) -> Part:
    """`endpoint-attribute-scorer`: linear over a fixed or the pool's own range."""
    name = settings.text("attributeKey")
    given = attribute(name, settings.text("producer", "core-metrics-extractor"))
    algorithm = settings.section("algorithm")
    kind = algorithm.text("type")
    within = algorithm.section("normalization")
    within.ignore("adaptiveRange")
    fixed = within.section("fixedRange")
    low, high = fixed.number("min", 0.0), fixed.number("max", 1.0)
    if given is None:
        return Left(
            f"nothing here reads the attribute `{name}`",
            "put what it measures into a scorer of your own",
        )
    rising = given.value if (low, high) == (0.0, 1.0) else _within(given.value, low, high)
    ratio = rising if kind == "linear_higher_is_better" else f"1.0 - {rising}"
    adaptive = not within.has("fixedRange")
    return Formula(
        f"by_{given.name}",
        given.guarded(ratio, "0%"),
        "the reference scores between the least and the most of the moment; here from 0 to 1"
        if adaptive
        else "",
    )


def _within(value: str, low: float, high: float) -> str:
    span = high - low if high > low else 1.0
    minus = f"{value} - {double(low)}" if low >= 0 else f"{value} + {double(-low)}"
    return clamped(f"({minus}) / {double(span)}")


def latency(settings: Settings, known: Known) -> Part:
    """`latency-scorer`: by the latencies that the host predicts."""
    settings.ignore("prefixMatchInfoProducerName", "latencyPredictionInfoProducerName")
    settings.ignore("compositeKVWeight", "compositeQueueWeight", "compositePrefixWeight")
    strategy = settings.text("headroomSelectionStrategy", "least")
    usual = {"ttft": 0.8, "tpot": 0.2}
    weights = {name: settings.number(f"{name}Weight", value) for name, value in usual.items()}
    plain = weights == usual or min(weights.values()) < 0 or sum(weights.values()) <= 0
    return Named(
        "latency_scorer",
        () if plain else tuple((f"latency_{n}_weight", double(w)) for n, w in weights.items()),
        PREDICTED if strategy == "least" else f"{PREDICTED}; the least headroom goes first",
        SPEED,
    )


def session(settings: Settings, known: Known) -> Part:
    """`session-affinity-scorer`: 1 where the session is bound, else 0."""
    return Named("session_affinity_scorer", (), *sessions(settings))


def sessions(settings: Settings) -> tuple[str, str, str]:
    """Return what differs of how sessions are told, the cure, and what to know."""
    by = settings.text("strategy", "encoded_endpoint_header")
    settings.ignore("profileName")
    token = settings.section("encodedEndpointHeaderConfig").text("header", TOKEN)
    config = settings.section("sessionIdConfig")
    config.ignore("evictionTtlSeconds", "evictionSweepSeconds")
    sources = config.sections("sources")
    headers = [source.text("header").strip().lower() for source in sources]
    for source in sources:
        source.ignore("attribute", "producer")
    if by != "session_id":
        what = "the token is signed, under the name `x-session-token`, and needs `trust`"
        what += "" if token == TOKEN else f"; `{token}` is not read"
        return what, "add `trust { session from ... }`", ""
    odd = [name for name in headers if name not in SESSION]
    if not odd:
        return "", "", "a session is known by `x-session-id` and its like, for 300 s"
    said = f"request.header({text(odd[0])})" if odd[0] else "..."
    cure = f"add `class sessions when true {{ also  session by {said} }}`"
    return "a session is known by `x-session-id` and its like, or as a class says", cure, ""


def pictures(settings: Settings, known: Known) -> Part:
    """`mm-embeddings-cache-scorer`: the share of the prompt's media that was sent there before."""
    settings.ignore("producerName")
    return Named("mm_embeddings_cache_scorer")


def context_length(settings: Settings, known: Known) -> Part:
    """`context-length-aware`: by a label like `0-8192`."""
    label = settings.text("label", RANGE_LABEL)
    filters = settings.flag("enableFiltering", False)
    return Named(
        "context_length_aware",
        () if label == RANGE_LABEL else (("context_length_label", text(label)),),
        "it only scores here, and the reference's takes endpoints out as well" if filters else "",
        "add `require context_length_filter` to the profile" if filters else "",
    )


def cold(settings: Settings, known: Known) -> Part:
    """`no-hit-lru-scorer`: 1 - rank / (n - 1) by the last prompt that nobody had; else a half."""
    settings.ignore(
        "lruSize", "prefixMatchInfoProducerName", "prefixPluginType", "prefixPluginName"
    )
    rank = "1.0 - double(candidates.rank(endpoint.cold_order)) / double(candidates.size - 1)"
    hit = "candidates.any(endpoint.prefix_match > 0.0)"
    text = f"{hit} ? 50% : candidates.size == 1 ? 100% : {rank}"
    return Formula("cold_turns", text, note="who was never given a cold prompt scores 1")


_CLUSTERS = left(
    "endpoints here are single servers, not clusters", "give each cluster a `pool` and a share"
)
SCORERS: Mapping[str, Reading] = {
    "queue-scorer": queue,
    "running-requests-size-scorer": running,
    "kv-cache-utilization-scorer": kv_cache,
    "kv-cache-scorer": kv_cache,
    "load-aware-scorer": load_aware,
    "active-request-scorer": active_requests,
    "token-load-scorer": token_load,
    "lora-affinity-scorer": adapters,
    "prefix-cache-scorer": prefix,
    "precise-prefix-cache-scorer": precise_prefix,
    "header-label-affinity-scorer": header_label,
    "endpoint-attribute-scorer": endpoint_attribute,
    "latency-scorer": latency,
    "predicted-latency-scorer": latency,
    "no-hit-lru-scorer": cold,
    "context-length-aware": context_length,
    "session-affinity-scorer": session,
    "topology-affinity-scorer": left(APART, NEAR),
    "mm-embeddings-cache-scorer": pictures,
    "multicluster-queue-scorer": _CLUSTERS,
    "multicluster-kv-cache-utilization-scorer": _CLUSTERS,
    "multicluster-prefix-cache-scorer": _CLUSTERS,
}
