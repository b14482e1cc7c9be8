"""When to scrape an endpoint again: after every pick, else now and then. Pure.

What we send an endpoint we count ourselves, so that its own figures are needed no more often
than requests go there: at three a second, three scrapes a second. Where requests wait, ours or
the server's own, decisions hang on its figures, and it is followed as closely as may be.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from random import Random

from msgspec import Struct

from headrace.extensions.picker.snapshot import Endpoint, Snapshot
from headrace.host.scrape.options import ScrapeOptions
from headrace.host.scrape.target import Target

# Of `stale after`: a scrape may be lost, and the next one still comes in time.
_STALE_SHARE = 0.95 * 0.5
_EAGER = 4  # failures in a row that are followed up as if there were work


Key = tuple[str, str]  # pool and address


class Rest(Struct, frozen=True):
    """An endpoint between two scrapes: when the last began, and when the next one is due."""

    began_s: float
    due_s: float


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
        """How long the interval of an endpoint is at least."""
        return max(self.options.hot_s, self.hot / self.options.rate_max)

    def interval_s(self, target: Target, endpoint: Endpoint | None, last_s: float) -> float:
        """Return how long to wait; with jitter always less than half of `stale after`."""
        longest_s = _STALE_SHARE * target.stale_after_s / (1 + self.options.jitter_ratio)
        hot_s = self.hot_s
        wanted_s = max(hot_s, last_s * self.options.growth)
        if endpoint is not None and is_hot(endpoint):
            wanted_s = max(hot_s, self.options.warm_s)
        if endpoint is not None and (endpoint.waiting_scraped or 0 < endpoint.failures <= _EAGER):
            wanted_s = hot_s
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

    def asked(self, snapshot: Snapshot, crowded: Container[str]) -> set[Key]:
        """Return the endpoints that were sent requests since their scrape, and count the hot ones.

        Of the pools that are *crowded*, where requests wait for a place, all that are ready.
        """
        hot = 0
        found: set[Key] = set()
        for name, pool in snapshot.pools.items():
            waits = name in crowded
            for e in pool.endpoints:
                if (waits and e.ready) or (e.in_flight and e.unseen):
                    found.add((name, e.address))
                hot += is_hot(e)
        self.hot = hot
        return found

    def due(self, asked: set[Key], resting: Mapping[Key, Rest], now_s: float) -> list[Key]:
        """Return which of those *asked* to scrape now of those *resting*: the longest ago first.

        Some at once at most: the others come the next time.
        """
        # Half a beat early is nearer than half a beat late.
        before_s = now_s - self.hot_s + self.options.beat_s / 2
        due_s = now_s + self.options.beat_s
        found = [
            key
            for key in asked & resting.keys()
            if resting[key].began_s <= before_s and resting[key].due_s > due_s
        ]
        found.sort(key=lambda key: resting[key].began_s)
        return found[: self.options.together]


def is_hot(endpoint: Endpoint) -> bool:
    """Return whether there is work at *endpoint*, ours or another's."""
    return bool(endpoint.in_flight or endpoint.running or endpoint.waiting_scraped)
