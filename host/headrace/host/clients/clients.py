"""All that performs the effects of guards, opened and closed together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from headrace.extensions.safety.contract import Http, HttpReply, Kind, Rpc, Together, Trouble
from headrace.extensions.stage import Effect
from headrace.host.clients.google import GoogleToken
from headrace.host.clients.http import HttpClient
from headrace.host.clients.slots import Slots
from headrace.host.extproc.edge import Performers

if TYPE_CHECKING:
    from headrace.host.clients.rpc import RpcClient

ENDING = Trouble(Kind.UNREACHABLE, "the host is ending")
TOGETHER_MAX = 256  # effects of one question


class Clients:
    """Performs `Http`, `Rpc` and `Together` while its context is open. One event loop.

    environment  where secrets are; read at each call, so a changed one counts at once
    """

    def __init__(self, environment: Mapping[str, str], google: GoogleToken | None = None) -> None:
        self._environment = environment
        self._google = google or GoogleToken()
        self._slots = Slots()
        self._http: HttpClient | None = None
        self._rpc: RpcClient | None = None
        self._performs: Mapping[type[Effect[Any]], Callable[[Any], Awaitable[object]]] = {
            Http: self._send,
            Rpc: self._call,
            Together: self._together,
        }

    @property
    def performers(self) -> Performers:
        """What performs which effect."""
        return self._performs

    async def __aenter__(self) -> Self:
        self._http = HttpClient(self._slots, self._google, self._environment)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        http, rpc, self._http, self._rpc = self._http, self._rpc, None, None
        for client in (http, rpc):
            if client is not None:
                await client.close()

    async def _send(self, call: Http) -> HttpReply | Trouble:
        if self._http is None:
            return ENDING
        return await self._http.send(call)

    async def _call(self, call: Rpc) -> HttpReply | Trouble:
        if self._http is None:
            return ENDING
        if self._rpc is None:
            from headrace.host.clients.rpc import RpcClient  # with it comes grpcio

            self._rpc = RpcClient(self._slots, self._google, self._environment)
        return await self._rpc.send(call)

    async def _together(self, asked: Together) -> tuple[object, ...]:
        """Perform all effects of *asked*; if one fails, the others are cancelled."""
        if len(asked.effects) > TOGETHER_MAX:
            raise ValueError(f"{len(asked.effects)} effects at once, at most {TOGETHER_MAX}")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._perform(effect)) for effect in asked.effects]
        return tuple(task.result() for task in tasks)

    async def _perform(self, effect: Effect[Any]) -> object:
        return await self._performs[type(effect)](effect)
