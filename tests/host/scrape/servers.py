"""Model servers of which only the metrics page is real."""

import asyncio
import gzip
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.host.scrape.pages import Engine, vllm_page


@dataclass(slots=True)
class Server:
    """One server on loopback. Tests change what it answers with while it runs."""

    page: bytes = field(default_factory=lambda: vllm_page([Engine()]))
    status: int = 200
    delay_s: float = 0.0
    compress: bool = False
    coding: str = ""
    models: bytes = b""
    models_status: int = 404
    models_delay_s: float = 0.0
    models_hits: int = 0
    endless: bool = False
    truncate: bool = False
    port: int = 0
    hits: list[float] = field(default_factory=list[float])
    accepted: list[str] = field(default_factory=list[str])
    agents: set[object] = field(default_factory=set[object])
    _runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen; after `kill`, on the same port again."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/v1/models", self._models)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def kill(self) -> None:
        """Stop listening and drop every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        self.hits.append(asyncio.get_running_loop().time())
        self.accepted.append(request.headers.get("accept-encoding", ""))
        assert request.transport is not None
        self.agents.add(request.transport.get_extra_info("peername"))
        await asyncio.sleep(self.delay_s)
        if self.endless:
            return await self._endless(request)
        if self.truncate:
            response = web.StreamResponse(headers={"content-length": str(len(self.page))})
            await response.prepare(request)
            await response.write(self.page[:-10])
            request.transport.close()
            return response
        if self.compress:
            body, coding = gzip.compress(self.page), {"content-encoding": "gzip"}
            return web.Response(body=body, headers=coding)
        headers = {"content-encoding": self.coding} if self.coding else {}
        return web.Response(body=self.page, status=self.status, headers=headers)

    async def _models(self, request: web.Request) -> web.Response:
        self.models_hits += 1
        await asyncio.sleep(self.models_delay_s)
        return web.Response(body=self.models, status=200 if self.models else self.models_status)

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        coding = {"content-encoding": "gzip"} if self.compress else {}
        response = web.StreamResponse(headers=coding)
        await response.prepare(request)
        try:
            if self.compress:
                await response.write(gzip.compress(self.page))
            while True:
                await response.write(b"# never ending\n" * 100)
                await asyncio.sleep(0.01)
        except ConnectionError:
            return response


@asynccontextmanager
async def servers(count: int) -> AsyncGenerator[list[Server]]:
    """Run *count* servers on free ports."""
    running = [Server() for _ in range(count)]
    try:
        for server in running:
            await server.start()
        yield running
    finally:
        for server in running:
            await server.kill()
