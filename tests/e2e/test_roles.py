"""The example for Google's load balancers, rehearsed: a real Envoy calls three roles in turn."""

import asyncio
import json
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from tests.e2e.rig import client, envoy, product, upstream
from tests.e2e.rig.config import LOOPBACK, Config
from tests.e2e.rig.http1 import Answer
from tests.e2e.rig.process import free_port
from tests.e2e.rig.upstream import Upstream
from tests.host.cli.command import running
from tests.host.cluster.apiserver import PODS, ApiServer
from tests.host.cluster.objects import OBJECTIVES, POOLS, kubeconfig, pod, reached

EXAMPLE = Path(__file__).parents[2] / "examples" / "gke"
HOSTS = {"gemma": "127.0.0.2", "gemma-new": "127.0.0.3"}
ROLES = ("route", "traffic", "picker@gemma", "picker@gemma-new")
CLUSTERS = dict(zip(("route", "traffic", "picker-gemma", "picker-gemma-new"), ROLES, strict=True))
JSON = ("content-type", "application/json")
KEY = "-----BEGIN RSA PRIVATE KEY-----"
ASKED = 200
WRITERS = 3  # of log lines: each role of a request
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The example, running. *servers*: pool -> its one model server."""

    runner: asyncio.Runner
    port: int
    metrics: str
    servers: Mapping[str, Upstream]
    log: Path

    def ask(
        self, model: str = "chatbot", text: str = "hello", id: str = "", **fields: str
    ) -> Answer:
        """Return the answer to a chat through the Envoy; the servers know it as *id*."""
        call = {"model": model, "messages": [{"role": "user", "content": text}]}
        named = [JSON, *((name.replace("_", "-"), value) for name, value in fields.items())]
        if id:
            named.append(("x-id", id))
        fetch = client.fetch(
            self.port, "POST", "/v1/chat/completions", named, json.dumps(call).encode()
        )
        return self.runner.run(fetch)

    def served(self, id: str) -> Counter[str]:
        """Return how many requests of that *id* the server of each pool has had."""
        return Counter({pool: len(one.seen.of(id)) for pool, one in self.servers.items()})

    def lines(self, request_id: str) -> list[dict[str, Any]]:
        """Return the log lines of one request, once each role that has one has written it."""
        until_s = time.monotonic() + PATIENCE_S
        while True:
            told = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
            found = [line for text in told if (line := json.loads(text))["id"] == request_id]
            if len(found) == WRITERS:
                return found
            assert time.monotonic() < until_s, found
            time.sleep(0.02)

    def counted(self) -> Counter[str]:
        """Return what was counted of requests, once none is open: status and reason -> how many."""
        until_s = time.monotonic() + PATIENCE_S
        while True:
            with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=5) as reply:
                page = str(reply.read(), "utf-8")
            if re.search(r"^headrace_exchanges_active 0(\.0)?$", page, re.M):
                break
            assert time.monotonic() < until_s, page
            time.sleep(0.02)
        found: Counter[str] = Counter()
        for line in page.splitlines():
            if line.startswith("headrace_requests_total{"):
                labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
                outcome = f"{labels['status']} {labels['reason']}".strip()
                found[outcome] += int(float(line.split()[-1]))
        return found


@pytest.fixture(scope="module", params=["native", "grpcio"])
def rehearsal(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Rehearsal]:
    """The policy, the pools and the Envoy of the example, on free ports, in a double of a cluster.

    The policy is the file as it is; of the pools, the port of their servers is another.
    """
    folder = tmp_path_factory.mktemp("rehearsal")
    with asyncio.Runner() as runner, reached(folder) as (api, _):
        stack = AsyncExitStack()
        try:
            port, servers = free_port(), dict[str, Upstream]()
            for pool, host in HOSTS.items():
                scripts = product.scripts(0, asyncio.Event())
                opened = upstream.serving(scripts, host, port)
                servers[pool] = runner.run(stack.enter_async_context(opened))
            _put(api, port)
            with (
                _serving(runner, folder, api, request.param) as ready,
                envoy.running(_config(ready, servers), folder) as proxy,
            ):
                log = folder / "log"
                yield Rehearsal(runner, proxy.ports["gateway"], ready["metrics"], servers, log)
        finally:
            runner.run(stack.aclose())
    assert "bug in `" not in (folder / "log").read_text()


def _put(api: ApiServer, port: int) -> None:
    """Put the pools and objectives of the example in *api*, and a pod for each pool."""
    kinds = {"InferencePool": POOLS, "InferenceObjective": OBJECTIVES}
    for found in yaml.safe_load_all((EXAMPLE / "inference.yaml").read_text()):
        if found["kind"] == "InferencePool":
            found["spec"]["targetPorts"] = [{"number": port}]
        if found["kind"] in kinds:
            api.shelf.put(kinds[found["kind"]], found)
    for name, host in HOSTS.items():
        one = pod(name, host, app=name)
        one["metadata"]["namespace"] = "models"
        api.shelf.put(PODS, one)


@contextmanager
def _serving(
    runner: asyncio.Runner, folder: Path, api: ApiServer, transport: str
) -> Generator[Mapping[str, str]]:
    """Run the host while the servers' loop turns; yield the fields of its `ready` line."""
    flags = [flag for role in ROLES for flag in ("--role", f"{role}={LOOPBACK}:0")]
    kube = ("--kube", "--kubeconfig", str(kubeconfig(folder, api)), "--namespace", "models")
    policy = ("serve", str(EXAMPLE / "policy.sched"), "--metrics-listen", f"{LOOPBACK}:0")
    opened = running(*policy, *flags, *kube, "--transport", transport, err=folder / "log")
    _, ready = runner.run(asyncio.to_thread(opened.__enter__))
    try:
        yield ready
    finally:
        opened.__exit__(None, None, None)


