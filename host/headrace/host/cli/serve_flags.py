"""The flags of `headrace serve`, each with its help."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated

from headrace.host.cli import cluster, leader
from headrace.host.cli.flags import flag
from headrace.host.cli.policies import MaybePolicies

_LISTENING, _OBSERVING, _BOUNDS = "Listening", "Observing", "Bounds"
_POLICY = "Changing the policy"
_ROLES = "Roles at a gateway"
LISTEN = "127.0.0.1:9002"  # where it listens if nothing is said
_REFERENCE = "As the reference endpoint picker"


class LogLevel(Enum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Transport(Enum):
    """Who speaks gRPC with Envoy."""

    NATIVE = "native"
    GRPCIO = "grpcio"


class Errors(Enum):
    """How the errors that we answer with look."""

    OPENAI = "openai"
    GIE = "gie"


class Models(Enum):
    """Whose models `/v1/models` lists."""

    POLICY = "policy"
    SERVERS = "servers"


class Mode(Enum):
    """How Envoy sends a body, in Envoy's own words."""

    NONE = "none"
    STREAMED = "streamed"
    BUFFERED = "buffered"
    BUFFERED_PARTIAL = "buffered_partial"
    FULL_DUPLEX_STREAMED = "full_duplex_streamed"


Listen = Annotated[
    str,
    flag(
        "--listen",
        "Where Envoy reaches us (ext_proc); `unix:/path` for a Unix socket.",
        metavar="IP:PORT",
        panel=_LISTENING,
    ),
]
Roles = Annotated[
    list[str] | None,
    flag(
        "--role",
        "In place of --listen, as often as needed: a chain behind a port of its own. `picker`, "
        "`route` and `traffic` have ports (9002, 9004, 9006, health one above) and chains "
        "that a policy need not write. `@POOL` keeps to the pool that the gateway has chosen; "
        "chain `*` is the one that an extension's metadata names in `headrace-chain`. It speaks "
        "TLS, with a certificate made at the start if there is no --tls-cert, unless `plain`; it "
        "answers within 0.8 of the `timeout` of the gateway, 1s if not said, waits included.",
        metavar="CHAIN[@POOL][=IP:PORT][,health=PORT][,timeout=DURATION][,plain]",
        panel=_ROLES,
    ),
]
Transported = Annotated[
    Transport,
    flag(
        "--transport",
        "Who speaks gRPC: our own HTTP/2, or grpcio at several times the CPU.",
        panel=_LISTENING,
    ),
]
Reflection = Annotated[
    bool,
    flag(
        "--reflection",
        "Tell grpcurl and others who ask there which services and messages are here.",
        panel=_LISTENING,
    ),
]
MetricsListen = Annotated[
    str,
    flag(
        "--metrics-listen",
        "Where /metrics, /healthz, /readyz, /policy and /decisions are.",
        metavar="IP:PORT",
        panel=_LISTENING,
    ),
]
MetricsTokenFile = Annotated[
    Path | None,
    flag(
        "--metrics-token-file",
        "Who reads there must show its content, as `authorization: Bearer ...`; health stays open.",
        metavar="FILE",
        panel=_LISTENING,
    ),
]
MetricsReview = Annotated[
    bool,
    flag(
        "--metrics-review",
        "With --kube: who reads there must show a token that the API server knows, of somebody "
        "who may `get` the URL; this host needs the role `system:auth-delegator`.",
        panel=_LISTENING,
    ),
]
Workers = Annotated[
    int,
    flag(
        "--workers",
        "How many processes decide, one core each: at --listen and the ports after it. They know "
        "of each other what is open where; /metrics and /policy are of all.",
        metavar="N",
        panel=_LISTENING,
    ),
]
StateUrl = Annotated[
    str,
    flag(
        "--state",
        "Share with other hosts what is open, cached and bound where, by this Redis server; "
        "while it is away each decides by what it knows. Needs `headrace[redis]`.",
        metavar="redis://HOST:PORT/DB",
        panel=_LISTENING,
    ),
]
TlsCert = Annotated[
    Path | None,
    flag(
        "--tls-cert", "PEM certificate to show Envoy; read again when it changes.", panel=_LISTENING
    ),
]
TlsKey = Annotated[Path | None, flag("--tls-key", "PEM key of that certificate.", panel=_LISTENING)]
TlsClientCa = Annotated[
    Path | None,
    flag("--tls-client-ca", "Take only clients certified by this CA.", panel=_LISTENING),
]
TlsSelfSigned = Annotated[
    bool, flag("--tls-self-signed", "Make a certificate now: for development.", panel=_LISTENING)
]
Otlp = Annotated[
    str, flag("--otlp", "Send spans there, by OTLP/HTTP.", metavar="URL", panel=_OBSERVING)
]
DecisionLog = Annotated[
    Path | None,
    flag(
        "--decision-log",
        "Write every decision with its reasons there, one JSON object a line, for "
        "`headrace explain`; three files of 64 MiB.",
        metavar="FILE",
        panel=_OBSERVING,
    ),
]
TraceSample = Annotated[
    float,
    flag(
        "--trace-sample",
        "Share of exchanges to trace, 0 to 1; a traced caller decides for its own.",
        metavar="RATIO",
        panel=_OBSERVING,
    ),
]
Logged = Annotated[LogLevel, flag("--log-level", "How much is logged to stderr.", panel=_OBSERVING)]
BodyLimit = Annotated[
    str, flag("--body-limit", "Largest request body; more is 413.", metavar="SIZE", panel=_BOUNDS)
]
DrainGrace = Annotated[
    float,
    flag("--drain-grace", "What open exchanges get at the end.", metavar="S", panel=_BOUNDS),
]
RequestBodyMode = Annotated[
    Mode, flag("--request-body-mode", "Of an Envoy that does not tell its own.", panel=_BOUNDS)
]
ResponseBodyMode = Annotated[
    Mode, flag("--response-body-mode", "Of an Envoy that does not tell its own.", panel=_BOUNDS)
]
MessageTimeout = Annotated[
    float,
    flag(
        "--message-timeout",
        "Envoy's `message_timeout`: we answer before it, where it counts.",
        metavar="S",
        panel=_BOUNDS,
    ),
]
MaxMessageTimeout = Annotated[
    float,
    flag(
        "--max-message-timeout",
        "Envoy's `max_message_timeout`; 0: it grants no extension.",
        metavar="S",
        panel=_BOUNDS,
    ),
]
ReloadInterval = Annotated[
    float,
    flag(
        "--reload-interval",
        "How often to look whether the policy's files have changed; 0: only on SIGHUP.",
        metavar="S",
        panel=_POLICY,
    ),
]
Soak = Annotated[
    str,
    flag(
        "--soak",
        "Let a changed policy decide beside the old one for so long first, without effect; "
        "it doubles the CPU of decisions meanwhile.",
        metavar="DURATION",
        panel=_POLICY,
    ),
]
NoSelfTest = Annotated[
    bool,
    flag(
        "--no-self-test",
        "Take a policy that fails its own `test` blocks too, at start and when it changes.",
        panel=_POLICY,
    ),
]
AdminTokenFile = Annotated[
    Path | None,
    flag(
        "--admin-token-file",
        "Who shows its content may change the policy where /policy is; without it, "
        "only on loopback.",
        panel=_POLICY,
    ),
]
SessionKeyFile = Annotated[
    Path | None,
    flag(
        "--session-key-file",
        "Sign session tokens with its content, so that all processes with that file know them; "
        "without it, each process knows its own only.",
        metavar="FILE",
        panel=_BOUNDS,
    ),
]
Seed = Annotated[int, flag("--seed", "Of every pseudo-random choice.", panel=_BOUNDS)]
Conformance = Annotated[
    bool,
    flag(
        "--conformance",
        "Let clients force endpoints and see what served, by headers: for a gateway's "
        "conformance tests, never for traffic.",
        panel=_REFERENCE,
    ),
]
EmitScores = Annotated[
    bool,
    flag(
        "--emit-endpoint-scores",
        "Tell the proxy the scores of all candidates, as metadata beside the endpoint.",
        panel=_REFERENCE,
    ),
]
Destinations = Annotated[
    int,
    flag(
        "--destinations",
        "How many endpoints the proxy is told of a pick, best first: 1 for those that take one, "
        "as agentgateway and clusters of type ORIGINAL_DST.",
        metavar="N",
        panel=_REFERENCE,
    ),
]
ErrorsAs = Annotated[
    Errors,
    flag(
        "--errors",
        "How errors of ours look: OpenAI's JSON, or the plain text and the codes of the reference.",
        panel=_REFERENCE,
    ),
]
ListModels = Annotated[
    Models,
    flag(
        "--list-models",
        "Whose models /v1/models lists: the policy's, or beside them what the servers say they "
        "serve and the policy routes, by a pattern.",
        panel=_LISTENING,
    ),
]


