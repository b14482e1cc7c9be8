"""Metrics that are asked for by name: S308 (no server has it)."""

import re
from collections.abc import Callable, Mapping

from headrace.dsl.cel.typed import Op, Typed
from headrace.dsl.lints.subject import Subject
from headrace.dsl.lints.terms import parts
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import Diagnostic
from headrace.dsl.problems.suggest import closest
from headrace.dsl.program import Program
from headrace.dsl.source import Span

# What servers export, without the suffixes of counters and histograms. Names that do not
# begin like those of a dialect are others': of the process, of a sidecar.
_VLLM = frozenset((
    "num_requests_running", "num_requests_waiting", "num_requests_waiting_by_reason",
    "num_requests_swapped", "engine_sleep_state", "kv_cache_usage_perc", "gpu_cache_usage_perc",
    "cpu_cache_usage_perc", "gpu_prefix_cache_hit_rate", "cpu_prefix_cache_hit_rate",
    "prefix_cache_queries", "prefix_cache_hits", "gpu_prefix_cache_queries",
    "gpu_prefix_cache_hits", "external_prefix_cache_queries", "external_prefix_cache_hits",
    "mm_cache_queries", "mm_cache_hits", "num_preemptions", "prompt_tokens", "generation_tokens",
    "prompt_tokens_by_source", "prompt_tokens_cached", "corrupted_requests", "request_success",
    "tokens", "iteration_tokens_total", "request_prompt_tokens", "request_generation_tokens",
    "request_max_num_generation_tokens", "request_params_n", "request_params_max_tokens",
    "time_to_first_token_seconds", "inter_token_latency_seconds", "time_per_output_token_seconds",
    "request_time_per_output_token_seconds", "e2e_request_latency_seconds",
    "request_queue_time_seconds", "request_inference_time_seconds",
    "request_prefill_time_seconds", "request_decode_time_seconds", "time_in_queue_requests",
    "request_prefill_kv_computed_tokens", "model_forward_time_milliseconds",
    "model_execute_time_milliseconds", "avg_prompt_throughput_toks_per_s",
    "avg_generation_throughput_toks_per_s", "spec_decode_num_drafts",
    "spec_decode_num_draft_tokens", "spec_decode_num_accepted_tokens",
    "spec_decode_num_accepted_tokens_per_pos", "spec_decode_num_emitted_tokens",
    "spec_decode_draft_acceptance_rate", "spec_decode_efficiency", "lora_requests_info",
    "cache_config_info",
))  # fmt: skip
DIALECTS: Mapping[str, frozenset[str]] = {"vllm": frozenset(f"vllm:{name}" for name in _VLLM)}
_SUFFIX = re.compile(r"_(total|bucket|sum|count|created)$")


def server_metrics(subject: Subject) -> None:
    """Report metrics of a dialect that has no such name."""
    dialects = {pool.metrics for pool in subject.program.pools.values()}
    for name, span in asked(subject.program):
        prefix = name.partition(":")[0]
        known = DIALECTS.get(prefix, frozenset())
        if prefix not in dialects or name in known or _SUFFIX.sub("", name) in known:
            continue
        suffix = found.group() if (found := _SUFFIX.search(name)) else ""
        near = closest(_SUFFIX.sub("", name), known)
        message = f"servers of the dialect `{prefix}` have no metric `{name}`"
        help_, level = f"did you mean `{near}{suffix}`?", Level.ERROR
        if near is None:  # a server may be newer than the names known here
            message = f"no metric `{name}` of the dialect `{prefix}` is known here"
            help_, level = "look for it on the server's /metrics", Level.WARNING
        subject.problems.add("S308", span, message, "unknown", help_, level=level)


def absent(program: Program, exported: Callable[[str], bool]) -> tuple[Diagnostic, ...]:
    """Return a warning for each metric that *program* asks for and no live server exports."""
    message = "no server that was asked exports `{}`"
    help_ = "look at its /metrics; a counter is there once it has counted, as `..._total`"
    return tuple(
        Diagnostic("S308", Level.WARNING, message.format(name), span, "not exported", help_)
        for name, span in asked(program)
        if not exported(name)
    )


def asked(program: Program) -> list[tuple[str, Span]]:
    """Return the metrics that rules ask for by a literal name, and where."""
    found: dict[tuple[str, int], tuple[str, Span]] = {}
    for typed in (rule.typed for rule in program.rules if rule.typed is not None):
        for part in parts(typed):
            name = _metric(part)
            if name is not None:
                span = part.args[0].span
                found[span.source.name, span.start] = name, span
    return list(found.values())


def _metric(part: Typed) -> str | None:
    if part.op is Op.CALL and part.value == "metric" and part.args[0].op is Op.CONST:
        return str(part.args[0].value)
    return None
