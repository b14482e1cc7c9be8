"""Build the telemetry that the operator asked for."""

import time
from dataclasses import dataclass

from headrace.host.telemetry.export import otlp
from headrace.host.telemetry.lines import LineWriter
from headrace.host.telemetry.log import Level
from headrace.host.telemetry.metrics import Metrics
from headrace.host.telemetry.telemetry import Telemetry
from headrace.host.telemetry.trace_context import Sampler

STDERR = 2


@dataclass(frozen=True, slots=True)
class TelemetryOptions:
    """What to tell and where.

    otlp          URL of an OTLP/HTTP receiver; empty: no spans are made
    sample_ratio  0..1 of the traces that begin here; a client's decision goes before
    log_fd        file descriptor for log lines; None: none are written
    worker        which worker of several we are, from 1; 0: the only one
    """

    otlp: str = ""
    sample_ratio: float = 1.0
    level: Level = Level.INFO
    log_fd: int | None = STDERR
    worker: int = 0


def open_telemetry(options: TelemetryOptions, now_s: float) -> Telemetry:
    """Return telemetry that runs; close it.

    now_s   what the monotonic clock of the outcomes shows now

    Raises:
        ValueError: the URL or the ratio is not valid.
    """
    if not 0.0 <= options.sample_ratio <= 1.0:
        raise ValueError(f"sample ratio `{options.sample_ratio}` is not within 0 and 1")
    metrics = Metrics()
    lines = None
    exporter = otlp(options.otlp, metrics.spans) if options.otlp else None
    if options.log_fd is not None:
        lines = LineWriter(options.log_fd, metrics.log_lines_dropped, worker=options.worker)
        lines.start()
    return Telemetry(
        epoch_s=time.time() - now_s,
        metrics=metrics,
        lines=lines,
        level=options.level,
        exporter=exporter,
        sampler=Sampler(options.sample_ratio),
    )
