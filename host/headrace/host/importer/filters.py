"""The reference's filters as conditions on an endpoint."""

from collections.abc import Mapping

from headrace.host.importer.attributes import attribute
from headrace.host.importer.document import ImportFault, Scalar
from headrace.host.importer.part import Formula, Known, Left, Named, Part, Reading, left
from headrace.host.importer.scorers import APART, NEAR, PREDICTED, SPEED, sessions
from headrace.host.importer.settings import Settings
from headrace.host.importer.words import DIGITS, double, duration, number, percent, seconds, text

ROLE = "llm-d.ai/role"
ROLES = {
    "decode-filter": ("decode", "prefill-decode", "both", "encode-prefill-decode"),
    "prefill-filter": (
        "prefill",
        "encode-prefill",
        "prefill-decode",
        "both",
        "encode-prefill-decode",
    ),
    "encode-filter": ("encode", "encode-prefill", "encode-prefill-decode"),
}
LABELS = "endpoints from Kubernetes have labels; addresses listed in a `pool` have none"
_OPERATORS = {
    "LessThan": "<",
    "LessThanOrEqual": "<=",
    "GreaterThan": ">",
    "GreaterThanOrEqual": ">=",
    "Equal": "==",
    "NotEqual": "!=",
}
_MEASURES = {
    "active-requests": "endpoint.in_flight",
    "running-requests": "endpoint.running",
    "waiting-queue": "endpoint.queue",
    "kv-cache-utilization": "endpoint.kv_cache",
}


def _role(kind: str, *, unlabelled: bool) -> Reading:
    def read(settings: Settings, known: Known) -> Part:
        name = kind.replace("-filter", "_role")
        return Formula(name, _one_of(ROLE, ROLES[kind], unlabelled=unlabelled), note=LABELS)

    return read


def _one_of(label: str, values: tuple[str, ...], *, unlabelled: bool = False) -> str:
    key, among = text(label), ", ".join(text(v) for v in values)
    if unlabelled:
        return f"!({key} in endpoint.labels) || endpoint.labels[{key}] in [{among}]"
    return f"{key} in endpoint.labels && endpoint.labels[{key}] in [{among}]"


def by_label(settings: Settings, known: Known) -> Part:
    """`by-label`: the label has one of the values, or may be missing."""
    label = settings.text("label")
    values = tuple(settings.texts("validValues"))
    unlabelled = settings.flag("allowsNoLabel", False)
    if not label or not (values or unlabelled):
        return Left("`label` or `validValues` is missing", "give both")
    if not values:
        return Formula("labelled", f"!({text(label)} in endpoint.labels)", note=LABELS)
    return Formula("labelled", _one_of(label, values, unlabelled=unlabelled), note=LABELS)


def selector(settings: Settings, known: Known) -> Part:
    """`label-selector-filter`: a LabelSelector of Kubernetes."""
    wanted = settings.section("matchLabels")
    conditions = [_equals(key, wanted.text(key)) for key in wanted.mapping.entries]
    conditions += [_expression(each) for each in settings.sections("matchExpressions")]
    # The oldest shape has the labels themselves as parameters.
    for key, value in settings.mapping.entries.items():
        if key not in settings.asked and isinstance(value, Scalar):
            conditions.append(_equals(key, settings.text(key)))
    if not conditions:
        return Left("it selects by nothing, so it removes nobody")
    return Formula("labelled", " && ".join(conditions), note=LABELS)


def _equals(key: str, value: str) -> str:
    return f"{text(key)} in endpoint.labels && endpoint.labels[{text(key)}] == {text(value)}"


def _expression(given: Settings) -> str:
    key, operator = given.text("key"), given.text("operator")
    values = tuple(given.texts("values"))
    match operator:
        case "In" if values:
            return _one_of(key, values)
        case "NotIn" if values:
            return f"!({_one_of(key, values)})"
        case "Exists":
            return f"{text(key)} in endpoint.labels"
        case "DoesNotExist":
            return f"!({text(key)} in endpoint.labels)"
        case _:
            message = f"{given.where}: `operator` is `In`, `NotIn`, `Exists` or `DoesNotExist`"
            raise ImportFault(f"{message}, the first two with `values`", given.mapping.line)


def prefix_affinity(settings: Settings, known: Known) -> Part:
    """`prefix-cache-affinity-filter`: those that have most of the prompt, if there are any."""
    threshold = settings.number("affinityThreshold", 0.8)
    settings.ignore(*settings.mapping.entries)
    if not 0 < threshold <= 1:
        return Left("its `affinityThreshold` turns it off")
    return Formula(
        "warm",
        f"endpoint.prefix_match >= {percent(threshold)}",
        "the reference gives up the affinity at random, or if it costs too much time to the "
        "first token",
        soft=True,
    )


