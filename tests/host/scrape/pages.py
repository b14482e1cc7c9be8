"""Metrics pages as vLLM writes them, made with the library that vLLM writes them with."""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest

LE = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]


@dataclass(frozen=True, slots=True)
class Engine:
    """One data-parallel engine of a server."""

    waiting: float = 0
    running: float = 0
    kv_cache: float = 0.0


def vllm_page(
    engines: Sequence[Engine],
    lora: Sequence[tuple[str, str, str, float]] = (),
    num_blocks: str = "27000",
    histograms: int = 8,
    kv_name: str = "vllm:kv_cache_usage_perc",
) -> bytes:
    """Return a page. *lora*: (running, waiting, max_lora, timestamp), oldest first."""
    registry = CollectorRegistry()
    names = ("vllm:num_requests_waiting", "vllm:num_requests_running", kv_name)
    waiting, running, kv = (
        Gauge(n, "A gauge.", ["model_name", "engine"], registry=registry) for n in names
    )
    by_reason = Gauge(
        "vllm:num_requests_waiting_by_reason", "Alike.", ["engine", "reason"], registry=registry
    )
    for i, engine in enumerate(engines):
        waiting.labels('a "model" } \\ x', str(i)).set(engine.waiting)
        running.labels("m", str(i)).set(engine.running)
        kv.labels("m", str(i)).set(engine.kv_cache)
        by_reason.labels(str(i), "capacity").set(77)
    info = Gauge(
        "vllm:cache_config_info", "Config.", ["block_size", "num_gpu_blocks"], registry=registry
    )
    info.labels("16", num_blocks).set(1)
    for n in range(histograms):
        histogram = Histogram(
            f"vllm:time_{n}_seconds",
            "Time.",
            ["model_name", "reason"],
            buckets=LE,
            registry=registry,
        )
        for reason in ("stop", "length", "abort"):
            histogram.labels("m", reason).observe(0.3)
    if lora:
        labels = ["max_lora", "running_lora_adapters", "waiting_lora_adapters"]
        adapters = Gauge("vllm:lora_requests_info", "LoRA.", labels, registry=registry)
        for on, queued, most, stamp in lora:
            adapters.labels(most, on, queued).set(stamp)
    Gauge("process_start_time_seconds", "Start.", registry=registry).set(1.7e9)
    return generate_latest(registry)
