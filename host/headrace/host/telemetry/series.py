"""Label values to series, bounded, and as cheap to count in as a dict.

prometheus_client's own counters and histograms are objects with locks, which cost more per
exchange than all else that is told of it. Here a series is a number in a dict; what
prometheus_client sees of it is made when somebody reads the metrics.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, islice
from threading import Lock

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from headrace.host.telemetry.metric import Kind, Metric

SERIES_MAX = 4096
OVERFLOW = "other"
INFINITE = "+Inf"

Labels = tuple[str, ...]


class Counts(Collector):
    """The series of one counter. Written from any thread."""

    def __init__(
        self, metric: Metric, registry: CollectorRegistry, series_max: int = SERIES_MAX
    ) -> None:
        assert metric.kind is Kind.COUNTER, metric.name
        self._metric = metric
        self._max = series_max
        self._lock = Lock()
        self._totals: dict[Labels, float] = {}
        self._created_s: dict[Labels, float] = {}
        if not metric.labels:
            self.add(by=0.0)
        registry.register(self)

    def add(self, *labels: str, by: float = 1.0) -> None:
        """Add *by* to the series of *labels*; beyond the bound all go to one called ``other``."""
        totals = self._totals
        with self._lock:
            if labels in totals:
                totals[labels] += by
            else:
                labels = _bounded(labels, len(totals), self._max)
                self._created_s.setdefault(labels, time.time())
                totals[labels] = totals.get(labels, 0.0) + by

    def items(self) -> Iterable[tuple[Labels, float]]:
        """Return what was counted, by label values, for whoever tells it in another way."""
        with self._lock:
            return list(self._totals.items())

    def collect(self) -> Iterator[Family]:
        """Yield the counter for whoever reads the metrics."""
        metric = self._metric
        name = metric.name.removesuffix("_total")
        family = Family(name, metric.help, "counter")
        for labels, total in self.items():
            named = _named(metric, labels)
            family.add_sample(f"{name}_total", named, total)
            family.add_sample(f"{name}_created", named, self._created_s[labels])
        yield family


class Told(Collector):
    """The series of a counter or a gauge that somebody else counts. Read in the loop's thread."""

    def __init__(
        self,
        metric: Metric,
        registry: CollectorRegistry,
        told: Callable[[], Iterable[tuple[Labels, float]]],
    ) -> None:
        self._metric = metric
        self._told = told
        registry.register(self)

    def collect(self) -> Iterator[Family]:
        """Yield what is told for whoever reads the metrics."""
        metric = self._metric
        counter = metric.kind is Kind.COUNTER
        name = metric.name.removesuffix("_total")
        family = Family(name, metric.help, metric.kind.value)
        for labels, value in self._told():
            named = _named(metric, labels)
            family.add_sample(f"{name}_total" if counter else name, named, value)
        yield family


class Spread(Collector):
    """The series of one histogram. Written and read from the event loop's thread."""

    def __init__(
        self, metric: Metric, registry: CollectorRegistry, series_max: int = SERIES_MAX
    ) -> None:
        assert metric.kind is Kind.HISTOGRAM, metric.name
        self._metric = metric
        self._max = series_max
        self._series: dict[Labels, Bins] = {}
        self._bounds = metric.buckets
        if not metric.labels:
            self._series[()] = Bins(self._bounds)
        registry.register(self)

    def see(self, value: float, *labels: str) -> None:
        """Count *value* in the series of *labels*; beyond the bound, in the one called ``other``.

        A clock's small step back counts as no time at all.
        """
        self.see_each(((value, labels),))

    def see_each(self, seen: Iterable[tuple[float, Labels]]) -> None:
        """Count several values, each in the series of its labels, as `see` does."""
        known, bounds = self._series, self._bounds
        for value, labels in seen:
            series = known.get(labels)
            if series is None:
                kept = _bounded(labels, len(known), self._max)
                series = known.setdefault(kept, Bins(bounds))
            if value < 0.0:
                value = 0.0
            series.counts[bisect_left(bounds, value)] += 1
            series.total += value

    def items(self) -> Iterable[tuple[Labels, "Bins"]]:
        """Return what was counted, by label values, for whoever tells it in another way."""
        return self._series.items()

    def collect(self) -> Iterator[Family]:
        """Yield the histogram for whoever reads the metrics."""
        metric = self._metric
        family = Family(metric.name, metric.help, "histogram")
        for labels, bins in self._series.items():
            add_bins(family, metric, labels, bins)
        yield family


class Levels(Collector):
    """The series of a gauge that somebody else knows. Read from the event loop's thread.

    *read* yields the label values and the value of each series; the first `SERIES_MAX` count.
    """

    def __init__(
        self,
        metric: Metric,
        registry: CollectorRegistry,
        read: Callable[[], Iterable[tuple[Labels, float]]],
    ) -> None:
        assert metric.kind is Kind.GAUGE, metric.name
        self._metric = metric
        self._read = read
        registry.register(self)

    def collect(self) -> Iterator[Family]:
        """Yield the gauge for whoever reads the metrics."""
        family = Family(self._metric.name, self._metric.help, "gauge")
        for labels, value in islice(self._read(), SERIES_MAX):
            family.add_sample(self._metric.name, _named(self._metric, labels), value)
        yield family


class Bins:
    """One series of a histogram. Written by who counts in it.

    counts  how many values lay in each bucket and in no lower one; the last is beyond all bounds
    """

    __slots__ = ("counts", "created_s", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.created_s = time.time()


def add_bins(family: Family, metric: Metric, labels: Labels, bins: Bins) -> None:
    """Add the samples of one series of a histogram to *family*."""
    named = _named(metric, labels)
    below = list(accumulate(bins.counts))
    words = [*(repr(float(bound)) for bound in metric.buckets), INFINITE]
    for word, count in zip(words, below, strict=True):
        family.add_sample(f"{metric.name}_bucket", {**named, "le": word}, count)
    family.add_sample(f"{metric.name}_count", named, below[-1])
    family.add_sample(f"{metric.name}_sum", named, bins.total)
    family.add_sample(f"{metric.name}_created", named, bins.created_s)


def gauge(metric: Metric, registry: CollectorRegistry) -> Gauge:
    """Return the gauge *metric*, which has no labels."""
    assert metric.kind is Kind.GAUGE, metric.name
    assert not metric.labels, metric.name
    return Gauge(metric.name, metric.help, registry=registry)


def _bounded(labels: Labels, count: int, count_max: int) -> Labels:
    """Return the labels of a new series: *labels* if there is room for one more."""
    return labels if count < count_max else (OVERFLOW,) * len(labels)


def _named(metric: Metric, labels: Labels) -> dict[str, str]:
    return dict(zip(metric.labels, labels, strict=True))
