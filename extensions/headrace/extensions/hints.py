"""What a client, or a gateway before us, asks of the serving of its request: by headers.

Only what the policy trusts is left of these headers when a stage sees the request; see
`control`. A value that cannot be read counts as not given.
"""

import re

from msgspec import Struct

from headrace.extensions.headers import Headers

HINT_S_MAX = 86_400.0  # a day: nothing that is longer can be meant
TEXT_MAX = 256  # characters of a fairness id or a session
FAIRNESS = ("x-llm-d-inference-fairness-id", "x-gateway-inference-fairness-id")
TTL = ("x-headrace-ttl", "x-llm-d-inference-ttl")
SLO_TTFT = ("x-llm-d-slo-ttft-ms", "x-slo-ttft-ms")
SLO_TPOT = ("x-llm-d-slo-tpot-ms", "x-slo-tpot-ms")
# The names by which agents and gateways tell a conversation, most explicit first.
SESSION = (
    "x-session-id", "x-claude-code-session-id", "x-session-affinity", "session-id", "session_id",
)  # fmt: skip
# Of Go's units; its micro sign may be either of two characters, and a header has neither.
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)", re.ASCII)
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,9})?", re.ASCII)


class Hints(Struct, frozen=True):
    """`request.fairness_id` and the like; satisfies `HintValues`. Durations are seconds, > 0."""

    fairness_id: str = ""
    session: str = ""
    ttl_s: float | None = None
    slo_ttft_s: float | None = None
    slo_tpot_s: float | None = None


NO_HINTS = Hints()


def hints_of(headers: Headers) -> Hints:
    """Return what *headers* ask for; of two names for one thing the first that is sent counts."""
    return Hints(
        _first(headers, FAIRNESS)[:TEXT_MAX],
        _first(headers, SESSION)[:TEXT_MAX],
        go_duration_s(_first(headers, TTL)),
        _millis_s(_first(headers, SLO_TTFT)),
        _millis_s(_first(headers, SLO_TPOT)),
    )


def go_duration_s(text: str) -> float | None:
    """Return the seconds of a Go duration such as ``1m30s``; None if it is none, or not above 0."""
    parts = [(float(m[1]), m[2]) for m in _PART.finditer(text)]
    if not parts or "".join(m[0] for m in _PART.finditer(text)) != text:
        return None
    return _bounded(sum(number * _UNITS[unit] for number, unit in parts))


def _millis_s(text: str) -> float | None:
    return _bounded(float(text) / 1000) if _NUMBER.fullmatch(text) else None


def _bounded(seconds: float) -> float | None:
    return min(seconds, HINT_S_MAX) if seconds > 0.0 else None


def _first(headers: Headers, names: tuple[str, ...]) -> str:
    return next((headers.get(name) for name in names if name in headers), "")
