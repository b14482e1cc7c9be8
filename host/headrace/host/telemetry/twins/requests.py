"""Count each exchange once, in the series of its model: what the names of others are told from."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from headrace.extensions.control import named_fairness
from headrace.extensions.records import Usage
from headrace.extensions.stage import Outcome, Request, Route
from headrace.host.telemetry.describe import text
from headrace.host.telemetry.series import OVERFLOW, Bins, Labels
from headrace.host.telemetry.summary import Summary
from headrace.host.telemetry.twins import catalogue as c
from headrace.host.telemetry.twins.catalogue import LATENCY_S, REQUEST_BYTES

NAMES_MAX = 1000  # of models, and of fairness ids. Source: llm-d-router, metrics/cardinality
SERIES_MAX = 4096
NO_FAIRNESS = "default-flow"  # what the others call the flow of whoever names none
SERVER_ERROR = "ModelServerError"
CODES: Mapping[int, str] = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    412: "PreconditionFailed",
    429: "ResourceExhausted",
    503: "ServiceUnavailable",
}
INTERNAL = "Internal"
RESPONSE_BYTES, OUTPUT_TOKENS = c.RESPONSE_SIZE.buckets, c.OUTPUT_TOKENS.buckets
SPREADS = (
    c.DURATION_S,
    c.REQUEST_SIZE,
    c.RESPONSE_SIZE,
    c.INPUT_TOKENS,
    c.OUTPUT_TOKENS,
    c.CACHED_TOKENS,
    c.TOKEN_S,
    c.TPOT_S,
)


class Asked:
    """What is counted of the requests of one model, target, fairness id and priority."""

    __slots__ = ("bins", "errors", "total", "ttft")

    def __init__(self) -> None:
        self.total = 0.0
        self.errors: dict[str, float] = {}
        self.bins: dict[c.Twin, Bins] = {twin: Bins(twin.buckets) for twin in SPREADS}
        self.ttft = {word: Bins(c.TTFT_S.buckets) for word in ("true", "false")}


class Requests:
    """The series of all requests. Written and read in the event loop's thread.

    Models are as the policy names them; the target and the fairness id may be a client's words,
    so there are at most `NAMES_MAX` of each, and `SERIES_MAX` series: beyond, ``other``.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str, int], tuple[Labels, Asked]] = {}
        self._series: dict[Labels, Asked] = {}
        self._targets: set[str] = set()
        self._flows: set[str] = set()

    def add(self, outcome: Outcome, summary: Summary) -> Labels:
        """Count one exchange that ended; return its labels, those of `ASKED`."""
        route = summary.route
        labels, asked = self._found(outcome.request, route, summary.model_label)
        if route is not None:
            asked.total += 1.0
        code = _code(outcome)
        if code:
            asked.errors[code] = asked.errors.get(code, 0.0) + 1.0
        if outcome.response_head_s is not None and outcome.reason is None:
            _measure(asked, outcome, summary)
        return labels

    def open(self, requests: Iterable[Request]) -> Iterator[tuple[Labels, float]]:
        """Yield how many of *requests*, which have not ended, were routed, by `ASKED`."""
        counts: Counter[Labels] = Counter()
        for request in requests:
            if request.route is not None:
                counts[self._found(request, request.route, request.route.model)[0]] += 1
        for labels, count in counts.items():
            yield labels, float(count)

    def totals(self) -> Iterator[tuple[Labels, float]]:
        """Yield how many were routed, by `ASKED`."""
        for labels, asked in self._series.items():
            if asked.total:
                yield labels, asked.total

    def errors(self) -> Iterator[tuple[Labels, float]]:
        """Yield how many failed, by `ASKED` and the error's code."""
        for labels, asked in self._series.items():
            for code, count in asked.errors.items():
                yield (*labels, code), count

    def spread(self, twin: c.Twin) -> Iterator[tuple[Labels, Bins]]:
        """Yield the histograms of one of `SPREADS`, by `ASKED`."""
        for labels, asked in self._series.items():
            yield labels, asked.bins[twin]

    def ttft(self) -> Iterator[tuple[Labels, Bins]]:
        """Yield how long first pieces took, by `ASKED` and whether they streamed."""
        for labels, asked in self._series.items():
            for word, bins in asked.ttft.items():
                yield (*labels, word), bins

    def _found(self, request: Request, route: Route | None, model: str) -> tuple[Labels, Asked]:
        fairness = named_fairness(request.headers) or NO_FAIRNESS
        target, priority = ("", 0) if route is None else (route.target, route.priority)
        known = self._known.get((model, target, fairness, priority))
        return known or self._enter(model, target, fairness, priority)

    def _enter(self, model: str, target: str, fairness: str, priority: int) -> tuple[Labels, Asked]:
        named = (_admitted(text(target), self._targets), _admitted(text(fairness), self._flows))
        labels: Labels = (model, *named, str(priority))
        if labels not in self._series and len(self._series) >= SERIES_MAX:
            labels = (OVERFLOW,) * len(labels)
        found = labels, self._series.setdefault(labels, Asked())
        if len(self._known) < SERIES_MAX:
            self._known[model, target, fairness, priority] = found
        return found


