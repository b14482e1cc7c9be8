"""The product beside a real API server, with no other rights than the example gives it."""

import asyncio
import itertools
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from headrace.host.cluster.api import Access, Api
from headrace.host.cluster.reading import read_objective, read_pod
from headrace.host.cluster.resource import (
    Resource,
    adapter_maps,
    inference_pool,
    objectives,
    pods,
    rewrites,
)
from headrace.host.cluster.reviews import Reviewer
from headrace.host.cluster.watcher import Watcher
from headrace.host.telemetry.readers import Ruling
from tests.e2e.rig import apiserver
from tests.e2e.rig.apiserver import Json, Real
from tests.e2e.test_kubernetes import HOSTS, NO_NEW_S, PATIENCE_S, said, site
from tests.host.cluster.apiserver import PODS, Kind
from tests.host.cluster.objects import (
    CONFIG_MAPS,
    CUSTOM,
    OBJECTIVES,
    OLD_OBJECTIVES,
    REWRITES,
    adapters,
    objective,
    pod,
    rewrite,
    until,
)

pytestmark = apiserver.needed
RIGHTS = Path(__file__).parents[2] / "examples" / "kubernetes" / "rbac.yaml"
LATER = Kind("tests.invalid", "v1alpha2", "inferenceobjectives", "InferenceObjective")
READER = """\
apiVersion: v1
kind: ServiceAccount
metadata: { name: prometheus }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: reads-metrics }
rules: [{ nonResourceURLs: [/metrics], verbs: [get] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: reads-metrics }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reads-metrics }
subjects: [{ kind: ServiceAccount, name: prometheus, namespace: default }]
"""


@dataclass(frozen=True, slots=True)
class Stand:
    """Stands in for the double where a test uses it: shelf, death and kubeconfig."""

    real: Real

    @property
    def shelf(self) -> Real:
        return self.real

    def down(self) -> None:
        self.real.kill()

    def up(self) -> None:
        self.real.start()

    def config(self) -> Path:
        return self.real.kubeconfig(self.real.token("headrace"))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Generator[Real]:
    with apiserver.running(tmp_path_factory.mktemp("kube")) as running:
        running.install(*(kind for kind in CUSTOM if kind.group))
        for one in yaml.safe_load_all(RIGHTS.read_text()):
            running.apply(one)
        yield running


class Followed:
    """A resource that is followed, and how the requests for it have ended."""

    def __init__(self, real: Real, resource: Resource, config: Path) -> None:
        read = read_pod if resource.plural == "pods" else read_objective
        self.results: list[str] = []
        self.watcher: Watcher[object] = Watcher(
            resource, read, Api(Access(config)), lambda: None, self._ended
        )
        self.watcher.start()

    def _ended(self, resource: Resource, result: str) -> None:
        self.results.append(result)

    def knows(self, *names: str) -> bool:
        return set(self.watcher.known.items) == set(names)


def test_pods_come_and_go_and_the_api_server_is_killed_and_no_request_fails(
    real: Real, tmp_path: Path
) -> None:
    with site(tmp_path, "inferencepool gemma", real=Stand(real)) as running:

        async def nothing_for(server: int) -> int:
            """Return how many requests a server has had, of which there are no more."""
            await asyncio.sleep(NO_NEW_S)
            had = running.served(server)
            await asyncio.sleep(NO_NEW_S)
            assert running.served(server) == had
            return had

        async def main() -> None:
            async with running.load():
                await running.until(lambda: running.served(0) and running.served(1))
                await asyncio.to_thread(real.put, PODS, on_a_node("p2", HOSTS[2]))
                await running.until(lambda: running.served(2))
                await asyncio.to_thread(real.put, PODS, pod("p0", HOSTS[0], ready=False))
                await nothing_for(0)
                await asyncio.to_thread(real.delete, PODS, "p2")  # it terminates, for 30 s
                await nothing_for(2)
                assert '"forbidden"' not in await asyncio.to_thread(running.page, "/metrics")
                await asyncio.to_thread(real.kill)
                await asyncio.sleep(1.0)
                assert (await asyncio.to_thread(running.status))["ready"]
                await asyncio.to_thread(real.start)
                before = running.served(0)
                await asyncio.to_thread(real.put, PODS, pod("p0", HOSTS[0]))
                await running.until(lambda: running.served(0) > before)
                await asyncio.to_thread(real.delete, PODS, "p1")
                await nothing_for(1)
            await counts_what_is_said()

        async def counts_what_is_said() -> None:
            real.put(OBJECTIVES, objective("urgent", 7))
            real.put(OLD_OBJECTIVES, objective("chat", 3, models="chatbot"))
            real.put(REWRITES, rewrite("canary", {"chatbot-v2": None}, ("chatbot",)))
            real.put(CONFIG_MAPS, adapters("some", "base", "- one"))
            await becomes(("chatbot-v2", 3))
            await becomes(("chatbot-v2", 7), x_llm_d_inference_objective="urgent")
            await running.until(lambda: all(works(row) for row in rows()))
            maps = [row["objects"] for row in rows() if row["resource"].startswith("configmaps")]
            assert sorted(maps) == [0, 1]

        async def becomes(expected: tuple[str, int], **asked: str) -> None:
            async with asyncio.timeout(PATIENCE_S):
                for _ in itertools.count():
                    if await said(running, f"r-{time.monotonic()}", **asked) == expected:
                        break

        def rows() -> list[Json]:
            found: list[Json] = running.status()["cluster"]["resources"]
            return found

        running.runner.run(main())

        assert running.failed() == []
        assert len(running.answers) > 100
        assert "headrace_bugs_total{" not in running.page("/metrics")


