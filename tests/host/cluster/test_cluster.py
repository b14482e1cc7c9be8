"""The cluster as the store and the stages see it, against the double."""

import asyncio
import logging
from pathlib import Path
from typing import cast

import pytest

from headrace.dsl.serving import InferencePoolRef
from headrace.host.cluster.api import Access, Api
from headrace.host.cluster.cluster import Cluster
from tests.host.cluster.apiserver import PODS, ApiServer
from tests.host.cluster.apiserver.faults import FORBIDDEN
from tests.host.cluster.house import Counted, following, policy, usual
from tests.host.cluster.objects import (
    CUSTOM,
    OBJECTIVES,
    OLD_OBJECTIVES,
    OLD_REWRITES,
    POOLS,
    REWRITES,
    kubeconfig,
    objective,
    pod,
    pool,
    reached,
    rewrite,
)
from tests.host.serve.house import run, until

GEMMA = InferencePoolRef("gemma")
BY_POOL = "pool gemma { inferencepool gemma }"
BY_LABEL = 'pool gemma { select app = "gemma"  port 8000 }'


@pytest.mark.parametrize("block", [BY_POOL, BY_LABEL])
def test_a_pool_has_its_ready_pods_as_they_come_and_go(tmp_path: Path, block: str) -> None:
    async def main() -> None:
        async with following(tmp_path, block, before=usual) as seen:
            assert await seen.cluster.synced(seen.program, 5.0) == ""
            await seen.reach("a", "b")
            seen.server.shelf.put(PODS, pod("c", "10.0.0.3"))
            await seen.reach("a", "b", "c")
            seen.server.shelf.put(PODS, pod("a", ready=False))
            seen.server.shelf.delete(PODS, "b")
            await seen.reach("c")

    run(main)


def test_a_hundred_changes_and_a_pod_that_turns_unready_are_looked_at_together(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with following(tmp_path, BY_POOL, before=usual) as seen:
            await seen.reach("a", "b")
            for number in range(100):
                ip = f"10.0.1.{number}"
                seen.server.shelf.put(PODS, pod(f"n{number}", ip))
            seen.server.shelf.put(PODS, pod("a", ready=False))
            async with asyncio.timeout(2.0):  # a slow machine is no failure
                while "a" in seen.names():  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.002)

            assert seen.changes < 50  # looked at together, not one by one

    run(main)


def test_another_selector_takes_over_once_its_pods_are_known(tmp_path: Path) -> None:
    async def main() -> None:
        async with following(tmp_path, BY_POOL, before=usual) as seen:
            await seen.reach("a", "b")
            seen.server.shelf.put(PODS, pod("new", "10.0.0.9", app="other"))
            seen.server.order("list", "pods", FORBIDDEN)
            sizes: set[int] = set()
            seen.cluster.changed = lambda: sizes.add(len(seen.names()))
            seen.server.shelf.put(POOLS, pool(app="other"))
            await seen.reach("new")

            assert 0 not in sizes
            assert len([w for w in seen.cluster.watchers if w.plural == "pods"]) == 1

    run(main)


def test_other_ports_are_other_endpoints_of_the_same_pods(tmp_path: Path) -> None:
    async def main() -> None:
        async with following(tmp_path, BY_POOL, before=usual) as seen:
            await seen.reach("a", "b")
            seen.server.shelf.put(POOLS, pool(ports=(8000, 8001)))
            await seen.reach("a-rank-0", "a-rank-1", "b-rank-0", "b-rank-1")

    run(main)


def test_a_pool_that_becomes_wrong_stays_what_it_was_and_that_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with following(tmp_path, BY_POOL, before=usual) as seen:
            await seen.reach("a", "b")
            seen.server.shelf.put(POOLS, pool(ports=(0,)))
            await until(lambda: seen.counts.ignored["inferencepools", "port"] == 1)
            seen.server.shelf.put(PODS, pod("c", "10.0.0.3"))
            await seen.reach("a", "b", "c")

    run(main)


def test_a_pool_that_is_deleted_has_no_endpoints(tmp_path: Path) -> None:
    async def main() -> None:
        async with following(tmp_path, BY_POOL, before=usual) as seen:
            await seen.reach("a", "b")
            seen.server.shelf.delete(POOLS, "gemma")
            await seen.reach()
            assert "no such InferencePool" in seen.cluster.lacking(seen.program)

    run(main)