@dataclass(frozen=True, slots=True)
class ServeFlags:
    """What `headrace serve` was given, each as the flag of its name says."""

    policies: MaybePolicies = None
    listen: Listen = LISTEN
    role: Roles = None
    metrics_listen: MetricsListen = "127.0.0.1:9090"
    metrics_token_file: MetricsTokenFile = None
    metrics_review: MetricsReview = False
    transport: Transported = Transport.NATIVE
    reflection: Reflection = False
    tls_cert: TlsCert = None
    tls_key: TlsKey = None
    tls_client_ca: TlsClientCa = None
    tls_self_signed: TlsSelfSigned = False
    otlp: Otlp = ""
    decision_log: DecisionLog = None
    trace_sample: TraceSample = 1.0
    log_level: Logged = LogLevel.INFO
    body_limit: BodyLimit = "32MiB"
    drain_grace: DrainGrace = 30.0
    request_body_mode: RequestBodyMode = Mode.FULL_DUPLEX_STREAMED
    response_body_mode: ResponseBodyMode = Mode.FULL_DUPLEX_STREAMED
    message_timeout: MessageTimeout = 0.2
    max_message_timeout: MaxMessageTimeout = 0.0
    reload_interval: ReloadInterval = 1.0
    soak: Soak = "0s"
    no_self_test: NoSelfTest = False
    policies_from: cluster.PoliciesFrom = ""
    admin_token_file: AdminTokenFile = None
    session_key_file: SessionKeyFile = None
    seed: Seed = 0
    conformance: Conformance = False
    emit_endpoint_scores: EmitScores = False
    destinations: Destinations = 3
    errors: ErrorsAs = Errors.OPENAI
    list_models: ListModels = Models.POLICY
    kube: cluster.Kube = False
    kubeconfig: cluster.Kubeconfig = None
    namespace: cluster.Namespace = ""
    leader_elect: leader.LeaderElect = False
    leader_elect_resource_name: leader.LeaseName = leader.LEASE
    leader_elect_lease_duration: leader.LeaseDuration = leader.LEASE_S
    leader_elect_renew_deadline: leader.RenewDeadline = leader.RENEW_S
    leader_elect_retry_period: leader.RetryPeriod = leader.RETRY_S
    workers: Workers = 1
    state: StateUrl = ""

    @property
    def paths(self) -> list[str]:
        """The files and directories of the policy."""
        return self.policies or []
