"""The settings of a listener, whichever transport serves it. Every limit is explicit."""

from collections.abc import Callable
from dataclasses import dataclass, field

from headrace.host.extproc.native.limits import KIB, MIB, Limits
from headrace.host.extproc.session import always
from headrace.host.extproc.tls import Tls

__all__ = ["KIB", "MIB", "GrpcOptions"]


@dataclass(frozen=True, slots=True)
class GrpcOptions:
    """How one gRPC listener behaves.

    message_bytes_max       the largest message taken or sent: more than the body limit, for
                            a BUFFERED body is one message
    metadata_bytes_max      initial metadata of a stream
    window_bytes            what a peer may send unread on one stream. Fixed: left alone, gRPC
                            widens it by what it measures, to tens of megabytes on a fast link
    streams_per_connection  Envoy opens one connection per worker
    exchanges_max           of all connections together; more are answered RESOURCE_EXHAUSTED
    ping_interval_min_s     of grpcio: keep-alive pings that come faster are a strike
    connection_age_max_s    after this a connection is asked to leave (GOAWAY), so that Envoy
                            spreads anew; None never asks
    tls                     None for plain HTTP/2
    wants_context           chain -> whether attributes and metadata are decoded
    limits                  of the native transport: what one peer may cost
    reply_bytes_max         a larger message of ours ends its stream: the peer would not take it
    health_only             nothing is asked there but how this host is
    reflection              who asks is told which services and messages are here
    """

    listener: str = ""
    message_bytes_max: int = 40 * MIB
    metadata_bytes_max: int = 64 * KIB
    window_bytes: int = 256 * KIB
    streams_per_connection: int = 10_000
    exchanges_max: int = 20_000
    ping_interval_min_s: float = 5.0
    connection_age_max_s: float | None = None
    connection_age_grace_s: float = 600.0
    tls: Tls | None = None
    wants_context: Callable[[str], bool] = always
    limits: Limits = field(default_factory=Limits)
    reply_bytes_max: int = (1 << 31) - 1
    health_only: bool = False
    reflection: bool = False
