"""The plugins of the reference that are neither scorers nor filters."""

from collections.abc import Mapping

from headrace.extensions.hints import SESSION
from headrace.host.importer.part import Hosted, Known, Left, Part, Picking, Reading, hosted, left
from headrace.host.importer.settings import Settings
from headrace.host.importer.words import text

RANDOM = "random"
DESTINATIONS_MAX = 3  # of the picker: the endpoint it chose, and fallbacks
_INDEX = ("autoTune", "blockSizeTokens", "blockSize", "hashBlockSize", "lruCapacityPerServer")


def _pick(statement: str, note: str = "") -> Reading:
    def read(settings: Settings, known: Known) -> Part:
        most = settings.number("maxNumOfEndpoints", 1)
        differs = ""
        if most > DESTINATIONS_MAX:
            differs = f"{most:g} endpoints are asked for; the best {DESTINATIONS_MAX} are sent"
        return Picking(statement, differs, note)

    return read


PICKERS: Mapping[str, Reading] = {
    "max-score-picker": _pick(
        "max  ties by endpoint.running",
        "equal scores go to the less busy; the reference lets chance decide",
    ),
    "random-picker": _pick(RANDOM),
    "weighted-random-picker": _pick("weighted of top 100"),
}

SINGLE = "single-profile-handler"
HEADER = "header-profile-handler"
_DISAGGREGATED = (
    "disagg-profile-handler",
    "pd-profile-handler",
    "data-parallel-profile-handler",
)
HANDLERS = frozenset({SINGLE, HEADER, *_DISAGGREGATED})


def parser(settings: Settings, known: Known) -> Part:
    """`openai-parser`: what the host reads."""
    return Hosted("the host reads OpenAI's chat, completions, embeddings and responses")


def _tokens(settings: Settings, known: Known) -> Part:
    settings.ignore("modelName", "mode", "estimate")
    if settings.has("vllm") or settings.has("udsTokenizerConfig"):
        settings.ignore("vllm", "udsTokenizerConfig")
        return Left(
            "no tokenizer is asked: `request.prompt_tokens` is an estimate by length",
            "compare it with the usage that the servers report",
        )
    return Hosted("the host estimates tokens by length")


def _session_id(settings: Settings, known: Known) -> Part:
    header, cookie = settings.text("headerName").strip().lower(), settings.text("cookieName")
    if header in SESSION and not cookie:
        return Hosted(f"the host reads `{header}`")
    said = f"request.cookie({text(cookie)})" if cookie else f"request.header({text(header)})"
    cure = f"add `class sessions when true {{ also  session by {said} }}`"
    return Left("what a session is known by is said by a class", cure)


def _index(settings: Settings, known: Known) -> Part:
    return Hosted("the host keeps an index of prompts")


def _extractor(settings: Settings, known: Known) -> Part:
    settings.ignore("engineLabelKey")
    return Hosted("the host reads the servers' metrics")


_SPLIT = left(
    "who prefills and who encodes is not imported",
    "write `also pick prefill by profile NAME when ...` in the profile that picks who decodes",
)
_LOADS = hosted(
    "the host counts its own requests in flight",
    "addEstimatedOutputTokens", "outputRatio", "maxEstimatedOutputTokens",
)  # fmt: skip
_PREDICTED = left(
    "no predictor is asked: the host's cost model predicts latencies",
    "say how fast the servers are: `speed step ..., prefill ...` of the `pool`",
)
_UNREAD = left(
    "only OpenAI's requests are read: model, priority and prompt of others stay unknown",
    "route their paths past the policy",
)
_CLUSTERS = left("endpoints here are single servers, not clusters", "give each cluster a `pool`")
_KUBERNETES = hosted("endpoints and their changes are known to the host")
_DEVICES = left("accelerators are asked where a pool says so", "`gpu from dcgm` in the `pool`")
_EVICTED = left(
    "which running requests may be ended is not imported",
    "`evict when request.priority < 0` in the `overload`",
)
_DEADLINES = left(
    "the order of waiting requests is not imported", "`soonest deadline first` of a `queue`"
)
_QUEUED = "the order of waiting requests is `queue by` of an `overload`"

