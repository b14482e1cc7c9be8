"""A simulated model server over HTTP: the OpenAI API, vLLM's metrics and adapter endpoints.

Tokens are counted by `tokens`, answers come from `prose`, times from the `Replica`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self

import msgspec
from aiohttp import web

from headrace.host.sim.admin import Admin
from headrace.host.sim.api_error import ApiError
from headrace.host.sim.generate import Generate
from headrace.host.sim.options import ModelServerOptions
from headrace.host.sim.service import Service

# How long open answers may go on when the server stops.
SHUTDOWN_S = 0.5
DRIVER = web.AppKey("driver", asyncio.Task[None])
Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(options: ModelServerOptions) -> web.Application:
    """Return the whole server as an application; run it with `handler_cancellation`.

    Only with handler cancellation does a client that goes away before its answer starts free
    its blocks at once.
    """
    service = Service(options)
    app = web.Application(middlewares=[_errors], client_max_size=options.body_bytes_max)
    app.add_routes([*Generate(service).routes(), *Admin(service).routes()])
    app.on_response_prepare.append(_name_the_server)

    async def drive(app: web.Application) -> AsyncIterator[None]:
        app[DRIVER] = task = service.start()
        yield
        task.cancel()
        await asyncio.wait((task,))

    async def stop(app: web.Application) -> None:
        # Before the connections close: what is open then ends as failed, not as cut silently.
        app[DRIVER].cancel()

    async def publish(app: web.Application) -> AsyncIterator[None]:
        from headrace.host.sim.kv_publisher import KvPublisher  # needs pyzmq, an extra

        assert options.kv_events_port is not None
        topic = f"kv@{options.host}:{options.port}@{options.models[0]}"
        async with KvPublisher(
            options.host, options.kv_events_port, options.kv_replay_port, topic
        ) as publisher:
            service.driver.told = publisher.publish
            yield
            service.driver.told = None

    if options.kv_events_port is not None:
        app.cleanup_ctx.append(publish)
    app.cleanup_ctx.append(drive)
    app.on_shutdown.append(stop)
    return app


class ModelServer:
    """A server that listens while the context is open; port 0 takes a free one.

    Used from one event loop.
    """

    def __init__(self, options: ModelServerOptions) -> None:
        self._options = options
        self._runner: web.AppRunner | None = None
        self._driver: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port it listens on, once open."""
        assert self._runner, "not open"
        return int(self._runner.addresses[0][1])

    @property
    def address(self) -> str:
        """The `host:port` it listens on, once open."""
        return _address(self._options.host, self.port)

    async def __aenter__(self) -> Self:
        app = create_app(self._options)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S
        )
        await self._runner.setup()
        self._driver = app[DRIVER]
        try:
            await web.TCPSite(self._runner, self._options.host, self._options.port).start()
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

    async def run(self) -> None:
        """Wait until cancelled; raises what made the replica fail, if it does."""
        assert self._driver, "not open"
        await asyncio.shield(self._driver)


async def serve(options: ModelServerOptions, ready: Callable[[], None] | None = None) -> None:
    """Serve until cancelled; call *ready* once the port is open.

    Raises:
        OSError: if the address cannot be bound.
    """
    async with ModelServer(options) as server:
        if ready:
            ready()
        await server.run()


@web.middleware
async def _errors(request: web.Request, handler: Next) -> web.StreamResponse:
    """Answer mistakes in OpenAI's shape."""
    try:
        return await handler(request)
    except ApiError as error:
        answer = error
    except web.HTTPException as error:
        answer = ApiError(error.status, error.reason, error.reason)
    return web.json_response(body=msgspec.json.encode(answer.body()), status=answer.status)


async def _name_the_server(request: web.Request, response: web.StreamResponse) -> None:
    """Add `x-served-by`, so that a client sees which of several servers answered."""
    name = request.transport and request.transport.get_extra_info("sockname")
    if name:
        response.headers["x-served-by"] = _address(name[0], name[1])


def _address(host: str, port: int) -> str:
    """Return `host:port`, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
