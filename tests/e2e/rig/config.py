"""Envoy bootstraps for the rig: one listener per door, every door with its own processing mode.

Owns the mapping from a Door to Envoy's configuration. Starts nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headrace.host.exchange.part import BodyMode

Config = dict[str, object]

FDS = BodyMode.FULL_DUPLEX_STREAMED
LOOPBACK = "127.0.0.1"
MIB = 1024 * 1024
_EXT = "type.googleapis.com/envoy.extensions"
_HCM = f"{_EXT}.filters.network.http_connection_manager.v3.HttpConnectionManager"
_EXT_PROC = f"{_EXT}.filters.http.ext_proc.v3.ExternalProcessor"
_ROUTER = f"{_EXT}.filters.http.router.v3.Router"
_HTTP_OPTIONS = f"{_EXT}.upstreams.http.v3.HttpProtocolOptions"
_STDERR_LOG = f"{_EXT}.access_loggers.stream.v3.StderrAccessLog"
_LOG_LINE = (
    "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% flags=%RESPONSE_FLAGS%\n"
)


@dataclass(frozen=True, slots=True)
class Door:
    """One listener: how Envoy treats the exchanges that come in by it.

    processor      the ext_proc cluster; empty: no ext_proc at all
    fail_open      Envoy's `failure_mode_allow`
    observe        Envoy's `observability_mode`
    eager_body     Envoy's `send_body_without_waiting_for_header_response`
    message_timeout_s, message_timeout_max_s  Envoy's timer per message and how far it may grow
    buffer_bytes_max  of the listener's connections: the bound of the BUFFERED modes
    receiving      dynamic metadata namespaces that the processor may write
    retry          Envoy opens the processor's stream again, elsewhere, if it breaks early
    route_retry    Envoy sends a request again whose upstream broke before its answer
    trace_header   the client's header that becomes `traceparent` of the gRPC call; empty: none
    """

    name: str
    request: BodyMode = FDS
    response: BodyMode = FDS
    processor: str = "host"
    trailers: bool = True
    request_headers: bool = True
    response_headers: bool = True
    fail_open: bool = False
    observe: bool = False
    mode_override: bool = False
    immediate_disabled: bool = False
    eager_body: bool = False
    message_timeout_s: float = 30.0
    message_timeout_max_s: float = 0.0
    buffer_bytes_max: int = MIB
    receiving: tuple[str, ...] = ("envoy.lb",)
    retry: bool = False
    route_retry: bool = False
    trace_header: str = ""


def bootstrap(
    doors: Sequence[Door], processors: Mapping[str, Sequence[int]], upstreams: Mapping[str, int]
) -> Config:
    """Return a whole bootstrap: *doors* as listeners on free ports, the clusters behind them.

    A request reaches the upstream that its `x-to` header names, else `h1`. The cluster
    `h2` speaks HTTP/2 to its upstream, `empty` has no endpoints, all others speak HTTP/1.1.
    Doors with large buffers have them towards the upstream too.
    """
    wide = max(door.buffer_bytes_max for door in doors)
    clusters = [_cluster(name, ports, http2=True) for name, ports in processors.items()]
    for name, port in upstreams.items():
        clusters.append(_cluster(name, [port], http2=name == "h2"))
        clusters.append(_cluster(f"{name}-wide", [port], http2=name == "h2", buffer_bytes_max=wide))
    clusters.append(_cluster("empty", [], http2=False))
    routes = [*upstreams, "empty"]
    return {
        "admin": {"address": _address(0)},
        "static_resources": {
            "listeners": [_listener(door, routes) for door in doors],
            "clusters": clusters,
        },
        "layered_runtime": {
            "layers": [
                {
                    "name": "static",
                    "static_layer": {
                        "envoy.reloadable_features.ext_proc_graceful_grpc_close": True
                    },
                }
            ]
        },
    }


def _address(port: int) -> Config:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def _listener(door: Door, upstreams: Sequence[str]) -> Config:
    manager: Config = {
        "@type": _HCM,
        "stat_prefix": door.name,
        "codec_type": "AUTO",
        "stream_idle_timeout": "20s",
        "delayed_close_timeout": "0.1s",
        "http_protocol_options": {"enable_trailers": True},
        "http2_protocol_options": {"max_concurrent_streams": 1000},
        "max_request_headers_kb": 96,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "access_log": [
            {
                "name": "envoy.access_loggers.stderr",
                "typed_config": {
                    "@type": _STDERR_LOG,
                    "log_format": {
                        "text_format_source": {"inline_string": f"{door.name} {_LOG_LINE}"}
                    },
                },
            }
        ],
        "route_config": {"virtual_hosts": [_virtual_host(door, upstreams)]},
        "http_filters": [*_ext_proc(door), {"name": "router", "typed_config": {"@type": _ROUTER}}],
    }
    return {
        "name": door.name,
        "address": _address(0),
        "per_connection_buffer_limit_bytes": door.buffer_bytes_max,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    }


def _virtual_host(door: Door, upstreams: Sequence[str]) -> Config:
    def route(name: str) -> Config:
        match: Config = {"prefix": "/"}
        if name != "h1":
            match["headers"] = [{"name": "x-to", "string_match": {"exact": name}}]
        wide = door.buffer_bytes_max > MIB and name != "empty"
        action: Config = {"cluster": f"{name}-wide" if wide else name, "timeout": "0s"}
        if door.route_retry:
            action["retry_policy"] = {"retry_on": "reset", "num_retries": 1}
        return {"match": match, "route": action}

    by_default_last = [*(name for name in upstreams if name != "h1"), "h1"]
    return {"name": "all", "domains": ["*"], "routes": [route(name) for name in by_default_last]}


def _ext_proc(door: Door) -> list[Config]:
    if not door.processor:
        return []
    metadata = [{"key": "x-headrace-chain", "value": "%REQ(x-chain)%"}]
    if door.trace_header:
        metadata.append({"key": "traceparent", "value": f"%REQ({door.trace_header})%"})
    service: Config = {
        "envoy_grpc": {"cluster_name": door.processor},
        "timeout": "60s",
        "initial_metadata": metadata,
    }
    if door.retry:
        retry_on = "connect-failure,refused-stream,unavailable,reset"
        service["retry_policy"] = {"retry_on": retry_on, "num_retries": 2}
    settings: Config = {
        "@type": _EXT_PROC,
        "failure_mode_allow": door.fail_open,
        "observability_mode": door.observe,
        "allow_mode_override": door.mode_override,
        "disable_immediate_response": door.immediate_disabled,
        "send_body_without_waiting_for_header_response": door.eager_body,
        "message_timeout": f"{door.message_timeout_s}s",
        "deferred_close_timeout": "0.1s",
        "grpc_service": service,
        "processing_mode": _processing_mode(door),
        "mutation_rules": {"allow_all_routing": True},
        "request_attributes": ["request.path", "source.address"],
        "metadata_options": {
            "forwarding_namespaces": {"untyped": ["envoy.lb"]},
            "receiving_namespaces": {"untyped": list(door.receiving)},
        },
    }
    if door.message_timeout_max_s:
        settings["max_message_timeout"] = f"{door.message_timeout_max_s}s"
    return [{"name": "envoy.filters.http.ext_proc", "typed_config": settings}]


def _processing_mode(door: Door) -> Config:
    def sent(yes: bool) -> str:
        return "SEND" if yes else "SKIP"

    return {
        "request_header_mode": sent(door.request_headers),
        "response_header_mode": sent(door.response_headers),
        "request_body_mode": door.request.name,
        "response_body_mode": door.response.name,
        "request_trailer_mode": sent(door.trailers),
        "response_trailer_mode": sent(door.trailers),
    }


def _cluster(
    name: str, ports: Sequence[int], *, http2: bool, buffer_bytes_max: int = MIB
) -> Config:
    endpoints = [{"endpoint": {"address": _address(port)}} for port in ports]
    protocol: Config = (
        {"http2_protocol_options": {}}
        if http2
        else {"http_protocol_options": {"enable_trailers": True}}
    )
    unlimited = {
        "max_connections": 65535,
        "max_pending_requests": 65535,
        "max_requests": 65535,
        "max_retries": 1024,
    }
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "per_connection_buffer_limit_bytes": buffer_bytes_max,
        "circuit_breakers": {"thresholds": [unlimited]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": _HTTP_OPTIONS,
                "explicit_http_config": protocol,
            }
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": endpoints}],
        },
    }