OTHERS: Mapping[str, Reading] = {
    SINGLE: hosted("a model, class or pool says which profile"),
    **dict.fromkeys(_DISAGGREGATED, _SPLIT),
    "data-parallel-profile-handler": left(
        "ranks behind one port are not imported",
        "list every rank in the `pool`, and say `ranks behind port 8000`",
    ),
    "disagg-headers-handler": _SPLIT,
    "prefill-header-handler": _SPLIT,
    "prefix-based-pd-decider": _SPLIT,
    "always-disagg-pd-decider": _SPLIT,
    "always-disagg-multimodal-decider": _SPLIT,
    "openai-parser": parser,
    "passthrough-parser": _UNREAD,
    "anthropic-parser": _UNREAD,
    "vllmhttp-parser": _UNREAD,
    "sglanghttp-parser": _UNREAD,
    "vllmgrpc-parser": _UNREAD,
    "vertexai-parser": _UNREAD,
    "token-producer": _tokens,
    "tokenizer": _tokens,
    "approx-prefix-cache-producer": _index,
    "precise-prefix-cache-producer": left(
        "KV events are read where a pool says so; else what is cached is estimated",
        "write `kv events port 5557` in the `pool`",
    ),
    "burst-prefix-cache-producer": left(
        "requests are not held back to put them together",
        "`endpoint.prefix_match` counts a prompt from the moment it is sent",
    ),
    "inflight-load-producer": _LOADS,
    "predicted-latency-producer": _PREDICTED,
    "session-id-producer": _session_id,
    "mm-embeddings-cache-producer": hosted(
        "the host remembers which images were sent where", "cacheSizeInMBPerServer"
    ),
    "p2p-source-producer": left("servers are not told where to take KV blocks from"),
    "latency-slo-admitter": left(
        "an `overload` knows no predictions of endpoints", "shed by `pool.queue` in it"
    ),
    "agent-identity": left(
        "agents are told apart by a class",
        "write `session by request.header(...)` and `fairness by ...` in a `class`",
    ),
    "request-attribute-reporter": left(
        "nothing about usage is sent to the proxy",
        "the log and the metrics of the host have the tokens of every request",
    ),
    "disaggregatedset-rollout-screener": left(
        "revisions are not told apart", "give each revision a `pool` and a share of the `route`"
    ),
    "metrics-data-source": hosted("the host reads the servers' metrics"),
    "core-metrics-extractor": _extractor,
    "model-server-protocol-metrics": _extractor,
    "models-data-source": hosted("the host reads the servers' lists of models"),
    "models-data-extractor": hosted("the host reads the servers' lists of models"),
    "dcgm-data-source": _DEVICES,
    "dcgm-extractor": _DEVICES,
    "topology-extractor": hosted(
        "rules read the labels of endpoints", "hostname", "rack", "zone", "region"
    ),
    "k8s-notification-source": _KUBERNETES,
    "endpoint-notification-source": _KUBERNETES,
    "file-discovery": left("no file of endpoints is read", 'list them: `endpoints "IP:PORT"`'),
    "multicluster-file-discovery": _CLUSTERS,
    "multicluster-metrics-data-source": _CLUSTERS,
    "multicluster-metrics-extractor": _CLUSTERS,
    "multicluster-approx-prefix-cache-producer": _CLUSTERS,
    "global-strict-fairness-policy": hosted(_QUEUED),
    "fcfs-ordering-policy": hosted(_QUEUED),
    "round-robin-fairness-policy": left(
        "taking turns is `fair by` of a `queue`", "see what is said about flow control"
    ),
    "program-aware-fairness": left("attained service is not counted", "`fair by` takes turns"),
    "edf-ordering-policy": _DEADLINES,
    "slo-deadline-ordering-policy": _DEADLINES,
    "static-usage-limit-policy": left("the limit is the condition of the `overload`"),
    "priority-holdback-policy": left(
        "one condition holds for all priorities",
        "write an `overload` with a lower bound that sheds by `request.priority`",
    ),
    "soft-reflective-ceiling-policy": left(
        "one condition holds for all priorities",
        "write an `overload` with a lower bound that sheds by `request.priority`",
    ),
    "sheddable-eviction-filter": _EVICTED,
    "priority-then-time-eviction-order-policy": _EVICTED,
    "destination-endpoint-served-verifier": left("it is for the reference's own tests"),
}