def utilization(settings: Settings, known: Known) -> Part:
    """`utilization-filter`: every measure at most its bound."""
    conditions: list[str] = []
    for each in settings.sections("conditions"):
        metric, most = each.text("metric"), each.number("maxValue", 0)
        measure = _MEASURES.get(metric)
        if measure is None:
            message = f"{each.where}: `metric` is one of {', '.join(_MEASURES)}"
            raise ImportFault(message, each.mapping.line)
        ratio = metric == "kv-cache-utilization"
        conditions.append(f"{measure} <= {percent(most) if ratio else number(most)}")
    settings.ignore("inFlightLoadProducerName")
    soft = settings.flag("fallbackOnEmpty", False)
    if not conditions:
        return Left("it has no `conditions`, so it removes nobody")
    return Formula("not_full", " && ".join(conditions), soft=soft)


def endpoint_attribute(settings: Settings, known: Known) -> Part:
    """`endpoint-attribute-filter`: an attribute compared with a value."""
    name = settings.text("attribute")
    given = attribute(name, settings.text("producer", "core-metrics-extractor"))
    missing = settings.text("onMissing", "Pass")
    algorithm = settings.section("algorithm")
    algorithm.ignore("type")
    threshold = algorithm.section("threshold")
    operator, value = threshold.text("operator"), threshold.number("value", 0)
    soft = settings.flag("fallbackOnEmpty", False)
    if given is None or operator not in _OPERATORS or value < 0:
        return Left(
            f"nothing here compares the attribute `{name}` by `{operator}`",
            "put what it measures into a filter of your own",
        )
    condition = f"{given.value} {_OPERATORS[operator]} {double(value)}"
    passes = "true" if missing == "Pass" else "false"
    return Formula(f"{given.name}_within", given.guarded(condition, passes), soft=soft)


def utilization_detector(settings: Settings, known: Known) -> Part:
    """`utilization-detector` in a profile: fresh, and below both thresholds with headroom."""
    stale = settings.text("metricsStalenessThreshold", "200ms")
    line = settings.line("metricsStalenessThreshold")
    fresh = duration(seconds(stale, settings.where, line))
    room = 1 + max(0.0, settings.number("headroom", 0))
    queue = settings.number("queueDepthThreshold", 5) * room
    kv_cache = settings.number("kvCacheUtilThreshold", 0.8) * room
    if round(queue, DIGITS) <= 0 or round(kv_cache, DIGITS) <= 0:
        return Left("nobody is below its thresholds, so it removes nobody")
    conditions = [f"endpoint.age <= {fresh}", f"endpoint.queue < {number(queue)}"]
    if kv_cache <= 1:
        conditions.append(f"endpoint.kv_cache < {percent(kv_cache)}")
    return Formula("not_saturated", " && ".join(conditions), soft=True)


def concurrency_detector(settings: Settings, known: Known) -> Part:
    """`concurrency-detector` in a profile: fewer requests in flight than the bound."""
    mode = settings.text("concurrencyMode", "requests")
    room = 1 + max(0.0, settings.number("headroom", 0))
    most = settings.number("maxConcurrency", 100) * room
    settings.ignore("inFlightLoadProducerName", "maxTokenConcurrency")
    differs = "" if mode == "requests" else "tokens in flight are not counted, only requests"
    return Formula("below_concurrency", f"endpoint.in_flight < {number(most)}", differs)


def session(settings: Settings, known: Known) -> Part:
    """`session-affinity-filter`: where the session is bound; all if it is bound to none of them."""
    return Named("session_affinity_filter", (), *sessions(settings))


def slo_headroom(settings: Settings, known: Known) -> Part:
    """`slo-headroom-tier-filter`: who keeps the request's latencies, as far as predicted."""
    settings.ignore(*settings.mapping.entries)
    differs = f"{PREDICTED}, and nobody else is tried at random"
    return Named("slo_headroom_tier_filter", (), differs, SPEED)


FILTERS: Mapping[str, Reading] = {
    "decode-filter": _role("decode-filter", unlabelled=True),
    "prefill-filter": _role("prefill-filter", unlabelled=False),
    "encode-filter": _role("encode-filter", unlabelled=False),
    "by-label": by_label,
    "by-label-selector": selector,
    "label-selector-filter": selector,
    "prefix-cache-affinity-filter": prefix_affinity,
    "utilization-filter": utilization,
    "endpoint-attribute-filter": endpoint_attribute,
    "utilization-detector": utilization_detector,
    "concurrency-detector": concurrency_detector,
    "slo-headroom-tier-filter": slo_headroom,
    "session-affinity-filter": session,
    "multicluster-session-affinity-filter": left(
        "endpoints here are single servers, not clusters", "give each cluster a `pool`"
    ),
    "topology-affinity-filter": left(APART, NEAR.replace("_scorer", "_filter")),
    "header-based-testing-filter": left(
        "a client cannot choose its endpoint",
        "for tests, let its header through: `trust { endpoint from ... }`",
    ),
}
