from pathlib import Path

from msgspec import structs
from prometheus_client import CollectorRegistry, generate_latest

from headrace.dsl.program import RuleFault
from headrace.extensions.picker.decision import Fault
from headrace.extensions.stage import Outcome
from headrace.host.telemetry.catalogue import CATALOGUE, DECISION_S, REQUESTS, TTFT_S
from headrace.host.telemetry.metric import Kind
from headrace.host.telemetry.metrics import Metrics
from headrace.host.telemetry.series import Counts, Spread
from headrace.host.telemetry.summary import summarise
from headrace.host.telemetry.twins.catalogue import TWINS
from tests import golden
from tests.extensions.body_router.policies import changed
from tests.host.telemetry import outcomes

TOLD = Path(__file__).parent / "told"


def text(metrics: Metrics) -> str:
    """Return all series of our own that have counted, without the times of creation."""
    lines = generate_latest(metrics.registry).decode().splitlines()
    own = [line for line in lines if "headrace_" in line and "_created" not in line]
    return "".join(f"{line}\n" for line in own)


def observe(metrics: Metrics, *seen: Outcome) -> None:
    for outcome in seen:
        metrics.observe(outcome, summarise(outcome))


def test_the_text_is_as_agreed() -> None:
    metrics = Metrics()
    observe(metrics, outcomes.served(), outcomes.shed(), outcomes.unknown(), outcomes.failed())

    told = text(metrics).splitlines(keepends=True)
    golden.check(TOLD / "metrics.txt", "".join(line for line in told if "_bucket{" not in line))


def test_a_bucket_holds_what_took_at_most_its_bound() -> None:
    metrics = Metrics()
    observe(metrics, outcomes.served())
    told = text(metrics)

    labels = 'model="chatbot",pool="gemma"'
    assert f'headrace_ttft_seconds_bucket{{le="0.2",{labels}}} 0.0' in told
    assert f'headrace_ttft_seconds_bucket{{le="0.4",{labels}}} 1.0' in told
    assert f'headrace_exchange_duration_seconds_bucket{{le="3.0",{labels}}} 1.0' in told


def test_a_transport_s_counts_are_kept() -> None:
    metrics = Metrics()
    metrics.opened()
    metrics.opened()
    metrics.closed("client-gone")
    metrics.received(1, 100)
    metrics.received(1, 20)
    metrics.sent(1, 7)
    metrics.ignored()
    metrics.aborted("UNAVAILABLE")
    metrics.bug("end")
    metrics.spans("exported", 4)
    metrics.log_lines_dropped(3)
    told = text(metrics).splitlines()

    for line in (
        "headrace_exchanges_active 1.0",
        'headrace_streams_total{termination="client-gone"} 1.0',
        'headrace_messages_total{direction="in"} 2.0',
        'headrace_message_bytes_total{direction="in"} 120.0',
        'headrace_message_bytes_total{direction="out"} 7.0',
        'headrace_messages_total{direction="ignored"} 1.0',
        'headrace_aborts_total{code="UNAVAILABLE"} 1.0',
        'headrace_bugs_total{where="end"} 1.0',
        'headrace_spans_total{result="exported"} 4.0',
        "headrace_log_lines_dropped_total 3.0",
    ):
        assert line in told


def test_the_catalogue_lists_every_metric_there_is() -> None:
    families = {family.name for family in Metrics().registry.collect()}
    families |= {"headrace_worker_up", "headrace_worker_restarts"}  # of who looks after workers
    families -= {m.name.removesuffix("_total") for twin in TWINS for m in twin.metrics}

    assert families == {metric.name.removesuffix("_total") for metric in CATALOGUE}
    for metric in CATALOGUE:
        assert metric.help.endswith(".")
        assert bool(metric.buckets) is (metric.kind is Kind.HISTOGRAM)
        assert metric.name.endswith("_total") is (metric.kind is Kind.COUNTER)


def test_a_caller_s_word_is_no_label() -> None:
    metrics = Metrics()
    observe(metrics, outcomes.unknown())

    assert "gpt-9" not in text(metrics)
    assert 'model="other"' in text(metrics)


def test_series_are_bounded() -> None:
    registry = CollectorRegistry()
    counts, spread = Counts(REQUESTS, registry, 8), Spread(TTFT_S, registry, 8)
    for i in range(108):
        counts.add(str(i), "p", "200", "")
        spread.see(1.0, str(i), "p")
    told = generate_latest(registry).decode()

    other = (
        'headrace_requests_total{model="other",pool="other",reason="other",status="other"} 100.0'
    )
    assert other in told
    assert 'headrace_ttft_seconds_count{model="other",pool="other"} 100.0' in told
    assert told.count("headrace_requests_total{") == 9


def test_a_clock_s_step_back_counts_as_no_time() -> None:
    registry = CollectorRegistry()
    Spread(DECISION_S, registry).see(-1.0)

    assert registry.get_sample_value("headrace_decision_seconds_sum") == 0.0
    assert registry.get_sample_value("headrace_decision_seconds_count") == 1.0


def test_faults_of_filters_and_conditions_are_counted_by_rule() -> None:
    decision = outcomes.decision()
    attempt = decision.attempts[0]
    step = attempt.steps[-1]
    broken = changed(step, column=(RuleFault("missing"),) * len(step.given))
    record = changed(decision.record, attempts=(changed(attempt, steps=(broken,)),))
    other = changed(
        decision,
        evidence=record,
        faulty=True,
        faults_before=(Fault("overloaded", "overflow"),),
    )
    served = outcomes.served()
    runs = (structs.replace(served.runs[1], records=(other,)),)
    metrics = Metrics()
    observe(metrics, changed(served, runs=runs))
    told = text(metrics)

    assert 'headrace_rule_errors_total{kind="missing",rule="alive"} 2.0' in told
    assert 'headrace_rule_errors_total{kind="overflow",rule="overloaded"} 1.0' in told


def test_faults_of_who_was_picked_beside_are_counted_too() -> None:
    beside = changed(outcomes.decision(), faults_before=(Fault("prefills", "missing"),))
    served = outcomes.served()
    record = changed(outcomes.decision(), beside=(("prefill", beside),))
    metrics = Metrics()
    observe(metrics, changed(served, runs=(structs.replace(served.runs[1], records=(record,)),)))

    assert 'headrace_rule_errors_total{kind="missing",rule="prefills"} 1.0' in text(metrics)
