"""The plugins of the reference, and by what name each is here.

Source: llm-d-router of 2026-08-22, what `cmd/epp/runner` registers, and older names of the same.
A row is a plugin's type, what does its work, and how that differs; an empty second cell: nothing.
"""

from collections.abc import Mapping, Sequence

Row = tuple[str, str, str]
_CLUSTERS = "endpoints are single servers; a cluster is a `pool`"
_TESTS = "for tests of the reference itself"
_HANDLER = "`profile NAME` of a `model`, `class` or `pool`"
_BESIDE = "`also pick prefill`, `also pick encode` of a profile"
_API = "other APIs are answered 404, or passed on unread without `body_router`"

SECTIONS: Mapping[str, Sequence[Row]] = {
    "Scorers": (
        ("queue-scorer", "`queue_scorer`", ""),
        ("kv-cache-utilization-scorer", "`kv_cache_utilization_scorer`", ""),
        ("kv-cache-scorer", "`kv_cache_utilization_scorer`", "its older name"),
        ("running-requests-size-scorer", "`running_requests_size_scorer`", ""),
        ("load-aware-scorer", "`load_aware_scorer`", ""),
        ("active-request-scorer", "`active_request_scorer`", ""),
        ("token-load-scorer", "`token_load_scorer`", ""),
        ("lora-affinity-scorer", "`lora_affinity_scorer`", ""),
        (
            "prefix-cache-scorer",
            "`prefix_cache_scorer`, `prefix_cache_length_scorer`",
            "the second has `matchLengthWeight`; what matches is without a gap from the beginning",
        ),
        ("precise-prefix-cache-scorer", "`precise_prefix_cache_scorer`", "with `kv events`"),
        ("no-hit-lru-scorer", "`no_hit_lru_scorer`", "who never had a cold prompt scores 1"),
        ("context-length-aware", "`context_length_aware`, `context_length_filter`", ""),
        ("session-affinity-scorer", "`session_affinity_scorer`", "the token is signed"),
        (
            "header-label-affinity-scorer",
            "`header_label_affinity_scorer`, `header_label_affinity_filter`",
            "",
        ),
        (
            "topology-affinity-scorer",
            "`topology_affinity_scorer`",
            "in a profile that picks beside another",
        ),
        ("mm-embeddings-cache-scorer", "`mm_embeddings_cache_scorer`", ""),
        ("latency-scorer", "`latency_scorer`", "by `endpoint.predicted_ttft` and `endpoint.itl`"),
        ("predicted-latency-scorer", "`latency_scorer`", "its older name"),
        (
            "endpoint-attribute-scorer",
            "`candidates.low(e)`, `candidates.high(e)`, or any expression",
            "`endpoint.metric(name)` reads what a server reports by its own name",
        ),
        ("multicluster-queue-scorer", "", _CLUSTERS),
        ("multicluster-kv-cache-utilization-scorer", "", _CLUSTERS),
        ("multicluster-prefix-cache-scorer", "", _CLUSTERS),
    ),
    "Filters": (
        ("decode-filter", "`decode_filter`", ""),
        ("prefill-filter", "`prefill_filter`", ""),
        ("encode-filter", "`encode_filter`", ""),
        (
            "label-selector-filter",
            "`label_selector_filter`",
            "`matchExpressions` are a condition, as in `endpoint.labels[?\"tier\"].orValue(\"\") "
            "in [\"gold\"]`",
        ),
        ("by-label", "a condition on `endpoint.labels`", ""),
        ("by-label-selector", "`label_selector_filter`", ""),
        ("utilization-filter", "`utilization_filter`", ""),
        (
            "prefix-cache-affinity-filter",
            "`prefix_cache_affinity_filter`",
            "without random exploration",
        ),
        ("slo-headroom-tier-filter", "`slo_headroom_tier_filter`", "without random exploration"),
        ("session-affinity-filter", "`session_affinity_filter`", ""),
        ("topology-affinity-filter", "`topology_affinity_filter`", ""),
        ("endpoint-attribute-filter", "any condition, in `require` or `prefer`", ""),
        ("header-based-testing-filter", "`serve --conformance`", ""),
        ("multicluster-session-affinity-filter", "", _CLUSTERS),
    ),
    "Pickers, profiles and who works beside": (
        ("max-score-picker", "`pick max`", "ties are broken by a rule of yours, then by a seed"),
        ("random-picker", "`pick random`", ""),
        ("weighted-random-picker", "`pick weighted of top 100`", ""),
        ("single-profile-handler", _HANDLER, ""),
        ("header-profile-handler", "`class NAME when request.header(...) == ...`", ""),
        ("disagg-profile-handler", _BESIDE, "the same headers to the server that decodes"),
        ("pd-profile-handler", _BESIDE, ""),
        ("disagg-headers-handler", _BESIDE, ""),
        ("prefill-header-handler", _BESIDE, ""),
        (
            "data-parallel-profile-handler",
            "`ranks behind port` of a `pool`",
            "the same header, `x-data-parallel-host-port`, to the proxy beside the server",
        ),
        ("prefix-based-pd-decider", "`also pick prefill ... when`", "by `request` and `endpoint`"),
        ("always-disagg-pd-decider", "`also pick prefill`", "without `when`"),
        ("always-disagg-multimodal-decider", "`also pick encode`", "without `when`"),
    ),
    "What is known, and from where": (
        ("metrics-data-source", "the scraper", "at a pace of its own for each endpoint"),
        ("core-metrics-extractor", "`metrics` of a `pool`", "a dialect, of yours if need be"),
        ("model-server-protocol-metrics", "`metrics` of a `pool`", "its older name"),
        ("models-data-source", "the scraper", ""),
        ("models-data-extractor", "`endpoint.adapters`, `serve --list-models servers`", ""),
        ("dcgm-data-source", "`gpu from dcgm` of a `pool`", ""),
        ("dcgm-extractor", "`endpoint.gpu`", ""),
        ("topology-extractor", "`endpoint.labels`, `endpoint.peer_labels`", ""),
        ("token-producer", "`request.prompt_tokens`", "an estimate by length; no server is asked"),
        ("tokenizer", "`request.prompt_tokens`", "its older name"),
        ("approx-prefix-cache-producer", "`endpoint.prefix_match`", "corrected by usage"),
        ("precise-prefix-cache-producer", "`kv events` of a `pool`", "the same name in policies"),
        ("burst-prefix-cache-producer", "`endpoint.prefix_match`", "counts from the pick on"),
        (
            "inflight-load-producer",
            "`endpoint.in_flight`, `endpoint.tokens_in_flight`",
            "and what is expected of the answers: `endpoint.decode_context_tokens`",
        ),
        (
            "predicted-latency-producer",
            "`endpoint.predicted_ttft`, `endpoint.itl`",
            "a cost model in the process, no server beside it",
        ),
        (
            "session-id-producer",
            "`session by` of a `class`",
            "by `request.header(...)` or `request.cookie(...)`; five headers are known without it",
        ),
        ("agent-identity", "`session by`, `fairness by` of a `class`", ""),
        ("mm-embeddings-cache-producer", "`endpoint.media_match`", ""),
        ("p2p-source-producer", "", "no server is told where to take KV blocks from"),
        ("k8s-notification-source", "", "`inferencepool` and `select` are not performed yet"),
        ("endpoint-notification-source", "`endpoints` of a `pool`", "changes by reload"),
        ("file-discovery", "`endpoints` of a `pool`", "`import` takes them from another file"),
        ("multicluster-file-discovery", "", _CLUSTERS),
        ("multicluster-metrics-data-source", "", _CLUSTERS),
        ("multicluster-metrics-extractor", "", _CLUSTERS),
        ("multicluster-approx-prefix-cache-producer", "", _CLUSTERS),
    ),
    "Who is let in": (
        ("utilization-detector", "`pool.saturation` in an `overload`", "stale ones are discounted"),
        ("concurrency-detector", "`pool.in_flight`, `pool.tokens_in_flight` in an `overload`", ""),
        ("probabilistic-admitter", "`shed when ... with chance`", "answered with 429, not 500"),
        ("latency-slo-admitter", "`shed when` by `pool` figures", "without predictions"),
        ("global-strict-fairness-policy", "`queue by request.priority`", ""),
        ("round-robin-fairness-policy", "`fair by` of a `queue`", ""),
        ("program-aware-fairness", "`fair in tokens by` of a `queue`", "without attained service"),
        ("fcfs-ordering-policy", "`queue by`", "equals in the order of arrival"),
        ("edf-ordering-policy", "`soonest deadline first` of a `queue`", ""),
        ("slo-deadline-ordering-policy", "`soonest deadline first` of a `queue`", ""),
        ("static-usage-limit-policy", "the condition of an `overload`", ""),
        ("priority-holdback-policy", "several `overload`s, each with its condition", ""),
        ("soft-reflective-ceiling-policy", "several `overload`s, each with its condition", ""),
        ("sheddable-eviction-filter", "`evict when` of an `overload`", ""),
        ("priority-then-time-eviction-order-policy", "`evict when` of an `overload`", ""),
        ("disaggregatedset-rollout-screener", "shares of a `route`", "a revision is a `pool`"),
    ),
    "What is read and written": (
        ("openai-parser", "`body_router`", "chat, completions, embeddings, responses"),
        ("anthropic-parser", "", _API),
        ("vllmhttp-parser", "", _API),
        ("sglanghttp-parser", "", _API),
        ("vllmgrpc-parser", "", _API),
        ("vertexai-parser", "", _API),
        ("passthrough-parser", "a chain without `body_router`", ""),
        ("request-attribute-reporter", "`attribute` of `trace`", "in spans, not to the proxy"),
        ("destination-endpoint-served-verifier", "`serve --conformance`", _TESTS),
    ),
}  # fmt: skip
