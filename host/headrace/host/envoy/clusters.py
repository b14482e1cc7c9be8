"""The clusters: one for the processors, one per pool of the policy."""

from collections.abc import Iterable

from headrace.dsl.program import Pool
from headrace.host.envoy.address import Address, AddressError, parse_address
from headrace.host.envoy.options import EnvoyOptions, Tree

PROCESSOR = "headrace"
DESTINATION = "x-gateway-destination-endpoint"
SERVED = "x-gateway-destination-endpoint-served"
LB_NAMESPACE = "envoy.lb"

_EXTENSIONS = "type.googleapis.com/envoy.extensions"
_LB = f"{_EXTENSIONS}.load_balancing_policies"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

# Envoy's defaults (1024) would cap concurrent exchanges: a stream lives as long as its answer.
_NO_CAP: Tree = {
    "thresholds": [
        {
            "max_connections": 65_535,
            "max_pending_requests": 65_535,
            "max_requests": 65_535,
            "max_retries": 1_024,
        }
    ]
}


class BootstrapError(ValueError):
    """This policy cannot be served by a static Envoy. *problems*: one line each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


def pool_cluster_name(pool: str) -> str:
    """Return the name of the cluster that holds the endpoints of *pool*."""
    return f"pool:{pool}"


def pool_cluster(pool: Pool, addresses: Iterable[Address], *, picked: bool) -> Tree:
    """Return the cluster of *pool*.

    picked  whether the chain picks endpoints; if not, Envoy balances by itself
    """
    name = pool_cluster_name(pool.name)
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": _NO_CAP,
        "typed_extension_protocol_options": _http({"http_protocol_options": _TRAILERS}),
        "load_balancing_policy": _policies(_override_host() if picked else _LEAST_REQUEST),
        "load_assignment": _assignment(name, addresses),
    }


def processor_cluster(options: EnvoyOptions) -> Tree:
    """Return the cluster of the `headrace serve` processes.

    An unready one is left out at once (panic threshold 0), as it says so by gRPC health.
    """
    cluster: Tree = {
        "name": PROCESSOR,
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": _NO_CAP,
        "typed_extension_protocol_options": _http({"http2_protocol_options": {}}),
        "load_balancing_policy": _policies(_LEAST_REQUEST),
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "health_checks": [_HEALTH],
        "load_assignment": _assignment(PROCESSOR, options.processors),
    }
    if options.processor_tls:
        cluster["transport_socket"] = _tls(options.processor_ca)
    return cluster


def pool_addresses(pool: Pool) -> tuple[list[Address], list[str]]:
    """Return where requests of *pool* go, and a line for each address that Envoy cannot use.

    Envoy compares the picked `ip:port` with the resolved addresses of a cluster, so a
    name could never be picked.
    """
    found: list[Address] = []
    problems: list[str] = []
    for endpoint in pool.destinations:
        try:
            found.append(parse_address(endpoint))
        except AddressError as error:
            problems.append(f"pool `{pool.name}`: endpoint {error}")
    if not pool.endpoints:
        why = "has no static endpoints"
        if pool.inference_pool is not None or pool.selector is not None:
            why = "has its endpoints from Kubernetes, which a static Envoy does not know"
        problems.append(f"pool `{pool.name}` {why}: list them as `endpoints`")
    return found, problems


def socket_address(address: Address) -> Tree:
    """Return *address* as Envoy's `core.v3.Address`."""
    return {"socket_address": {"address": address.host, "port_value": address.port}}


def _assignment(name: str, addresses: Iterable[Address]) -> Tree:
    endpoints = [{"endpoint": {"address": socket_address(a)}} for a in addresses]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}


def _http(explicit: Tree) -> Tree:
    options = {"@type": f"type.googleapis.com/{_HTTP_OPTIONS}", "explicit_http_config": explicit}
    return {_HTTP_OPTIONS: options}


def _extension(name: str, type_url: str, **config: object) -> Tree:
    return {"name": name, "typed_config": {"@type": type_url, **config}}


def _policies(policy: Tree) -> Tree:
    return {"policies": [{"typed_extension_config": policy}]}


def _override_host() -> Tree:
    """The picked endpoints in order, header before metadata; then Envoy's own choice."""
    return _extension(
        "envoy.load_balancing_policies.override_host",
        f"{_LB}.override_host.v3.OverrideHost",
        override_host_sources=[
            {"header": DESTINATION},
            {"metadata": {"key": LB_NAMESPACE, "path": [{"key": DESTINATION}]}},
        ],
        selected_host_key={"key": LB_NAMESPACE, "path": [{"key": SERVED}]},
        fallback_policy=_policies(_LEAST_REQUEST),
    )


def _tls(ca: str) -> Tree:
    common: Tree = {"alpn_protocols": ["h2"]}
    if ca:
        common["validation_context"] = {"trusted_ca": {"filename": ca}}
    return _extension(
        "envoy.transport_sockets.tls",
        f"{_EXTENSIONS}.transport_sockets.tls.v3.UpstreamTlsContext",
        common_tls_context=common,
    )


_TRAILERS: Tree = {"enable_trailers": True}
_LEAST_REQUEST = _extension(
    "envoy.load_balancing_policies.least_request",
    f"{_LB}.least_request.v3.LeastRequest",
)
# The intervals without traffic default to 60 s: too long to notice that a processor came back.
_HEALTH: Tree = {
    "timeout": "1s",
    "interval": "2s",
    "unhealthy_interval": "1s",
    "no_traffic_interval": "1s",
    "unhealthy_threshold": 2,
    "healthy_threshold": 1,
    "grpc_health_check": {"service_name": "readiness"},
}