def _config(ready: Mapping[str, str], servers: Mapping[str, Upstream]) -> Config:
    """Return the example's Envoy, with free ports in place of the example's."""
    config: Any = yaml.safe_load((EXAMPLE / "rehearsal.yaml").read_text())
    (listener,) = config["static_resources"]["listeners"]
    listener["address"]["socket_address"]["port_value"] = 0
    config["admin"]["address"]["socket_address"]["port_value"] = 0
    ports = {name: int(ready[role].rpartition(":")[2]) for name, role in CLUSTERS.items()}
    ports |= {pool: server.port for pool, server in servers.items()}
    hosts = dict.fromkeys(CLUSTERS, LOOPBACK) | HOSTS
    for cluster in config["static_resources"]["clusters"]:
        (group,) = cluster["load_assignment"]["endpoints"]
        (endpoint,) = group["lb_endpoints"]
        address = endpoint["endpoint"]["address"]["socket_address"]
        address["port_value"] = ports[cluster["name"]]
        address["address"] = hosts[cluster["name"]]
    return cast(Config, config)


def test_the_gateway_draws_the_pool_and_the_picker_of_that_pool_picks(
    rehearsal: Rehearsal,
) -> None:
    answers = [rehearsal.ask(id="drawn") for _ in range(ASKED)]
    served = rehearsal.served("drawn")

    assert {answer.status for answer in answers} == {200}
    assert served["gemma"] + served["gemma-new"] == ASKED
    assert served["gemma"] > served["gemma-new"] > 0


def test_what_the_roles_tell_each_other_stays_between_them(rehearsal: Rehearsal) -> None:
    forged = {
        "x_headrace_route": "AAAA",
        "x_gateway_model_name": "chatbot",
        "x_gateway_destination_endpoint": "127.0.0.1:1",
    }
    answer = rehearsal.ask("recommender", id="told", **forged)
    (seen,) = rehearsal.servers["gemma"].seen.of("told")
    headers = {name: value.decode() for name, value in seen.head.fields}

    assert answer.status == 200
    assert rehearsal.served("told") == {"gemma": 1, "gemma-new": 0}
    assert "x-headrace-route" not in headers
    assert headers["x-gateway-model-name"] == "recommender"


def test_each_role_answers_for_its_part_and_a_request_counts_once(rehearsal: Rehearsal) -> None:
    before = rehearsal.counted()
    passed, unknown = rehearsal.ask(), rehearsal.ask("nobody")
    blocked = rehearsal.ask(text=KEY, id="blocked")
    new = rehearsal.counted() - before

    assert (passed.status, unknown.status) == (200, 404)
    assert blocked.status in (400, 403)
    assert rehearsal.served("blocked").total() == 0
    assert new.total() == 3
    assert new["200"] == 1


def test_the_objective_of_the_drawn_pool_counts_and_every_role_tells_of_it(
    rehearsal: Rehearsal,
) -> None:
    answer = rehearsal.ask(x_request_id="objective")
    lines = rehearsal.lines("objective")

    assert answer.status == 200
    assert {line["priority"] for line in lines} == {10}
    assert {line["model"] for line in lines} == {"chatbot"}
