"""What an operator chooses about a host."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.host.envoy.address import Address
from headrace.host.exchange.limits import Limits
from headrace.host.exchange.part import Modes
from headrace.host.extproc.listen import UnixAddress
from headrace.host.extproc.tls import Tls
from headrace.host.extproc.transport import Transport
from headrace.host.roles.role import Role

if TYPE_CHECKING:
    from headrace.host.bus.local import Seat
    from headrace.host.cluster.api import Api
    from headrace.host.cluster.elector import Candidacy
    from headrace.host.telemetry.readers import Readers


@dataclass(frozen=True, slots=True)
class Reference:
    """What the reference endpoint picker does and a host does only if asked.

    conformance   clients may force endpoints, and are told what served: for conformance tests
    emit_scores   the proxy is told the scores of all candidates
    destinations  how many endpoints the proxy is told at most, best first
    plain_errors  errors are plain text with the reference's codes
    """

    conformance: bool = False
    emit_scores: bool = False
    plain_errors: bool = False
    destinations: int = 3


@dataclass(frozen=True, slots=True)
class State:
    """By which ways a host tells others what it has open, and hears of theirs; none: it does not.

    seat   among the workers of one host
    redis  URL of a Redis server; empty for none
    """

    seat: "Seat | None" = None
    redis: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How a host listens, reports and ends; what it decides is the policy's.

    tls                 None for plain HTTP/2
    transport           who speaks gRPC with Envoy
    reflection          whether who asks there is told which services and messages there are
    otlp                where spans go, an OTLP/HTTP URL; empty sends none
    trace_sample_ratio  share of exchanges without a traced caller that get a span, 0..1
    log_level           of Python's logging, lower case
    drain_grace_s       how long open exchanges may go on after a request to end
    modes               the body modes of peers that do not tell theirs
    admin_token         what a client of the operator endpoint must show to change something;
                        empty: on loopback nothing, elsewhere it cannot
    session_key         signs the tokens of sessions; empty: by a key that the host draws
    decision_log        where every decision is written with its reasons; None writes none
    lists_served        whether the list of models has what the servers say they serve, too
    reference           where to do as the reference endpoint picker does, and not as we would
    state               how this host hears of what others have open
    worker              which of several workers it is, from 1; 0: it is alone
    readers             who may read the operator endpoint beyond its health; None: everybody
    kube                the API server that knows who is in pools; None: the policy lists them all
    candidacy           by which Lease the one is elected that writes to *kube*; None: each one does
    policies_from       the labels of the cluster's objects that hold the policy; none: it is files
    roles               what it listens for; without any it listens at *listen*, for every chain
    """

    listen: Address | UnixAddress
    metrics_listen: Address | UnixAddress
    tls: Tls | None = None
    transport: Transport = Transport.NATIVE
    reflection: bool = False
    otlp: str = ""
    trace_sample_ratio: float = 1.0
    log_level: str = "info"
    drain_grace_s: float = 30.0
    limits: Limits = field(default_factory=Limits)
    modes: Modes = field(default_factory=Modes)
    seed: int = 0
    admin_token: str = field(default="", repr=False)
    session_key: bytes = field(default=b"", repr=False)
    decision_log: Path | None = None
    lists_served: bool = False
    reference: Reference = Reference()
    kube: "Api | None" = None
    candidacy: "Candidacy | None" = None
    policies_from: tuple[tuple[str, str], ...] = ()
    state: State = State()
    worker: int = 0
    readers: "Readers | None" = None
    roles: tuple[Role, ...] = ()


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a host listens in fact. *roles*: by role, and with `.health` for its health."""

    listen: Address | UnixAddress
    metrics: Address | UnixAddress
    roles: Mapping[str, Address] = field(default_factory=dict[str, Address])
