"""One structured log line per exchange."""

from enum import IntEnum

import msgspec

from headrace.extensions.stage import Outcome
from headrace.host.telemetry.guards import audits
from headrace.host.telemetry.summary import Summary

TEXT_CHARS_MAX = 256
FAILURES_MAX = 8


class Level(IntEnum):
    """How grave a line is. A writer at a level writes that and all graver ones."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


FIELDS = {
    "time": "when the exchange ended, Unix seconds",
    "level": "info; warning: turned away, a stage failed, or the client went; error: our 5xx",
    "event": "always `exchange`",
    "id": "the request's id",
    "trace_id": "the trace it is part of, be its spans sampled or not; empty without one",
    "method": "as the client sent it",
    "path": "as the client sent it, without the query, which may hold secrets",
    "status": "what the client got; 0 if nothing",
    "reason": "why the answer was ours; empty if it was the upstream's",
    "termination": "complete, client-gone, processor-abort or bug",
    "model": "what the client asked for",
    "route": "the policy's name for that; other if it has none",
    "pool": "where it was sent",
    "endpoint": "which served it, as far as the proxy told",
    "adapter": "the LoRA adapter; empty for a base model",
    "priority": "as decided; higher is served first",
    "class": "the class that matched; empty if none did",
    "profile": "by which it was picked",
    "policy": "the digest of the policy that decided, its first 12 digits",
    "generation": "which of the policies of this process that was, from 1",
    "stream": "whether the client asked for a stream",
    "duration_ms": "from the first part to the end",
    "decision_ms": "from the first part to the decision, without the queue; null if there was none",
    "queue_ms": "how long it waited for its turn; null if it did not have to",
    "ttft_ms": "from the first part to the first piece of the response body; null if none came",
    "input_tokens": "as the model server counted; null if it did not say",
    "cached_tokens": "those of the input that were cached",
    "output_tokens": "as the model server counted",
    "request_bytes": "size of the request body",
    "response_bytes": "size of the response body",
    "events": "how many events the response had",
    "failures": "what stages failed with: stage and error, never a message that quotes a body",
    "guards": "what each guard did, per direction: state, finds, bytes; of the text, a keyed hash",
}
"""The fields of a line, in order, and what they mean."""


def level_of(outcome: Outcome, summary: Summary) -> Level:
    """Return how grave *outcome* is."""
    ours = bool(summary.reason)
    if outcome.termination in ("bug", "processor-abort") or (ours and outcome.status >= 500):
        return Level.ERROR
    if ours or summary.failures or outcome.termination != "complete":
        return Level.WARNING
    return Level.INFO


_ENCODER = msgspec.json.Encoder()


def line(outcome: Outcome, summary: Summary, level: Level, time_s: float, trace_id: str) -> bytes:
    """Return the line for *outcome* as JSON, in the order and with the names of `FIELDS`."""
    request, usage = outcome.request, summary.usage
    return _ENCODER.encode(
        {
            "time": round(time_s, 3),
            "level": level.name.lower(),
            "event": "exchange",
            "id": clean(request.id),
            "trace_id": trace_id,
            "method": clean(request.method),
            "path": clean(request.path.partition("?")[0]),
            "status": outcome.status,
            "reason": summary.reason,
            "termination": outcome.termination,
            "model": clean(summary.model),
            "route": summary.model_label,
            "pool": summary.pool,
            "endpoint": summary.endpoint,
            "adapter": clean(summary.adapter),
            "priority": summary.priority,
            "class": summary.kind,
            "profile": summary.profile,
            "policy": outcome.policy[:12],
            "generation": outcome.generation,
            "stream": summary.stream,
            "duration_ms": _ms(summary.duration_s),
            "decision_ms": _ms(summary.decision_s),
            "queue_ms": _ms(summary.wait_s),
            "ttft_ms": _ms(summary.ttft_s),
            "input_tokens": usage.input_tokens if usage else None,
            "cached_tokens": usage.cached_tokens if usage else None,
            "output_tokens": usage.output_tokens if usage else None,
            "request_bytes": outcome.request_bytes,
            "response_bytes": outcome.response_bytes,
            "events": outcome.event_count,
            "failures": [clean(failure) for failure in summary.failures[:FAILURES_MAX]],
            "guards": audits(summary.guarded) if summary.guarded else (),
        }
    )


def clean(text: str) -> str:
    """Return *text* of a caller, short and without bytes that are no text."""
    if len(text) > TEXT_CHARS_MAX:
        text = f"{text[:TEXT_CHARS_MAX]}..."
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000.0, 3)
