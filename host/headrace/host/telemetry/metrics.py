"""Count exchanges and messages for Prometheus."""

from collections.abc import Callable, Iterable
from importlib.metadata import version as installed

from prometheus_client import CollectorRegistry

from headrace.extensions.picker.flow.flows import Flows
from headrace.extensions.picker.store import Store
from headrace.extensions.records import Usage
from headrace.extensions.stage import Outcome, Request
from headrace.host.telemetry import catalogue as c
from headrace.host.telemetry import surroundings as around
from headrace.host.telemetry.caches import kv_requests, prefix_bytes, prefix_tokens
from headrace.host.telemetry.guards import GuardCounts
from headrace.host.telemetry.series import Counts, Labels, Levels, Spread, Told, gauge
from headrace.host.telemetry.summary import Summary
from headrace.host.telemetry.twins.twins import Counted, Twins

BODY_ROUTER = "body_router"


class Metrics:
    """All metrics, in a registry of their own. Written from the event loop's thread.

    Also takes the counts of a transport, `opened` to `bug` (its protocol `Counts`), and of the
    scraper, `scraped`.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counts(c.REQUESTS, registry)
        self._exchange_s = Spread(c.EXCHANGE_S, registry)
        self._decision_s = Spread(c.DECISION_S, registry)
        self._ttft_s = Spread(c.TTFT_S, registry)
        self._stage_s = Spread(c.STAGE_S, registry)
        self._stage_failures = Counts(c.STAGE_FAILURES, registry)
        self._picks = Counts(c.PICKS, registry)
        self._sheds = Counts(c.SHEDS, registry)
        self._flows = Flows()
        Levels(c.WAITING, registry, lambda: (((f.pool,), float(len(f))) for f in self._flows))
        sizes = (c.WAITING_BYTES, registry)
        Levels(*sizes, lambda: (((f.pool,), float(f.size_bytes)) for f in self._flows))
        self._wait_s = Spread(c.WAIT_S, registry)
        self._tokens = Counts(c.TOKENS, registry)
        self._routed = Counts(c.ROUTED, registry)
        self._rule_errors = Counts(c.RULE_ERRORS, registry)
        self._guards = GuardCounts(registry)
        self._bugs = Counts(c.BUGS, registry)
        self._open = 0
        gauge(c.ACTIVE, registry).set_function(lambda: self._open)  # a gauge's `inc` takes a lock
        self._streams = Counts(c.STREAMS, registry)
        self._messages = Counts(c.MESSAGES, registry)
        self._message_bytes = Counts(c.MESSAGE_BYTES, registry)
        self._aborts = Counts(c.ABORTS, registry)
        self._refused = Counts(c.REFUSED, registry)
        self._spans = Counts(c.SPANS, registry)
        self._log_lines_dropped = Counts(c.LOG_LINES_DROPPED, registry)
        self._decisions_dropped = Counts(c.DECISIONS_DROPPED, registry)
        self._scrapes = Counts(c.SCRAPES, registry)
        self._scrape_s = Spread(c.SCRAPE_S, registry)
        self._loop_lag_s = Spread(c.LOOP_LAG_S, registry)
        self._store: Store | None = None
        Told(c.PREFIX_TOKENS, registry, lambda: prefix_tokens(self._store))
        Told(c.PREFIX_BYTES, registry, lambda: prefix_bytes(self._store))
        Told(c.KV_REQUESTS, registry, lambda: kv_requests(self._store))
        self._kv_messages = Counts(c.KV_MESSAGES, registry)
        self._policy_valid = gauge(c.POLICY_VALID, registry)
        self._policy_generation = gauge(c.POLICY_GENERATION, registry)
        self._policy_reloads = Counts(c.POLICY_RELOADS, registry)
        self._policy_soak = Counts(c.POLICY_SOAK, registry)
        self._cluster_ages: Callable[[], Iterable[tuple[Labels, float]]] = tuple
        Levels(around.CLUSTER_AGE_S, registry, lambda: self._cluster_ages())
        self._cluster_requests = Counts(around.CLUSTER_REQUESTS, registry)
        self._cluster_ignored = Counts(around.CLUSTER_IGNORED, registry)
        self._leading: Callable[[], Iterable[tuple[Labels, float]]] = tuple
        Levels(around.LEADER, registry, lambda: self._leading())
        self._cluster_written = Counts(around.CLUSTER_WRITTEN, registry)
        self._state_messages = Counts(around.STATE_MESSAGES, registry)
        self._state_peers = gauge(around.STATE_PEERS, registry)
        self._state_age_s = gauge(around.STATE_AGE_S, registry)
        self._state_up: Callable[[], Iterable[tuple[Labels, float]]] = tuple
        Levels(around.STATE_UP, registry, lambda: self._state_up())
        counted = Counted(
            self._streams, self._stage_s, self._routed, self._scrapes, lambda: self._open
        )
        self._twins = Twins(registry, counted, installed("headrace"))

    def observe(self, outcome: Outcome, summary: Summary) -> None:
        """Count one exchange that ended."""
        model, pool = summary.model_label, summary.pool
        if not summary.handed_on:  # or a request would count once per role
            self._requests.add(model, pool, _status(outcome.status), summary.reason)
            self._exchange_s.see(summary.duration_s, model, pool)
        if summary.decision_s is not None:
            self._decision_s.see(summary.decision_s)
        if summary.ttft_s is not None and outcome.event_stream:
            self._ttft_s.see(summary.ttft_s, model, pool)
        self._stage_s.see_each(
            [(r.ended_s - r.started_s, (r.stage, r.hook, r.result)) for r in outcome.runs]
        )
        for run in outcome.runs:
            if run.road:
                self._stage_failures.add(run.stage, run.road)
            if run.stage == BODY_ROUTER and run.hook == "on_request" and not summary.taken_over:
                self._routed.add(_routed(run.result, summary.reason))
        if summary.shed:
            self._sheds.add(pool, summary.kind)
        if summary.endpoint:
            self._picks.add(pool, summary.endpoint)
        if not summary.handed_on:
            if summary.usage is not None:
                self._count_tokens(summary.usage)
            self._twins.observe(outcome, summary)
        for error in summary.rule_errors:
            self._rule_errors.add(error.rule, error.kind)
        for record in summary.guarded:
            self._guards.add(record)
        decision = summary.decision
        for each in () if decision is None else (decision, *(d for _, d in decision.beside)):
            for fault in each.faults:
                self._rule_errors.add(fault.rule, fault.kind)

    def rule_error(self, rule: str, kind: str) -> None:
        """Count a rule that failed when the exchange was over."""
        self._rule_errors.add(rule, kind)

    def queues(self, flows: Flows) -> None:
        """Tell from now on who waits in *flows*."""
        self._flows = flows

    def waited(self, pool: str, outcome: str, waited_s: float) -> None:
        """Count a request that has waited in a queue, or was refused there."""
        self._wait_s.see(waited_s, pool, outcome)

    def _count_tokens(self, usage: Usage) -> None:
        self._tokens.add("input", by=max(0, usage.input_tokens))
        self._tokens.add("output", by=max(0, usage.output_tokens))
        if usage.cached_tokens:
            self._tokens.add("cached", by=max(0, usage.cached_tokens))
        if usage.reasoning_tokens:
            self._tokens.add("reasoning", by=max(0, usage.reasoning_tokens))

    def opened(self) -> None:
        """Count a stream that began."""
        self._open += 1

    def closed(self, termination: str) -> None:
        """Count a stream that ended, by the words of `Exchange.end`."""
        self._open -= 1
        self._streams.add(termination)

    def received(self, messages: int, size_bytes: int) -> None:
        """Count the messages of the peer in one stream."""
        self._messages.add("in", by=messages)
        self._message_bytes.add("in", by=size_bytes)

    def sent(self, messages: int, size_bytes: int) -> None:
        """Count the messages to the peer in one stream."""
        self._messages.add("out", by=messages)
        self._message_bytes.add("out", by=size_bytes)

    def ignored(self) -> None:
        """Count a message without a part."""
        self._messages.add("ignored")

    def aborted(self, code: str) -> None:
        """Count a stream that we ended with the gRPC status *code*."""
        self._aborts.add(code)

    def bug(self, where: str) -> None:
        """Count a broken invariant of ours; *where* is a fixed word."""
        self._bugs.add(where)

    def refused(self, kind: str) -> None:
        """Count what a limit of the transport refused, by a fixed word."""
        self._refused.add(kind)

    def scraped(self, pool: str, endpoint: str, wall_s: float, ok: bool) -> None:
        """Count one scrape."""
        self._scrapes.add(pool, endpoint, "ok" if ok else "failed")
        self._scrape_s.see(wall_s, pool)

    def follow(self, store: Store) -> None:
        """Tell what *store* knows of pools and of servers' caches."""
        self._store = store
        self._twins.follow(store)

    def running(self, requests: Callable[[], Iterable[Request]]) -> None:
        """Tell from now on of the *requests* of open exchanges."""
        self._twins.running = requests

    def kv_events(self, pool: str, result: str, count: int) -> None:
        """Count messages, or events, about what servers cache."""
        self._kv_messages.add(pool, result, by=count)

    def cluster(self, ages: Callable[[], Iterable[tuple[Labels, float]]]) -> None:
        """Tell from now on what *ages* yields: how old is what is known of each resource."""
        self._cluster_ages = ages

    def cluster_request(self, resource: str, result: str) -> None:
        """Count a list or a watch that has ended. May be called from any thread."""
        self._cluster_requests.add(resource, result)

    def cluster_written(self, resource: str, result: str) -> None:
        """Count a status or an Event that was written, or how it was not."""
        self._cluster_written.add(resource, result)

    def cluster_ignored(self, resource: str, reason: str) -> None:
        """Count an object of the cluster that has no effect."""
        self._cluster_ignored.add(resource, reason)

    def election(self, leading: Callable[[], Iterable[tuple[Labels, float]]]) -> None:
        """Tell from now on what *leading* yields: by which Leases this replica leads."""
        self._leading = leading

    def state_message(self, channel: str, result: str, count: int = 1) -> None:
        """Count messages to or from other hosts."""
        self._state_messages.add(channel, result, by=count)

    def peers(
        self,
        known: Callable[[], int],
        age_s: Callable[[], float],
        up: Callable[[], Iterable[tuple[Labels, float]]],
    ) -> None:
        """Tell from now on how many other hosts are *known*, and how old what they said is."""
        self._state_peers.set_function(known)
        self._state_age_s.set_function(age_s)
        self._state_up = up

    def loop_lag(self, lag_s: float) -> None:
        """Count how late the event loop was once."""
        self._loop_lag_s.see(lag_s)

    def policy(self, generation: int, *, valid: bool) -> None:
        """Tell which generation serves, and whether the policy's files are what it was made of."""
        self._policy_valid.set(valid)
        self._policy_generation.set(generation)

    def reload(self, result: str) -> None:
        """Count an attempt to change the policy, by how it ended."""
        self._policy_reloads.add(result)

    def soaked(self, kind: str) -> None:
        """Count a request that a policy on trial has decided too, by what differed."""
        self._policy_soak.add(kind)

    def spans(self, result: str, count: int) -> None:
        """Count spans by what became of them. May be called from the exporter's thread."""
        self._spans.add(result, by=count)

    def log_lines_dropped(self, count: int) -> None:
        """Count log lines that nobody will read."""
        self._log_lines_dropped.add(by=count)

    def decisions_dropped(self, count: int) -> None:
        """Count decisions that the decision log lacks."""
        self._decisions_dropped.add(by=count)


def _routed(result: str, reason: str) -> str:
    match result:
        case "continue":
            return "success"
        case "reject":
            return reason
        case _:
            return result


def _status(status: int) -> str:
    return str(status) if 100 <= status <= 599 else "none"
