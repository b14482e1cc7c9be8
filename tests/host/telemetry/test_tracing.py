"""`trace` of a policy, from its text to the spans that are sent."""

from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.dsl.unperformed import unperformed
from headrace.extensions.headers import Headers
from headrace.extensions.stage import Outcome
from headrace.host.telemetry.describe import TEXT_CHARS_MAX
from headrace.host.telemetry.export import Exporter
from headrace.host.telemetry.telemetry import Telemetry
from headrace.host.telemetry.trace_context import Sampler
from headrace.host.telemetry.tracing import Tracing
from tests.extensions.body_router.policies import changed
from tests.host.telemetry import outcomes

UNSAMPLED = outcomes.TRACEPARENT.removesuffix("1") + "0"


def policy(trace: str) -> Program:
    """Return a policy with *trace*."""
    text = f"""sched 1
        pool gemma {{ endpoints "10.0.0.1:8000" }}
        model chatbot {{ route gemma }}
        trace {{ {trace} }}
        """
    program = compile_policy([Source("t.sched", text)])
    assert not unperformed(program)
    return program


def told(*exchanges: Outcome) -> tuple[Sequence[ReadableSpan], Telemetry]:
    """Return the spans of the exchanges themselves, and the telemetry that made them."""
    memory = InMemorySpanExporter()
    telemetry = Telemetry(0.0, exporter=Exporter(memory, lambda result, count: None))
    for outcome in exchanges:
        telemetry.report(outcome)
    assert telemetry.close(5.0)
    spans = [s for s in memory.get_finished_spans() if s.attributes]
    return [s for s in spans if "headrace.request.id" in (s.attributes or {})], telemetry


def errors(telemetry: Telemetry, rule: str, kind: str) -> float:
    labels = {"rule": rule, "kind": kind}
    name = "headrace_rule_errors_total"
    return telemetry.metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(
    ("trace", "traceparent", "kept"),
    [
        ("sample 100%", "", 1),
        ("sample 0%", "", 0),
        ("sample 0%", outcomes.TRACEPARENT, 1),
        ("sample 100%", UNSAMPLED, 0),
        ("always when response.status == 200", UNSAMPLED, 1),
        ("sample 0%  always when response.status == 200", "", 1),
        ("sample 0%  always when response.status >= 500", "", 0),
        ("sample 0%  always when decision.endpoint == '10.0.0.1:8000'", "", 1),
        ("sample 0%  always when response.headers[?'x-a'].orValue('') == 'b'", "", 1),
        ("sample 0%  always when request.header(':method') == 'POST'", "", 1),
        ("sample 0%  always when has(response.ttft) && response.ttft > 10s", "", 0),
    ],
)
def test_the_caller_goes_before_the_sample_and_always_before_both(
    trace: str, traceparent: str, kept: int
) -> None:
    outcome = changed(
        outcomes.served(traceparent=traceparent),
        program=policy(trace),
        response_headers=Headers((("x-a", "b"),)),
    )

    assert len(told(outcome)[0]) == kept


def test_a_share_of_the_exchanges_is_kept_and_the_same_ones_again() -> None:
    program = policy("sample 25%")

    def of(run: int) -> list[object]:
        made = outcomes.served(traceparent="")
        many = [
            changed(made, program=program, request=changed(made.request, id=f"r-{i}"), runs=())
            for i in range(400)
        ]
        return [(s.attributes or {})["headrace.request.id"] for s in told(*many)[0]]

    first = of(1)
    assert first == of(2)
    assert 60 < len(first) < 140


def test_attributes_are_typed_bounded_and_beside_our_own() -> None:
    trace = """attribute tenant = request.header("x-tenant")
        attribute reason = "theirs"
        attribute took = response.duration
        attribute big = response.size > 4KB
        attribute tokens = request.prompt_tokens
        attribute empty = decision.guard
        """
    made = outcomes.served()
    headers = Headers((("x-tenant", "a" * 5000),))
    outcome = changed(made, program=policy(trace), request=changed(made.request, headers=headers))
    (span,), _ = told(outcome)
    found = {k.rpartition(".")[2]: v for k, v in (span.attributes or {}).items() if ".attrib" in k}

    assert found == {
        "tenant": "a" * TEXT_CHARS_MAX + "...",
        "reason": "theirs",
        "took": 2.5,
        "big": True,
        "tokens": 3,
    }
    assert "headrace.reason" not in (span.attributes or {})


