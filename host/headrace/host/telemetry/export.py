"""Bring spans to an OTLP receiver: from a thread, bounded, and never at the cost of serving."""

import threading
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

PATH = "/v1/traces"
SPANS_WAITING_MAX = 8192
BATCH_SPANS_MAX = 512
PAUSE_MS = 500.0
TIMEOUT_S = 5.0

Counted = Callable[[str, int], None]


def traces_url(base: str) -> str:
    """Return where to send traces: *base* with the path of traces, unless it has a path.

    Raises:
        ValueError: *base* is no http or https URL.
    """
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"`{base}` is no OTLP/HTTP URL; give one like http://127.0.0.1:4318")
    if parts.path in ("", "/"):
        return parts._replace(path=PATH).geturl()
    return base


class Exporter:
    """Queues spans for a receiver. `send` is called from the event loop's thread only.

    counted   told how many spans were ``exported``, ``failed`` or ``dropped``; the first
              two from the exporter's thread
    """

    def __init__(self, target: SpanExporter, counted: Counted) -> None:
        self._counted = counted
        self._lock = threading.Lock()
        self._waiting = 0
        self._processor = BatchSpanProcessor(
            _Watched(target, self._done),
            max_queue_size=SPANS_WAITING_MAX,
            schedule_delay_millis=PAUSE_MS,
            max_export_batch_size=BATCH_SPANS_MAX,
        )

    def send(self, spans: Sequence[ReadableSpan]) -> None:
        """Queue the *spans* of one exchange, all or none of them."""
        with self._lock:
            fits = self._waiting + len(spans) <= SPANS_WAITING_MAX
            if fits:
                self._waiting += len(spans)
        if not fits:
            self._counted("dropped", len(spans))
            return
        for span in spans:
            self._processor.on_end(span)

    def close(self, timeout_s: float) -> bool:
        """Send what waits, for at most *timeout_s*; return whether that was enough."""
        # The SDK's own shutdown may wait for half a minute and takes no bound.
        closer = threading.Thread(target=self._processor.shutdown, daemon=True)
        closer.start()
        closer.join(timeout_s)
        return not closer.is_alive()

    def _done(self, count: int, exported: bool) -> None:
        with self._lock:
            self._waiting -= count
        self._counted("exported" if exported else "failed", count)


class _Watched(SpanExporter):
    """An exporter that tells how each batch went."""

    def __init__(self, target: SpanExporter, done: Callable[[int, bool], None]) -> None:
        self._target = target
        self._done = done

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._target.export(spans)
        finally:
            self._done(len(spans), result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        self._target.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._target.force_flush(timeout_millis)


def otlp(url: str, counted: Counted, timeout_s: float = TIMEOUT_S) -> Exporter:
    """Return an exporter to the OTLP/HTTP receiver at *url*.

    timeout_s   after which a batch is given up, its retries included

    Raises:
        ValueError: *url* is no http or https URL.
    """
    return Exporter(OTLPSpanExporter(traces_url(url), timeout=timeout_s), counted)
