"""A host's inside, small enough to look into: real files, a real scraper, the real transport."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import monotonic, time
from typing import Any

from headrace.dsl.program import Program
from headrace.extensions.picker.flow.turn import Turn
from headrace.extensions.picker.membership import DECLARED
from headrace.extensions.picker.store import Store
from headrace.extensions.registry import Site
from headrace.extensions.stage import Outcome
from headrace.host.cli.policies import SelfTest, load_policy, no_self_test
from headrace.host.cluster.api import Api
from headrace.host.cluster.cluster import Cluster
from headrace.host.envoy.address import Address
from headrace.host.extproc.edge import Performer
from headrace.host.extproc.proto import messages as pb
from headrace.host.scrape.scraper import ScrapeOptions
from headrace.host.serve.load import Reloading
from headrace.host.serve.options import ServeOptions
from headrace.host.serve.policy_desk import PolicyDesk
from headrace.host.serve.reload import Reloader
from headrace.host.serve.succession import Succession, World
from headrace.host.serve.usher import Usher
from headrace.host.telemetry.metrics import Metrics
from tests.host.extproc.wire import Stream, body, client, head, reply, serving, status

LOOK_S = 0.02
PATIENCE_S = 10.0
LIFE_S = 60.0  # of a stream: a slow machine must not end it
ANY = Address("127.0.0.1", 1)
CHAT = {"model": "chatbot", "messages": [{"role": "user", "content": "hello"}]}

POLICY = """\
sched 1
pool gemma {
  endpoints %(endpoints)s
  metrics vllm
  stale after 60s
}
model chatbot { priority 10  route 100%% to gemma as "upstream-%(version)d" }
scorer version_%(version)d = 1.0 / (1.0 + double(endpoint.queue))
profile default { score %(version)d * version_%(version)d  pick max }
chain default { body_router  safety  picker  observability }
"""


def policy(version: int, addresses: Sequence[str]) -> str:
    """Return a policy whose decisions show its *version* in the route and in the scorer."""
    endpoints = ", ".join(f'"{address}"' for address in addresses)
    return POLICY % {"endpoints": endpoints, "version": version}


def swap_in(path: Path, text: str) -> None:
    """Replace the file at *path* as editors and deployment tools do: whole, by a rename."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.replace(path)


@dataclass(slots=True)
class House:
    """A running host's inside. *outcomes*: of all exchanges that have ended, oldest first."""

    succession: Succession
    reloader: Reloader
    desk: PolicyDesk
    metrics: Metrics
    store: Store
    address: str
    usher: Usher
    outcomes: list[Outcome] = field(default_factory=list[Outcome])

    @property
    def number(self) -> int:
        """The generation that serves."""
        return self.succession.generation.number

    async def reach(self, number: int) -> None:
        """Wait until the generation *number* serves."""
        await until(lambda: self.number >= number)

    async def refused(self) -> Sequence[str]:
        """Wait until a file was refused, and return why."""
        await until(lambda: self.reloader.refusal is not None)
        assert self.reloader.refusal is not None
        return self.reloader.refusal.problems

    def sample(self, name: str, **labels: str) -> float:
        """Return a metric's value."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def house(
    paths: Sequence[Path],
    *,
    interval_s: float = LOOK_S,
    soak_s: float = 0.0,
    self_test: SelfTest = no_self_test,
    older_max: int = 256,
    api: Api | None = None,
) -> AsyncGenerator[House]:
    """Serve the policy at *paths*, and follow it; pools of a cluster by *api*."""
    names = [str(path) for path in paths]
    load = partial(load_policy, names, self_test)
    loaded = load()
    assert isinstance(loaded.program, Program), loaded.problems
    outcomes: list[Outcome] = []
    metrics = Metrics()
    cluster = None if api is None else Cluster(api, metrics)
    store = Store.for_program(loaded.program, cluster or DECLARED)
    site = Site(store, outcomes.append, epoch_s=time() - monotonic())
    if cluster is not None:
        site = replace(site, directory=cluster.directory)
    world = World(
        site,
        ServeOptions(ANY, ANY),
        ScrapeOptions(timeout_s=0.5),
        metrics,
        metrics.soaked,
        older_max,
        cluster,
    )
    succession = Succession(loaded.program, world)
    reloading = Reloading(load, names, loaded.read, interval_s, soak_s)
    async with AsyncExitStack() as exits:
        await exits.enter_async_context(succession.scraper)
        if cluster is not None:
            cluster.changed = succession.endpoints_changed
            cluster.follow(loaded.program)
            exits.push_async_callback(cluster.stop)
            cluster.start()
            assert await cluster.synced(loaded.program, PATIENCE_S) == ""
            await succession.settled()
        reloader = await exits.enter_async_context(Reloader(succession, reloading, metrics))
        current = succession.current
        usher = Usher(store, lambda pool, how, wait_s: metrics.waited(pool, how.value, wait_s))
        metrics.queues(store.flows)
        exits.callback(usher.close)
        performer = Performer({Turn: usher.turn})
        served = serving(current.open, performer, counts=metrics)
        _, address = await exits.enter_async_context(served)
        await succession.scraper.first_round(2.0)
        desk = PolicyDesk(reloader)
        yield House(succession, reloader, desk, metrics, store, address, usher, outcomes)


async def until(holds: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Wait until *holds*."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.002)


async def quiet(house: House) -> None:
    """Wait for some looks at the files."""
    await asyncio.sleep(6 * LOOK_S)


async def begin(stream: Stream) -> None:
    """Send the head of a chat request."""
    await stream.write(head())


async def finish(stream: Stream, message: object = CHAT) -> str:
    """Send the body, take the decision, pass the response, and return the model sent upstream."""
    await stream.write(body(json.dumps(message).encode(), end_of_stream=True))
    return await conclude(stream)


async def conclude(stream: Stream) -> str:
    """As `finish`, when the body was sent already."""
    decided = await reply(stream)
    where = {h.header.key: h.header.raw_value for h in _mutation(decided).set_headers}
    assert b"x-gateway-destination-endpoint" in {k.encode() for k in where}, decided
    sent = b""
    while True:
        passed = (await reply(stream)).request_body.response.body_mutation.streamed_response
        sent += passed.body
        if passed.end_of_stream:
            break
    await stream.write(_response())
    assert (await reply(stream)).HasField("response_headers")
    await stream.done_writing()
    assert await stream.read() is not None
    assert await status(stream) == "OK"
    return str(json.loads(sent)["model"])


def _mutation(decided: pb.ProcessingResponse) -> pb.HeaderMutation:
    return decided.request_headers.response.header_mutation


def _response() -> pb.ProcessingRequest:
    ok = pb.HeaderMap(headers=[pb.HeaderValue(key=":status", raw_value=b"200")])
    return pb.ProcessingRequest(response_headers=pb.HttpHeaders(headers=ok, end_of_stream=True))


def connected(house: House) -> AbstractAsyncContextManager[Callable[[], Stream]]:
    """Return the context in which streams to *house* can be opened."""
    return client(house.address, timeout_s=LIFE_S)


async def chat(house: House, message: object = CHAT) -> str:
    """Make one exchange; return the model that was sent upstream."""
    async with connected(house) as open_stream:
        stream = open_stream()
        await begin(stream)
        return await finish(stream, message)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:  # Any: what a coroutine yields
    """Run *main* to its end, but not for ever."""

    async def bounded() -> None:
        await asyncio.wait_for(main(), 60)

    asyncio.run(bounded())
