import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest
from msgspec import structs

from headrace.extensions.picker.stage import Served
from headrace.extensions.stage import Outcome
from headrace.host.telemetry.log import Level
from headrace.host.telemetry.open import TelemetryOptions, open_telemetry
from headrace.host.telemetry.telemetry import Telemetry
from tests.extensions.body_router.policies import changed
from tests.host.telemetry import outcomes


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_an_exchange_is_counted_logged_and_kept(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    telemetry = open_telemetry(TelemetryOptions(log_fd=writer), now_s=12.5)
    telemetry.report(outcomes.served())
    assert telemetry.close(5.0)
    line = msgspec.json.decode(os.read(reader, 1 << 16))

    assert line["trace_id"] == outcomes.TRACEPARENT.split("-")[1]
    assert line["endpoint"] == "10.0.0.1:8000"
    found = telemetry.ring.decided()
    assert found is not None
    assert found[1].chosen == "10.0.0.1:8000"
    labels = {"pool": "gemma", "endpoint": "10.0.0.1:8000"}
    assert telemetry.metrics.registry.get_sample_value("headrace_picks_total", labels) == 1.0


def test_lines_below_the_level_are_not_written(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    options = TelemetryOptions(log_fd=writer, level=Level.WARNING)
    telemetry = open_telemetry(options, now_s=0.0)
    telemetry.report(outcomes.served())
    telemetry.report(outcomes.shed())
    assert telemetry.close(5.0)

    assert os.read(reader, 1 << 16).count(b"\n") == 1


def test_an_outcome_that_cannot_be_told_is_a_counted_bug(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Telemetry(0.0)
    telemetry.report(cast(Outcome, SimpleNamespace(request=None)))

    assert (
        telemetry.metrics.registry.get_sample_value("headrace_bugs_total", {"where": "telemetry"})
        == 1.0
    )
    assert "telemetry failed on an outcome: AttributeError" in caplog.text


def test_where_the_proxy_went_goes_before_where_it_was_sent() -> None:
    served = outcomes.served()
    moved = structs.replace(
        served.runs[1],
        hook="on_response_headers",
        records=(Served("gemma", "10.0.0.1:8000", "10.0.0.2:8000"),),
    )
    telemetry = Telemetry(0.0)
    telemetry.report(changed(served, runs=(*served.runs, moved)))

    labels = {"pool": "gemma", "endpoint": "10.0.0.2:8000"}
    assert telemetry.metrics.registry.get_sample_value("headrace_picks_total", labels) == 1.0


@pytest.mark.parametrize(
    "options",
    [TelemetryOptions(sample_ratio=1.5), TelemetryOptions(otlp="localhost:4318")],
)
def test_bad_options_are_refused(options: TelemetryOptions) -> None:
    with pytest.raises(ValueError, match="is no"):
        open_telemetry(options, 0.0)


def test_with_a_receiver_spans_are_made() -> None:
    options = TelemetryOptions(otlp="http://127.0.0.1:9", log_fd=None)
    telemetry = open_telemetry(options, 0.0)

    assert telemetry.exporter is not None
    assert telemetry.lines is None
    assert telemetry.close(5.0)
