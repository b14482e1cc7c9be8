"""The HTTP endpoint for operators: metrics, health, the last decisions, and the policy."""

from collections.abc import Callable

import msgspec
from aiohttp import web
from prometheus_client.exposition import choose_encoder

from headrace.host.telemetry.admin import Admin
from headrace.host.telemetry.decision_pages import decision_routes
from headrace.host.telemetry.policy_pages import Page, Policies, policy_routes
from headrace.host.telemetry.readers import EVERYBODY, Readers, guarded
from headrace.host.telemetry.telemetry import Telemetry


def operator_app(
    telemetry: Telemetry,
    ready: Callable[[], bool],
    policies: Policies | None = None,
    admin: Admin | None = None,
    status: Callable[[], Page] | None = None,
    readers: Readers = EVERYBODY,
) -> web.Application:
    """Return the application. It knows the host only as *telemetry* and as *ready* or not.

    What is read, but for the health, is read by *readers* only.

    /metrics         Prometheus text, or OpenMetrics if asked for
    /healthz         200 while the process works
    /readyz          200 while it takes exchanges, else 503
    /status          JSON: what serves, how many endpoints, and how old what is known of them is
    /decisions...    see `decision_routes`
    /policy...       see `policy_routes`, if there are *policies*; writing is up to *admin*
    """

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        body = encode(telemetry.metrics.registry)
        return web.Response(body=body, headers={"content-type": content_type})

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if ready():
            return web.Response(text="ready\n")
        return web.Response(status=503, text="not ready\n")

    async def standing(_: web.Request) -> web.Response:
        page = status() if status is not None else {"ready": ready()}
        body = msgspec.json.format(msgspec.json.encode(page), indent=2)
        return web.Response(body=body + b"\n", content_type="application/json")

    app = web.Application(client_max_size=1024, middlewares=[guarded(readers)])
    app.add_routes(
        [
            web.get("/metrics", metrics),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/status", standing),
            *decision_routes(telemetry.ring),
            *(policy_routes(policies, admin or Admin(loopback=False)) if policies else ()),
        ]
    )
    return app


class OperatorEndpoint:
    """Serves `operator_app` at an address, from `start` to `stop`."""

    def __init__(
        self,
        telemetry: Telemetry,
        ready: Callable[[], bool],
        policies: Policies | None = None,
        admin: Admin | None = None,
        status: Callable[[], Page] | None = None,
        readers: Readers = EVERYBODY,
    ) -> None:
        app = operator_app(telemetry, ready, policies, admin, status, readers)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port, which is a free one if *port* is 0.

        Raises:
            OSError: the address cannot be had.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()
