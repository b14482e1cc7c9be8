"""gRPC health: whether this host takes new streams, in the words of `grpc.health.v1`."""

import asyncio

from google.protobuf.message import DecodeError

from headrace.host.extproc.proto import messages as pb
from headrace.host.extproc.rpc import Context, service, status, streaming, unary

HEALTH_SERVICE = "grpc.health.v1.Health"
LIVENESS = "liveness"
READY_SERVICES = frozenset({"", "readiness", "envoy.service.ext_proc.v3.ExternalProcessor"})
WATCHES_MAX = 256

SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3


class Health:
    """Answers Check and Watch. Mutable; written from the event loop's thread only.

    `liveness` serves as long as the loop runs; all other services follow `set_serving`.
    """

    __slots__ = ("_changed", "_closed", "_serving", "_watches")

    def __init__(self) -> None:
        self._serving = False
        self._closed = False
        self._watches = 0
        self._changed = asyncio.Event()

    @property
    def serving(self) -> bool:
        """Whether new streams are welcome."""
        return self._serving

    def set_serving(self, serving: bool) -> None:
        """Say whether new streams are welcome, and tell the watchers."""
        if serving != self._serving:
            self._serving = serving
            self._stir()

    def close(self) -> None:
        """Send the watchers away after the last news."""
        self._closed = True
        self._stir()

    def handlers(self) -> object:
        """Return the service for a gRPC server."""
        methods = {"Check": unary(self._check), "Watch": streaming(self._watch)}
        return service(HEALTH_SERVICE, methods)

    def status(self, name: str) -> int:
        """Return the status of the service *name*."""
        if name == LIVENESS:
            return SERVING
        if name not in READY_SERVICES:
            return SERVICE_UNKNOWN
        return SERVING if self._serving else NOT_SERVING

    def _stir(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _check(self, message: bytes, context: Context) -> bytes:
        found = self.status(await _name(message, context))
        if found == SERVICE_UNKNOWN:
            await context.abort(status("NOT_FOUND"), "no such service")
        return _reply(found)

    async def _watch(self, message: bytes, context: Context) -> None:
        name = await _name(message, context)
        if self._watches >= WATCHES_MAX:
            await context.abort(status("RESOURCE_EXHAUSTED"), "too many watchers")
        self._watches += 1
        try:
            told = None
            while True:
                changed, news = self._changed, self.status(name)
                if news != told:
                    told = news
                    await context.write(_reply(news))
                if self._closed:
                    await context.abort(status("UNAVAILABLE"), "the host is going")
                await changed.wait()
        finally:
            self._watches -= 1


async def _name(message: bytes, context: Context) -> str:
    try:
        return pb.HealthCheckRequest.FromString(message).service
    except DecodeError:
        await context.abort(status("INVALID_ARGUMENT"), "no `HealthCheckRequest`")


def _reply(news: int) -> bytes:
    return pb.HealthCheckResponse(status=news).SerializeToString()