def test_pools_of_several_namespaces_are_followed_in_one_process(tmp_path: Path) -> None:
    def before(server: ApiServer) -> None:
        usual(server)
        for kind, made in ((POOLS, pool()), (PODS, pod("x", "10.1.0.1"))):
            made["metadata"]["namespace"] = "other"
            server.shelf.put(kind, made)

    async def main() -> None:
        other = "pool other { inferencepool gemma namespace other }"
        models = ("model m { route gemma }", "model n { route other }")
        async with following(tmp_path, BY_POOL, other, *models, before=before) as seen:
            await seen.reach("a", "b")
            await seen.reach("x", pool="other")

    run(main)


def test_pods_that_nobody_selects_are_not_asked_for(tmp_path: Path) -> None:
    async def main() -> None:
        async with following(tmp_path, BY_LABEL, before=usual) as seen:
            await seen.reach("a", "b")

            asked = [one for one in seen.server.seen if "/configmaps?" not in one]
            assert all("pods?" in one for one in asked)
            assert all("labelSelector=app%3Dgemma" in one for one in asked)

    run(main)


def test_without_the_pool_it_is_said_what_is_lacking(tmp_path: Path) -> None:
    async def main() -> None:
        async with following(tmp_path, BY_POOL) as seen:
            lacking = await seen.cluster.synced(seen.program, 0.3)
            assert "pool `gemma`" in lacking
            assert "no such InferencePool" in lacking
            usual(seen.server)
            assert await seen.cluster.synced(seen.program, 5.0) == ""

    run(main)


def test_without_the_kind_of_pools_that_is_what_is_said(tmp_path: Path) -> None:
    async def main() -> None:
        async with following(
            tmp_path, BY_POOL, before=lambda server: server.shelf.installed.discard(POOLS)
        ) as seen:
            assert "no such kind is installed" in await seen.cluster.synced(seen.program, 0.3)

    run(main)


def test_kinds_that_are_not_installed_hold_nobody_up(tmp_path: Path) -> None:
    def before(server: ApiServer) -> None:
        usual(server)
        server.shelf.installed -= {OBJECTIVES, OLD_OBJECTIVES, REWRITES, OLD_REWRITES}

    async def main() -> None:
        async with following(tmp_path, BY_POOL, before=before) as seen:
            assert await seen.cluster.synced(seen.program, 5.0) == ""
            await until(lambda: seen.counts.requests["inferenceobjectives", "missing"] == 2)

    run(main)


def test_objectives_and_rewrites_of_both_groups_are_told_to_the_stages(tmp_path: Path) -> None:
    def before(server: ApiServer) -> None:
        usual(server)
        server.shelf.put(OBJECTIVES, objective("new", 5, models="chatbot"))
        server.shelf.put(OLD_OBJECTIVES, objective("old", -1))
        server.shelf.put(OLD_OBJECTIVES, objective("new", 99))
        server.shelf.put(OLD_REWRITES, rewrite("r", {"v2": None}, ("chatbot",)))

    async def main() -> None:
        async with following(tmp_path, BY_POOL, before=before) as seen:
            notes = seen.cluster.directory.of
            await until(lambda: notes(GEMMA).priorities == {"new": 5, "old": -1})
            await until(lambda: notes(GEMMA).targets("chatbot"))
            assert notes(GEMMA).of_models == {"chatbot": "new"}
            seen.server.shelf.delete(OBJECTIVES, "new")
            await until(lambda: notes(GEMMA).priorities == {"new": 99, "old": -1})

    run(main)


