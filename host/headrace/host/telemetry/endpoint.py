"""The HTTP endpoint for operators: metrics, health, and the last decisions."""

from collections.abc import Callable, Sequence

import msgspec
from aiohttp import web
from prometheus_client.exposition import choose_encoder

from headrace.extensions.picker.decision import Decision
from headrace.extensions.picker.explain import explain
from headrace.host.telemetry.telemetry import Telemetry

NO_DECISION = "no request has been sent to an endpoint yet\n"


def operator_app(telemetry: Telemetry, ready: Callable[[], bool]) -> web.Application:
    """Return the application. It knows the host only as *telemetry* and as *ready* or not.

    /metrics         Prometheus text, or OpenMetrics if asked for
    /healthz         200 while the process works
    /readyz          200 while it takes exchanges, else 503
    /decisions       the last decisions as JSON, newest first
    /decisions/last  the newest in words and numbers
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

    async def decisions(_: web.Request) -> web.Response:
        body = _as_json(list(reversed(telemetry.decisions)))
        return web.Response(body=body, content_type="application/json")

    async def last(_: web.Request) -> web.Response:
        if not telemetry.decisions:
            return web.Response(status=404, text=NO_DECISION)
        return web.Response(text=explain(telemetry.decisions[-1]))

    app = web.Application()
    app.add_routes(
        [
            web.get("/metrics", metrics),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/decisions", decisions),
            web.get("/decisions/last", last),
        ]
    )
    return app


class OperatorEndpoint:
    """Serves `operator_app` at an address, from `start` to `stop`."""

    def __init__(self, telemetry: Telemetry, ready: Callable[[], bool]) -> None:
        app = operator_app(telemetry, ready)
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


def _as_json(decisions: Sequence[Decision]) -> bytes:
    return msgspec.json.encode([decision.as_json() for decision in decisions])
