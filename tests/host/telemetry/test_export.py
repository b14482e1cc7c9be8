import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from headrace.host.telemetry.export import SPANS_WAITING_MAX, Exporter, otlp, traces_url
from headrace.host.telemetry.spans import Spans
from headrace.host.telemetry.summary import summarise
from headrace.host.telemetry.telemetry import Telemetry
from headrace.host.telemetry.trace_context import Ids, Sampler
from tests.host.telemetry import outcomes
from tests.host.telemetry.rotel import receiver


class Counted:
    """Adds up what became of spans."""

    def __init__(self) -> None:
        self.by = Counter[str]()

    def __call__(self, result: str, count: int) -> None:
        self.by[result] += count


class Stuck(SpanExporter):
    """A receiver that does not answer until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.go.wait(30.0)
        return SpanExportResult.FAILURE


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://host:4318", "http://host:4318/v1/traces"),
        ("https://host:4318/", "https://host:4318/v1/traces"),
        ("http://host/custom/v1/traces", "http://host/custom/v1/traces"),
    ],
)
def test_the_path_of_traces_is_added_if_there_is_none(given: str, url: str) -> None:
    assert traces_url(given) == url


@pytest.mark.parametrize("given", ["host:4318", "grpc://host:4317", "http://", ""])
def test_what_is_no_url_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="is no OTLP/HTTP URL"):
        traces_url(given)


def test_all_spans_of_sampled_exchanges_reach_the_target() -> None:
    memory, counted = InMemorySpanExporter(), Counted()
    telemetry = Telemetry(0.0, exporter=Exporter(memory, counted), sampler=Sampler(0.0))
    unsampled = outcomes.TRACEPARENT.removesuffix("1") + "0"
    telemetry.report(outcomes.served())
    telemetry.report(outcomes.served(traceparent=unsampled))
    telemetry.report(outcomes.served(traceparent=""))

    assert telemetry.close(5.0)
    assert len(memory.get_finished_spans()) == 4
    assert counted.by == {"exported": 4}


def test_a_receiver_that_hangs_costs_spans_and_nothing_else() -> None:
    stuck, counted = Stuck(), Counted()
    exporter = Exporter(stuck, counted)
    outcome = outcomes.served()
    made = Spans(0.0, Ids(Random(1)))
    spans = made.of(outcome, summarise(outcome), made.context(7, 8), None) * 250
    began_s = time.monotonic()
    for _ in range(10):
        exporter.send(spans)
    took_s = time.monotonic() - began_s
    closed = exporter.close(0.2)

    assert took_s < 1.0
    assert counted.by["dropped"] == 10_000 - SPANS_WAITING_MAX // 1000 * 1000
    assert not closed
    stuck.go.set()


def test_a_receiver_that_is_not_there_is_counted_and_does_not_block_the_end() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        counted = Counted()
        # Its thread must end with this test: it draws from the `random` that Hypothesis watches.
        exporter = otlp(f"http://127.0.0.1:{nobody.getsockname()[1]}", counted, timeout_s=0.5)
        telemetry = Telemetry(0.0, exporter=exporter)
        telemetry.report(outcomes.served())
        began_s = time.monotonic()

        assert telemetry.close(5.0)
        assert time.monotonic() - began_s < 3.0
        assert counted.by == {"failed": 4}


def test_a_real_receiver_gets_one_trace_with_every_endpoint_s_scores() -> None:
    counted = Counted()
    with receiver() as received:
        telemetry = Telemetry(time.time() - 12.5, exporter=otlp(received.url, counted))
        telemetry.report(outcomes.served(endpoints=16))
        assert telemetry.close(5.0)
        spans = received.wait_for(4)

    by_name = {span.name: span for span in spans}
    picker = by_name["picker on_request"]
    trace = bytes.fromhex(outcomes.TRACEPARENT.split("-")[1])
    assert {span.trace_id for span in spans} == {trace}
    assert by_name["chat chatbot"].parent_span_id.hex() == outcomes.TRACEPARENT.split("-")[2]
    assert picker.parent_span_id == by_name["chat chatbot"].span_id
    assert len([event for event in picker.events if event.name == "endpoint.score"]) == 16
    assert counted.by == {"exported": 4}
