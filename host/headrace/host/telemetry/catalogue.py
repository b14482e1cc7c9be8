"""Every metric there is. The docs are made from this table."""

from headrace.host.telemetry.metric import Kind, Metric
from headrace.host.telemetry.surroundings import SURROUNDINGS

# Of our own work: from the 5 microseconds of a short hook to the second of a missed deadline.
WORK_S = (5e-6, 2e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2e-2, 0.1, 0.5, 1.0)
# Of one hook: also where the reference's buckets end, so that its names can be told from the same.
HOOK_S = tuple(sorted({*WORK_S, 2e-4, 2e-3, 1e-2, 5e-2}))
# Of a model's: from a cached first token to minutes of generated text.
SERVED_S = (0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 15.0, 30.0, 60.0, 120.0, 300.0)

REQUESTS = Metric(
    "headrace_requests_total",
    Kind.COUNTER,
    "Exchanges that ended. `reason` is empty unless the answer was ours.",
    ("model", "pool", "status", "reason"),
)
EXCHANGE_S = Metric(
    "headrace_exchange_duration_seconds",
    Kind.HISTOGRAM,
    "From the first part of an exchange to its end.",
    ("model", "pool"),
    SERVED_S,
)
DECISION_S = Metric(
    "headrace_decision_seconds",
    Kind.HISTOGRAM,
    "From the first part of a request to the decision where it goes, its body included, its wait "
    "in a queue not.",
    (),
    WORK_S,
)
TTFT_S = Metric(
    "headrace_ttft_seconds",
    Kind.HISTOGRAM,
    "From the first part of a request to the first piece of an event stream's body.",
    ("model", "pool"),
    SERVED_S,
)
STAGE_S = Metric(
    "headrace_stage_seconds",
    Kind.HISTOGRAM,
    "Duration of one hook of a stage, what it awaits included.",
    ("stage", "hook", "result"),
    HOOK_S,
)
STAGE_FAILURES = Metric(
    "headrace_stage_failures_total",
    Kind.COUNTER,
    "Hooks that raised, missed their deadline or were refused, by the road taken then.",
    ("stage", "road"),
)
PICKS = Metric(
    "headrace_picks_total",
    Kind.COUNTER,
    "Requests sent to an endpoint.",
    ("pool", "endpoint"),
)
SHEDS = Metric(
    "headrace_sheds_total",
    Kind.COUNTER,
    "Requests turned away because the pool was overloaded, by the class that matched.",
    ("pool", "class"),
)
WAITING = Metric(
    "headrace_queue_requests",
    Kind.GAUGE,
    "Requests that wait for their turn, or for an endpoint.",
    ("pool",),
)
WAITING_BYTES = Metric(
    "headrace_queue_bytes",
    Kind.GAUGE,
    "Bytes of the bodies of requests that wait.",
    ("pool",),
)
WAIT_S = Metric(
    "headrace_queue_wait_seconds",
    Kind.HISTOGRAM,
    "How long requests have waited, by how it ended: `served`, `expired`, `no-endpoints`, "
    "`draining`, `gone` (the client left); `full` never waited.",
    ("pool", "outcome"),
    SERVED_S,
)
TOKENS = Metric(
    "headrace_tokens_total",
    Kind.COUNTER,
    "Tokens that model servers counted: input, cached (a part of input), output, reasoning "
    "(a part of output).",
    ("type",),
)
ROUTED = Metric(
    "headrace_body_router_total",
    Kind.COUNTER,
    "What the body router made of requests: `success`, `answer` or the reason of its reject.",
    ("result",),
)
RULE_ERRORS = Metric(
    "headrace_rule_errors_total",
    Kind.COUNTER,
    "Rules of the policy that failed on the values of a request or an endpoint.",
    ("rule", "kind"),
)
GUARDS = Metric(
    "headrace_guard_runs_total",
    Kind.COUNTER,
    "What guards did, per exchange and direction: `applied`, `skipped`, or without a verdict "
    "`failed-open` or `failed-closed`; and why.",
    ("guard", "direction", "state", "reason"),
)
GUARD_FINDS = Metric(
    "headrace_guard_findings_total",
    Kind.COUNTER,
    "Exchanges in which a guard found something, by what was done about it.",
    ("guard", "direction", "action"),
)
GUARD_INSPECTED = Metric(
    "headrace_guard_inspected_bytes_total",
    Kind.COUNTER,
    "Bytes of text that a guard has judged.",
    ("guard", "direction"),
)
GUARD_DELIVERED = Metric(
    "headrace_guard_delivered_bytes_total",
    Kind.COUNTER,
    "Bytes of text that went on, of exchanges that a guard had to do with: to the server, or to "
    "the client.",
    ("guard", "direction"),
)
GUARD_S = Metric(
    "headrace_guard_seconds",
    Kind.HISTOGRAM,
    "How long the verdicts of a guard that asks a provider took, per exchange and direction.",
    ("guard", "direction"),
    WORK_S,
)
BUGS = Metric(
    "headrace_bugs_total",
    Kind.COUNTER,
    "Broken invariants of Headrace itself. Each ended one exchange at most; please report them.",
    ("where",),
)
ACTIVE = Metric("headrace_exchanges_active", Kind.GAUGE, "Exchanges that are open.")
STREAMS = Metric(
    "headrace_streams_total",
    Kind.COUNTER,
    "ext_proc streams that ended, by how.",
    ("termination",),
)
MESSAGES = Metric(
    "headrace_messages_total",
    Kind.COUNTER,
    "ext_proc messages: `in`, `out`, and `ignored` ones that carry nothing for us.",
    ("direction",),
)
MESSAGE_BYTES = Metric(
    "headrace_message_bytes_total",
    Kind.COUNTER,
    "Bytes of ext_proc messages: `in` and `out`.",
    ("direction",),
)
ABORTS = Metric(
    "headrace_aborts_total",
    Kind.COUNTER,
    "ext_proc streams that we ended with a gRPC error status.",
    ("code",),
)
REFUSED = Metric(
    "headrace_transport_refused_total",
    Kind.COUNTER,
    "What a limit of the native transport refused: floods, stalls, and too much at once.",
    ("kind",),
)
SPANS = Metric(
    "headrace_spans_total",
    Kind.COUNTER,
    "Spans: `exported`, `failed` at the receiver, `dropped` because too many waited.",
    ("result",),
)
LOG_LINES_DROPPED = Metric(
    "headrace_log_lines_dropped_total",
    Kind.COUNTER,
    "Log lines dropped because too many waited to be written.",
)
DECISIONS_DROPPED = Metric(
    "headrace_decision_log_dropped_total",
    Kind.COUNTER,
    "Decisions not written to the decision log: too many waited, or the disk refused.",
)
SCRAPES = Metric(
    "headrace_scrapes_total",
    Kind.COUNTER,
    "Scrapes of an endpoint's metrics, `ok` or `failed`.",
    ("pool", "endpoint", "result"),
)
SCRAPE_S = Metric(
    "headrace_scrape_seconds",
    Kind.HISTOGRAM,
    "How long a scrape of an endpoint's metrics took.",
    ("pool",),
    WORK_S,
)
PREFIX_TOKENS = Metric(
    "headrace_prefix_tokens_total",
    Kind.COUNTER,
    "Of prompts whose servers said how much they had cached, the tokens: `prompt` all, `predicted` "
    "what the prefix index expected to be cached, `cached` what was.",
    ("pool", "type"),
)
PREFIX_BYTES = Metric(
    "headrace_prefix_index_bytes",
    Kind.GAUGE,
    "What the prefix index takes in memory.",
    ("pool",),
)
KV_MESSAGES = Metric(
    "headrace_kv_event_messages_total",
    Kind.COUNTER,
    "Messages about servers' KV caches: `applied`, `replayed`, `known` already, `malformed`; "
    "`faulty_event` in them; `lost` before them, `restarted` the numbering, `failed` the socket.",
    ("pool", "result"),
)
KV_REQUESTS = Metric(
    "headrace_kv_event_requests_total",
    Kind.COUNTER,
    "Requests looked for in KV events: `matched` (also as `ambiguous`, where several fitted) or "
    "`unmatched`.",
    ("pool", "result"),
)
LOOP_LAG_S = Metric(
    "headrace_loop_lag_seconds",
    Kind.HISTOGRAM,
    "How late the event loop came back to a timer: what a stage that blocks does to all others.",
    (),
    WORK_S,
)
POLICY_VALID = Metric(
    "headrace_policy_valid",
    Kind.GAUGE,
    "1 if the policy's files are what serves; 0 if they were refused and an older policy goes on.",
)
POLICY_GENERATION = Metric(
    "headrace_policy_generation",
    Kind.GAUGE,
    "The number of the generation that serves; it grows with every swap.",
)
POLICY_RELOADS = Metric(
    "headrace_policy_reloads_total",
    Kind.COUNTER,
    "Attempts to change the policy: `swapped`, `refused`, `rolled-back`, or `superseded` by a "
    "newer one.",
    ("result",),
)
POLICY_SOAK = Metric(
    "headrace_policy_soak_decisions_total",
    Kind.COUNTER,
    "Requests that a policy on trial decided beside the serving one: `same`, or what differed.",
    ("kind",),
)
CATALOGUE = (
    REQUESTS,
    EXCHANGE_S,
    DECISION_S,
    TTFT_S,
    STAGE_S,
    STAGE_FAILURES,
    PICKS,
    SHEDS,
    WAITING,
    WAITING_BYTES,
    WAIT_S,
    TOKENS,
    ROUTED,
    RULE_ERRORS,
    GUARDS,
    GUARD_FINDS,
    GUARD_INSPECTED,
    GUARD_DELIVERED,
    GUARD_S,
    BUGS,
    ACTIVE,
    STREAMS,
    MESSAGES,
    MESSAGE_BYTES,
    ABORTS,
    REFUSED,
    SPANS,
    LOG_LINES_DROPPED,
    DECISIONS_DROPPED,
    SCRAPES,
    SCRAPE_S,
    PREFIX_TOKENS,
    PREFIX_BYTES,
    KV_MESSAGES,
    KV_REQUESTS,
    LOOP_LAG_S,
    POLICY_VALID,
    POLICY_GENERATION,
    POLICY_RELOADS,
    POLICY_SOAK,
    *SURROUNDINGS,
)