def _admitted(name: str, known: set[str]) -> str:
    if name not in known:
        if len(known) >= NAMES_MAX:
            return OVERFLOW
        known.add(name)
    return name


def _code(outcome: Outcome) -> str:
    """Return how the others call the error that *outcome* is; empty if it is none."""
    if outcome.status < 400:
        return ""
    return SERVER_ERROR if outcome.reason is None else CODES.get(outcome.status, INTERNAL)


def _measure(asked: Asked, outcome: Outcome, summary: Summary) -> None:
    # Every exchange comes here: no call that can be spared.
    bins = asked.bins
    value: float = summary.duration_s
    if value > 0.0:
        at = bins[c.DURATION_S]
        at.counts[bisect_left(LATENCY_S, value)] += 1
        at.total += value
    value = outcome.request_bytes
    at = bins[c.REQUEST_SIZE]
    at.counts[bisect_left(REQUEST_BYTES, value)] += 1
    at.total += value
    value = outcome.response_bytes
    if value:
        at = bins[c.RESPONSE_SIZE]
        at.counts[bisect_left(RESPONSE_BYTES, value)] += 1
        at.total += value
    first_s = summary.ttft_s
    if first_s is not None and first_s >= 0.0:
        at = asked.ttft["true" if outcome.event_stream else "false"]
        at.counts[bisect_left(LATENCY_S, first_s)] += 1
        at.total += first_s
    if summary.usage is not None:
        _count_tokens(bins, outcome, summary.usage, summary.duration_s)


def _count_tokens(
    bins: Mapping[c.Twin, Bins], outcome: Outcome, usage: Usage, duration_s: float
) -> None:
    if usage.input_tokens > 0:
        see(bins[c.INPUT_TOKENS], c.TOKENS, usage.input_tokens)
    if usage.cached_tokens is not None:
        see(bins[c.CACHED_TOKENS], c.TOKENS, usage.cached_tokens)
    output = usage.output_tokens
    if output <= 0:
        return
    see(bins[c.OUTPUT_TOKENS], OUTPUT_TOKENS, output)
    see(bins[c.TOKEN_S], c.PER_TOKEN_S, duration_s / output)
    first_s, last_s = outcome.first_event_s, outcome.last_event_s
    if outcome.event_stream and output > 1 and first_s is not None and last_s is not None:
        see(bins[c.TPOT_S], c.STREAMED_TOKEN_S, (last_s - first_s) / (output - 1))


def see(bins: Bins, bounds: tuple[float, ...], value: float) -> None:
    """Count *value* in *bins*, whose upper bounds are *bounds*."""
    if value < 0.0:
        value = 0.0
    bins.counts[bisect_left(bounds, value)] += 1
    bins.total += value
