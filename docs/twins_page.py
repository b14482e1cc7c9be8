"""The page on metrics that have the names of others."""

from docs.tables import code, prose, table

from headrace.host.telemetry.metric import Metric
from headrace.host.telemetry.twins.catalogue import TWINS

NOT_TOLD = (
    ("`request_streaming_itl_seconds`", "time between pieces: counting every piece costs too much"),
    (
        "`prefix_indexer_hit_ratio`, `prefix_indexer_hit_bytes`",
        "see `headrace_prefix_tokens_total`",
    ),
    ("`flow_control_dispatch_cycle_…`, `flow_control_request_enqueue_…`", "there is no such step"),
    ("`flow_control_capacity_utilization_…`, `flow_control_stale_endpoints`", "no such bound"),
    ("`flow_control_revocations_…`", 'see `headrace_requests_total{reason="evicted"}`'),
    ("`inflight_requests`, `inflight_tokens`", "not known by fairness id"),
    ("`model_rewrite_decisions_total`", "the rule is in the decision, not in a count"),
    ("`disagg_decision_total`, `pd_decision_total`", "in the decision, not in a count"),
    ("`extproc_stream_duration_seconds`", "see `headrace_exchange_duration_seconds`"),
    ("`request_predicted_…`, `…_prediction_duration_seconds`", "no predictor runs beside us"),
)


def twins() -> str:
    """Return the page on our figures under the names of others."""
    rows = [
        ("<br>".join(map(_named, twin.metrics)), twin.metrics[0].kind.value, twin.metrics[0].help)
        for twin in TWINS
    ]
    bounds: dict[tuple[float, ...], list[str]] = {}
    for twin in TWINS:
        if twin.buckets:
            bounds.setdefault(twin.buckets, []).append(code(twin.metrics[0].name))
    buckets = [
        (", ".join(names), ", ".join(f"{b:.10g}" for b in ends)) for ends, names in bounds.items()
    ]
    return (
        "# Metrics under others' names\n\n"
        + prose(
            "What [our own metrics](metrics.md) count is told also as the Gateway API Inference "
            "Extension (`inference_*`, `bbr_*`) and llm-d's router (`llm_d_epp_*`) name it, with "
            "their labels and their buckets, so that dashboards, alerts and autoscalers made for "
            "them work unchanged. They cost nothing until somebody reads the metrics, but for "
            "one entry per exchange.",
            "A pool is called by its InferencePool where it is one. `model_name` is the policy's "
            "name of a model, `other` if the policy has none. Of target models and fairness ids "
            "1,000 each are told apart, then they are `other`. The stages stand for plugins, their "
            "hooks for extension points. `commit` is empty.",
        )
        + table(("names and labels", "kind", "what"), rows)
        + "\n## Buckets\n\n"
        + table(("histograms", "upper bounds"), buckets)
        + "\n## Not told\n\n"
        + table(("of `llm_d_epp_*`", "why, or what instead"), NOT_TOLD)
    )


def _named(metric: Metric) -> str:
    labels = ", ".join(metric.labels)
    return code(metric.name) + (f" {{{labels}}}" if labels else "")
