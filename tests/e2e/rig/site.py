"""All parts of the rig together, as tests use them."""

import asyncio
import itertools
from collections.abc import Coroutine, Generator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.e2e.rig import client, envoy, grpc_echo, http2, process, upstream
from tests.e2e.rig.client import Body
from tests.e2e.rig.config import bootstrap
from tests.e2e.rig.doors import all_doors
from tests.e2e.rig.envoy import Envoy
from tests.e2e.rig.http1 import Answer, Fields
from tests.e2e.rig.process import Host
from tests.e2e.rig.scripts import STANDARD
from tests.e2e.rig.upstream import Seen, Upstream

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rig:
    """The running rig. Its loop turns only inside `run`, so servers answer only then.

    mortal_port  where Envoy looks for the mortal doors' processor, one of the twins
    """

    runner: asyncio.Runner
    envoy: Envoy
    host: Host
    upstream: Upstream
    mortal_port: int
    folder: Path
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what *work* returns."""
        return self.runner.run(work)

    def new_id(self) -> str:
        """Return an id for one exchange, to find it again at the upstream and in the journal."""
        return f"id-{next(self._ids)}"

    def port(self, door: str) -> int:
        """Return the port of *door*."""
        return self.envoy.ports[door]

    def fetch(
        self,
        door: str,
        chain: str = "pass",
        method: str = "GET",
        path: str = "/",
        fields: Fields = (),
        body: Body = None,
        trailers: Fields = (),
    ) -> Answer:
        """Return the answer to one HTTP/1.1 request through *door*, see `client.fetch`."""
        return self.run(self.ask(door, chain, method, path, fields, body, trailers))

    async def ask(
        self,
        door: str,
        chain: str = "pass",
        method: str = "GET",
        path: str = "/",
        fields: Fields = (),
        body: Body = None,
        trailers: Fields = (),
    ) -> Answer:
        """Await the answer to one HTTP/1.1 request through *door*."""
        fields = [("x-chain", chain), *fields]
        return await client.fetch(self.port(door), method, path, fields, body, trailers)

    def seen(self, exchange_id: str) -> Seen:
        """Return the one request with this `x-id` that reached the upstream."""
        (one,) = self.upstream.seen.of(exchange_id)
        return one


@contextmanager
def starting(runner: asyncio.Runner, host: Host, folder: Path) -> Generator[Rig]:
    """Start upstreams and Envoy around *host*; end them all."""
    mortal_port = process.free_port()
    stack = AsyncExitStack()

    async def upstreams() -> tuple[Upstream, int]:
        http1 = await stack.enter_async_context(upstream.serving(STANDARD))
        return http1, await stack.enter_async_context(http2.serving(grpc_echo.serve))

    http1, http2_port = runner.run(upstreams())
    try:
        config = bootstrap(
            all_doors(),
            {"host": [host.port], "mortal": [mortal_port], "twins": [mortal_port, host.port]},
            {"h1": http1.port, "h2": http2_port},
        )
        with envoy.running(config, folder) as running:
            yield Rig(runner, running, host, http1, mortal_port, folder)
    finally:
        runner.run(stack.aclose())
