"""What the Go reference costs beside us: its endpoint picker and ours, before the same servers.

`epp` follows an InferencePool of a real API server and scrapes as it does by default; ours has
the same endpoints in its policy. Each stands behind an Envoy of its own, with the modes that
its makers advise, and they take turns. ``python -m bench.reference``.

`epp` is found by the environment's EPP, the PATH, or in `.venv/bin`, and so are the API server
and its etcd: `tests/e2e/rig/apiserver.py`. Without one of them this is skipped, and says so.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.e2e.rig import apiserver
from tests.host.cluster.apiserver import PODS
from tests.host.cluster.objects import OLD_OBJECTIVES, OLD_REWRITES, POOLS, pod, pool

from bench.load import Load
from bench.measure import costs_us, drive, ready
from bench.processes import cpu_s, free_ports, process, python, rss_mib
from bench.report import Figure, noise_of
from bench.sides import (
    CHAIN,
    GUARD,
    POLICY,
    Host,
    Side,
    Tree,
    bootstrap_for,
    envoy,
    serve_command,
)

NAME = "bench"  # of the pool, and of the label of its pods
RANKS = 8  # ports of a pod, as many as an InferencePool takes
WARM_UP, SETTLE_S, IDLE_S = 500, 3.0, 5.0
GAP_S, EVENTS = 0.01, 32
CONFIG = """\
apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: queue-scorer
- type: kv-cache-utilization-scorer
- type: prefix-cache-scorer
- type: openai-parser
schedulingProfiles:
- name: default
  plugins:
  - {pluginRef: queue-scorer, weight: 2}
  - {pluginRef: kv-cache-utilization-scorer, weight: 2}
  - {pluginRef: prefix-cache-scorer, weight: 3}
parser: {pluginRef: openai-parser}
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One comparison: a name for its rows, and what is asked."""

    name: str
    load: Load


def few(requests: int) -> Iterator[Asked]:
    """Yield what is asked of a pool of 8 endpoints."""
    yield Asked("200 tokens", Load(requests))
    yield Asked("1,000 tokens", Load(requests, prompt_tokens=1_000))
    yield Asked("10,000 tokens", Load(requests // 2, prompt_tokens=10_000))
    yield Asked("32 events, 10 ms apart", Load(requests // 2, stream=True))
    yield Asked("200 requests/s", Load(requests, rate_s=200))


def many(requests: int) -> Iterator[Asked]:
    """Yield what is asked of a pool of 64."""
    yield Asked("200 tokens", Load(requests))
    yield Asked("200 requests/s", Load(requests, rate_s=200))


def missing() -> str:
    """Return what this needs and does not find, empty if all is there."""
    found = {"epp": _epp(), "kube-apiserver": apiserver.SERVER, "etcd": apiserver.ETCD}
    return ", ".join(name for name, where in found.items() if not where)


def rows(rounds: int, requests: int) -> Iterator[Figure]:
    """Yield what both cost, and the ratios."""
    for endpoints, asked in ((8, few(requests)), (64, many(requests))):
        with standing(endpoints) as both:
            yield from _idle(both, endpoints)
            for one in asked:
                yield from _compared(both, replace(one, name=f"{endpoints}, {one.name}"), rounds)


@contextmanager
def standing(endpoints: int) -> Generator[list[Side]]:
    """Start an API server, the model servers, and both hosts, each behind its Envoy."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        hosts = [f"127.0.0.{1 + at}" for at in range(-(-endpoints // RANKS))]
        ports = free_ports(min(RANKS, endpoints))
        upstream = python("bench.upstream", "--ports", ",".join(map(str, ports)))
        upstream += ["--hosts", ",".join(hosts), "--gap-s", str(GAP_S), "--events", str(EVENTS)]
        stack.enter_context(process(upstream, ports[-1]))
        real = stack.enter_context(apiserver.running(folder))
        real.install(POOLS, OLD_OBJECTIVES, OLD_REWRITES)
        real.put(POOLS, pool(NAME, NAME, tuple(ports)))
        for at, host in enumerate(hosts):
            real.put(PODS, pod(f"pod-{at}", host, app=NAME))
        policy = folder / "bench.sched"
        quoted = ", ".join(f'"{host}:{port}"' for host in hosts for port in ports)
        policy.write_text(POLICY.format(endpoints=quoted, guard=GUARD, chain=CHAIN))
        both = [_ours(policy, stack), _reference(policy, real.kubeconfig(), stack)]
        for side in both:
            drive(ready(side), Load(WARM_UP))
        time.sleep(SETTLE_S)
        yield both


