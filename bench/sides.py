"""What stands side by side: hosts, each behind an Envoy of its own, before the same servers."""

import json
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from bench.processes import free_ports, process, python
from headrace.dsl.policy import compile_policy
from headrace.dsl.source import Source
from headrace.host.envoy.address import Address
from headrace.host.envoy.binary import envoy_path
from headrace.host.envoy.bootstrap import bootstrap
from headrace.host.envoy.needs import chain_needs
from headrace.host.envoy.options import EnvoyOptions

POLICY = """sched 1
pool p {{ endpoints {endpoints} }}
model m {{ priority 1  route p }}
filter alive = endpoint.ready && endpoint.age < 2s
scorer prefix = endpoint.prefix_match
scorer kv_free = 1.0 - endpoint.kv_cache
scorer short_queue = 1.0 / (1.0 + double(endpoint.queue))
profile default {{
  require alive
  score 3 * prefix + 2 * kv_free + 2 * short_queue
  pick max ties by endpoint.running
}}
overload when pool.queue > 500.0 {{ shed when request.priority < 0 with 429 "busy" retry after 1s }}
{guard}
chain default {{ {chain} }}
"""
CHAIN = "body_router  safety  picker  observability"
GUARD = 'guard secrets { patterns "-----BEGIN [A-Z ]*PRIVATE KEY-----" }'
Tree = dict[str, Any]  # a bootstrap: JSON of any shape


class Host(Enum):
    """Who stands behind an Envoy."""

    HEADRACE = "headrace"
    ON_GRPCIO = "headrace on grpcio"
    IDLE_NATIVE = "no-work native host"
    IDLE_GRPCIO = "no-work grpc.aio host"
    REFERENCE = "epp"
    NOBODY = "no host"


ISSUE = (Host.HEADRACE, Host.ON_GRPCIO, Host.IDLE_NATIVE, Host.IDLE_GRPCIO)


@dataclass(frozen=True, slots=True)
class Setup:
    """The surroundings of a measurement.

    gap_s   between the *events* of a streamed answer
    trace   share of exchanges whose spans are sent; None sends none anywhere
    echo    the hosts without work send every chunk of a response back themselves
    guard   the guards of the policy, as it has them
    chain   the stages of its chain
    """

    hosts: tuple[Host, ...] = ISSUE
    endpoints: int = 16
    events: int = 32
    gap_s: float = 0.0
    guard: str = GUARD
    chain: str = CHAIN
    trace: float | None = None
    echo: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """One host behind its Envoy, and one of the model servers behind all of them."""

    host: Host
    pid: int
    envoy_pid: int
    port: int
    server_port: int


@contextmanager
def sides(setup: Setup) -> Generator[list[Side]]:
    """Start the model servers, the hosts and their Envoys."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = free_ports(setup.endpoints)
        upstream = python("bench.upstream", "--ports", ",".join(map(str, servers)))
        upstream += ["--gap-s", str(setup.gap_s), "--events", str(setup.events)]
        stack.enter_context(process(upstream, servers[-1]))
        endpoints = ", ".join(f'"127.0.0.1:{port}"' for port in servers)
        policy = folder / "bench.sched"
        text = POLICY.format(endpoints=endpoints, guard=setup.guard, chain=setup.chain)
        policy.write_text(text)
        yield [_side(host, setup, policy, servers[0], stack) for host in setup.hosts]


def _side(host: Host, setup: Setup, policy: Path, server: int, stack: ExitStack) -> Side:
    door, listen, metrics = free_ports(3)
    command = _command(host, setup, policy, listen, metrics, server)
    pid = stack.enter_context(process(command, listen)) if command else 0
    tree = _envoy(host, setup, policy, door, listen)
    return Side(host, pid, stack.enter_context(envoy(tree, policy.parent, door)), door, server)


@contextmanager
def envoy(tree: Tree, folder: Path, door: int) -> Generator[int]:
    """Run an Envoy with one worker that listens on *door*; yield its pid."""
    config = folder / f"envoy-{door}.json"
    config.write_text(json.dumps(tree))
    command = [str(envoy_path()), "-c", str(config), "--concurrency", "1"]
    with process([*command, "--disable-hot-restart", "--log-level", "off"], door) as pid:
        yield pid


def serve_command(policy: Path, listen: int, metrics: int) -> list[str]:
    """Return the command of a host of ours with *policy*."""
    serve = python("headrace.host.cli.main", "serve", str(policy), "--log-level", "warning")
    return [*serve, "--listen", f"127.0.0.1:{listen}", "--metrics-listen", f"127.0.0.1:{metrics}"]


def _command(
    host: Host, setup: Setup, policy: Path, listen: int, metrics: int, server: int
) -> list[str]:
    if host is Host.NOBODY:
        return []
    ours = host in (Host.HEADRACE, Host.ON_GRPCIO)
    transport = "grpcio" if host in (Host.ON_GRPCIO, Host.IDLE_GRPCIO) else "native"
    if not ours:
        return python("bench.nowork", "--port", str(listen), "--transport", transport)
    serve = [*serve_command(policy, listen, metrics), "--transport", transport]
    if setup.trace is not None:
        serve += ["--otlp", f"http://127.0.0.1:{server}", "--trace-sample", str(setup.trace)]
    return serve


def bootstrap_for(policy: Path, door: int, listen: int) -> Tree:
    """Return what `headrace envoy-config` writes for *policy* and a host that listens there."""
    program = compile_policy([Source(policy.name, policy.read_text())])
    options = EnvoyOptions(Address("127.0.0.1", door), (Address("127.0.0.1", listen),))
    return bootstrap(program, chain_needs(program, "default"), options)


def _envoy(host: Host, setup: Setup, policy: Path, door: int, listen: int) -> Tree:
    tree = bootstrap_for(policy, door, listen)
    if host in (Host.HEADRACE, Host.ON_GRPCIO):
        return tree
    return _without_decision(tree, host, setup)


def _without_decision(tree: Tree, host: Host, setup: Setup) -> Tree:
    """Return the bootstrap for a host that routes nothing and has no health service."""
    for cluster in tree["static_resources"]["clusters"]:
        cluster.pop("health_checks", None)
    manager = tree["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
    virtual_host = manager["typed_config"]["route_config"]["virtual_hosts"][0]
    for route in virtual_host["routes"]:
        route["match"].pop("headers", None)
    filters = manager["typed_config"]["http_filters"]
    if host is Host.NOBODY:
        del filters[0]
    elif setup.echo:
        mode = filters[0]["typed_config"]["processing_mode"]
        mode["response_body_mode"] = "FULL_DUPLEX_STREAMED"
    return tree
