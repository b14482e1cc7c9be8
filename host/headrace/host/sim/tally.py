"""What a replica counts, and the snapshot of it that a scrape sees."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from headrace.host.sim.histogram import (
    FIRST_TOKEN_S,
    REQUEST_S,
    TOKEN_GAP_S,
    Buckets,
    Histogram,
)
from headrace.host.sim.request import FinishReason, Progress


@dataclass(frozen=True, slots=True)
class Latencies:
    """Seconds of simulated time, as histograms."""

    first_token: Buckets
    token_gap: Buckets
    whole: Buckets
    queue: Buckets
    prefill: Buckets
    decode: Buckets


@dataclass(frozen=True, slots=True)
class Metrics:
    """One replica at one instant. *deferred*: waiting only for a free adapter slot."""

    running: int
    waiting: int
    deferred: int
    kv_used_ratio: float
    block_tokens: int
    block_count: int
    prefix_queried_tokens: int
    prefix_hit_tokens: int
    preemptions: int
    prompt_tokens: int
    output_tokens: int
    finished: Mapping[FinishReason, int]
    running_adapters: tuple[str, ...]
    waiting_adapters: tuple[str, ...]
    adapters_max: int
    latencies: Latencies


@dataclass(slots=True)
class Tally:
    """Counts what a replica does. Written by the one `Replica` that owns it."""

    prefix_queried_tokens: int = 0
    prefix_hit_tokens: int = 0
    preemptions: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    finished: Counter[FinishReason] = field(default_factory=Counter[FinishReason])
    _first_token: Histogram = field(default_factory=lambda: Histogram(FIRST_TOKEN_S))
    _token_gap: Histogram = field(default_factory=lambda: Histogram(TOKEN_GAP_S))
    _whole: Histogram = field(default_factory=lambda: Histogram(REQUEST_S))
    _queue: Histogram = field(default_factory=lambda: Histogram(REQUEST_S))
    _prefill: Histogram = field(default_factory=lambda: Histogram(REQUEST_S))
    _decode: Histogram = field(default_factory=lambda: Histogram(REQUEST_S))

    def token(self, progress: Progress, now_s: float) -> None:
        """Count a token of *progress* that left at *now_s*; `emitted` includes it already."""
        self.output_tokens += 1
        if progress.emitted == 1:
            self._first_token.observe(now_s - progress.arrived_s)
            self.prompt_tokens += progress.request.prompt_tokens
            progress.first_token_s = now_s
        else:
            self._token_gap.observe(now_s - progress.last_token_s)
        progress.last_token_s = now_s

    def end(self, progress: Progress, reason: FinishReason, now_s: float) -> None:
        """Count the end of *progress*; the phases it never reached are not observed."""
        self.finished[reason] += 1
        self._whole.observe(max(0.0, now_s - progress.arrived_s))
        if progress.started_s is None:
            return
        self._queue.observe(progress.started_s - progress.ready_s)
        if progress.emitted:
            self._prefill.observe(progress.first_token_s - progress.started_s)
            self._decode.observe(progress.last_token_s - progress.first_token_s)
        elif reason is not FinishReason.ABORT:
            self.prompt_tokens += progress.request.prompt_tokens
            self._prefill.observe(now_s - progress.started_s)

    def latencies(self) -> Latencies:
        """Return the histograms so far."""
        return Latencies(
            self._first_token.buckets(),
            self._token_gap.buckets(),
            self._whole.buckets(),
            self._queue.buckets(),
            self._prefill.buckets(),
            self._decode.buckets(),
        )
