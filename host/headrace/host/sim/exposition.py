"""Metrics as the text that vLLM's `/metrics` answers with.

Names, types and labels are those of vLLM V1. Histograms are in simulated seconds. The
`_created` series are left out, as with PROMETHEUS_DISABLE_CREATED_SERIES.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from headrace.host.sim.histogram import Buckets
from headrace.host.sim.request import FinishReason
from headrace.host.sim.tally import Metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ADAPTER_SERIES_MAX = 16

_HELP: Mapping[str, str] = {
    "vllm:num_requests_running": "Number of requests in model execution batches.",
    "vllm:num_requests_waiting": "Number of requests waiting to be processed.",
    "vllm:num_requests_waiting_by_reason": "Number of waiting requests by reason.",
    "vllm:kv_cache_usage_perc": "KV-cache usage. 1 means 100 percent usage.",
    "vllm:prefix_cache_queries": "Prefix cache queries, in terms of number of queried tokens.",
    "vllm:prefix_cache_hits": "Prefix cache hits, in terms of number of cached tokens.",
    "vllm:num_preemptions": "Cumulative number of preemption from the engine.",
    "vllm:prompt_tokens": "Number of prefill tokens processed.",
    "vllm:generation_tokens": "Number of generation tokens processed.",
    "vllm:request_success": "Count of successfully processed requests.",
    "vllm:cache_config_info": "Information of the LLMEngine CacheConfig",
    "vllm:lora_requests_info": "Running stats on lora requests.",
    "vllm:time_to_first_token_seconds": "Histogram of time to first token in seconds.",
    "vllm:inter_token_latency_seconds": "Histogram of inter-token latency in seconds.",
    "vllm:e2e_request_latency_seconds": "Histogram of e2e request latency in seconds.",
    "vllm:request_queue_time_seconds": "Histogram of time spent in WAITING phase for request.",
    "vllm:request_prefill_time_seconds": "Histogram of time spent in PREFILL phase for request.",
    "vllm:request_decode_time_seconds": "Histogram of time spent in DECODE phase for request.",
}

AdapterSeries = OrderedDict[tuple[str, str], float]


def note_adapters(series: AdapterSeries, metrics: Metrics, unix_s: float) -> None:
    """Stamp the present combination of adapters in *series*, as vLLM does after each step.

    Older combinations stay with their old stamp, and the newest one is the truth; here at
    most `ADAPTER_SERIES_MAX` of them are kept.
    """
    key = (",".join(metrics.running_adapters), ",".join(metrics.waiting_adapters))
    series[key] = unix_s
    series.move_to_end(key)
    while len(series) > ADAPTER_SERIES_MAX:
        series.popitem(last=False)


def expose(metrics: Metrics, model: str, adapters: AdapterSeries) -> str:
    """Return the whole page for *metrics*; without adapter slots, no LoRA series."""
    labels = {"engine": "0", "model_name": model}
    lines: list[str] = []
    _gauges(lines, metrics, labels)
    _counters(lines, metrics, labels)
    for name, buckets in _histograms(metrics):
        lines += _head(name, "histogram")
        lines += _buckets(name, buckets, labels)
    if metrics.adapters_max:
        lines += _head("vllm:lora_requests_info", "gauge")
        for (running, waiting), unix_s in adapters.items():
            shown = {
                "max_lora": str(metrics.adapters_max),
                "running_lora_adapters": running,
                "waiting_lora_adapters": waiting,
            }
            lines.append(_sample("vllm:lora_requests_info", shown, unix_s))
    lines += _head("vllm:cache_config_info", "gauge")
    lines.append(_sample("vllm:cache_config_info", _cache_config(metrics), 1))
    return "\n".join(lines) + "\n"


def _gauges(lines: list[str], metrics: Metrics, labels: Mapping[str, str]) -> None:
    for name, value in (
        ("vllm:num_requests_running", metrics.running),
        ("vllm:num_requests_waiting", metrics.waiting),
        ("vllm:kv_cache_usage_perc", metrics.kv_used_ratio),
    ):
        lines += [*_head(name, "gauge"), _sample(name, labels, value)]
    name = "vllm:num_requests_waiting_by_reason"
    lines += _head(name, "gauge")
    capacity = metrics.waiting - metrics.deferred
    for reason, value in (("capacity", capacity), ("deferred", metrics.deferred)):
        lines.append(_sample(name, {**labels, "reason": reason}, value))


def _counters(lines: list[str], metrics: Metrics, labels: Mapping[str, str]) -> None:
    for name, value in (
        ("vllm:prefix_cache_queries", metrics.prefix_queried_tokens),
        ("vllm:prefix_cache_hits", metrics.prefix_hit_tokens),
        ("vllm:num_preemptions", metrics.preemptions),
        ("vllm:prompt_tokens", metrics.prompt_tokens),
        ("vllm:generation_tokens", metrics.output_tokens),
    ):
        lines += [*_head(name, "counter"), _sample(f"{name}_total", labels, value)]
    name = "vllm:request_success"
    lines += _head(name, "counter")
    for reason in FinishReason:
        value = metrics.finished.get(reason, 0)
        shown = {"engine": "0", "finished_reason": reason.value, "model_name": labels["model_name"]}
        lines.append(_sample(f"{name}_total", shown, value))


def _histograms(metrics: Metrics) -> Iterable[tuple[str, Buckets]]:
    seen = metrics.latencies
    return (
        ("vllm:time_to_first_token_seconds", seen.first_token),
        ("vllm:inter_token_latency_seconds", seen.token_gap),
        ("vllm:e2e_request_latency_seconds", seen.whole),
        ("vllm:request_queue_time_seconds", seen.queue),
        ("vllm:request_prefill_time_seconds", seen.prefill),
        ("vllm:request_decode_time_seconds", seen.decode),
    )


def _buckets(name: str, buckets: Buckets, labels: Mapping[str, str]) -> list[str]:
    lines: list[str] = []
    cumulated = 0
    bounds = (*(repr(bound) for bound in buckets.bounds), "+Inf")
    # Most lines of the page are of this kind, so their labels are put together only once.
    start = f'{name}_bucket{{engine="{labels["engine"]}",le="'
    end = f'",model_name="{_escape(labels["model_name"])}"}}'
    for bound, count in zip(bounds, buckets.counts, strict=True):
        cumulated += count
        lines.append(f"{start}{bound}{end} {cumulated}.0")
    lines.append(_sample(f"{name}_count", labels, cumulated))
    lines.append(_sample(f"{name}_sum", labels, buckets.total))
    return lines


def _cache_config(metrics: Metrics) -> Mapping[str, str]:
    return {
        "block_size": str(metrics.block_tokens),
        "cache_dtype": "auto",
        "enable_prefix_caching": "True",
        "engine": "0",
        "gpu_memory_utilization": "0.9",
        "num_gpu_blocks": str(metrics.block_count),
        "prefix_caching_hash_algo": "sha256",
    }


def _head(name: str, kind: str) -> list[str]:
    shown = f"{name}_total" if kind == "counter" else name
    return [f"# HELP {shown} {_HELP[name]}", f"# TYPE {shown} {kind}"]


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {float(value)!r}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
