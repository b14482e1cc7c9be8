"""What somebody counts, told under several names; a name with fewer labels tells the sums.

Nothing is kept here: the sums are made when somebody reads the metrics.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from headrace.host.telemetry.metric import Kind
from headrace.host.telemetry.series import SERIES_MAX, Bins, Labels, add_bins
from headrace.host.telemetry.twins.catalogue import Twin

Valued = Callable[[], Iterable[tuple[Labels, float]]]
Binned = Callable[[], Iterable[tuple[Labels, Bins]]]


class TwinValues(Collector):
    """The counters or gauges of one twin. Read from the event loop's thread.

    read  yields a value for each series, by the twin's keys; the first `SERIES_MAX` count
    """

    def __init__(self, twin: Twin, registry: CollectorRegistry, read: Valued) -> None:
        self._twin = twin
        self._read = read
        registry.register(self)

    def collect(self) -> Iterator[Family]:
        """Yield a family for each name."""
        found = list(islice(self._read(), SERIES_MAX))
        for metric in self._twin.metrics:
            places = self._twin.places(metric)
            sums: dict[Labels, float] = {}
            for keys, value in found:
                labels = tuple([keys[place] for place in places])
                sums[labels] = sums.get(labels, 0.0) + value
            counter = metric.kind is Kind.COUNTER
            name = metric.name.removesuffix("_total") if counter else metric.name
            family = Family(name, metric.help, metric.kind.value)
            for labels, value in sums.items():
                named = dict(zip(metric.labels, labels, strict=True))
                family.add_sample(metric.name, named, value)
            yield family


class TwinSpreads(Collector):
    """The histograms of one twin. Read from the event loop's thread.

    read  yields each series with the twin's buckets, by the twin's keys; the first `SERIES_MAX`
          count
    """

    def __init__(self, twin: Twin, registry: CollectorRegistry, read: Binned) -> None:
        assert twin.buckets, twin.metrics[0].name
        self._twin = twin
        self._read = read
        registry.register(self)

    def collect(self) -> Iterator[Family]:
        """Yield a family for each name."""
        found = list(islice(self._read(), SERIES_MAX))
        for metric in self._twin.metrics:
            places = self._twin.places(metric)
            sums: dict[Labels, Bins] = {}
            for keys, bins in found:
                labels = tuple([keys[place] for place in places])
                if labels not in sums:
                    sums[labels] = Bins(metric.buckets)
                _add(sums[labels], bins)
            family = Family(metric.name, metric.help, "histogram")
            for labels, bins in sums.items():
                add_bins(family, metric, labels, bins)
            yield family


def coarser(bins: Bins, bounds: tuple[float, ...], wanted: tuple[float, ...]) -> Bins:
    """Return *bins*, counted by *bounds*, as they are by the *wanted* ones, a part of those."""
    made = Bins(wanted)
    place = 0
    for bound, count in zip(bounds, bins.counts, strict=False):
        while place < len(wanted) and bound > wanted[place]:
            place += 1
        made.counts[place] += count
    made.counts[-1] += bins.counts[-1]
    made.total, made.created_s = bins.total, bins.created_s
    return made


def _add(to: Bins, bins: Bins) -> None:
    to.counts = [have + more for have, more in zip(to.counts, bins.counts, strict=True)]
    to.total += bins.total
    to.created_s = min(to.created_s, bins.created_s)
