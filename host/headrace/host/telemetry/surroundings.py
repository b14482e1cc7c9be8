"""Metrics of what is around a process: a cluster, other hosts, workers."""

from headrace.host.telemetry.metric import Kind, Metric

CLUSTER_AGE_S = Metric(
    "headrace_cluster_age_seconds",
    Kind.GAUGE,
    "For how long the API server of Kubernetes has said nothing of a resource that is watched; "
    "about a minute while nothing happens.",
    ("resource",),
)
CLUSTER_REQUESTS = Metric(
    "headrace_cluster_requests_total",
    Kind.COUNTER,
    "Lists and watches that have ended: `ok`, `gone`, `throttled`, `unauthorized`, `forbidden`, "
    "`missing` (the kind is not installed), `error`, `unreachable`, `bug`.",
    ("resource", "result"),
)
CLUSTER_IGNORED = Metric(
    "headrace_cluster_ignored_total",
    Kind.COUNTER,
    "Objects of Kubernetes that have no effect because they are wrong, or of another pool.",
    ("resource", "reason"),
)
LEADER = Metric(
    "leader_election_master_status",
    Kind.GAUGE,
    "Whether this replica leads by a Lease of Kubernetes, and writes statuses there: 1 or 0.",
    ("name",),
)
CLUSTER_WRITTEN = Metric(
    "headrace_cluster_writes_total",
    Kind.COUNTER,
    "Statuses and Events that were written to Kubernetes, or not: `written`, `same` (it says so "
    "already), `conflict`, `throttled`, `unauthorized`, `forbidden`, `missing`, `error`, "
    "`unreachable`.",
    ("resource", "result"),
)

STATE_MESSAGES = Metric(
    "headrace_state_messages_total",
    Kind.COUNTER,
    "Messages to and from other hosts, by what became of them; `dropped` per receiver.",
    ("channel", "result"),
)
STATE_PEERS = Metric(
    "headrace_state_peers",
    Kind.GAUGE,
    "Other hosts, workers of this one too, whose state this one knows.",
)
STATE_AGE_S = Metric(
    "headrace_state_age_seconds",
    Kind.GAUGE,
    "How long ago the most silent of these was heard; after 3 s what it has open counts no more.",
)
STATE_UP = Metric(
    "headrace_state_up",
    Kind.GAUGE,
    "1 while a way to other hosts carries messages, as far as is known.",
    ("channel",),
)
WORKER_UP = Metric(
    "headrace_worker_up",
    Kind.GAUGE,
    "Of `serve --workers`: 1 while a worker runs and tells its metrics.",
    ("worker",),
)
WORKER_RESTARTS = Metric(
    "headrace_worker_restarts_total",
    Kind.COUNTER,
    "Of `serve --workers`: how often a worker that had ended was started again.",
    ("worker",),
)

SURROUNDINGS = (
    CLUSTER_AGE_S,
    CLUSTER_REQUESTS,
    CLUSTER_IGNORED,
    LEADER,
    CLUSTER_WRITTEN,
    STATE_MESSAGES,
    STATE_PEERS,
    STATE_AGE_S,
    STATE_UP,
    WORKER_UP,
    WORKER_RESTARTS,
)
