"""Everything the demo runs: model servers, the host and Envoy, each a process of its own."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from headrace.dsl.source import Source
from headrace.host.demo.backdrop import Backdrop, Replica, endpoints_of, move
from headrace.host.demo.ports import free_ports
from headrace.host.demo.processes import Processes
from headrace.host.envoy.address import Address
from headrace.host.envoy.binary import envoy_path
from headrace.host.envoy.bootstrap import as_yaml, bootstrap
from headrace.host.envoy.needs import chain_needs
from headrace.host.envoy.options import EnvoyOptions

_HEADRACE = (sys.executable, "-m", "headrace.host.cli.main")
_LOOPBACK = "127.0.0.1"
_READY_S_MAX = 30.0
_POLL_S = 0.1
# Small batches at the speed of life: a laptop's load is then enough to overload six replicas.
_BATCH = ("--time-scale", "1", "--max-num-seqs", "4", "--max-loras", "2")
# A cache in which one can see requests come and go, and yet every document stays.
_REPLICA_FLAGS = (*_BATCH, "--kv-blocks", "1200")


class NotReady(Exception):
    """Something did not come up in time."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} was not ready after {_READY_S_MAX:g} s")


@dataclass(frozen=True, slots=True)
class Stack:
    """A running demo. *url*: where clients reach Envoy; *host_url*: the host's own pages."""

    url: str
    host_url: str
    backdrop: Backdrop


async def start(
    source: Source,
    processes: Processes,
    session: aiohttp.ClientSession,
    say: Callable[[str], None],
) -> Stack:
    """Start a replica for every endpoint of *source*, the host and Envoy; return when all serve.

    Raises:
        PolicyError: the policy does not compile.
        ChildDied: a process ended. EnvoyMissing, NotReady, NoFreePort: as they say.
    """
    envoy = envoy_path()
    ports = free_ports(len(endpoints_of(source)) + 3)
    listen, processor, metrics = (Address(_LOOPBACK, port) for port in ports[:3])
    backdrop = move(source, [f"{_LOOPBACK}:{port}" for port in ports[3:]])
    say(f"starting {len(backdrop.replicas)} model servers")
    for replica in backdrop.replicas:
        await processes.start(f"model-server-{replica.address}", _replica_argv(replica), _env())
    for replica in backdrop.replicas:
        await _until(f"http://{replica.address}/health", processes, session)
    say("starting headrace serve and Envoy")
    await _start_host(backdrop, processor, metrics, processes)
    config = processes.folder / "envoy.yaml"
    options = EnvoyOptions(listen=listen, processors=(processor,))
    needs = chain_needs(backdrop.program, options.chain)
    config.write_text(as_yaml(bootstrap(backdrop.program, needs, options)))
    flags = ("-c", config, "-l", "warn", "--disable-hot-restart", "--concurrency", "1")
    await processes.start("envoy", (envoy, *flags))
    # Through Envoy and the chain: when this answers, everything between has come up.
    await _until(f"http://{listen}/v1/models", processes, session)
    return Stack(f"http://{listen}", f"http://{metrics}", backdrop)


async def _start_host(
    backdrop: Backdrop, processor: Address, metrics: Address, processes: Processes
) -> None:
    policy = processes.folder / Path(backdrop.source.name).name
    policy.write_text(backdrop.source.text)
    flags = ("--listen", str(processor), "--metrics-listen", str(metrics), "--log-level", "warning")
    await processes.start("headrace-serve", (*_HEADRACE, "serve", policy, *flags), _env())


def _replica_argv(replica: Replica) -> tuple[str, ...]:
    names = ("--model", ",".join(replica.models or (replica.pool,)))
    adapters = ("--adapters", ",".join(replica.adapters)) if replica.adapters else ()
    where = ("--listen", replica.address)
    return (*_HEADRACE, "model-server", *where, *names, *adapters, *_REPLICA_FLAGS)


def _env() -> Mapping[str, str]:
    """Our environment without the variables that are flags: the demo's are its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}


async def _until(url: str, processes: Processes, session: aiohttp.ClientSession) -> None:
    """Ask *url* until it answers 200."""

    async def answers() -> bool:
        try:
            async with session.get(url) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    await _poll(answers, url, processes)


async def _poll(ready: Callable[[], Awaitable[bool]], what: str, processes: Processes) -> None:
    try:
        async with asyncio.timeout(_READY_S_MAX):
            while not await ready():
                processes.check()
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise NotReady(what) from None
