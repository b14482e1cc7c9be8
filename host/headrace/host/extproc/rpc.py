"""The little of grpcio that we use, with types: the published types differ and miss some of it."""

from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import Any, NoReturn, Protocol

# Untyped on purpose: everything that leaves this module has a type of ours.
_grpc: Any = import_module("grpc")
_aio: Any = import_module("grpc.aio")

AbortError: type[Exception] = _aio.AbortError
# What an operation on a dead stream raises.
DEAD_STREAM: tuple[type[Exception], ...] = (_aio.InternalError, _aio.UsageError)


class Context(Protocol):
    """The server's side of one RPC, messages as bytes. Never touch it after the RPC ended."""

    async def read(self) -> object:
        """Return the next message, or something that is no bytes at the end."""
        ...

    async def write(self, message: bytes) -> None:
        """Send one message; one write at a time."""
        ...

    async def abort(self, code: object, details: str) -> NoReturn:
        """Send a final status and raise AbortError."""
        ...

    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]] | None:
        """Return the initial metadata."""
        ...


class Server(Protocol):
    """A `grpc.aio` server."""

    def add_insecure_port(self, address: str) -> int:
        """Bind *address* without TLS; RuntimeError if it cannot be."""
        ...

    def add_secure_port(self, address: str, credentials: object) -> int:
        """Bind *address* with TLS; RuntimeError if it cannot be."""
        ...

    async def start(self) -> None:
        """Begin to serve."""
        ...

    async def stop(self, grace: float | None) -> None:
        """Send GOAWAY and stop, the open RPCs cancelled after *grace* seconds."""
        ...


Certificate = tuple[bytes, bytes, bytes | None]  # key, chain, the CA of clients
Unary = Callable[[bytes, Context], Awaitable[bytes]]
Streaming = Callable[[bytes, Context], Awaitable[None]]
Duplex = Callable[[object, Context], Awaitable[None]]


def duplex(behaviour: Duplex) -> object:
    """Return the handler of a method with a stream in both directions."""
    return _grpc.stream_stream_rpc_method_handler(behaviour)


def unary(behaviour: Unary) -> object:
    """Return the handler of a method with one message each way."""
    return _grpc.unary_unary_rpc_method_handler(behaviour)


def streaming(behaviour: Streaming) -> object:
    """Return the handler of a method that answers one message with a stream."""
    return _grpc.unary_stream_rpc_method_handler(behaviour)


def service(name: str, methods: dict[str, object]) -> object:
    """Return the service *name* of these *methods*."""
    return _grpc.method_handlers_generic_handler(name, methods)


def server(
    services: tuple[object, ...], arguments: Sequence[tuple[str, int]], streams_max: int
) -> Server:
    """Return a server that has not started."""
    made: Server = _aio.server(
        handlers=services, options=list(arguments), maximum_concurrent_rpcs=streams_max
    )
    return made


def status(name: str) -> object:
    """Return the gRPC status code of that name, e.g. ``UNAVAILABLE``."""
    return _grpc.StatusCode[name]


def tls(first: Certificate, renewed: Callable[[], Certificate | None], client_auth: bool) -> object:
    """Return server credentials that begin with *first*.

    renewed      asked at every handshake, in a thread of gRPC's, for a newer certificate
    client_auth  clients must show a certificate of the CA
    """

    def fetch() -> object:
        certificate = renewed()
        return None if certificate is None else _configuration(certificate)

    return _grpc.dynamic_ssl_server_credentials(_configuration(first), fetch, client_auth)


def _configuration(certificate: Certificate) -> object:
    key, chain, client_ca = certificate
    return _grpc.ssl_server_certificate_configuration([(key, chain)], client_ca)
