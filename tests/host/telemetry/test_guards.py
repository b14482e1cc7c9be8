"""What guards did is told by metrics, spans, log lines and pages: never the text."""

import json

from prometheus_client import generate_latest

from headrace.extensions.reasons import Reason
from headrace.extensions.records import Guarded, Verdict
from headrace.extensions.stage import Outcome, StageRun
from headrace.host.explain.encode import encoded
from headrace.host.explain.page import page
from headrace.host.explain.tell import Teller, note
from headrace.host.telemetry.guards import GUARDS_MAX, audits, guard_event
from headrace.host.telemetry.log import Level, line
from headrace.host.telemetry.metrics import Metrics
from headrace.host.telemetry.summary import summarise
from tests.extensions.body_router.policies import changed
from tests.host.telemetry.outcomes import served

BLOCKED = Guarded(
    "armor",
    "response",
    "applied",
    action="block",
    findings=("toxic", "hate"),
    inspected_bytes=42,
    delivered_bytes=7,
    took_s=0.25,
    text_hash="ab" * 16,
)
OPEN = Guarded("rails", "prompt", "failed-open", "timeout")


def guarded(*records: object) -> Outcome:
    """Return an exchange in which guards said *records*."""
    run = StageRun("safety", "on_request", 10.0, 10.1, "continue", records=records)
    outcome = served()
    return changed(outcome, runs=(*outcome.runs, run), reason=Reason.SAFETY_BLOCKED, status=400)


def test_metrics_count_what_each_guard_did_by_closed_labels() -> None:
    metrics = Metrics()
    outcome = guarded(OPEN, BLOCKED)
    metrics.observe(outcome, summarise(outcome))
    told = generate_latest(metrics.registry).decode()

    for series in (
        'headrace_guard_runs_total{direction="response",guard="armor",reason="",'
        'state="applied"} 1.0',
        'headrace_guard_runs_total{direction="prompt",guard="rails",reason="timeout",'
        'state="failed-open"} 1.0',
        'headrace_guard_findings_total{action="block",direction="response",guard="armor"} 1.0',
        'headrace_guard_inspected_bytes_total{direction="response",guard="armor"} 42.0',
        'headrace_guard_delivered_bytes_total{direction="response",guard="armor"} 7.0',
        'headrace_guard_seconds_sum{direction="response",guard="armor"} 0.25',
    ):
        assert series in told


def test_a_log_line_has_a_record_of_each_verdict_without_the_text() -> None:
    outcome = guarded(OPEN, BLOCKED)
    found = json.loads(line(outcome, summarise(outcome), Level.INFO, 0.0, ""))["guards"]

    assert [(one["guard"], one["state"]) for one in found] == [
        ("rails", "failed-open"),
        ("armor", "applied"),
    ]
    assert found[1]["findings"] == ["toxic", "hate"]
    assert found[1]["text_hash"] == "ab" * 16
    assert "text" not in found[1]


def test_a_log_line_has_no_more_of_them_than_there_is_room_for() -> None:
    assert len(audits((OPEN,) * 100)) == GUARDS_MAX


def test_a_span_has_an_event_for_each_guard() -> None:
    told = guard_event(BLOCKED)

    assert told["headrace.guard.name"] == "armor"
    assert told["headrace.guard.findings"] == ["toxic", "hate"]
    assert told["headrace.guard.inspected_bytes"] == 42
    assert guard_event(OPEN)["headrace.guard.reason"] == "timeout"


def test_the_page_and_the_story_of_a_decision_show_each_guard() -> None:
    outcome = guarded(Verdict("armor", "toxic", "block"), OPEN, BLOCKED)
    story = Teller().tell(note(outcome))
    shown = page(story)

    assert "guard       rails: prompt failed-open (timeout)\n" in shown
    assert "armor: response applied, block: toxic, hate, 42 bytes judged, 7 went on" in shown
    assert b'"inspected_bytes":42' in encoded(story)
