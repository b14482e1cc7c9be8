"""The listeners of one host: the plain one, or one per role, and where health is asked for."""

import asyncio
import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from headrace.host.envoy.address import Address
from headrace.host.extproc.counts import Counts
from headrace.host.extproc.edge import Performer
from headrace.host.extproc.listen import ListenError
from headrace.host.extproc.opening import Factory
from headrace.host.extproc.options import GrpcOptions
from headrace.host.extproc.tls import Tls, self_signed
from headrace.host.extproc.transport import Server, Transport, make_server
from headrace.host.roles.naming import Naming, Wants
from headrace.host.roles.plans import REPLY_BYTES_MAX
from headrace.host.roles.role import Role

# As long as the reference's: nobody who takes it looks at it, and it goes with the process.
SELF_SIGNED_DAYS = 3650
HEALTH = ".health"  # behind a role's name


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the listeners have in common."""

    transport: Transport
    factory: Factory
    performer: Performer
    counts: Counts
    wants: Wants


@dataclass(slots=True)
class Doors:
    """Opens the listeners of a host. Mutable; event loop's thread only."""

    wiring: Wiring
    options: GrpcOptions
    _exchanging: list[Server] = field(default_factory=list[Server])
    _telling: list[Server] = field(default_factory=list[Server])

    async def open_plain(self, address: str) -> int:
        """Listen on *address* without a role, and return the port.

        Raises:
            ListenError: it cannot be had.
        """
        wiring = self.wiring
        options = replace(self.options, wants_context=wiring.wants)
        server = make_server(
            wiring.transport, wiring.factory, wiring.performer, options, wiring.counts
        )
        port = await server.start(address)
        self._exchanging.append(server)
        return port

    async def open_roles(self, roles: tuple[Role, ...]) -> Mapping[str, Address]:
        """Listen for each of *roles*, and where its health is asked for; return where that is.

        Raises:
            ListenError: an address cannot be had. What is open then is closed by `drain`.
        """
        secret = any(role.tls for role in roles)
        tls = (self.options.tls or _made(roles)) if secret else None
        heard: dict[str, Address] = {}
        for role in roles:
            heard[role.name] = await self._open_role(role, tls if role.tls else None)
            if role.health is not None:
                heard[role.name + HEALTH] = await self._open_health(role, role.health)
        return heard

    def set_serving(self, serving: bool) -> None:
        """Say by health, at every door, whether new streams are welcome."""
        for server in (*self._exchanging, *self._telling):
            server.set_serving(serving)

    async def drain(self, grace_s: float) -> None:
        """Let open streams finish for *grace_s*, end the rest; health is told to the last."""
        self.set_serving(False)
        await asyncio.gather(*(server.drain(grace_s) for server in self._exchanging))
        await asyncio.gather(*(server.drain(0.0) for server in self._telling))

    async def _open_role(self, role: Role, tls: Tls | None) -> Address:
        wiring = self.wiring
        naming = Naming(role, wiring.factory, wiring.wants)
        options = replace(
            self.options,
            tls=tls,
            listener=role.name,
            wants_context=naming.wants_context,
            reply_bytes_max=REPLY_BYTES_MAX,
        )
        server = make_server(
            wiring.transport, naming.open, wiring.performer, options, wiring.counts
        )
        self._exchanging.append(server)
        return await _listen(server, role.listen, role)

    async def _open_health(self, role: Role, address: Address) -> Address:
        options = GrpcOptions(health_only=True)
        server = make_server(self.wiring.transport, self.wiring.factory, options=options)
        self._telling.append(server)
        return await _listen(server, address, role)


async def _listen(server: Server, address: Address, role: Role) -> Address:
    try:
        return Address(address.host, await server.start(str(address)))
    except ListenError as error:
        raise ListenError(f"role `{role.name}`: {error}") from error


def _made(roles: tuple[Role, ...]) -> Tls:
    names = ["localhost", *sorted({role.listen.host for role in roles})]
    return self_signed(names, datetime.datetime.now(datetime.UTC), SELF_SIGNED_DAYS)
