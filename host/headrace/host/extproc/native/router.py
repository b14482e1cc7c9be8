"""Which method a stream is for, and what is refused before any message is looked at."""

from enum import Enum, auto

from headrace.host.extproc import reflection
from headrace.host.extproc.health import HEALTH_SERVICE
from headrace.host.extproc.native.blocks import http_only, trailers_only
from headrace.host.extproc.native.deadlines import timeout_s
from headrace.host.extproc.native.fields import RequestHead
from headrace.host.extproc.service import SERVICE

_GRPC = b"application/grpc"


class Method(Enum):
    """The methods that we serve; whether a listener serves each is in its options."""

    PROCESS = auto()
    CHECK = auto()
    WATCH = auto()
    REFLECT = auto()


METHODS = {
    f"/{SERVICE}/Process".encode(): Method.PROCESS,
    f"/{HEALTH_SERVICE}/Check".encode(): Method.CHECK,
    f"/{HEALTH_SERVICE}/Watch".encode(): Method.WATCH,
    **{f"/{name}/{reflection.METHOD}".encode(): Method.REFLECT for name in reflection.SERVICES},
}
TOO_LARGE = trailers_only("RESOURCE_EXHAUSTED", "too many or too large headers", (), 431)
NOT_POST = http_only(405, (("allow", "POST"),))
NOT_GRPC = http_only(415)
UNKNOWN = trailers_only("UNIMPLEMENTED", "no such method")
BAD_TIMEOUT = trailers_only("INTERNAL", "grpc-timeout is no timeout", (), 400)


def route(head: RequestHead) -> Method | bytes:
    """Return the method that *head* asks for, or the field block that refuses it."""
    if head.method != b"POST":
        return NOT_POST
    kind = head.fields.get(b"content-type", b"")
    if not kind.startswith(_GRPC) or kind[len(_GRPC) : len(_GRPC) + 1] not in (b"", b"+", b";"):
        return NOT_GRPC
    timeout = head.fields.get(b"grpc-timeout")
    if timeout is not None and timeout_s(timeout) is None:
        return BAD_TIMEOUT
    return METHODS.get(head.path, UNKNOWN)


def metadata(head: RequestHead, name: str, default: str = "") -> str:
    """Return the metadata *name* of a call as text."""
    value = head.fields.get(name.encode())
    return default if value is None else value.decode("utf-8", "replace")
