"""A replica's metrics as servers other than vLLM would name them: what a picker reads of each.

Sources: SGLang's metrics_collector (page_size and num_pages are gauges from 0.5.11 on);
TensorRT-LLM's metrics of trtllm-serve; Triton's metrics guide and the metrics of its
backend for TensorRT-LLM.
"""

from collections.abc import Mapping, Sequence

from headrace.host.sim.tally import Metrics

PATHS: Mapping[str, str] = {"trtllm-serve": "/prometheus/metrics"}
Labels = Mapping[str, str]
Row = tuple[str, str, Labels, float]  # name, type, labels, value


def other_page(dialect: str, metrics: Metrics, model: str) -> str:
    """Return the page of a server that speaks *dialect*, one of `SPOKEN`."""
    lines: list[str] = []
    typed: set[str] = set()
    for name, kind, labels, value in SPOKEN[dialect](metrics, model):
        if name not in typed:
            typed.add(name)
            lines += [f"# HELP {name} As simulated.", f"# TYPE {name} {kind}"]
        inside = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
        lines.append(f"{name}{{{inside}}} {float(value)!r}")
    return "\n".join(lines) + "\n"


def _sglang(metrics: Metrics, model: str) -> Sequence[Row]:
    labels = {"model_name": model, "engine_type": "unified", "tp_rank": "0"}
    return [
        ("sglang:num_running_reqs", "gauge", labels, metrics.running),
        ("sglang:num_queue_reqs", "gauge", labels, metrics.waiting),
        ("sglang:token_usage", "gauge", labels, metrics.kv_used_ratio),
        ("sglang:page_size", "gauge", labels, metrics.block_tokens),
        ("sglang:num_pages", "gauge", labels, metrics.block_count),
        ("sglang:prompt_tokens_total", "counter", labels, metrics.prompt_tokens),
        ("sglang:generation_tokens_total", "counter", labels, metrics.output_tokens),
    ]


def _trtllm(metrics: Metrics, model: str) -> Sequence[Row]:
    labels = {"model_name": model, "engine_type": "pytorch"}
    done = sum(metrics.finished.values())
    return [
        ("trtllm_num_requests_running", "gauge", labels, metrics.running),
        ("trtllm_num_requests_waiting", "gauge", labels, metrics.waiting),
        ("trtllm_kv_cache_utilization", "gauge", labels, metrics.kv_used_ratio),
        ("trtllm_kv_cache_tokens_per_block", "gauge", labels, metrics.block_tokens),
        ("trtllm_kv_cache_max_blocks", "gauge", labels, metrics.block_count),
        ("trtllm_num_requests_completed_total", "counter", labels, done),
    ]


def _triton_trtllm(metrics: Metrics, model: str) -> Sequence[Row]:
    labels = {"model": model, "version": "1"}
    requests = (("waiting", metrics.waiting), ("scheduled", metrics.running), ("max", 2048))
    used = round(metrics.kv_used_ratio * metrics.block_count)
    blocks = (
        ("fraction", metrics.kv_used_ratio),
        ("tokens_per", metrics.block_tokens),
        ("used", used),
        ("free", metrics.block_count - used),
        ("max", metrics.block_count),
    )
    return [
        *(
            ("nv_trt_llm_request_metrics", "gauge", {"request_type": kind, **labels}, value)
            for kind, value in requests
        ),
        *(
            (
                "nv_trt_llm_kv_cache_block_metrics",
                "gauge",
                {"kv_cache_block_type": kind, **labels},
                value,
            )
            for kind, value in blocks
        ),
    ]


def _triton(metrics: Metrics, model: str) -> Sequence[Row]:
    labels = {"model": model, "version": "1"}
    done = sum(metrics.finished.values())
    return [
        ("nv_inference_exec_count", "counter", labels, done),
        ("nv_inference_pending_request_count", "gauge", labels, metrics.waiting),
    ]


SPOKEN = {
    "sglang": _sglang,
    "trtllm-serve": _trtllm,
    "triton-tensorrt-llm": _triton_trtllm,
    "triton": _triton,
}


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
