"""A stand-in over HTTP: its routes, what goes wrong, and what was asked."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import msgspec
from aiohttp import web

from headrace.host.standins.faults import KINDS, Fault, Script, google_error, spoilt

CONTROL = "/-/faults"
ASKED_MAX = 1_000
SHUTDOWN_S = 0.2
BODY_BYTES_MAX = 8 << 20


class Refusal(Exception):
    """A call that is answered with an error. *body* is it, whole; else it is in Google's shape."""

    def __init__(self, code: int, message: str, body: bytes = b"") -> None:
        super().__init__(message)
        self.code = code
        self.body = body or google_error(code, message)


@dataclass(frozen=True, slots=True)
class Request:
    """One call: *names* are the parts of its path that the route leaves open."""

    method: str
    path: str
    names: dict[str, str]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Request], object]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is answered at *path*, with methods; a JSON value, or a Refusal that is raised."""

    method: str
    path: str
    answer: Answer


class StandIn:
    """Serves *endpoints* while its context is open; port 0 takes a free one. One event loop.

    script  what goes wrong; also by ``POST /-/faults`` with a list of faults
    asked   the latest calls, oldest first
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        host: str = "127.0.0.1",
        port: int = 0,
        script: Script | None = None,
    ) -> None:
        self._endpoints = endpoints
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None
        self.script = script or Script()
        self.asked: deque[Request] = deque(maxlen=ASKED_MAX)

    @property
    def port(self) -> int:
        """The port it listens on, once open."""
        assert self._runner, "not open"
        return int(self._runner.addresses[0][1])

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end, once open."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post(CONTROL, self._control)
        for endpoint in self._endpoints:
            app.router.add_route(endpoint.method, endpoint.path, self._handler(endpoint.answer))
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._runner, "not open"
        await self._runner.cleanup()

    def _handler(self, answer: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            call = Request(
                request.method,
                request.path,
                dict(request.match_info),
                dict(request.query),
                {name.lower(): value for name, value in request.headers.items()},
                await request.read(),
            )
            self.asked.append(call)
            return await spoilt(request, _answered(answer, call), self.script.next())

        return handle

    async def _control(self, request: web.Request) -> web.Response:
        try:
            faults = msgspec.json.decode(await request.read(), type=list[Fault | None])
        except msgspec.MsgspecError as error:
            return web.Response(status=400, text=f"a list of faults is expected: {error}\n")
        odd = [fault.kind for fault in faults if fault is not None and fault.kind not in KINDS]
        if odd:
            why = f"unknown fault `{odd[0]}`; known: {', '.join(KINDS)}\n"
            return web.Response(status=400, text=why)
        self.script.add(faults)
        return web.Response(text=f"{len(faults)} calls will go wrong\n")


def _answered(answer: Answer, call: Request) -> web.Response:
    try:
        body, code = msgspec.json.encode(answer(call)), 200
    except Refusal as refusal:
        body, code = refusal.body, refusal.code
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        body, code = google_error(400, f"invalid JSON payload: {error}"), 400
    return web.Response(status=code, body=body, content_type="application/json")
