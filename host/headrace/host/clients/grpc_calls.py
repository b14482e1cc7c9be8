"""The client's side of grpcio, with types: calls whose messages are bytes."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Protocol
from urllib.parse import urlsplit

# Untyped on purpose: everything that leaves this module has a type of ours.
_grpc: Any = import_module("grpc")
_aio: Any = import_module("grpc.aio")
_RPC_ERROR: type[Exception] = _aio.AioRpcError
_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.max_receive_message_length", 4 << 20),
    ("grpc.keepalive_time_ms", 60_000),
)
_TOO_LARGE = "larger than max"
_DETAILS = "grpc-status-details-bin"
Metadata = Sequence[tuple[str, str]]


class RpcFailed(Exception):
    """A call that ended with another status than OK: its name, e.g. ``UNAVAILABLE``.

    retry_after_s  of google.rpc.RetryInfo, if the service gave one
    """

    def __init__(self, status: str, retry_after_s: float | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.retry_after_s = retry_after_s


class Duplex(Protocol):
    """A call with a stream in both directions. Not for two tasks at once."""

    async def write(self, message: bytes) -> None:
        """Send one message."""
        ...

    async def read(self) -> bytes | None:
        """Return the next answer, None at the end."""
        ...

    def cancel(self) -> None:
        """End it at once."""
        ...


class Channel:
    """The connections to one server. Made and used in one event loop."""

    def __init__(self, url: str) -> None:
        """Connect lazily to the server of *url*: over TLS if its scheme is https."""
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        target = f"{parts.hostname}:{parts.port or (443 if tls else 80)}"
        if ":" in (parts.hostname or ""):
            target = f"[{parts.hostname}]:{parts.port or (443 if tls else 80)}"
        credentials = _grpc.ssl_channel_credentials() if tls else None
        self._channel: Any = (
            _aio.secure_channel(target, credentials, options=_OPTIONS)
            if tls
            else _aio.insecure_channel(target, options=_OPTIONS)
        )

    async def call(self, path: str, message: bytes, metadata: Metadata) -> bytes:
        """Return the answer of the unary method *path*.

        Raises:
            RpcFailed: it ended with another status than OK.
        """
        try:
            answer: bytes = await self._channel.unary_unary(path)(message, metadata=metadata)
        except _RPC_ERROR as error:
            raise _failed(error) from error
        return answer

    def stream(self, path: str, metadata: Metadata) -> Duplex:
        """Begin a call of the method *path*; what fails raises RpcFailed later."""
        return _Stream(self._channel.stream_stream(path)(metadata=metadata))

    async def close(self) -> None:
        """Close all connections, and end what is under way."""
        await self._channel.close()


class _Stream:
    def __init__(self, call: Any) -> None:
        self._call = call

    async def write(self, message: bytes) -> None:
        await self._guarded(self._call.write, message)

    async def read(self) -> bytes | None:
        answer = await self._guarded(self._call.read)
        return answer if isinstance(answer, bytes) else None

    def cancel(self) -> None:
        self._call.cancel()

    async def _guarded(self, what: Callable[..., Any], *arguments: object) -> object:
        try:
            return await what(*arguments)
        except _RPC_ERROR as error:
            raise _failed(error) from error
        except (_aio.UsageError, _aio.InternalError) as error:
            raise RpcFailed("UNAVAILABLE") from error


def _failed(error: Any) -> RpcFailed:
    status: str = error.code().name
    if status == "RESOURCE_EXHAUSTED" and _TOO_LARGE in (error.details() or ""):
        return RpcFailed("INTERNAL")  # our own bound, no quota
    return RpcFailed(status, _retry_after_s(error))


def _retry_after_s(error: Any) -> float | None:
    """Return the delay of google.rpc.RetryInfo among the details of the status."""
    trailing: dict[str, object] = dict(error.trailing_metadata() or ())
    details = trailing.get(_DETAILS)
    if not isinstance(details, bytes):
        return None
    rpc: Any = import_module("google.rpc.status_pb2")
    kinds: Any = import_module("google.rpc.error_details_pb2")
    try:
        for detail in rpc.Status.FromString(details).details:
            info = kinds.RetryInfo()
            if detail.Unpack(info):
                return float(info.retry_delay.ToTimedelta().total_seconds())
    except Exception:  # details of any shape: without them it is a quota all the same
        return None
    return None
