"""Errors as the reference systems give them: plain text.

Of the endpoint picker its eight codes; of a prompt that is blocked what GKE's gateway says.
"""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from headrace.extensions.headers import Pairs
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Reject
from headrace.host.exchange.reply import ImmediateReply

CODES: Mapping[int, str] = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    412: "PreconditionFailed",
    429: "ResourceExhausted",
    500: "Internal",
    503: "ServiceUnavailable",
}
"""HTTP status -> what the text calls it."""

BLOCKED = 403
"""What GKE's gateway answers a blocked prompt with."""

MESSAGES: Mapping[Reason, str] = {
    Reason.MISSING_MODEL: "model not found in request body",
    Reason.NO_ENDPOINTS: "failed to find endpoint candidates for serving the request",
}
FIELDS: Mapping[str, str] = {
    "prompt": "invalid completions request: must have prompt field",
    "messages": "invalid chat completions request: must have valid messages field",
    "input": "invalid request: must have input field",
}
"""The field that a request lacks -> how that is said."""


def plain(reply: ImmediateReply, reject: Reject) -> ImmediateReply:
    """Return *reply*, which tells of *reject*, as the reference would give it.

    A status that it has no code for becomes 400 or 500, as whose fault it is.
    """
    if reject.reason is Reason.SAFETY_BLOCKED:
        body = _blocked(reject)
        return replace(reply, status=BLOCKED, headers=_headers(reply.headers), body=body)
    status = reply.status
    if status not in CODES:
        status = 400 if status < 500 else 500
    text = f"inference error: {CODES[status]} - {_message(reject)}"
    return replace(reply, status=status, headers=_headers(reply.headers), body=text.encode())


def _blocked(reject: Reject) -> bytes:
    """Return what a client of GKE's gateway gets for a blocked prompt.

    Source: the tutorial of Model Armor for GKE, as of 2026: 403, and JSON as plain text, with
    the code and the message of the template if it has them.
    """
    error = {
        "type": "bad_request_error",
        "message": reject.message,
        "param": "",
        "code": reject.code or "bad_request_error",
    }
    return msgspec.json.encode({"error": error})


def _message(reject: Reject) -> str:
    if reject.reason is Reason.MALFORMED_JSON:
        return f"error unmarshaling request bodyMap: {reject.message}"
    known = MESSAGES.get(reject.reason)
    if reject.reason is Reason.INVALID_REQUEST:
        known = FIELDS.get(reject.param or "")
    return known or reject.message


def _headers(headers: Pairs) -> Pairs:
    return tuple((n, "text/plain" if n == "content-type" else v) for n, v in headers)
