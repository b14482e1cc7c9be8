"""An outcome as spans: one for the exchange, a child for each run of a stage.

They are built whole, after the fact, from the times in the outcome. So an exchange that
is not sampled costs nothing, and the hot path knows nothing of tracing.

Names of attributes: OpenTelemetry's semantic conventions for HTTP and for generative AI
(schema gen-ai/1.42.0), else ``headrace.*``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from headrace.extensions.call import Call
from headrace.extensions.records import Guarded
from headrace.extensions.stage import Outcome, StageRun
from headrace.host.telemetry.describe import (
    Attribute,
    Attributes,
    as_text,
    describe,
    flatten,
    kind_of,
    plain,
    text,
)
from headrace.host.telemetry.guards import guard_event
from headrace.host.telemetry.summary import Summary
from headrace.host.telemetry.trace_context import Ids, Parent

SCOPE = InstrumentationScope("headrace")
FLAGS = TraceFlags(TraceFlags.SAMPLED)
OK = Status(StatusCode.UNSET)
# A record's list of objects under this key is told as one event for each.
ROWS = "endpoints"
ROW_EVENT = "endpoint.score"
ROWS_MAX = 256
NO_ATTRIBUTES: Mapping[str, Attribute] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Spans:
    """Builds spans. *epoch_s* is what the wall clock shows when the monotonic one shows 0."""

    epoch_s: float
    ids: Ids
    resource: Resource = field(default_factory=lambda: Resource({"service.name": "headrace"}))

    def of(
        self,
        outcome: Outcome,
        summary: Summary,
        context: SpanContext,
        parent: Parent | None,
        own: Mapping[str, Attribute] = NO_ATTRIBUTES,
    ) -> list[ReadableSpan]:
        """Return the spans of *outcome*, the exchange's own last, as they would have ended.

        context  of the exchange's span
        own      what the policy puts on it
        """
        spans = [self._stage(run, context) for run in outcome.runs]
        above = None
        if parent is not None:
            above = SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=FLAGS)
        failed = outcome.status >= 500 or outcome.termination == "bug"
        spans.append(
            ReadableSpan(
                name=_name(summary),
                context=context,
                parent=above,
                resource=self.resource,
                attributes={**_exchange(outcome, summary), **own},
                events=self._moments(outcome),
                kind=SpanKind.SERVER,
                status=Status(StatusCode.ERROR, summary.reason) if failed else OK,
                start_time=self._ns(outcome.started_s),
                end_time=self._ns(outcome.ended_s),
                instrumentation_scope=SCOPE,
            )
        )
        return spans

    def _stage(self, run: StageRun, parent: SpanContext) -> ReadableSpan:
        attributes: Attributes = {
            "headrace.stage": run.stage,
            "headrace.hook": run.hook,
            "headrace.result": run.result,
        }
        if run.road:
            attributes["headrace.road"] = run.road
        if run.error:
            attributes["error.type"] = run.result
        events: list[Event] = []
        for record in run.records:
            self._record(record, self._ns(run.ended_s), attributes, events)
        return ReadableSpan(
            name=f"{run.stage} {run.hook}",
            context=self.context(parent.trace_id, self.ids.span()),
            parent=parent,
            resource=self.resource,
            attributes=attributes,
            events=events,
            status=Status(StatusCode.ERROR, text(run.error)) if run.error else OK,
            start_time=self._ns(run.started_s),
            end_time=self._ns(run.ended_s),
            instrumentation_scope=SCOPE,
        )

    def _record(
        self, record: object, time_ns: int, attributes: Attributes, events: list[Event]
    ) -> None:
        """Put all that *record* says into *attributes*, and its rows into *events*."""
        if isinstance(record, Guarded):  # there may be many of one run
            events.append(Event("guard", guard_event(record), time_ns))
            return
        name = f"headrace.{kind_of(record)}"
        values = plain(record)
        events.extend(Event(ROW_EVENT, _row(row), time_ns) for row in _rows(values))
        for key, value in values.items():
            flatten(f"{name}.{key}", value, attributes)

    def _moments(self, outcome: Outcome) -> list[Event]:
        moments = {
            "decided": outcome.decided_s,
            "response head": outcome.response_head_s,
            "first event": outcome.first_event_s,
            "last event": outcome.last_event_s,
        }
        return [Event(name, None, self._ns(at)) for name, at in moments.items() if at is not None]

    def context(self, trace_id: int, span_id: int) -> SpanContext:
        """Return how spans name the span *span_id*."""
        return SpanContext(trace_id, span_id, is_remote=False, trace_flags=FLAGS)

    def _ns(self, now_s: float) -> int:
        return round((self.epoch_s + now_s) * 1e9)


def _name(summary: Summary) -> str:
    if not summary.operation:
        return "exchange"
    return f"{summary.operation} {summary.model_label}"


def _rows(values: dict[str, object]) -> list[dict[str, object]]:
    """Take the rows out of a record's *values*, if it has any."""
    rows = values.get(ROWS)
    if not isinstance(rows, list):
        return []
    found = [
        cast("dict[str, object]", r) for r in cast("list[object]", rows) if isinstance(r, dict)
    ]
    if found:
        del values[ROWS]
    return found[:ROWS_MAX]