def _ours(policy: Path, stack: ExitStack) -> Side:
    door, listen, metrics = free_ports(3)
    pid = stack.enter_context(process(serve_command(policy, listen, metrics), listen))
    tree = bootstrap_for(policy, door, listen)
    return Side(Host.HEADRACE, pid, stack.enter_context(envoy(tree, policy.parent, door)), door, 0)


def _reference(policy: Path, kubeconfig: Path, stack: ExitStack) -> Side:
    door, listen, metrics, health = free_ports(4)
    config = policy.with_name("epp.yaml")
    config.write_text(CONFIG)
    command = ["env", f"KUBECONFIG={kubeconfig}", str(_epp()), "--config-file", str(config)]
    command += ["--pool-name", NAME, "--pool-namespace", "default"]
    command += ["--secure-serving=false", "--metrics-endpoint-auth=false", "--tracing=false"]
    command += [f"--grpc-port={listen}", f"--grpc-health-port={health}"]
    command += [f"--metrics-port={metrics}", "--enable-pprof=false", "-v=0"]
    pid = stack.enter_context(process(command, listen, policy.with_name("epp.log")))
    tree = _as_advised(bootstrap_for(policy, door, listen))
    pid_of_envoy = stack.enter_context(envoy(tree, policy.parent, door))
    return Side(Host.REFERENCE, pid, pid_of_envoy, door, 0)


def _as_advised(tree: Tree) -> Tree:
    """Return the bootstrap as the reference's guides have it: every part of every exchange is
    shown to it, and the header that it sets names the endpoint. Its health has a port of its own.
    """
    for cluster in tree["static_resources"]["clusters"]:
        cluster.pop("health_checks", None)
    manager = tree["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
    mode = manager["typed_config"]["http_filters"][0]["typed_config"]["processing_mode"]
    for direction in ("request", "response"):
        mode |= {f"{direction}_{part}_mode": "SEND" for part in ("header", "trailer")}
        mode[f"{direction}_body_mode"] = "FULL_DUPLEX_STREAMED"
    virtual_host = manager["typed_config"]["route_config"]["virtual_hosts"][0]
    route = {"cluster": "picked", "timeout": "300s"}
    virtual_host["routes"] = [{"match": {"prefix": "/"}, "route": route}]
    picked = {"use_http_header": True, "http_header_name": "x-gateway-destination-endpoint"}
    tree["static_resources"]["clusters"].append(
        {
            "name": "picked",
            "type": "ORIGINAL_DST",
            "lb_policy": "CLUSTER_PROVIDED",
            "original_dst_lb_config": picked,
        }
    )
    return tree


def _idle(both: list[Side], endpoints: int) -> Iterator[Figure]:
    before_s = [cpu_s(side.pid) for side in both]
    time.sleep(IDLE_S)
    for side, at_s in zip(both, before_s, strict=True):
        share = (cpu_s(side.pid) - at_s) / IDLE_S
        yield Figure(f"{side.host.value}, {endpoints}, idle", round(share * 100, 1), "% of a core")
        name = f"{side.host.value}, {endpoints}, memory"
        yield Figure(name, round(rss_mib(side.pid), 1), "MiB")


def _compared(both: list[Side], asked: Asked, rounds: int) -> Iterator[Figure]:
    found: dict[Host, list[float]] = {side.host: [] for side in both}
    for side in both:
        drive(side, replace(asked.load, requests=max(50, asked.load.requests // 4)))
    for at in range(rounds):
        for side in both[:: 1 if at % 2 else -1]:
            found[side.host].append(costs_us(side, asked.load)[0])
    for host, costs in found.items():
        value = round(statistics.median(costs), 1)
        yield Figure(f"{host.value}, {asked.name}", value, "us CPU/request", noise_of(costs))
    ratios = [a / b for a, b in zip(found[Host.HEADRACE], found[Host.REFERENCE], strict=True)]
    value = round(statistics.median(ratios), 3)
    yield Figure(f"headrace by epp, {asked.name}", value, "x", noise_of(ratios))


def _epp() -> str | None:
    return apiserver.binary("epp", "EPP")


def main() -> None:
    """Print the table, or what is missing for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=600, help="per round and host")
    given = parser.parse_args()
    if lacking := missing():
        sys.exit(f"skipped: not found: {lacking}; CONTRIBUTING says how to build them")
    for figure in rows(given.rounds, given.requests):
        noise = "" if figure.noise is None else f"{figure.noise:.2g}"
        print(f"{figure.name:<48} {figure.value:>10g} {noise:>7} {figure.unit}", flush=True)


if __name__ == "__main__":
    main()
