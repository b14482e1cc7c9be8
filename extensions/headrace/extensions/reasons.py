"""The closed list of reasons for which Headrace answers instead of the upstream.

A reason is at once the metric label, the span attribute and the value of the
`x-headrace-reason` response header, so it never carries user text.
"""

from collections.abc import Mapping
from enum import Enum


class Reason(Enum):
    """Why a client got an answer of ours: (wire word, default HTTP status, OpenAI error type)."""

    MALFORMED_JSON = ("malformed-json", 400, "invalid_request_error")
    INVALID_UTF8 = ("invalid-utf8", 400, "invalid_request_error")
    INVALID_ENCODING = ("invalid-encoding", 400, "invalid_request_error")
    JSON_TOO_DEEP = ("json-too-deep", 400, "invalid_request_error")
    INVALID_REQUEST = ("invalid-request", 400, "invalid_request_error")
    MISSING_MODEL = ("missing-model", 400, "invalid_request_error")
    INVALID_MODEL = ("invalid-model", 400, "invalid_request_error")
    UNKNOWN_MODEL = ("unknown-model", 404, "invalid_request_error")
    UNKNOWN_PATH = ("unknown-path", 404, "invalid_request_error")
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "invalid_request_error")
    BODY_TIMEOUT = ("body-timeout", 408, "invalid_request_error")
    BODY_TOO_LARGE = ("body-too-large", 413, "invalid_request_error")
    UNSUPPORTED_MEDIA_TYPE = ("unsupported-media-type", 415, "invalid_request_error")
    SHED = ("shed", 429, "rate_limit_error")
    QUEUE_FULL = ("queue-full", 429, "rate_limit_error")
    QUEUE_TIMEOUT = ("queue-timeout", 429, "rate_limit_error")
    EVICTED = ("evicted", 429, "rate_limit_error")
    SAFETY_BLOCKED = ("safety-blocked", 400, "content_policy_violation")
    SAFETY_UNAVAILABLE = ("safety-unavailable", 503, "server_error")
    REFUSED = ("refused", 412, "invalid_request_error")
    NO_ENDPOINTS = ("no-endpoints", 503, "server_error")
    DRAINING = ("draining", 503, "server_error")
    BODY_UNAVAILABLE = ("body-unavailable", 500, "server_error")
    UNKNOWN_CHAIN = ("unknown-chain", 500, "server_error")
    CHANGE_REFUSED = ("change-refused", 500, "server_error")
    RESPONSE_UNREADABLE = ("response-unreadable", 502, "server_error")
    RESPONSE_TOO_LARGE = ("response-too-large", 502, "server_error")
    STAGE_FAILED = ("stage-failed", 500, "server_error")
    STAGE_TIMEOUT = ("stage-timeout", 504, "server_error")

    def __init__(self, word: str, status: int, error_type: str) -> None:
        self.word = word
        self.status = status
        self.error_type = error_type


DROPPED_HEADER = "x-llm-d-request-dropped-reason"
DROPPED: Mapping[Reason, str] = {
    Reason.SHED: "rejected-saturated",
    Reason.QUEUE_FULL: "rejected-saturated",
    Reason.QUEUE_TIMEOUT: "rejected-ttl-expired",
    Reason.EVICTED: "evicted-priority",
    Reason.DRAINING: "rejected-shutting-down",
    Reason.NO_ENDPOINTS: "rejected-no-endpoints",
}
"""Reason -> what `DROPPED_HEADER` says beside it: the words of llm-d's router, for its clients."""