def _row(row: dict[str, object]) -> Attributes:
    """Return one row: plain values as they are, objects as JSON, which Jaeger unfolds."""
    attributes: Attributes = {}
    for key, value in row.items():
        if isinstance(value, (bool, int, float)):
            attributes[key] = value
        elif isinstance(value, str):
            if value:
                attributes[key] = text(value)
        elif value:
            attributes[key] = as_text(value)
    return attributes


def _exchange(outcome: Outcome, summary: Summary) -> Attributes:
    request, call = outcome.request, outcome.request.call
    found: Attributes = {
        "http.request.method": text(request.method),
        "url.path": text(request.path.partition("?")[0]),
        "http.response.status_code": outcome.status,
        "http.request.body.size": outcome.request_bytes,
        "http.response.body.size": outcome.response_bytes,
        "headrace.request.id": text(request.id),
        "headrace.termination": outcome.termination,
        "headrace.events": outcome.event_count,
    }
    if outcome.policy:
        found["headrace.policy.digest"] = outcome.policy
        found["headrace.policy.generation"] = outcome.generation
    if summary.reason:
        found["headrace.reason"] = summary.reason
        found["error.type"] = summary.reason
    elif outcome.status >= 500:
        found["error.type"] = str(outcome.status)
    if summary.model:
        found["gen_ai.request.model"] = text(summary.model)
    if isinstance(call, Call):
        _call(call, found)
    if summary.route is not None:
        flatten("headrace.route", describe(summary.route), found)
    if summary.endpoint:
        found["headrace.endpoint"] = summary.endpoint
    if summary.decision is not None:
        for role, other in summary.decision.beside:
            found[f"headrace.{role}"] = other.chosen or ""
    _measures(summary, found)
    return found


def _call(call: Call, found: Attributes) -> None:
    found["gen_ai.operation.name"] = call.api.operation
    found["gen_ai.provider.name"] = "openai"  # the convention for servers of that API
    found["headrace.prompt_tokens_estimate"] = call.prompt_tokens
    if call.stream:
        found["gen_ai.request.stream"] = True
    if call.max_tokens is not None:
        found["gen_ai.request.max_tokens"] = call.max_tokens


def _measures(summary: Summary, found: Attributes) -> None:
    if summary.ttft_s is not None:
        found["gen_ai.response.time_to_first_chunk"] = summary.ttft_s
    usage = summary.usage
    if usage is None:
        return
    found["gen_ai.usage.input_tokens"] = usage.input_tokens
    found["gen_ai.usage.output_tokens"] = usage.output_tokens
    if usage.cached_tokens is not None:
        found["gen_ai.usage.cache_read.input_tokens"] = usage.cached_tokens
    if usage.reasoning_tokens is not None:
        found["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning_tokens
