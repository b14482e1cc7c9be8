"""The transports there are, and what a host needs of one."""

from enum import Enum
from typing import Protocol

from headrace.host.extproc.counts import Counts
from headrace.host.extproc.edge import Performer
from headrace.host.extproc.opening import Factory
from headrace.host.extproc.options import GrpcOptions


class Transport(Enum):
    """Who speaks gRPC with Envoy."""

    NATIVE = "native"
    GRPCIO = "grpcio"


class Server(Protocol):
    """Serves ext_proc streams and gRPC health on one address, from one event loop."""

    @property
    def active_exchanges(self) -> int:
        """How many streams are open."""
        ...

    async def start(self, address: str) -> int:
        """Listen on *address*, ``host:port`` or ``unix:/path``, and return the port (Unix: 0).

        Raises:
            ListenError: the address is taken, or none of ours.
        """
        ...

    def set_serving(self, serving: bool) -> None:
        """Say by health whether new streams are welcome."""
        ...

    async def drain(self, grace_s: float) -> None:
        """Stop: let open streams finish for *grace_s*, end what is left with UNAVAILABLE."""
        ...


def make_server(
    transport: Transport,
    factory: Factory,
    performer: Performer | None = None,
    options: GrpcOptions | None = None,
    counts: Counts | None = None,
) -> Server:
    """Return a server of *transport* that does not listen yet.

    Only the chosen one is imported: grpcio takes a quarter of a second and 20 MB.
    """
    if transport is Transport.NATIVE:
        from headrace.host.extproc.native.server import NativeServer

        return NativeServer(factory, performer, options, counts)
    from headrace.host.extproc.grpcio import GrpcServer

    return GrpcServer(factory, performer, options, counts)