def test_what_is_wrong_or_of_another_pool_is_counted_once_and_the_rest_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def before(server: ApiServer) -> None:
        usual(server)
        server.shelf.put(OBJECTIVES, objective("far", 1, pool="elsewhere"))
        server.shelf.put(OBJECTIVES, objective("nowhere", 1, pool=""))
        server.shelf.put(OBJECTIVES, objective("good", 5))
        server.shelf.put(REWRITES, rewrite("heavy", {"v2": 2**31}))

    async def main() -> None:
        async with following(tmp_path, BY_POOL, before=before) as seen:
            await seen.reach("a", "b")
            await until(lambda: seen.cluster.directory.of(GEMMA).priorities == {"good": 5})
            await until(lambda: len(seen.counts.ignored) == 3)
            seen.server.shelf.put(OBJECTIVES, objective("good", 6))
            await until(lambda: seen.cluster.directory.of(GEMMA).priorities == {"good": 6})

            assert seen.counts.ignored == {
                ("other", "other-pool"): 1,
                ("inferenceobjectives", "pool"): 1,
                ("inferencemodelrewrites", "weight"): 1,
            }

    run(main)
    assert "`heavy` is ignored: the weight 2147483648 is not 1 to 1000000" in caplog.text


def test_a_conflict_with_the_policy_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def before(server: ApiServer) -> None:
        usual(server)
        server.shelf.put(OBJECTIVES, objective("o", 9))

    async def main() -> None:
        blocks = (BY_POOL, "objective o { priority 1 }", "model m { route gemma  objective o }")
        async with following(tmp_path, *blocks, before=before) as seen:
            await until(lambda: seen.cluster.directory.of(GEMMA).priorities == {"o": 9})
            seen.server.shelf.put(OBJECTIVES, objective("other", 1))
            await until(lambda: len(seen.cluster.directory.of(GEMMA).priorities) == 2)

    run(main)
    assert caplog.text.count("objective `o` has priority 1 by the policy, and 9") == 1


def test_a_silence_is_told_with_its_age_and_so_is_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.host.cluster.cluster.TELL_S", 0.05)
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with following(tmp_path, BY_POOL, before=usual) as seen:
            await seen.reach("a", "b")
            await asyncio.sleep(0.2)
            seen.server.down()
            await until(lambda: "serving on what is 0 s old" in caplog.text)
            age = dict(seen.cluster.ages())
            await asyncio.sleep(0.5)
            assert dict(seen.cluster.ages())[("pods default/app=gemma",)] > 0.5
            assert seen.names() == {"a", "b"}, age
            page = seen.cluster.page(seen.program)
            assert page["lacking"] == ""
            rows = cast("list[dict[str, object]]", page["resources"])
            assert all(row["synced"] and row["fault"] for row in rows)
            seen.server.up()
            await until(lambda: "tells of it again" in caplog.text)

    run(main)


def test_what_is_refused_is_told_with_the_cure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.host.cluster.cluster.TELL_S", 0.02)

    def before(server: ApiServer) -> None:
        usual(server)
        server.order("list", "pods", *[FORBIDDEN] * 3)

    async def main() -> None:
        async with following(tmp_path, BY_LABEL, before=before):
            await until(lambda: "examples/kubernetes/rbac.yaml" in caplog.text)

    run(main)


def test_a_policy_that_needs_less_is_followed_less(tmp_path: Path) -> None:
    async def main() -> None:
        async with following(tmp_path, BY_POOL, before=usual) as seen:
            await seen.reach("a", "b")
            seen.cluster.follow(policy('pool x { endpoints "10.0.0.1:1" }'))
            assert seen.cluster.watchers == {}
            assert seen.names() == set()
            await until(lambda: seen.server.watches() == 0)

    run(main)


def test_it_can_be_stopped_while_nobody_answers(tmp_path: Path) -> None:
    async def main() -> None:
        with reached(tmp_path) as (server, api):
            server.silent = True
            cluster = Cluster(api, Counted())
            cluster.follow(policy(BY_POOL))
            cluster.start()
            await asyncio.sleep(0.1)
            async with asyncio.timeout(3.0):
                await cluster.stop()
                await cluster.stop()

    run(main)


def test_the_namespace_of_a_host_is_where_its_pools_are(tmp_path: Path) -> None:
    async def main() -> None:
        with reached(tmp_path) as (server, _):
            server.shelf.installed |= set(CUSTOM)
            api = Api(Access(kubeconfig(tmp_path, server, "serving")))
            cluster = Cluster(api, Counted())
            cluster.follow(policy(BY_POOL))
            cluster.start()
            await until(lambda: len(server.seen) >= 3)
            await cluster.stop()

            assert all("/namespaces/serving/" in asked for asked in server.seen)

    run(main)
