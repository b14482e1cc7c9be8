"""gRPC health: whether this host takes new streams, in the words of `grpc.health.v1`.

Knows no transport: each asks `status`, and watches.
"""

from collections.abc import Callable

from google.protobuf.message import DecodeError

from headrace.host.extproc.proto import messages as pb
from headrace.host.extproc.service import SERVICE

HEALTH_SERVICE = "grpc.health.v1.Health"
LIVENESS = "liveness"
READY_SERVICES = frozenset({"", "readiness", SERVICE})
WATCHES_MAX = 256
REQUEST_BYTES_MAX = 4096  # it has nothing but the name of a service

SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3


class HealthFault(Exception):
    """A question that ends with the gRPC status *code*."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Health:
    """What Check and Watch tell. Mutable; written from the event loop's thread only.

    `liveness` serves as long as the loop runs; all other services follow `set_serving`.

    closed  watchers go away after the last news
    """

    __slots__ = ("_serving", "_watchers", "closed")

    def __init__(self) -> None:
        self._serving = False
        self._watchers: set[Callable[[], None]] = set()
        self.closed = False

    @property
    def serving(self) -> bool:
        """Whether new streams are welcome."""
        return self._serving

    def set_serving(self, serving: bool) -> None:
        """Say whether new streams are welcome, and tell the watchers."""
        if serving != self._serving:
            self._serving = serving
            self._tell()

    def close(self) -> None:
        """Send the watchers away after the last news."""
        self.closed = True
        self._tell()

    def status(self, name: str) -> int:
        """Return the status of the service *name*."""
        if name == LIVENESS:
            return SERVING
        if name not in READY_SERVICES:
            return SERVICE_UNKNOWN
        return SERVING if self._serving else NOT_SERVING

    def watch(self, told: Callable[[], None]) -> bool:
        """Call *told* at every change until `unwatch`; return False if too many watch."""
        if len(self._watchers) >= WATCHES_MAX:
            return False
        self._watchers.add(told)
        return True

    def unwatch(self, told: Callable[[], None]) -> None:
        """Call *told* no more."""
        self._watchers.discard(told)

    def _tell(self) -> None:
        for told in tuple(self._watchers):
            told()


def requested(message: bytes) -> str:
    """Return the name of the service that *message*, a HealthCheckRequest, asks for.

    Raises:
        HealthFault: it is none.
    """
    try:
        return pb.HealthCheckRequest.FromString(message).service
    except DecodeError:
        raise HealthFault("INVALID_ARGUMENT", "no `HealthCheckRequest`") from None


def reply(status: int) -> bytes:
    """Return *status* as a HealthCheckResponse."""
    return pb.HealthCheckResponse(status=status).SerializeToString()
