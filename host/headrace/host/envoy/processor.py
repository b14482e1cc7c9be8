"""The ext_proc filter: what Envoy shows a chain, and what it takes from it."""

from headrace.extensions.stage import Needs, ResponseNeed
from headrace.host.envoy.clusters import PROCESSOR
from headrace.host.envoy.options import EnvoyOptions, Tree

CHAIN_METADATA = "x-headrace-chain"

_TYPE = "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor"

# Connection-bound headers (RFC 9110 section 7.6.1). Envoy forwards an added transfer-encoding
# as it is, which is what request smuggling is made of.
_HOP_BY_HOP = "connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade"

# Observing costs one message per chunk and keeps Envoy's own copy of the bytes; only a
# stage that may change or withhold them needs the full duplex.
_RESPONSE_MODES = {
    ResponseNeed.NONE: "NONE",
    ResponseNeed.OBSERVE: "STREAMED",
    ResponseNeed.GATE: "FULL_DUPLEX_STREAMED",
}


# Of two hosts Envoy draws the dead one three times of four, as it has the fewest requests: ten
# tries all find it once in twenty times, a hundred never do.
ANOTHER_HOST_TRIES = 100
_PREVIOUS_HOSTS = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
_ANOTHER_HOST: Tree = {
    "name": "envoy.retry_host_predicates.previous_hosts",
    "typed_config": {"@type": f"type.googleapis.com/{_PREVIOUS_HOSTS}"},
}


def ext_proc_filter(needs: Needs, options: EnvoyOptions) -> Tree:
    """Return the filter that shows the processor exactly what *needs* names."""
    config: Tree = {
        "@type": _TYPE,
        "grpc_service": _grpc_service(options),
        "failure_mode_allow": False,
        "status_on_error": {"code": "ServiceUnavailable"},
        "message_timeout": f"{options.answer_wait_s}s",
        "processing_mode": processing_mode(needs),
        "mutation_rules": {"disallow_expression": {"regex": _HOP_BY_HOP}},
    }
    if needs.forwarding or needs.receiving:
        config["metadata_options"] = _metadata(needs)
    if needs.attributes:
        config["request_attributes"] = sorted(needs.attributes)
    return {"name": "envoy.filters.http.ext_proc", "typed_config": config}


def processing_mode(needs: Needs) -> Tree:
    """Return the modes for *needs*. Full duplex must see trailers, else Envoy refuses to start."""
    return {
        "request_header_mode": "SEND",
        "request_body_mode": "FULL_DUPLEX_STREAMED" if needs.request_body else "NONE",
        "request_trailer_mode": "SEND" if needs.request_body else "SKIP",
        "response_header_mode": "SEND",
        "response_body_mode": _RESPONSE_MODES[needs.response],
        "response_trailer_mode": "SKIP" if needs.response is ResponseNeed.NONE else "SEND",
    }


def _grpc_service(options: EnvoyOptions) -> Tree:
    """A dead or draining processor is healed when the stream opens; nothing is sent twice.

    Of several, another one is asked then: the dead one has the fewest requests, so that it
    would be chosen again and again until its health is known.
    """
    retry: Tree = {
        "retry_on": "connect-failure,refused-stream,unavailable,reset",
        "num_retries": 2,
    }
    if len(options.processors) > 1:
        retry["retry_host_predicate"] = [_ANOTHER_HOST]
        retry["host_selection_retry_max_attempts"] = ANOTHER_HOST_TRIES
    service: Tree = {"envoy_grpc": {"cluster_name": PROCESSOR}, "retry_policy": retry}
    if options.chain != "default":
        service["initial_metadata"] = [{"key": CHAIN_METADATA, "value": options.chain}]
    return service


def _metadata(needs: Needs) -> Tree:
    namespaces: Tree = {}
    if needs.forwarding:
        namespaces["forwarding_namespaces"] = {"untyped": sorted(needs.forwarding)}
    if needs.receiving:
        namespaces["receiving_namespaces"] = {"untyped": sorted(needs.receiving)}
    return namespaces
