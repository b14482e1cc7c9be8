"""What the parts of a host count, from before there is anything to count it in."""

from headrace.extensions.picker.flow.waiter import How
from headrace.host.telemetry.metrics import Metrics


class Tally:
    """Counts in *metrics*, once there are any. Written by whoever opens them, once."""

    def __init__(self) -> None:
        self.metrics: Metrics | None = None

    def cluster_request(self, resource: str, result: str) -> None:
        """Count a list or a watch that has ended: the cluster's `Counts`."""
        if self.metrics is not None:
            self.metrics.cluster_request(resource, result)

    def cluster_ignored(self, resource: str, reason: str) -> None:
        """Count an object of the cluster that has no effect: the cluster's `Counts`."""
        if self.metrics is not None:
            self.metrics.cluster_ignored(resource, reason)

    def cluster_written(self, resource: str, result: str) -> None:
        """Count a status or an Event that was written, or not: the writer's `Counts`."""
        if self.metrics is not None:
            self.metrics.cluster_written(resource, result)

    def scraped(self, pool: str, endpoint: str, wall_s: float, ok: bool) -> None:
        """Count one scrape: the scraper's `Counts`."""
        if self.metrics is not None:
            self.metrics.scraped(pool, endpoint, wall_s, ok)

    def kv_events(self, pool: str, result: str, count: int) -> None:
        """Count what servers report of their caches: the listener's `Counts`."""
        if self.metrics is not None:
            self.metrics.kv_events(pool, result, count)

    def waited(self, pool: str, how: How, waited_s: float) -> None:
        """Count one wait in a queue: the usher's."""
        if self.metrics is not None:
            self.metrics.waited(pool, how.value, waited_s)

    def soaked(self, kind: str) -> None:
        """Count one verdict of a soak, by its kind."""
        if self.metrics is not None:
            self.metrics.soaked(kind)
