"""What one kind of model server calls its metrics, as data.

A dialect says where the picker's values stand on a metrics page; `page` reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Combine(Enum):
    """How the series of one gauge, one per data-parallel engine, become one value."""

    SUM = "sum"
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number, by the names it has had; the first one found on the page counts."""

    names: tuple[bytes, ...]
    combine: Combine


@dataclass(frozen=True, slots=True)
class AdapterInfo:
    """LoRA adapters as labels of a series whose value is a time: the newest series is true."""

    name: bytes
    running: str
    waiting: str
    adapters_max: str


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """The size of the KV cache as labels of a series."""

    name: bytes
    block_size: str
    num_blocks: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where each value stands. A page with neither queue nor running count is refused."""

    name: str
    waiting: Gauge
    running: Gauge
    kv_cache: Gauge
    adapters: AdapterInfo | None = None
    cache: CacheInfo | None = None
    started: bytes = b"process_start_time_seconds"


VLLM = Dialect(
    name="vllm",
    waiting=Gauge((b"vllm:num_requests_waiting",), Combine.SUM),
    running=Gauge((b"vllm:num_requests_running",), Combine.SUM),
    # The second name is that of vLLM before its V1 engine.
    kv_cache=Gauge((b"vllm:kv_cache_usage_perc", b"vllm:gpu_cache_usage_perc"), Combine.MEAN),
    adapters=AdapterInfo(
        b"vllm:lora_requests_info", "running_lora_adapters", "waiting_lora_adapters", "max_lora"
    ),
    cache=CacheInfo(b"vllm:cache_config_info", "block_size", "num_gpu_blocks"),
)
DIALECTS: Mapping[str, Dialect] = {VLLM.name: VLLM}


class UnknownDialect(Exception):
    """A pool names a dialect of metrics that nothing here reads."""

    def __init__(self, pool: str, name: str) -> None:
        self.pool, self.name = pool, name
        known = ", ".join(f"`{n}`" for n in sorted(DIALECTS))
        super().__init__(f"pool `{pool}` has unknown metrics `{name}`; write one of {known}")


def dialect(pool: str, name: str) -> Dialect:
    """Return the dialect *name*, which *pool* asks for.

    Raises:
        UnknownDialect: there is none of that name.
    """
    found = DIALECTS.get(name)
    if found is None:
        raise UnknownDialect(pool, name)
    return found
