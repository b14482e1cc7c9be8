"""Simulated model servers behind the product; one is a process of its own, to be killed."""

import asyncio
import json
import subprocess
from collections.abc import Generator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from headrace.host.sim.options import ModelServerOptions
from headrace.host.sim.profile import profiles
from headrace.host.sim.server import ModelServer
from tests.e2e.rig import client, product
from tests.e2e.rig.config import LOOPBACK
from tests.e2e.rig.envoy import Envoy
from tests.e2e.rig.http1 import Answer, Head, Wire, connect
from tests.e2e.rig.process import end

REPLICAS = 6
SEQS = 2  # requests that a replica works on at once
POOL = "gemma"
CHAT_PATH = "/v1/chat/completions"
JSON = ("content-type", "application/json")


def service_s(tokens: int) -> float:
    """Return how long a replica that is full takes for an answer of *tokens*."""
    profile = profiles()[ModelServerOptions().profile]
    return tokens * (profile.step_ms + profile.decode_ms * SEQS) / 1000.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """The product before REPLICAS replicas. Its loop, and theirs, turns only inside `run`.

    mortal  the process of the first of *addresses*
    """

    runner: asyncio.Runner
    envoy: Envoy
    addresses: Sequence[str]
    mortal: subprocess.Popen[str]

    async def ask(self, model: str, tokens: int) -> Answer:
        """Await the answer, of *tokens*, that *model* gives."""
        body = _body(model, tokens, stream=False)
        return await client.fetch(self.envoy.ports["inference"], "POST", CHAT_PATH, [JSON], body)

    async def begin(self, model: str, tokens: int) -> tuple[Wire, Head]:
        """Ask for a stream of *tokens*, and return it when its answer has begun."""
        wire, body = await connect(self.envoy.ports["inference"]), _body(model, tokens, stream=True)
        fields = [("host", "fleet"), JSON, ("content-length", str(len(body)))]
        await wire.send_head(f"POST {CHAT_PATH} HTTP/1.1", fields, body)
        return wire, await wire.read_head()

    def count(self, name: str) -> int:
        """Return Envoy's figure *name* of the pool."""
        return self.envoy.counters(f"pool_{POOL}.{name}")[f"cluster.pool_{POOL}.{name}"]


def _body(model: str, tokens: int, *, stream: bool) -> bytes:
    messages = [{"role": "user", "content": "hello"}]
    body = {"model": model, "messages": messages, "max_tokens": tokens, "stream": stream}
    return json.dumps(body).encode()


@contextmanager
def running(folder: Path, policy: str, models: Sequence[str] = ("gemma",)) -> Generator[Fleet]:
    """Run the fleet by *policy*, in which `$0`, `$1`, … stand for the endpoints of `gemma`.

    models  that each replica serves
    """
    mortal = _mortal(models)
    stack = AsyncExitStack()
    try:
        with asyncio.Runner() as runner:
            try:
                addresses = [_address(mortal)]
                options = ModelServerOptions(port=0, models=tuple(models), max_num_seqs=SEQS)
                for _ in range(REPLICAS - 1):
                    server = runner.run(stack.enter_async_context(ModelServer(options)))
                    addresses.append(server.address)
                for at, address in enumerate(addresses):
                    policy = policy.replace(f"${at}", address)
                with product.deciding(folder, policy) as (envoy, _, _):
                    yield Fleet(runner, envoy, addresses, mortal)
            finally:
                runner.run(stack.aclose())
    finally:
        end(mortal)
        assert mortal.stdout is not None
        mortal.stdout.close()


def _mortal(models: Sequence[str]) -> subprocess.Popen[str]:
    flags = ("--model", ",".join(models), "--listen", f"{LOOPBACK}:0", "--max-num-seqs", str(SEQS))
    argv = (*product.HEADRACE, "model-server", *flags, "--time-scale", "1")
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def _address(mortal: subprocess.Popen[str]) -> str:
    assert mortal.stdout is not None
    word, *fields = mortal.stdout.readline().split() or [""]
    assert word == "ready", f"the model server ended with {mortal.poll()}"
    return dict(field.split("=", 1) for field in fields)["listen"]
