import json
from pathlib import Path
from random import Random

from msgspec import structs
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Outcome
from headrace.host.telemetry.spans import Spans
from headrace.host.telemetry.summary import summarise
from headrace.host.telemetry.trace_context import Ids, parse
from tests import golden
from tests.extensions.body_router.policies import changed
from tests.host.telemetry import outcomes

TOLD = Path(__file__).parent / "told"
EPOCH_S = 1_800_000_000.0


def spans_of(outcome: Outcome) -> list[ReadableSpan]:
    parent = parse(outcome.traceparent)
    trace_id = parent.trace_id if parent else 7
    made = Spans(EPOCH_S, Ids(Random(1)))
    context = made.context(trace_id, made.ids.span())
    return made.of(outcome, summarise(outcome), context, parent)


def shown(span: ReadableSpan) -> str:
    """Return *span* as lines for a reader."""
    assert span.start_time is not None
    assert span.end_time is not None
    start_us = span.start_time / 1e3 - (EPOCH_S + 10.0) * 1e6
    lines = [f"{span.name} [{span.kind.name}] +{start_us:.0f}us"]
    lines += [f"  {key} = {value}" for key, value in (span.attributes or {}).items()]
    for event in span.events:
        lines.append(f"  * {event.name}")
        lines += [f"      {key} = {value}" for key, value in (event.attributes or {}).items()]
    return "".join(f"{line}\n" for line in lines)


def test_the_spans_are_as_agreed() -> None:
    golden.check(TOLD / "spans.txt", "".join(shown(s) for s in spans_of(outcomes.served())))


def test_one_trace_per_exchange_joined_to_the_client_s() -> None:
    *stages, exchange = spans_of(outcomes.served())
    parent = parse(outcomes.TRACEPARENT)

    assert parent is not None
    assert exchange.parent is not None
    assert exchange.context is not None
    assert (exchange.parent.trace_id, exchange.parent.span_id) == (parent.trace_id, parent.span_id)
    assert exchange.parent.is_remote
    assert {s.context.trace_id for s in [*stages, exchange] if s.context} == {parent.trace_id}
    assert {s.parent.span_id for s in stages if s.parent} == {exchange.context.span_id}
    assert exchange.kind is SpanKind.SERVER
    assert len({s.context.span_id for s in [*stages, exchange] if s.context}) == 4


def test_without_a_client_s_trace_the_exchange_is_the_root() -> None:
    assert spans_of(outcomes.served(traceparent=""))[-1].parent is None


def test_every_endpoint_has_its_verdict_and_its_scores() -> None:
    picker = spans_of(outcomes.served(endpoints=16))[1]
    rows = [dict(event.attributes or {}) for event in picker.events]

    addresses = [f"10.0.0.{i}:8000" for i in range(1, 17)]

    assert picker.name == "picker on_request"
    assert sorted(str(row["endpoint"]) for row in rows) == sorted(addresses)
    for row in rows:
        if row["endpoint"] == "10.0.0.16:8000":
            assert row["dropped_by"] == "ready"
            assert "total" not in row
        else:
            scores = json.loads(str(row["scores"]))
            assert set(scores) == {"kv_free", "short_queue", "prefix"}
            assert row["total"] == sum(cell["weighted"] for cell in scores.values())
            assert row["metrics_age_s"] == 0.5


def test_who_prefills_and_who_encodes_stand_on_the_span_of_the_exchange() -> None:
    served, decision = outcomes.served(), outcomes.decision()
    beside = tuple(
        (role, changed(decision, chosen=f"10.0.0.{n}:8000"))
        for n, role in enumerate(("prefill", "encode"), 8)
    )
    run = structs.replace(served.runs[1], records=(changed(decision, beside=beside),))
    attributes = dict(spans_of(changed(served, runs=(run,)))[-1].attributes or {})

    assert attributes["headrace.prefill"] == "10.0.0.8:8000"
    assert attributes["headrace.encode"] == "10.0.0.9:8000"
    assert "headrace.prefill" not in (spans_of(served)[-1].attributes or {})


def test_prompts_and_queries_are_in_no_span() -> None:
    told = "".join(shown(s) for s in spans_of(outcomes.served()))

    assert outcomes.SECRET not in told
    assert "hidden" not in told


def test_failures_are_marked() -> None:
    failed = spans_of(outcomes.failed())
    ours = changed(outcomes.served(), status=503, reason=Reason.NO_ENDPOINTS)
    upstream = changed(outcomes.served(), status=502)

    assert failed[1].status.status_code is StatusCode.ERROR
    assert failed[1].status.description == "KeyError at stage.py:7"
    assert dict(failed[1].attributes or {})["headrace.road"] == "open"
    for outcome, error in ((ours, "no-endpoints"), (upstream, "502")):
        span = spans_of(outcome)[-1]
        assert span.status.status_code is StatusCode.ERROR
        assert dict(span.attributes or {})["error.type"] == error
    assert spans_of(outcomes.shed())[-1].status.status_code is StatusCode.UNSET


def test_what_is_no_call_is_named_an_exchange() -> None:
    assert spans_of(outcomes.failed())[-1].name == "exchange"
    assert spans_of(outcomes.unknown())[-1].name == "chat other"


def test_a_record_with_endpoints_that_are_no_rows_is_told_as_it_is() -> None:
    class Named:
        def as_json(self) -> dict[str, object]:
            return {"endpoints": ["a", "b"]}

    served = outcomes.served()
    runs = (structs.replace(served.runs[0], records=(Named(),)),)
    span = spans_of(changed(served, runs=runs))[0]

    assert dict(span.attributes or {})["headrace.named.endpoints"] == ["a", "b"]
