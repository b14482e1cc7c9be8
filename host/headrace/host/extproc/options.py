"""The settings of the grpcio transport. Every limit is explicit."""

from collections.abc import Callable
from dataclasses import dataclass

from headrace.host.extproc.session import always
from headrace.host.extproc.tls import Tls

KIB = 1024
MIB = 1024 * KIB


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
    ping_interval_min_s     keep-alive pings of a peer that come faster are a strike
    connection_age_max_s    after this a connection is asked to leave (GOAWAY), so that Envoy
                            spreads anew; None never asks
    tls                     None for plain HTTP/2
    wants_context           chain -> whether attributes and metadata are decoded
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

    def channel_arguments(self) -> list[tuple[str, int]]:
        """Return the settings in the words of gRPC."""
        arguments = [
            ("grpc.so_reuseport", 0),  # a taken port is an error, not a silent second server
            ("grpc.max_receive_message_length", self.message_bytes_max),
            ("grpc.max_send_message_length", self.message_bytes_max),
            ("grpc.max_metadata_size", self.metadata_bytes_max),
            ("grpc.http2.bdp_probe", 0),
            ("grpc.http2.lookahead_bytes", self.window_bytes),
            ("grpc.max_concurrent_streams", self.streams_per_connection),
            ("grpc.keepalive_permit_without_calls", 1),
            (
                "grpc.http2.min_ping_interval_without_data_ms",
                int(self.ping_interval_min_s * 1000),
            ),
            ("grpc.enable_http_proxy", 0),
        ]
        if self.connection_age_max_s is not None:
            arguments += [
                ("grpc.max_connection_age_ms", int(self.connection_age_max_s * 1000)),
                ("grpc.max_connection_age_grace_ms", int(self.connection_age_grace_s * 1000)),
            ]
        return arguments
