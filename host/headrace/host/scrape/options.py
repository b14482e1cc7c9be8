"""How often and how much is scraped, and what a host may want to count of it."""

from dataclasses import dataclass
from typing import Protocol


class Counts(Protocol):
    """What a host may want to count."""

    def scraped(self, pool: str, endpoint: str, wall_s: float, ok: bool) -> None:
        """Note that one scrape has ended, after *wall_s*."""
        ...


class NoCounts:
    """Counts nothing."""

    def scraped(self, pool: str, endpoint: str, wall_s: float, ok: bool) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class ScrapeOptions:
    """How often and how much.

    hot_s, warm_s, idle_s  between the starts of two scrapes of an endpoint: at least, while
                   requests go there or wait; with work that goes on; and without any. Less where
                   the pool's `stale after` asks for it
    rate_max       scrapes a second of all endpoints with work together: with more of them,
                   each waits longer, and our own counts fill the gap; `stale after` goes before
    beat_s         apart are the moments at which scrapes begin, so that some begin together
    together       scrapes that begin at one moment, on average and at most
    growth         from one idle interval to the next
    jitter_ratio   by which every interval varies, so that scrapes do not march in step
    models_s       between two looks at the list of a server's models
    gpu_s          between two looks at a host's accelerators
    """

    hot_s: float = 0.05
    warm_s: float = 0.25
    idle_s: float = 5.0
    rate_max: float = 160.0
    beat_s: float = 0.05
    together: int = 8
    growth: float = 1.5
    jitter_ratio: float = 0.2
    timeout_s: float = 1.0
    page_bytes_max: int = 4 * 1024 * 1024
    concurrent_max: int = 256  # well above the servers that may hang at once: each holds one
    models_s: float = 20.0
    gpu_s: float = 2.0
    seed: int = 0
