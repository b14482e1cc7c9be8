"""What `mirror` promises, kept by a real Envoy: copies arrive, and the answers are the others'."""

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest

from headrace.dsl.source import Source
from headrace.host.demo.processes import Processes
from headrace.host.demo.stack import Stack, start

pytestmark = pytest.mark.e2e
POLICY = """sched 1
pool gemma { endpoints "10.0.0.1:8000" }
pool lab   { endpoints "10.0.0.2:8000" }
model all  { route gemma  mirror 100% to lab }
model some { route gemma  mirror 30% to lab }
model none { route gemma }
"""
# Of each model. By chance, some and not all arrive but once in a million runs.
ASKED = {"all": 10, "some": 40, "none": 10}
SUCCESS = re.compile(r"^vllm:request_success_total\{.*\} ([0-9.]+)", re.MULTILINE)


async def _ask(session: aiohttp.ClientSession, stack: Stack, model: str, number: int) -> str:
    body = {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
    url = f"{stack.url}/v1/chat/completions"
    named = {"x-request-id": f"{model}-{number}"}
    async with session.post(url, json=body, headers=named) as response:
        await response.read()
        assert response.status == 200
        return stack.backdrop.pool_of[response.headers["x-served-by"]]


async def _served(session: aiohttp.ClientSession, stack: Stack, pool: str) -> int:
    total = 0.0
    for address, of in stack.backdrop.pool_of.items():
        if of == pool:
            async with session.get(f"http://{address}/metrics") as response:
                total += sum(map(float, SUCCESS.findall(await response.text())))
    return round(total)


async def _copies(session: aiohttp.ClientSession, stack: Stack, model: str) -> int:
    """Return how many of the requests for *model* reached the lab, once that has settled."""
    before = await _served(session, stack, "lab")
    asked = (_ask(session, stack, model, number) for number in range(ASKED[model]))
    assert set(await asyncio.gather(*asked)) == {"gemma"}
    seen = -1
    while seen != (now := await _served(session, stack, "lab") - before):
        seen = now
        await asyncio.sleep(0.5)
    return seen


async def _mirrored(folder: Path) -> dict[str, int]:
    processes = Processes(folder)
    async with aiohttp.ClientSession() as session:
        try:
            source = Source("mirrored.sched", POLICY)
            stack = await start(source, processes, session, lambda _: None)
            return {m: await _copies(session, stack, m) for m in ASKED}
        finally:
            await processes.stop()


def test_the_share_that_a_policy_mirrors_is_what_arrives(tmp_path: Path) -> None:
    copies = asyncio.run(_mirrored(tmp_path))

    assert copies["all"] == ASKED["all"]
    assert 0 < copies["some"] < ASKED["some"]
    assert copies["none"] == 0
