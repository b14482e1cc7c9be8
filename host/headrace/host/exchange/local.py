"""Answers of our own: a Reject or an Answer as the client's API expects to read it."""

import math
from collections.abc import Mapping

from headrace.extensions.apis import Api, api_of
from headrace.extensions.headers import Pairs
from headrace.extensions.reasons import DROPPED, DROPPED_HEADER
from headrace.extensions.stage import Answer, Reject, Request
from headrace.extensions.texts.errors import error_object
from headrace.host.exchange.reply import ImmediateReply, Metadata

REASON_HEADER = "x-headrace-reason"

# HTTP status -> gRPC status for clients that speak gRPC, after google.rpc.Code.
GRPC_STATUS = {
    400: 3,  # INVALID_ARGUMENT
    401: 16,  # UNAUTHENTICATED
    403: 7,  # PERMISSION_DENIED
    404: 5,  # NOT_FOUND
    405: 12,  # UNIMPLEMENTED
    408: 4,  # DEADLINE_EXCEEDED
    413: 8,  # RESOURCE_EXHAUSTED
    415: 3,
    429: 8,
    500: 13,  # INTERNAL
    501: 12,
    503: 14,  # UNAVAILABLE
    504: 4,
}
_GRPC_UNKNOWN = 2


def status_of(answer: Reject | Answer) -> int:
    """Return the HTTP status that *answer* is given with."""
    if isinstance(answer, Answer):
        return answer.status
    return answer.status if answer.status is not None else answer.reason.status


def api_asked(request: Request) -> Api | None:
    """Return the API whose errors the client of *request* reads; None if its path names none."""
    return api_of(request.path)


def head_of(answer: Reject | Answer) -> Mapping[str, str]:
    """Return the header fields that *answer* has of itself."""
    if isinstance(answer, Answer):
        return {"content-type": "application/json", **answer.headers}
    fields = {"content-type": "application/json", REASON_HEADER: answer.reason.word}
    dropped = DROPPED.get(answer.reason)
    if dropped is not None:
        fields[DROPPED_HEADER] = dropped
    if answer.retry_after_s is not None:
        fields["retry-after"] = str(max(1, math.ceil(answer.retry_after_s)))
    return {**fields, **answer.headers}


def immediate(
    answer: Reject | Answer,
    headers: Pairs,
    grpc: bool,
    metadata: Metadata | None,
    api: Api | None = None,
) -> ImmediateReply:
    """Return the whole local reply. *headers* are the final ones, `head_of` included.

    api  in whose form an error is told
    """
    status = status_of(answer)
    reject = answer if isinstance(answer, Reject) else None
    body = (
        error_object(api, reject) if reject else answer.body if isinstance(answer, Answer) else b""
    )
    if grpc and reject:
        body = reject.message.encode()
    return ImmediateReply(
        status=status,
        headers=headers,
        body=body,
        grpc_status=GRPC_STATUS.get(status, _GRPC_UNKNOWN) if grpc else None,
        details=f"headrace_{reject.reason.word.replace('-', '_')}" if reject else "headrace_answer",
        metadata=metadata,
    )
