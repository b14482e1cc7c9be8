"""A dialect: where the values that the picker needs stand on a metrics page. Data only.

A scraper reads pages by it; `reading` makes one of a TOML file.
"""

from dataclasses import dataclass, field
from enum import Enum

# Those that come with Headrace; the first is that of a pool that names none.
METRIC_DIALECTS = ("vllm", "sglang", "trtllm-serve", "triton-tensorrt-llm", "triton")
GPU_SOURCES = ("dcgm", "tpu")
METRICS_PATH = "/metrics"
MODELS_PATH = "/v1/models"


class Combine(Enum):
    """How the series of one metric, one per engine or device, become one value."""

    SUM = "sum"
    MEAN = "mean"
    MAX = "max"


class Unit(Enum):
    """What a number on the page counts. A PERCENT becomes a ratio."""

    COUNT = "count"
    RATIO = "ratio"
    PERCENT = "percent"
    TOKENS = "tokens"
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class Metric:
    """One place where a value may stand.

    where    label and value that a series must have to count
    label    the value stands in this label of the series; empty: it is the series' number
    lowest, highest  of what the page may say; a number beyond is no value
    """

    name: bytes
    unit: Unit = Unit.COUNT
    combine: Combine = Combine.SUM
    where: tuple[tuple[str, str], ...] = ()
    label: str = ""
    lowest: float | None = None
    highest: float | None = None


# Places to look for one value: the first that the page has counts. Empty: servers do not tell.
Places = tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class AdapterInfo:
    """LoRA adapters as labels of a series whose number is a time: the newest series is true.

    running, waiting  labels with the names of adapters, separated by commas
    adapters_max      the label that says how many there may be
    """

    name: bytes
    running: str
    waiting: str = ""
    adapters_max: str = ""


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where each value stands, and where the page is.

    name      as policies name it; of a user's file its path
    port      of the page, if it is not the endpoint's own
    gzip      whether to ask for a compressed page: less network, more CPU on both sides
    models    the path that lists models; empty if nothing does
    progress  a counter: where it goes backwards, the server has been restarted
    prefix    what the names of the server's own metrics begin with
    exports   those names, without the suffixes of counters; empty if they are not all known
    """

    name: str
    path: str = METRICS_PATH
    port: int | None = None
    gzip: bool = False
    models: str = MODELS_PATH
    waiting: Places = ()
    running: Places = ()
    kv_cache: Places = ()
    gpu: Places = ()
    block_size: Places = ()
    num_blocks: Places = ()
    started: Places = ()
    progress: Places = ()
    adapters: AdapterInfo | None = None
    prefix: str = ""
    exports: frozenset[str] = field(default=frozenset(), repr=False)
