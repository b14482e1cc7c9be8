"""Headers that steer a gateway, and which of them clients may not send.

A forged destination is an SSRF hole, a forged objective jumps the queue. What a
policy does not trust is removed before any stage runs.
"""

from collections.abc import Mapping

from headrace.extensions.headers import Headers

OWN_PREFIX = "x-headrace-"
CONFORMANCE = "conformance"
TEST_SELECTION = "test-epp-endpoint-selection"

_TRUSTABLE = {
    "objective": ("x-llm-d-inference-objective", "x-gateway-inference-objective"),
    "fairness_id": ("x-llm-d-inference-fairness-id", "x-gateway-inference-fairness-id"),
    "model_rewrite": ("x-llm-d-model-name-rewrite", "x-gateway-model-name-rewrite"),
    "slo": (
        "x-llm-d-slo-ttft-ms",
        "x-llm-d-slo-tpot-ms",
        "x-slo-ttft-ms",
        "x-slo-tpot-ms",
    ),
    "ttl": ("x-headrace-ttl", "x-llm-d-inference-ttl"),
    "session": ("x-session-token",),
    "endpoint": (
        "x-gateway-destination-endpoint",
        "x-gateway-destination-endpoint-subset",
        # These tell the decode sidecar which addresses to open connections to.
        "x-prefiller-host-port",
        "x-encoder-hosts-ports",
        "x-data-parallel-host-port",
        "x-kv-cache-source-host-port",
    ),
    # No policy has this name: an operator gives it, by `serve --conformance`.
    CONFORMANCE: (TEST_SELECTION,),
}
# Said by a gateway about its own decisions, so no client can have a reason to send them.
_NEVER = (
    "x-gateway-model-name",
    "x-gateway-base-model-name",
    "x-gateway-destination-endpoint-served",
    "x-gateway-destination-endpoint-scores",
    "x-gateway-inference-request-cost",
    "x-llm-d-request-dropped-reason",
    "x-llm-d-video-fps",
    "x-llm-d-video-duration-seconds",
    "x-llm-d-video-resolution",
    "epp-profile",
)

CONTROL: Mapping[str, str | None] = {
    **{header: trust for trust, headers in _TRUSTABLE.items() for header in headers},
    **dict.fromkeys(_NEVER),
}
"""Control header -> the name in `trust` that lets it through; None if nothing does."""


def forged(headers: Headers, trusted: frozenset[str]) -> tuple[str, ...]:
    """Return the names of *headers* to remove, each once, in the order they came.

    *trusted* are the names of `trust` statements that hold for this request.
    """
    found = [
        name
        for name, _ in headers.pairs
        if (CONTROL[name] not in trusted if name in CONTROL else name.startswith(OWN_PREFIX))
    ]
    return tuple(dict.fromkeys(found)) if found else ()


def named_objective(headers: Headers) -> str:
    """Return the objective that a request names in a header; empty if it names none."""
    return headers.first(_TRUSTABLE["objective"])


def named_rewrite(headers: Headers) -> str:
    """Return the model that a header says to ask for instead; empty if none does."""
    return headers.first(_TRUSTABLE["model_rewrite"])


def named_fairness(headers: Headers) -> str:
    """Return on whose share of the service a header says to count a request; empty if none does."""
    return headers.first(_TRUSTABLE["fairness_id"])
