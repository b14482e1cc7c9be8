"""What each reason means to whoever is asked about it at night, and who can cure it."""

from headrace.extensions.reasons import Reason

_BODY = "`headrace envoy-config` writes the modes a policy needs"
NOTHING_YET = "Nothing of ours gives it; stages of your own may."

NOTES: dict[Reason, tuple[str, str]] = {
    Reason.MALFORMED_JSON: ("The body is no JSON, or empty.", "the client"),
    Reason.INVALID_UTF8: ("The body is no UTF-8.", "the client"),
    Reason.INVALID_ENCODING: (
        "The body is not what its `content-encoding` says.",
        "the client",
    ),
    Reason.JSON_TOO_DEEP: ("The body nests deeper than is read (64 levels).", "the client"),
    Reason.INVALID_REQUEST: (
        "The body is JSON, but not the API's: the message names the field.",
        "the client",
    ),
    Reason.MISSING_MODEL: ("The body has no `model`.", "the client"),
    Reason.INVALID_MODEL: ("`model` is no name: empty, too long, or not printable.", "the client"),
    Reason.UNKNOWN_MODEL: (
        "The policy has no `model` of that name. The message lists some it has.",
        "the client; or add the model to the policy",
    ),
    Reason.UNKNOWN_PATH: ("No inference API is at that path.", "the client"),
    Reason.METHOD_NOT_ALLOWED: ("The path takes another method; see `allow`.", "the client"),
    Reason.BODY_TIMEOUT: ("The rest of the body did not come for 60 s.", "the client, its network"),
    Reason.BODY_TOO_LARGE: (
        "The body is over the limit, as sent or as decoded, or more than a guard can read.",
        "the client; or raise `--body-limit`",
    ),
    Reason.UNSUPPORTED_MEDIA_TYPE: (
        "`content-type` is not JSON, or `content-encoding` is not gzip, br, zstd or deflate.",
        "the client",
    ),
    Reason.REFUSED: (
        "A `refuse` of the profile held at the endpoint that was picked, e.g. nothing is cached.",
        "the client; or the policy's `profile`",
    ),
    Reason.SHED: (
        "The pool is overloaded and a `shed` rule held. `retry-after` says when to come back.",
        "capacity, or the policy's `overload`",
    ),
    Reason.QUEUE_FULL: (
        "As many requests wait for the pool as its `queue` allows, or with as many bytes.",
        "capacity, or the policy's `at most`",
    ),
    Reason.QUEUE_TIMEOUT: (
        "The request waited for as long as the `queue`, or its own TTL, allows. "
        "`retry-after` is by how fast the queue moves.",
        "capacity, or the policy's `for up to`",
    ),
    Reason.EVICTED: (
        "An `evict` rule held: it was running, and was ended for a more urgent request. One whose "
        "response had begun is broken off instead.",
        "capacity, or the policy's `overload`",
    ),
    Reason.SAFETY_BLOCKED: ("A guard found one of its patterns in the prompt.", "the client"),
    Reason.SAFETY_UNAVAILABLE: (f"A guard could not decide. {NOTHING_YET}", "the operator"),
    Reason.NO_ENDPOINTS: (
        "No endpoint of the pool is ready and eligible, nor became so while the request waited. "
        "`/decisions/last` says why for each.",
        "the model servers; or the policy's `require`",
    ),
    Reason.DRAINING: (
        "The request waited in a queue of a host that was told to stop.",
        "nobody: the client sends it again, to another host",
    ),
    Reason.BODY_UNAVAILABLE: (
        "Envoy does not show a body that the policy decides by, or shows it too late.",
        f"the operator: {_BODY}",
    ),
    Reason.UNKNOWN_CHAIN: (
        "The stream asks, by `x-headrace-chain`, for a chain that the policy does not have.",
        "the operator: Envoy's configuration and the policy differ",
    ),
    Reason.CHANGE_REFUSED: (
        "A stage asked for a change that must not reach the wire, e.g. of `host`.",
        "the author of the stage that the message names",
    ),
    Reason.RESPONSE_UNREADABLE: (
        "A response that a stage must see before the client cannot be decoded or held.",
        "the model server; or the stage that gates",
    ),
    Reason.RESPONSE_TOO_LARGE: (
        "A response outran the stage that must see it before the client.",
        "the stage that gates",
    ),
    Reason.STAGE_FAILED: (
        "A stage raised and is declared `closed`. The log's `failures` names it.",
        "the author of the stage",
    ),
    Reason.STAGE_TIMEOUT: (
        "A stage missed its deadline and is declared `closed`.",
        "the stage, or what it waits for",
    ),
}
"""Reason -> what it means, who cures it."""
