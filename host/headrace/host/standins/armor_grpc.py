"""The gRPC API of a stand-in for Model Armor, its streams included; needs the extra."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import msgspec

from headrace.host.clients.armor_wire import MESSAGES, SERVICE, BadMessage, messages
from headrace.host.extproc.rpc import Context, Server, duplex, server, service, status, unary
from headrace.host.standins.armor import Armor
from headrace.host.standins.armor_filters import Json
from headrace.host.standins.faults import HANG_S, STATUS_WORDS, Fault, Script
from headrace.host.standins.server import Refusal

CALLS_MAX = 256
Handle = Callable[[Json], Json]


class ArmorGrpc:
    """Serves *armor* by gRPC while its context is open; port 0 takes a free one. One event loop.

    script  what goes wrong: ``delay``, ``hang`` and ``status``; any other fault is a status too
    """

    def __init__(
        self, armor: Armor, host: str = "127.0.0.1", port: int = 0, script: Script | None = None
    ) -> None:
        self._armor = armor
        self._address = f"{host}:{port}"
        self._server: Server | None = None
        self.script = script or Script()
        self.port = 0
        self.streams = 0

    @property
    def url(self) -> str:
        """Where it is, once open."""
        return f"http://{self._address.rpartition(':')[0]}:{self.port}"

    async def __aenter__(self) -> Self:
        armor = self._armor
        for method in MESSAGES:
            messages(method)  # the import takes longer than the first caller waits
        methods: dict[str, object] = {}
        for of_prompt, name in ((True, "SanitizeUserPrompt"), (False, "SanitizeModelResponse")):
            methods[name] = self._unary(name, _sanitize(armor, of_prompt, False))
            streamed = f"Stream{name}"
            methods[streamed] = self._duplex(streamed, _sanitize(armor, of_prompt, True))
        methods["GetTemplate"] = self._unary("GetTemplate", lambda asked: armor.get(asked["name"]))
        methods["ListTemplates"] = self._unary(
            "ListTemplates", lambda asked: armor.list(asked["parent"])
        )
        methods["CreateTemplate"] = self._unary(
            "CreateTemplate",
            lambda asked: armor.create(
                asked.get("parent", ""), asked.get("templateId", ""), asked.get("template", {})
            ),
        )
        self._server = server((service(SERVICE, methods),), (), CALLS_MAX)
        try:
            self.port = self._server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on `{self._address}`") from error
        await self._server.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server, "not open"
        await self._server.stop(0.1)

    def _unary(self, method: str, handle: Handle) -> object:
        async def answer(message: bytes, context: Context) -> bytes:
            await self._spoil(context)
            return await self._answered(method, handle, message, context)

        return unary(answer)

    def _duplex(self, method: str, handle: Handle) -> object:
        async def answer(_requests: object, context: Context) -> None:
            self.streams += 1
            while isinstance(message := await context.read(), bytes):
                await self._spoil(context)
                await context.write(await self._answered(method, handle, message, context))

        return duplex(answer)

    async def _spoil(self, context: Context) -> None:
        match self.script.next():
            case None:
                return
            case Fault("delay", seconds):
                await asyncio.sleep(seconds)
            case Fault("hang"):
                await asyncio.sleep(HANG_S)
            case Fault("reset"):
                await context.abort(status("UNAVAILABLE"), "a fault on demand")
            case Fault(_, code):
                await context.abort(status(STATUS_WORDS.get(int(code), "INTERNAL")), "on demand")

    async def _answered(
        self, method: str, handle: Handle, message: bytes, context: Context
    ) -> bytes:
        asked, answered = messages(method)
        named = dict(context.invocation_metadata() or ())
        try:
            self._armor.admit(str(named.get("authorization", "")))
            request: dict[str, Any] = msgspec.json.decode(asked.to_json(message))
            return answered.from_json(msgspec.json.encode(handle(request)))
        except Refusal as refusal:
            word = STATUS_WORDS.get(refusal.code, "INTERNAL")
            await context.abort(status(word), str(refusal))
        except (BadMessage, KeyError) as error:
            await context.abort(status("INVALID_ARGUMENT"), f"no such request: {error}")


def _sanitize(armor: Armor, of_prompt: bool, streamed: bool) -> Handle:
    def handle(request: Json) -> Json:
        return armor.sanitize(str(request.get("name", "")), request, of_prompt, streamed)

    return handle
