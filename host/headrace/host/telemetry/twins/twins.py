"""Join what is counted with the names it is told by."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry

from headrace.extensions.picker.decision import Decision
from headrace.extensions.picker.flow.waited import Waited
from headrace.extensions.picker.flow.waiter import How
from headrace.extensions.picker.snapshot import Endpoint, PoolState
from headrace.extensions.picker.store import Store
from headrace.extensions.stage import Outcome, Request
from headrace.host.telemetry.catalogue import STAGE_S
from headrace.host.telemetry.series import OVERFLOW, SERIES_MAX, Bins, Counts, Labels, Spread
from headrace.host.telemetry.summary import Summary
from headrace.host.telemetry.twins import catalogue as c
from headrace.host.telemetry.twins import pools
from headrace.host.telemetry.twins.collectors import (
    Binned,
    TwinSpreads,
    TwinValues,
    Valued,
    coarser,
)
from headrace.host.telemetry.twins.requests import SPREADS, Requests, see

PICKER, ROUTER, INDEX = "picker", "body_router", "prefix"
ASKING = "on_request"
BAD_MODEL = ("invalid-model", "malformed-json")
SOURCE = "metrics-data-source"
OUTCOMES: Mapping[str, str] = {
    How.SERVED.value: "Dispatched",
    How.FULL.value: "RejectedCapacity",
    How.NO_ENDPOINTS.value: "EvictedNoEndpoints",
    How.DRAINING.value: "RejectedOther",
    How.EXPIRED.value: "EvictedTTL",
    How.GONE.value: "EvictedContextCancelled",
}
CODES: Mapping[str, str] = {
    "complete": "OK",
    "client-gone": "Canceled",
    "processor-abort": "Aborted",
}


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted anyway, and told here under other names.

    streams   by how they ended
    stages    `STAGE_S`
    routed    by the body router's word
    scrapes   by pool, endpoint and result
    """

    streams: Counts
    stages: Spread
    routed: Counts
    scrapes: Counts
    open_streams: Callable[[], int]


