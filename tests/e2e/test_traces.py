"""Spans of real requests through a real Envoy, as a real receiver got them."""

import asyncio
import json
import time
from pathlib import Path

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.e2e.rig import product
from tests.e2e.test_product import CHAT, CHAT_PATH, JSON, POLICY, QUEUES
from tests.host.telemetry.rotel import Received, receiver

REQUESTS = 5
STAGES = ("body_router", "safety", "picker")
CLIENT_SPAN = "00f067aa0ba902b7"


def trace_id(number: int) -> str:
    return f"{number + 1:032x}"


def root_of(spans: list[Span]) -> Span:
    (root,) = [span for span in spans if span.parent_span_id.hex() == CLIENT_SPAN]
    return root


def spans_of(received: Received, exchanges: int) -> list[Span]:
    """Return all spans once the exchanges' own, which are sent last, have come."""
    ends_s = time.monotonic() + 10.0
    while True:
        spans = list(received.spans)
        if sum(span.parent_span_id.hex() == CLIENT_SPAN for span in spans) >= exchanges:
            return spans
        assert time.monotonic() < ends_s, f"{len(spans)} spans came, not those of all exchanges"
        time.sleep(0.02)


def test_each_exchange_is_one_trace_joined_to_the_clients_with_every_score(tmp_path: Path) -> None:
    with receiver() as received, asyncio.Runner() as runner:
        flags = ("--otlp", received.url, "--trace-sample", "1")
        with product.running(runner, tmp_path, POLICY, QUEUES, *flags) as served:
            for number in range(REQUESTS):
                traceparent = f"00-{trace_id(number)}-{CLIENT_SPAN}-01"
                fields = [JSON, ("traceparent", traceparent), ("x-id", str(number))]
                body = json.dumps(CHAT).encode()
                assert served.fetch("POST", CHAT_PATH, fields, body).status == 200
            spans = spans_of(received, REQUESTS)
            upstream = {
                seen.head.get("traceparent")
                for number in range(REQUESTS)
                for endpoint in served.endpoints
                for seen in endpoint.seen.of(str(number))
            }
        addresses = {f"127.0.0.1:{endpoint.port}" for endpoint in served.endpoints}

    traces: dict[str, list[Span]] = {}
    for span in spans:
        traces.setdefault(span.trace_id.hex(), []).append(span)
    assert set(traces) == {trace_id(number) for number in range(REQUESTS)}
    roots = [root_of(trace) for trace in traces.values()]
    assert upstream == {f"00-{r.trace_id.hex()}-{r.span_id.hex()}-01" for r in roots}
    for trace in traces.values():
        root = root_of(trace)
        children = [span for span in trace if span.parent_span_id == root.span_id]
        assert {span.name.split()[0] for span in children} >= set(STAGES)
        scored = [
            {pair.key: pair.value for pair in event.attributes}
            for span in children
            for event in span.events
            if event.name == "endpoint.score"
        ]
        assert {str(s["endpoint"].string_value) for s in scored} >= addresses