def test_a_token_that_is_no_good_any_more_is_read_anew(real: Real) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "headrace"}}
    real.put(PODS, pod("q0", app="other"))
    config = real.kubeconfig(real.token("headrace"))
    one = Followed(real, pods("default", (("app", "other"),)), config)
    until(lambda: one.knows("q0"))
    real.ask("DELETE", real.path(account))
    real.apply(account)
    real.kill()  # which ends the watch; until then the server goes on with it
    real.start()
    until(lambda: "unauthorized" in one.results)
    real.put(PODS, pod("q1", app="other"))
    assert one.knows("q0")
    real.kubeconfig(real.token("headrace"))
    until(lambda: one.knows("q0", "q1"))
    one.watcher.stop()


def test_a_kind_that_is_installed_later_is_found_and_one_that_goes_is_told(
    real: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.host.cluster.follow.MISSING_S", 0.2)
    resource = Resource(LATER.group, LATER.version, LATER.plural, "default")
    one = Followed(real, resource, real.kubeconfig())
    until(lambda: one.watcher.known.missing)
    real.install(LATER)
    real.put(LATER, objective("o"))
    until(lambda: one.knows("o"))
    real.ask("DELETE", real.path(apiserver.definition(LATER)))
    until(lambda: one.watcher.known.missing)
    one.watcher.stop()

    assert one.knows()


def test_who_reads_our_pages_is_asked_of_the_api_server(real: Real) -> None:
    for one in yaml.safe_load_all(READER):
        real.apply(one)
    review = Reviewer(Api(Access(real.kubeconfig(real.token("headrace")))))
    who = "system:serviceaccount:default:prometheus"

    assert review(real.token("prometheus"), "/metrics") == Ruling(who, True)
    assert review(real.token("prometheus"), "/decisions") == Ruling(who, False)
    assert review("nobody's", "/metrics") == Ruling("", False)


def test_the_account_may_look_at_what_is_followed_and_do_nothing_else(real: Real) -> None:
    token, spaces = real.token("headrace"), "/api/v1/namespaces"
    followed = (*objectives("default"), *rewrites("default"), *adapter_maps("default"))
    looked_at = [
        one.path for one in (pods("default", ()), inference_pool("default", ""), *followed)
    ]

    until(lambda: {real.say("GET", path, token=token)[0] for path in looked_at} == {200})
    assert real.say("GET", f"{spaces}/default/secrets", token=token)[0] == 403
    assert real.say("GET", f"{spaces}/default/pods/p1", token=token)[0] == 403
    assert real.say("DELETE", f"{spaces}/default/pods/p1", token=token)[0] == 403
    assert real.say("GET", f"{spaces}/kube-system/pods", token=token)[0] == 403


def works(row: Json) -> bool:
    """Return whether a resource is known, and nothing is wrong with it."""
    return bool(row["installed"] and row["synced"] and not row["fault"])


def on_a_node(name: str, ip: str) -> Json:
    """Return a pod that a kubelet would have to end: once deleted, it terminates."""
    made = pod(name, ip)
    made["spec"]["nodeName"] = "node"
    return made