class Twins:
    """The metrics that others look for. Written and read in the event loop's thread.

    running  returns the requests of the exchanges that are open
    """

    def __init__(self, registry: CollectorRegistry, counted: Counted, build: str) -> None:
        self.running: Callable[[], Iterable[Request]] = tuple
        self._requests = Requests()
        self._counted = counted
        self._store: Store | None = None
        self._attempts: dict[tuple[str, ...], float] = {}
        self._waits: dict[Labels, Bins] = {}
        self._outcomes: dict[Labels, float] = {}
        self._scheduling, self._deciding = Bins(c.SHORT_S), Bins(c.PROCESSING_S)
        self._answering = Bins(c.ANSWERING_S)
        for twin, values in self._values(build).items():
            TwinValues(twin, registry, values)
        for twin, spread in self._spreads().items():
            TwinSpreads(twin, registry, spread)

    def follow(self, store: Store) -> None:
        """Tell of the pools of *store*, and of who waits for them."""
        self._store = store

    def observe(self, outcome: Outcome, summary: Summary) -> None:
        """Count one exchange that ended."""
        labels = self._requests.add(outcome, summary)
        waited_s = summary.wait_s or 0.0
        picking_s = answering_s = 0.0
        for run in outcome.runs:
            if run.hook != ASKING:
                answering_s += run.ended_s - run.started_s
            elif run.stage == PICKER:
                picking_s = max(0.0, run.ended_s - run.started_s - waited_s)
        if summary.decision is not None:
            see(self._scheduling, c.SHORT_S, picking_s)
            self._attempt(summary, summary.decision)
        if outcome.decided_s is not None:
            see(self._deciding, c.PROCESSING_S, outcome.decided_s - outcome.started_s)
        if outcome.response_head_s is not None:
            see(self._answering, c.ANSWERING_S, answering_s)
        if summary.wait_s is not None:
            for record in (r for run in outcome.runs for r in run.records):
                if isinstance(record, Waited):
                    self._wait(record, labels)

    def _attempt(self, summary: Summary, decision: Decision) -> None:
        target = summary.route.target if summary.route else ""
        word = "failure" if decision.chosen is None else "success"
        key = (word, target, summary.pool, decision.chosen or "")
        if key not in self._attempts and len(self._attempts) >= SERIES_MAX:
            key = (word, OVERFLOW, OVERFLOW, OVERFLOW)
        self._attempts[key] = self._attempts.get(key, 0.0) + 1.0

    def _wait(self, waited: Waited, labels: Labels) -> None:
        outcome = OUTCOMES.get(waited.how, "RejectedOther")
        model, target, fairness, priority = labels
        key: Labels = (fairness, priority, waited.pool, model, target, outcome)
        if key not in self._waits and len(self._waits) >= SERIES_MAX:
            key = (OVERFLOW,) * len(key)
        see(self._waits.setdefault(key, Bins(c.QUEUED_S)), c.QUEUED_S, waited.waited_s)

    def _values(self, build: str) -> Mapping[c.Twin, Valued]:
        counted, requests = self._counted, self._requests
        return {
            c.REQUESTS: requests.totals,
            c.REQUEST_ERRORS: requests.errors,
            c.OPEN: lambda: self._requests.open(self.running()),
            c.KV_CACHE: partial(self._of_pools, lambda pool: pool.kv_cache),
            c.QUEUE: partial(self._of_pools, lambda pool: pool.queue),
            c.RUNNING: partial(self._of_pools, lambda pool: pool.running),
            c.READY: partial(self._of_pools, lambda pool: float(pool.ready)),
            c.KV_CACHE_DEVIATION: partial(self._of_pools, _deviation(lambda e: e.kv_reported)),
            c.QUEUE_DEVIATION: partial(self._of_pools, _deviation(lambda e: e.waiting_scraped)),
            c.RUNNING_DEVIATION: partial(self._of_pools, _deviation(lambda e: e.running)),
            c.ENDPOINT_QUEUE: lambda: pools.queues(self._store) if self._store else (),
            c.SATURATION: lambda: pools.saturations(self._store) if self._store else (),
            c.FLOW_SIZE: partial(self._waiting, of_bytes=False),
            c.FLOW_BYTES: partial(self._waiting, of_bytes=True),
            c.FLOW_REQUESTS: self._waited,
            c.INDEX_SIZE: self._index_size,
            c.ATTEMPTS: self._attempted,
            c.INFO: lambda: [(("", build), 1.0)],
            c.POLL_ERRORS: lambda: [((SOURCE,), _sum(counted.scrapes, 2, ("failed",)))],
            c.STREAMS_OPEN: lambda: [((), float(counted.open_streams()))],
            c.STREAMS: lambda: [
                ((CODES.get(w, "Internal"),), n) for (w,), n in counted.streams.items()
            ],
            c.ROUTED: lambda: [((), _sum(counted.routed, 0, ("success",)))],
            c.NO_MODEL: lambda: [(("model",), _sum(counted.routed, 0, ("missing-model",)))],
            c.BAD_MODEL: lambda: [((), _sum(counted.routed, 0, BAD_MODEL))],
        }

    def _spreads(self) -> Mapping[c.Twin, Binned]:
        asked = {twin: partial(self._requests.spread, twin) for twin in SPREADS}
        return {
            **asked,
            c.TTFT_S: self._requests.ttft,
            c.SCHEDULING_S: lambda: [((), self._scheduling)],
            c.REQUEST_S: lambda: [((), self._deciding)],
            c.RESPONSE_S: lambda: [((), self._answering)],
            c.FLOW_WAIT_S: self._waits.items,
            c.PLUGIN_S: partial(self._hooks, ()),
            c.ROUTER_S: partial(self._hooks, (ROUTER,)),
        }

    def _of_pools(self, level: Callable[[PoolState], float]) -> Iterable[tuple[Labels, float]]:
        return pools.levels(self._store, level) if self._store else ()

    def _waiting(self, *, of_bytes: bool) -> Iterable[tuple[Labels, float]]:
        return pools.waiting(self._store, of_bytes=of_bytes) if self._store else ()

    def _waited(self) -> Iterator[tuple[Labels, float]]:
        for (_, priority, pool, _, _, outcome), bins in self._waits.items():
            yield (outcome, priority, pool), float(sum(bins.counts))

    def _index_size(self) -> Iterable[tuple[Labels, float]]:
        indexes = self._store.prefixes.values() if self._store else ()
        return [((INDEX, INDEX), float(sum(map(len, indexes))))]

    def _attempted(self) -> Iterator[tuple[Labels, float]]:
        for (word, target, pool, address), count in self._attempts.items():
            place = ("", "", "")
            if address and self._store is not None:
                place = pools.place_of(self._store, pool, address)
            yield (word, target, *place), count

    def _hooks(self, stages: tuple[str, ...]) -> Iterator[tuple[Labels, Bins]]:
        for (stage, hook, _), bins in self._counted.stages.items():
            if not stages or stage in stages:
                yield (hook, stage, stage), coarser(bins, STAGE_S.buckets, c.SHORT_S)


def _deviation(figure: Callable[[Endpoint], float]) -> Callable[[PoolState], float]:
    return lambda pool: pools.deviation(figure(e) for e in pool.endpoints if e.ready)


def _sum(counts: Counts, place: int, words: tuple[str, ...]) -> float:
    return sum(count for labels, count in counts.items() if labels[place] in words)
