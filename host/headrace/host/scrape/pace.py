"""When to scrape an endpoint again: often while it has work, seldom while it has none. Pure."""

from dataclasses import dataclass, field
from random import Random

from headrace.extensions.picker.snapshot import Endpoint, Snapshot
from headrace.host.scrape.options import ScrapeOptions
from headrace.host.scrape.target import Target

# Of `stale after`: a scrape may be lost, and the next one still comes in time.
_STALE_SHARE = 0.95 * 0.5
_EAGER = 4  # failures in a row that are followed up as if there were work


@dataclass(slots=True)
class Pace:
    """Spreads scrapes over time. Mutable: the scraper tells it how many there are.

    count  endpoints in all
    hot    those with work, as last counted
    """

    options: ScrapeOptions
    count: int = 0
    hot: int = 0
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(self.options.seed)  # noqa: S311 - spreads load, hides nothing

    @property
    def hot_s(self) -> float:
        """How long the interval of an endpoint with work is."""
        return max(self.options.hot_s, self.hot / self.options.rate_max)

    def interval_s(self, target: Target, endpoint: Endpoint | None, last_s: float) -> float:
        """Return how long to wait; with jitter always less than half of `stale after`."""
        longest_s = _STALE_SHARE * target.stale_after_s / (1 + self.options.jitter_ratio)
        hot_s = self.hot_s
        eager = endpoint is not None and (is_hot(endpoint) or 0 < endpoint.failures <= _EAGER)
        wanted_s = hot_s if eager else max(hot_s, last_s * self.options.growth)
        return min(wanted_s, max(hot_s, self.options.idle_s), longest_s)

    def due_s(self, began_s: float, interval_s: float) -> float:
        """Return when to scrape again what was scraped at *began_s*, on the beat before it.

        A scrape that follows others finds code and data in the caches, which halves its cost.
        """
        options = self.options
        due_s = began_s + interval_s * (1 + self.jitter())
        beat_s = interval_s * min(0.25, options.together / max(1, self.count))
        return due_s - due_s % min(options.beat_s, beat_s)

    def jitter(self) -> float:
        """Return by which share to vary an interval, this time."""
        return self.options.jitter_ratio * (2 * self._random.random() - 1)

    def working(self, snapshot: Snapshot) -> set[tuple[str, str]]:
        """Return pool and address of the endpoints with work of ours, and count the hot ones."""
        hot = 0
        ours: set[tuple[str, str]] = set()
        for name, pool in snapshot.pools.items():
            for e in pool.endpoints:
                if e.in_flight:
                    ours.add((name, e.address))
                hot += is_hot(e)
        self.hot = hot
        return ours


def is_hot(endpoint: Endpoint) -> bool:
    """Return whether there is work at *endpoint*, ours or another's."""
    return bool(endpoint.in_flight or endpoint.running or endpoint.waiting_scraped)
