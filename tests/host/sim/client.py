"""A client of a simulated model server on loopback."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from headrace.host.sim.options import ModelServerOptions
from headrace.host.sim.server import ModelServer

FAST = ModelServerOptions(port=0, models=("m", "alias"), adapters=("tuned",), time_scale=500.0)
T = TypeVar("T")
# JSON of any shape: the tests index into it.
Tree = Any


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Tree:
        return json.loads(self.text)

    def events(self) -> list[Tree]:
        """Return the data of each event; `[DONE]` as it is."""
        lines = [line for line in self.text.split("\n") if line.startswith("data: ")]
        return [one if one == "[DONE]" else json.loads(one) for one in (x[6:] for x in lines)]


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks to one server."""

    session: aiohttp.ClientSession
    address: str

    async def get(self, path: str) -> Reply:
        async with self.session.get(path) as answer:
            return Reply(answer.status, _headers(answer), await answer.text())

    async def post(self, path: str, body: object, **headers: str) -> Reply:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(path, json=body, headers=sent) as answer:
            return Reply(answer.status, _headers(answer), await answer.text())

    async def raw(self, path: str, body: bytes, content_type: str = "application/json") -> Reply:
        sent = {"content-type": content_type}
        async with self.session.post(path, data=body, headers=sent) as answer:
            return Reply(answer.status, _headers(answer), await answer.text())

    async def metric(self, name: str) -> float:
        page = (await self.get("/metrics")).text
        families = text_string_to_metric_families(page)
        return sum(s.value for family in families for s in family.samples if s.name == name)

    async def metric_becomes(self, name: str, value: float) -> None:
        deadline_s = time.monotonic() + 5
        while (seen := await self.metric(name)) != value:
            assert time.monotonic() < deadline_s, (name, seen)
            await asyncio.sleep(0.01)


def _headers(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


@asynccontextmanager
async def serving(options: ModelServerOptions = FAST) -> AsyncGenerator[Client, None]:
    async with (
        ModelServer(options) as server,
        aiohttp.ClientSession(f"http://{server.address}") as session,
    ):
        yield Client(session, server.address)


def talk(
    conversation: Callable[[Client], Coroutine[None, None, T]], options: ModelServerOptions = FAST
) -> T:
    """Return what *conversation* returns, with a server of its own."""

    async def whole() -> T:
        async with serving(options) as client:
            return await conversation(client)

    return asyncio.run(whole())


def chat(text: str = "hello", model: str = "m", **more: object) -> dict[str, object]:
    """Return the body of a chat completion."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}
