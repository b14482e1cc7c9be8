"""Every metric of the Gateway API Inference Extension and of llm-d that we tell, as they name it.

Names, labels and bounds of buckets are facts about the Gateway API Inference Extension 1.5
(`inference_*`), its body-based router (`bbr_*`) and llm-d's router (`llm_d_*`). One of their
bounds is a slip of the pen (32778): kept, since a bucket is joined by its bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from headrace.host.telemetry.metric import Kind, Metric

GIE, LLMD, BBR = "inference", "llm_d_epp", "bbr"


def _bounds(text: str) -> tuple[float, ...]:
    return tuple(map(float, text.split()))


LATENCY_S = _bounds(
    "0.005 0.025 0.05 0.1 0.2 0.4 0.6 0.8 1 1.25 1.5 2 3 4 5 6 8 10 15 20 30 45 60 120 "
    "180 240 300 360 480 600 900 1200 1800 2700 3600"
)
SHORT_S = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
PROCESSING_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
ANSWERING_S = (*SHORT_S, 0.2, 0.5, 1.0, 2.0, 5.0)
QUEUED_S = _bounds("0.0001 0.0005 0.001 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 30 60")
PER_TOKEN_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
STREAMED_TOKEN_S = _bounds(
    "0.0005 0.00205 0.005 0.01 0.02 0.04 0.06 0.08 0.1 0.125 0.15 0.2 0.3 0.4 0.5 0.6 0.8 1 2"
)
TOKENS = _bounds(
    "1 8 16 32 64 128 256 512 1024 2048 4096 8192 16384 32778 65536 131072 262144 524288 1048576"
)
REQUEST_BYTES = tuple(float(64 << power) for power in range(25))

MODEL = ("model_name", "target_model_name")
ASKED = (*MODEL, "fairness_id", "priority")
ENDPOINT = ("endpoint_name", "namespace", "port")
PLUGIN = ("extension_point", "plugin_type", "plugin_name")
QUEUED = ("fairness_id", "priority", "inference_pool", *MODEL)
BUILD = ("commit", "build_ref")
POOL = ("name",)
ALIASES: Mapping[str, str] = {
    "pod_name": "endpoint_name",
    "model_server_pod": "model_server_endpoint",
}
"""Labels that older names have, by what the newer ones call the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Twin:
    """One figure, under each of its names. Compared by identity.

    keys     what it is counted by; a name with fewer labels tells the sums
    metrics  the names, each with its own labels, all of one kind and with the same buckets
    """

    keys: tuple[str, ...]
    metrics: tuple[Metric, ...]

    @property
    def buckets(self) -> tuple[float, ...]:
        """The upper bounds of a histogram's buckets."""
        return self.metrics[0].buckets

    def places(self, metric: Metric) -> tuple[int, ...]:
        """Return where among the keys the labels of *metric* are."""
        return tuple(self.keys.index(ALIASES.get(label, label)) for label in metric.labels)


def _twin(
    kind: Kind,
    keys: tuple[str, ...],
    told: str,
    names: Mapping[str, tuple[str, ...]],
    buckets: tuple[float, ...] = (),
) -> Twin:
    metrics = [Metric(name, kind, told, labels, buckets) for name, labels in names.items()]
    return Twin(keys, tuple(metrics))


def _asked(name: str, old: str, told: str, buckets: tuple[float, ...]) -> Twin:
    names = {f"{LLMD}_{name}": ASKED, f"inference_objective_{old}": MODEL}
    return _twin(Kind.HISTOGRAM, ASKED, told, names, buckets)


def _level(name: str, told: str, old: str = "") -> Twin:
    names = {f"{LLMD}_{name}": POOL} | ({f"inference_pool_{old}": POOL} if old else {})
    return _twin(Kind.GAUGE, POOL, told, names)


