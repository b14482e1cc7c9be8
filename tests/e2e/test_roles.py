"""The example for Google's load balancers, rehearsed: a real Envoy calls three roles in turn."""

import asyncio
import json
import re
import urllib.request
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from tests.e2e.rig import client, envoy, product, upstream
from tests.e2e.rig.config import LOOPBACK, Config
from tests.e2e.rig.http1 import Answer
from tests.e2e.rig.upstream import Upstream
from tests.host.cli.command import running

EXAMPLE = Path(__file__).parents[2] / "examples" / "gke"
POOLS = ("gemma", "gemma-new")
ROLES = ("route", "traffic", "picker@gemma", "picker@gemma-new")
CLUSTERS = dict(zip(("route", "traffic", "picker-gemma", "picker-gemma-new"), ROLES, strict=True))
JSON = ("content-type", "application/json")
KEY = "-----BEGIN RSA PRIVATE KEY-----"
ASKED = 200


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The example, running. *servers*: pool -> its one model server."""

    runner: asyncio.Runner
    port: int
    metrics: str
    servers: Mapping[str, Upstream]

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

    def counted(self) -> dict[str, float]:
        """Return what was counted of requests: status and reason -> how many."""
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=5) as reply:
            page = str(reply.read(), "utf-8")
        found: Counter[str] = Counter()
        for line in page.splitlines():
            if line.startswith("headrace_requests_total{"):
                labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
                found[f"{labels['status']} {labels['reason']}".strip()] += int(
                    float(line.split()[-1])
                )
        return dict(found)


@pytest.fixture(scope="module", params=["native", "grpcio"])
def rehearsal(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Rehearsal]:
    """The policy and the Envoy of the example, on free ports, before two model servers."""
    folder = tmp_path_factory.mktemp("rehearsal")
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            servers: dict[str, Upstream] = {}
            for pool in POOLS:
                scripts = product.scripts(0, asyncio.Event())
                servers[pool] = runner.run(stack.enter_async_context(upstream.serving(scripts)))
            path = folder / "policy.sched"
            path.write_text(_policy(servers))
            flags = [flag for role in ROLES for flag in ("--role", f"{role}={LOOPBACK}:0")]
            serve = ("serve", str(path), "--metrics-listen", f"{LOOPBACK}:0", *flags)
            opened = running(*serve, "--transport", request.param, err=folder / "log")
            _, ready = runner.run(asyncio.to_thread(opened.__enter__))
            try:
                with envoy.running(_config(ready, servers), folder) as proxy:
                    yield Rehearsal(runner, proxy.ports["gateway"], ready["metrics"], servers)
            finally:
                opened.__exit__(None, None, None)
        finally:
            runner.run(stack.aclose())
    assert "bug in `" not in (folder / "log").read_text()


def _policy(servers: Mapping[str, Upstream]) -> str:
    """Return the example's policy, with the servers' addresses in place of a cluster's pools."""
    text = (EXAMPLE / "policy.sched").read_text()
    for pool, server in servers.items():
        told = f"inferencepool {pool} namespace models"
        assert told in text
        text = text.replace(told, f'endpoints "{LOOPBACK}:{server.port}"')
    return text


def _config(ready: Mapping[str, str], servers: Mapping[str, Upstream]) -> Config:
    """Return the example's Envoy, with free ports in place of the example's."""
    config: Any = yaml.safe_load((EXAMPLE / "rehearsal.yaml").read_text())
    (listener,) = config["static_resources"]["listeners"]
    listener["address"]["socket_address"]["port_value"] = 0
    config["admin"]["address"]["socket_address"]["port_value"] = 0
    ports = {name: int(ready[role].rpartition(":")[2]) for name, role in CLUSTERS.items()}
    ports |= {pool: server.port for pool, server in servers.items()}
    for cluster in config["static_resources"]["clusters"]:
        (group,) = cluster["load_assignment"]["endpoints"]
        (endpoint,) = group["lb_endpoints"]
        address = endpoint["endpoint"]["address"]["socket_address"]
        address["port_value"] = ports[cluster["name"]]
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
    after = rehearsal.counted()
    new = {key: count - before.get(key, 0) for key, count in after.items()}

    assert (passed.status, unknown.status) == (200, 404)
    assert blocked.status in (400, 403)
    assert rehearsal.served("blocked").total() == 0
    assert sum(new.values()) == 3
    assert new["200"] == 1