def test_rules_that_fail_are_counted_and_named_and_keep_nothing() -> None:
    failing = "response.size / decision.status > 0"
    trace = f"sample 0%  always when {failing}"
    nothing, telemetry = told(changed(outcomes.served(traceparent=""), program=policy(trace)))
    trace = f"sample 100%  attribute a = response.size / decision.status  always when {failing}"
    (span,), both = told(changed(outcomes.served(traceparent=""), program=policy(trace)))

    assert not nothing
    assert errors(telemetry, "trace always", "division-by-zero") == 1.0
    assert errors(both, "trace attribute a", "division-by-zero") == 1.0
    assert errors(both, "trace always", "division-by-zero") == 0.0  # the sample keeps it
    attributes = span.attributes or {}
    assert attributes["headrace.trace.errors"] == ["trace attribute a: division-by-zero"]
    assert "headrace.attribute.a" not in attributes


def test_what_was_shed_is_kept_with_the_condition_and_what_the_client_was_told() -> None:
    trace = """sample 0%  always when decision.shed
        attribute told = decision.message  attribute later = decision.retry_after"""
    outcome = changed(
        outcomes.shed(), program=policy(trace), message="try again", retry_after_s=1.5
    )
    (span,), _ = told(outcome)
    attributes = span.attributes or {}

    assert attributes["headrace.trace.always"] == "decision.shed"
    assert attributes["headrace.attribute.told"] == "try again"
    assert attributes["headrace.attribute.later"] == 1.5


def test_without_an_exporter_no_rule_is_asked() -> None:
    telemetry = Telemetry(0.0)
    program = policy("always when response.size / decision.status > 0")
    telemetry.report(changed(outcomes.served(), program=program))

    assert errors(telemetry, "trace always", "division-by-zero") == 0.0


def test_the_rules_after_the_first_that_holds_are_not_asked() -> None:
    program = policy("always when true  always when response.size / decision.status > 0")
    tracing = Tracing(program, outcomes.served())

    assert tracing.always() == "true"
    assert not tracing.errors


def announced(parent: str, ratio: float | None = None) -> tuple[str, Telemetry]:
    """Return what telemetry that sends spans announces upstream for a request with *parent*."""
    exporter = Exporter(InMemorySpanExporter(), lambda result, count: None)
    telemetry = Telemetry(0.0, exporter=exporter, sampler=Sampler(0.0))
    return telemetry.announce(parent, "r-0", ratio), telemetry


@pytest.mark.parametrize(
    ("parent", "ratio", "sent"),
    [
        (outcomes.TRACEPARENT, None, True),
        (outcomes.TRACEPARENT, 0.0, True),
        (UNSAMPLED, 1.0, False),
        ("", None, False),
        ("", 1.0, True),
        ("no traceparent", 1.0, True),
    ],
)
def test_only_a_span_that_is_certain_is_announced(
    parent: str, ratio: float | None, sent: bool
) -> None:
    said, telemetry = announced(parent, ratio)
    telemetry.close(5.0)

    assert bool(said) is sent
    if sent and parent == outcomes.TRACEPARENT:
        assert said[:35] == parent[:35]
        assert said != parent


def test_nothing_is_announced_where_no_spans_are_sent() -> None:
    assert Telemetry(0.0).announce(outcomes.TRACEPARENT, "r-0", 1.0) == ""


def test_the_span_that_was_announced_is_the_one_that_is_sent() -> None:
    ours = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
    (span,), _ = told(changed(outcomes.served(), announced=ours))
    context = span.get_span_context()

    assert context is not None
    assert f"{context.trace_id:032x}-{context.span_id:016x}" == ours[3:52]
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == outcomes.TRACEPARENT[36:52]