REQUESTS = _twin(
    Kind.COUNTER,
    ASKED,
    "Requests that were routed, counted when they ended.",
    {
        f"{LLMD}_request_total": ASKED,
        "inference_objective_request_total": (*MODEL, "priority"),
    },
)
REQUEST_ERRORS = _twin(
    Kind.COUNTER,
    (*ASKED, "error_code"),
    "Requests that ended in an error of ours, or of the model server (ModelServerError).",
    {
        f"{LLMD}_request_error_total": (*ASKED, "error_code"),
        "inference_objective_request_error_total": (*MODEL, "error_code"),
    },
)
DURATION_S = _asked(
    "request_duration_seconds",
    "request_duration_seconds",
    "From the first part of a request to the end of its answer.",
    LATENCY_S,
)
REQUEST_SIZE = _asked("request_size_bytes", "request_sizes", "Request bodies.", REQUEST_BYTES)
RESPONSE_SIZE = _asked(
    "response_size_bytes", "response_sizes", "Response bodies that we were shown.", TOKENS[:15]
)
INPUT_TOKENS = _asked("request_input_tokens", "input_tokens", "Tokens of prompts.", TOKENS)
OUTPUT_TOKENS = _asked("request_output_tokens", "output_tokens", "Tokens of answers.", TOKENS[:12])
CACHED_TOKENS = _asked(
    "request_cached_tokens", "prompt_cached_tokens", "Tokens of prompts that were cached.", TOKENS
)
TOKEN_S = _asked(
    "request_ntpot_seconds",
    "normalized_time_per_output_token_seconds",
    "The duration of a request divided by the tokens of its answer.",
    PER_TOKEN_S,
)
TTFT_S = _twin(
    Kind.HISTOGRAM,
    (*ASKED, "streaming"),
    "From the first part of a request to the first piece of its answer's body.",
    {f"{LLMD}_request_ttft_seconds": (*ASKED, "streaming")},
    LATENCY_S,
)
TPOT_S = _twin(
    Kind.HISTOGRAM,
    ASKED,
    "Of streams: from the first to the last piece, divided by the tokens but the first.",
    {f"{LLMD}_request_streaming_tpot_seconds": ASKED},
    STREAMED_TOKEN_S,
)
OPEN = _twin(
    Kind.GAUGE,
    ASKED,
    "Requests that were routed and have not ended.",
    {f"{LLMD}_request_running": ASKED, "inference_objective_running_requests": ("model_name",)},
)
KV_CACHE = _level(
    "average_kv_cache_utilization",
    "Mean used share of the KV cache, 0 to 1, over the ready endpoints.",
    "average_kv_cache_utilization",
)
QUEUE = _level(
    "average_queue_size",
    "Mean requests in the queue of a model server, over the ready endpoints.",
    "average_queue_size",
)
RUNNING = _level(
    "average_running_requests",
    "Mean requests that a model server works on, over the ready endpoints.",
    "average_running_requests",
)
READY = _level("ready_endpoints", "Endpoints that are ready.", "ready_pods")
KV_CACHE_DEVIATION = _level(
    "std_dev_kv_cache_utilization", "Standard deviation of the used share of the KV cache."
)
QUEUE_DEVIATION = _level("std_dev_queue_size", "Standard deviation of the queues.")
RUNNING_DEVIATION = _level("std_dev_running_requests", "Standard deviation of the running ones.")
ENDPOINT_QUEUE = _twin(
    Kind.GAUGE,
    ("name", "model_server_endpoint"),
    "Requests in the queue of one model server.",
    {
        f"{LLMD}_per_endpoint_queue_size": ("name", "model_server_endpoint"),
        "inference_pool_per_pod_queue_size": ("name", "model_server_pod"),
    },
)
SCHEDULING_S = _twin(
    Kind.HISTOGRAM,
    (),
    "How long picking an endpoint took, without a wait in a queue.",
    {
        f"{LLMD}_scheduler_e2e_duration_seconds": (),
        "inference_extension_scheduler_e2e_duration_seconds": (),
    },
    SHORT_S,
)
ATTEMPTS = _twin(
    Kind.COUNTER,
    ("status", "target_model_name", *ENDPOINT),
    "Picks, `success` or `failure`.",
    {
        f"{LLMD}_scheduler_attempts_total": ("status", "target_model_name", *ENDPOINT),
        "inference_extension_scheduler_attempts_total": (
            *("status", "target_model_name"),
            *("pod_name", "namespace", "port"),
        ),
    },
)
REQUEST_S = _twin(
    Kind.HISTOGRAM,
    (),
    "From the first part of a request to the decision where it goes, a wait included.",
    {f"{LLMD}_request_processing_duration_seconds": ()},
    PROCESSING_S,
)
RESPONSE_S = _twin(
    Kind.HISTOGRAM,
    (),
    "What our stages took of one response, in sum.",
    {f"{LLMD}_response_processing_duration_seconds": ()},
    ANSWERING_S,
)
PLUGIN_S = _twin(
    Kind.HISTOGRAM,
    PLUGIN,
    "How long one hook of a stage took; the stage stands for the plugin.",
    {
        f"{LLMD}_plugin_duration_seconds": PLUGIN,
        "inference_extension_plugin_duration_seconds": PLUGIN,
    },
    SHORT_S,
)
ROUTER_S = _twin(
    Kind.HISTOGRAM,
    PLUGIN,
    "How long one hook of the body router took.",
    {"bbr_plugin_duration_seconds": PLUGIN},
    SHORT_S,
)
INFO = _twin(
    Kind.GAUGE,
    BUILD,
    "The build that runs.",
    {f"{LLMD}_info": BUILD, "inference_extension_info": BUILD, "bbr_info": BUILD},
)
POLL_ERRORS = _twin(
    Kind.COUNTER,
    ("source_type",),
    "Scrapes that failed.",
    {
        f"{LLMD}_datalayer_poll_errors_total": ("source_type",),
        "llm_d_inference_scheduler_datalayer_poll_errors_total": ("source_type",),
    },
)
INDEX_SIZE = _twin(
    Kind.GAUGE,
    ("plugin_type", "plugin_name"),
    "Blocks of prompts in the prefix index.",
    {
        f"{LLMD}_prefix_indexer_size": ("plugin_type", "plugin_name"),
        "inference_extension_prefix_indexer_size": (),
    },
)
FLOW_WAIT_S = _twin(
    Kind.HISTOGRAM,
    (*QUEUED, "outcome"),
    "How long requests have waited in a queue.",
    {
        f"{prefix}_flow_control_request_queue_duration_seconds": (
            *("fairness_id", "priority", "outcome", "inference_pool"),
            *MODEL,
        )
        for prefix in (LLMD, "inference_extension")
    },
    QUEUED_S,
)
FLOW_REQUESTS = _twin(
    Kind.COUNTER,
    ("outcome", "priority", "inference_pool"),
    "Requests that have waited in a queue, or were refused there.",
    {f"{LLMD}_flow_control_requests_total": ("outcome", "priority", "inference_pool")},
)
FLOW_SIZE = _twin(
    Kind.GAUGE,
    QUEUED,
    "Requests that wait in a queue.",
    {
        f"{LLMD}_flow_control_queue_size": QUEUED,
        "inference_extension_flow_control_queue_size": QUEUED,
    },
)
FLOW_BYTES = _twin(
    Kind.GAUGE,
    QUEUED,
    "Bytes of the bodies of requests that wait in a queue.",
    {
        f"{LLMD}_flow_control_queue_bytes": QUEUED,
        "inference_extension_flow_control_queue_bytes": QUEUED,
    },
)
SATURATION = _twin(
    Kind.GAUGE,
    ("inference_pool", "stage"),
    "Mean of max(queue / 5, KV cache / 0.8) over the endpoints; one that is not ready counts 1.",
    {
        f"{LLMD}_flow_control_pool_saturation": ("inference_pool", "stage"),
        "inference_extension_flow_control_pool_saturation": ("inference_pool",),
    },
)
STREAMS_OPEN = _twin(
    Kind.GAUGE, (), "ext_proc streams that are open.", {f"{LLMD}_extproc_streams_inflight": ()}
)
STREAMS = _twin(
    Kind.COUNTER,
    ("code",),
    "ext_proc streams that ended, by gRPC status.",
    {f"{LLMD}_extproc_streams_total": ("code",)},
)
ROUTED = _twin(Kind.COUNTER, (), "Requests that were routed.", {"bbr_success_total": ()})
NO_MODEL = _twin(
    Kind.COUNTER,
    ("field",),
    "Requests without a model.",
    {"bbr_body_field_not_found_total": ("field",), "bbr_model_not_in_body_total": ()},
)
BAD_MODEL = _twin(
    Kind.COUNTER,
    (),
    "Requests whose model could not be read.",
    {"bbr_model_not_parsed_total": ()},
)

TWINS = (
    REQUESTS,
    REQUEST_ERRORS,
    DURATION_S,
    REQUEST_SIZE,
    RESPONSE_SIZE,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    CACHED_TOKENS,
    TOKEN_S,
    TTFT_S,
    TPOT_S,
    OPEN,
    KV_CACHE,
    QUEUE,
    RUNNING,
    READY,
    KV_CACHE_DEVIATION,
    QUEUE_DEVIATION,
    RUNNING_DEVIATION,
    ENDPOINT_QUEUE,
    SCHEDULING_S,
    ATTEMPTS,
    REQUEST_S,
    RESPONSE_S,
    PLUGIN_S,
    ROUTER_S,
    INFO,
    POLL_ERRORS,
    INDEX_SIZE,
    FLOW_WAIT_S,
    FLOW_REQUESTS,
    FLOW_SIZE,
    FLOW_BYTES,
    SATURATION,
    STREAMS_OPEN,
    STREAMS,
    ROUTED,
    NO_MODEL,
    BAD_MODEL,
)
