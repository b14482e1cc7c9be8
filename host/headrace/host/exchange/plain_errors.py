"""Errors as the reference endpoint picker gives them: its eight codes, as plain text."""

from collections.abc import Mapping

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
    status = reply.status
    if status not in CODES:
        status = 400 if status < 500 else 500
    text = f"inference error: {CODES[status]} - {_message(reject)}"
    return replace(reply, status=status, headers=_headers(reply.headers), body=text.encode())


def _message(reject: Reject) -> str:
    if reject.reason is Reason.MALFORMED_JSON:
        return f"error unmarshaling request bodyMap: {reject.message}"
    known = MESSAGES.get(reject.reason)
    if reject.reason is Reason.INVALID_REQUEST:
        known = FIELDS.get(reject.param or "")
    return known or reject.message


def _headers(headers: Pairs) -> Pairs:
    return tuple((n, "text/plain" if n == "content-type" else v) for n, v in headers)
