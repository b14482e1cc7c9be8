"""What guards did, as counts, as a span's event and as a field of a log line. Never a text."""

from prometheus_client import CollectorRegistry

from headrace.extensions.records import Guarded
from headrace.host.telemetry import catalogue as c
from headrace.host.telemetry.describe import Attributes, text
from headrace.host.telemetry.series import Counts, Spread

GUARDS_MAX = 32  # in one log line: two for each guard of a policy


class GuardCounts:
    """The metrics of guards. Written from the event loop's thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._runs = Counts(c.GUARDS, registry)
        self._finds = Counts(c.GUARD_FINDS, registry)
        self._inspected = Counts(c.GUARD_INSPECTED, registry)
        self._delivered = Counts(c.GUARD_DELIVERED, registry)
        self._seconds = Spread(c.GUARD_S, registry)

    def add(self, record: Guarded) -> None:
        """Count what one guard did in one direction of one exchange."""
        guard, direction = record.guard, record.direction
        self._runs.add(guard, direction, record.state, record.reason)
        if record.findings:
            self._finds.add(guard, direction, record.action)
        if record.inspected_bytes:
            self._inspected.add(guard, direction, by=record.inspected_bytes)
        if record.delivered_bytes:
            self._delivered.add(guard, direction, by=record.delivered_bytes)
        if record.took_s > 0.0:
            self._seconds.see(record.took_s, guard, direction)


def guard_event(record: Guarded) -> Attributes:
    """Return the attributes of the event `guard` on the span of the run that *record* is of."""
    found: Attributes = {
        "headrace.guard.name": text(record.guard),
        "headrace.guard.direction": record.direction,
        "headrace.guard.state": record.state,
        "headrace.guard.inspected_bytes": record.inspected_bytes,
        "headrace.guard.delivered_bytes": record.delivered_bytes,
    }
    if record.reason:
        found["headrace.guard.reason"] = record.reason
    if record.findings:
        found["headrace.guard.action"] = record.action
        found["headrace.guard.findings"] = [text(word) for word in record.findings]
    if record.took_s > 0.0:
        found["headrace.guard.took_s"] = record.took_s
    if record.text_hash:
        found["headrace.guard.text_hash"] = record.text_hash
    return found


def audits(records: tuple[Guarded, ...]) -> list[dict[str, object]]:
    """Return *records* as a log line has them: what was decided, on a text of which hash."""
    return [
        {
            "guard": record.guard,
            "direction": record.direction,
            "state": record.state,
            "reason": record.reason,
            "action": record.action,
            "findings": [text(word) for word in record.findings],
            "inspected_bytes": record.inspected_bytes,
            "delivered_bytes": record.delivered_bytes,
            "text_hash": record.text_hash,
        }
        for record in records[:GUARDS_MAX]
    ]
