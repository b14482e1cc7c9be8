"""Take the outcome of every exchange and tell it: as metrics, as a log line, as spans."""

import logging
from dataclasses import dataclass, field
from random import Random

from headrace.dsl.program import Program
from headrace.extensions.stage import Outcome
from headrace.host.telemetry.describe import text
from headrace.host.telemetry.export import Exporter
from headrace.host.telemetry.lines import LineWriter
from headrace.host.telemetry.log import Level, level_of, line
from headrace.host.telemetry.metrics import Metrics
from headrace.host.telemetry.ring import Ring
from headrace.host.telemetry.spans import Spans
from headrace.host.telemetry.summary import Summary, summarise
from headrace.host.telemetry.trace_context import (
    Ids,
    Parent,
    Sampler,
    parse,
    traceparent,
)
from headrace.host.telemetry.tracing import ALWAYS, ERRORS, Tracing

NO_PROGRAM = Program("")
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Own:
    """The span of an exchange. *announced*: the upstream was told of it, so it must be kept."""

    trace_id: int
    span_id: int
    announced: bool


@dataclass(slots=True)
class Telemetry:
    """Tells outcomes. Written from the event loop's thread.

    epoch_s    what the wall clock shows when the monotonic clock of outcomes shows 0
    lines      where log lines go; None writes none
    level      lines less grave than this are not written
    exporter   where spans go; None makes none
    ring       the last exchanges, for people who ask
    """

    epoch_s: float
    metrics: Metrics = field(default_factory=Metrics)
    lines: LineWriter | None = None
    level: Level = Level.INFO
    exporter: Exporter | None = None
    sampler: Sampler = field(default_factory=Sampler)
    ids: Ids = field(default_factory=lambda: Ids(Random()))  # noqa: S311  no secrets, just ids
    ring: Ring = field(default_factory=Ring)

    def announce(self, parent: str, request_id: str, ratio: float | None) -> str:
        """Return the `traceparent` of the span that an exchange will have, if it is sampled.

        So the model server's spans become children of ours. Empty if no span is certain: the
        request then keeps its client's.

        parent  the `traceparent` that it came with
        ratio   what the policy says of sampling
        """
        if self.exporter is None:
            return ""
        came = parse(parent) if parent else None
        if not self.sampler.keeps(came, request_id, ratio):
            return ""
        return traceparent(came.trace_id if came else self.ids.trace(), self.ids.span())

    def report(self, outcome: Outcome) -> None:
        """Tell *outcome*. Never raises: telling must not fail what it tells of."""
        try:
            self._report(outcome)
        except Exception as bug:
            self.metrics.bug("telemetry")
            # Without the message: it may quote a request.
            _LOGGER.error("telemetry failed on an outcome: %s", type(bug).__name__)

    def _report(self, outcome: Outcome) -> None:
        summary = summarise(outcome)
        self.metrics.observe(outcome, summary)
        self.ring.put(outcome, summary, self.epoch_s + outcome.ended_s)
        level = level_of(outcome, summary)
        writes = self.lines is not None and level >= self.level
        if not writes and self.exporter is None:
            return
        parent = parse(outcome.traceparent) if outcome.traceparent else None
        ours = parse(outcome.announced) if outcome.announced else None
        known = ours or parent
        trace_id = known.trace_id if known else 0
        if self.exporter is not None:
            trace_id = trace_id or self.ids.trace()
            span_id = ours.span_id if ours else self.ids.span()
            self._trace(outcome, summary, Own(trace_id, span_id, ours is not None), parent)
        if writes and self.lines is not None:
            shown = f"{trace_id:032x}" if trace_id else ""
            time_s = self.epoch_s + outcome.ended_s
            self.lines.put(line(outcome, summary, level, time_s, shown))

    def _trace(self, outcome: Outcome, summary: Summary, own: Own, parent: Parent | None) -> None:
        assert self.exporter is not None, "only asked where spans go somewhere"
        tracing = Tracing(outcome.program or NO_PROGRAM, outcome)
        ratio = tracing.program.trace.sample_ratio
        always = ""
        kept = own.announced or self.sampler.keeps(parent, outcome.request.id, ratio)
        if not kept:
            always = tracing.always()
        if kept or always:
            written = tracing.attributes()
            if always:
                written[ALWAYS] = text(always)
            if tracing.errors:
                written[ERRORS] = [f"{error.rule}: {error.kind}" for error in tracing.errors]
            spans = Spans(self.epoch_s, self.ids)
            context = spans.context(own.trace_id, own.span_id)
            self.exporter.send(spans.of(outcome, summary, context, parent, written))
        for error in tracing.errors:
            self.metrics.rule_error(error.rule, error.kind)

    def close(self, timeout_s: float) -> bool:
        """Write and send what waits, for at most *timeout_s* each; return whether all went."""
        sent = self.exporter is None or self.exporter.close(timeout_s)
        written = self.lines is None or self.lines.close(timeout_s)
        return sent and written
