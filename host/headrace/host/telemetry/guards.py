"""What guards did, as counts, as a span's event and as a field of a log line. Never a text."""

from prometheus_client import CollectorRegistry

from headrace.extensions.records import Guarded
from headrace.host.telemetry import catalogue as c
from headrace.host.telemetry.describe import Attributes, text
from headrace.host.telemetry.series import OVERFLOW, SERIES_MAX, Labels, Spread, Told

GUARDS_MAX = 32  # in one log line: two for each guard of a policy


class GuardCounts:
    """The metrics of guards. Written and read in the event loop's thread.

    The names of guards are a policy's, and the rest are closed lists, so the series are bounded
    by the policies that a process has had; beyond `SERIES_MAX` all go to one called ``other``.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._runs: dict[Labels, float] = {}
        self._finds: dict[Labels, float] = {}
        self._inspected: dict[Labels, float] = {}
        self._delivered: dict[Labels, float] = {}
        Told(c.GUARDS, registry, self._runs.items)
        Told(c.GUARD_FINDS, registry, self._finds.items)
        Told(c.GUARD_INSPECTED, registry, self._inspected.items)
        Told(c.GUARD_DELIVERED, registry, self._delivered.items)
        self._seconds = Spread(c.GUARD_S, registry)

    def add(self, record: Guarded) -> None:
        """Count what one guard did in one direction of one exchange."""
        # Every exchange comes here, for each guard: no call that can be spared.
        runs, way = self._runs, (record.guard, record.direction)
        if len(runs) >= SERIES_MAX:
            way = (OVERFLOW, record.direction)
        run = (*way, record.state, record.reason)
        runs[run] = runs.get(run, 0.0) + 1.0
        inspected, delivered = self._inspected, self._delivered
        inspected[way] = inspected.get(way, 0.0) + record.inspected_bytes
        delivered[way] = delivered.get(way, 0.0) + record.delivered_bytes
        if record.findings:
            find = (*way, record.action)
            self._finds[find] = self._finds.get(find, 0.0) + 1.0
        if record.took_s > 0.0:
            self._seconds.see(record.took_s, *way)


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
