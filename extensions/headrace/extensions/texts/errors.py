"""A Reject as the clients of each API expect to read an error: whole, or in a stream."""

from collections.abc import Mapping
from typing import cast

import msgspec

from headrace.extensions.apis import Api
from headrace.extensions.stage import Reject
from headrace.extensions.values import DONE

_ANTHROPIC = (Api.MESSAGES, Api.COUNT_TOKENS)
_GOOGLE = (Api.PREDICT, Api.GEMINI)
# Source: Anthropic API, "Errors". It has no 503: what passes by itself is 529 there.
_ANTHROPIC_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
# Source: google.rpc.Code, and the HTTP mapping in its comments.
_GOOGLE_STATUS: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    412: "FAILED_PRECONDITION",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_GOOGLE_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


def error_object(api: Api | None, reject: Reject) -> bytes:
    """Return *reject* as the whole body of an answer; without an *api*, in OpenAI's form.

    vLLM and SGLang speak OpenAI's form too, at the paths of their own as well. For gRPC it is
    the message alone, which goes into a header.
    """
    if api in _ANTHROPIC:
        return msgspec.json.encode(_anthropic(reject))
    if api in _GOOGLE:
        return msgspec.json.encode(_google(reject))
    if api is not None and api.grpc:
        return reject.message.encode()
    return msgspec.json.encode({"error": _openai(reject)})


class Begun(msgspec.Struct, frozen=True):
    """What a client already has of a stream: the data of its first event and of the latest."""

    first: bytes = b""
    latest: bytes = b""


NOTHING = Begun()


def error_events(api: Api | None, reject: Reject, begun: Begun = NOTHING) -> bytes:
    """Return *reject* as the last events of a stream of which the client has what has *begun*.

    The end of the stream, as the API has one, is among them. A gRPC stream ends by its
    trailers, so there is nothing to say in its body.
    """
    if api is not None and api.grpc:
        return b""
    if api in _ANTHROPIC:
        return _event("error", _anthropic(reject))
    if api is Api.RESPONSES:
        number = _number_after(begun)
        return _event("error", _responses_error(reject, number)) + _event(
            "response.failed", _responses_failed(reject, number + 1, begun)
        )
    told = b"data: " + error_object(api, reject) + b"\n\n"
    return told if api in _GOOGLE else told + b"data: " + DONE + b"\n\n"


def _event(name: str, value: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(value) + b"\n\n"


def _code(reject: Reject) -> str:
    return reject.code or reject.reason.word


def _status(reject: Reject) -> int:
    return reject.reason.status if reject.status is None else reject.status


def _openai(reject: Reject) -> dict[str, object]:
    return {
        "message": reject.message,
        "type": reject.reason.error_type,
        "param": reject.param,
        "code": _code(reject),
    }


def _number_after(begun: Begun) -> int:
    """Return the number in the stream of the event after those of *begun*."""
    latest = _fields_of(begun.latest).get("sequence_number")
    return latest + 1 if isinstance(latest, int) else 0


def _fields_of(data: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(data, type=dict[str, object])
    except msgspec.MsgspecError:
        return {}


def _responses_error(reject: Reject, number: int) -> dict[str, object]:
    return {
        "type": "error",
        "sequence_number": number,
        "code": _code(reject),
        "message": reject.message,
        "param": reject.param,
    }


def _responses_failed(reject: Reject, number: int, begun: Begun) -> dict[str, object]:
    """Return the event that ends the response, which is the one that *begun* has told of."""
    told = _fields_of(begun.first).get("response")
    response: dict[str, object] = (
        dict(cast(dict[str, object], told)) if isinstance(told, dict) else {}
    )
    response |= {
        "object": "response",
        "status": "failed",
        "error": {"code": _code(reject), "message": reject.message},
        "output": [],
    }
    return {"type": "response.failed", "sequence_number": number, "response": response}


def _anthropic(reject: Reject) -> dict[str, object]:
    status = _status(reject)
    usual = "invalid_request_error" if status < 500 else "api_error"
    error = {"type": _ANTHROPIC_TYPES.get(status, usual), "message": reject.message}
    return {"type": "error", "error": error}


def _google(reject: Reject) -> dict[str, object]:
    status = _status(reject)
    usual = "FAILED_PRECONDITION" if status < 500 else "INTERNAL"
    reason = _code(reject).upper().replace("-", "_")
    info = {"@type": _GOOGLE_INFO, "reason": reason, "domain": "headrace"}
    return {
        "error": {
            "code": status,
            "message": reject.message,
            "status": _GOOGLE_STATUS.get(status, usual),
            "details": [info],
        }
    }
