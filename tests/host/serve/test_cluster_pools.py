"""A host whose pools are a cluster's: while pods come and go, at a reload, and at a soak."""

import asyncio
from pathlib import Path

import grpc.aio
import pytest

from tests.host.cluster.apiserver import PODS, ApiServer
from tests.host.cluster.objects import POOLS, pod, pool, reached
from tests.host.extproc.wire import status
from tests.host.scrape.servers import servers
from tests.host.serve.house import House, begin, chat, connected, house, policy, run, swap_in, until

LISTED = 'endpoints "127.0.0.1:9"'
BY_POOL = "inferencepool %s"


def of_pool(version: int, name: str = "gemma") -> str:
    """Return a policy of the InferencePool *name*."""
    return policy(version, ["127.0.0.1:9"]).replace(LISTED, BY_POOL % name)


def there(server: ApiServer, *ports: int, name: str = "gemma") -> None:
    """Put an InferencePool there with one pod that listens on *ports*."""
    server.shelf.put(POOLS, pool(name, name, ports))
    server.shelf.put(PODS, pod(f"pod-{name}", "127.0.0.1", app=name))


def ready(running: House) -> int:
    return running.store.snapshot.pools["gemma"].ready


def followed(address: str) -> bool:
    """Return whether a task of this loop scrapes *address*."""
    return f"scrape {address}" in {task.get_name() for task in asyncio.all_tasks()}


def test_an_endpoint_that_comes_is_scraped_and_one_that_goes_is_forgotten(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(of_pool(1))
        async with servers(2) as (one, two):
            with reached(tmp_path) as (server, api):
                there(server, one.port)
                async with house([path], api=api) as running:
                    await until(lambda: ready(running) == 1)
                    assert await chat(running) == "upstream-1"
                    server.shelf.put(POOLS, pool(ports=(one.port, two.port)))
                    await until(lambda: ready(running) == 2)
                    names = [e.name for e in running.store.snapshot.pools["gemma"].endpoints]
                    assert names == ["pod-gemma-rank-0", "pod-gemma-rank-1"]
                    assert followed(one.address)
                    server.shelf.put(PODS, pod("pod-gemma", "127.0.0.1", ready=False))
                    await until(lambda: running.store.snapshot.pools["gemma"].size == 0)
                    await until(lambda: not followed(one.address))
                    hits = len(one.hits)
                    await asyncio.sleep(0.3)
                    assert len(one.hits) <= hits + 1  # one may have been under way

    run(main)


def test_a_host_that_does_not_know_its_pools_yet_lets_another_be_asked(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(policy(1, ["127.0.0.1:9"]))
        async with house([path]) as running, connected(running) as open_stream:
            running.succession.current.lacking = "the pools are not known yet"
            stream = open_stream()
            await begin(stream)
            with pytest.raises(grpc.aio.AioRpcError, match="the pools are not known yet"):
                await stream.read()
            assert await status(stream) == "UNAVAILABLE"
            running.succession.current.lacking = ""
            assert await chat(running) == "upstream-1"

    run(main)


def test_what_is_known_of_an_endpoint_stays_while_others_come_and_go(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(of_pool(1))
        async with servers(1) as (one,):
            with reached(tmp_path) as (server, api):
                there(server, one.port)
                async with house([path], api=api) as running:
                    await until(lambda: ready(running) == 1)
                    running.store.prefixes["gemma"].insert(one.address, [1, 2, 3])
                    server.shelf.put(PODS, pod("a", "127.0.0.77"))
                    await until(lambda: running.store.snapshot.pools["gemma"].size == 2)
                    assert running.store.prefixes["gemma"].has(one.address, 1)
                    assert ready(running) == 1
                    server.shelf.put(PODS, pod("pod-gemma", "127.0.0.1", ready=False))
                    await until(lambda: running.store.snapshot.pools["gemma"].size == 1)
                    assert not running.store.prefixes["gemma"].has(one.address, 1)

    run(main)


def test_a_policy_of_another_pool_serves_once_the_cluster_has_told_of_it(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(of_pool(1))
        async with servers(2) as (one, two):
            with reached(tmp_path) as (server, api):
                there(server, one.port)
                there(server, two.port, name="other")
                async with house([path], api=api) as running:
                    await until(lambda: ready(running) == 1)
                    swap_in(path, of_pool(2, "other"))
                    await running.reach(2)
                    (endpoint,) = running.store.snapshot.pools["gemma"].endpoints
                    assert (endpoint.address, endpoint.ready) == (two.address, True)
                    assert await chat(running) == "upstream-2"

    run(main)


def test_a_policy_of_a_pool_that_nobody_knows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.host.serve.succession.SYNC_S", 0.3)

    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(of_pool(1))
        with reached(tmp_path) as (server, api):
            there(server, 9)
            async with house([path], api=api) as running:
                swap_in(path, of_pool(2, "nobody"))
                problems = await running.refused()
                assert any("no such InferencePool" in problem for problem in problems)
                assert running.number == 1
                assert running.store.snapshot.pools["gemma"].size == 1

    run(main)


def test_without_a_cluster_a_policy_of_one_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(policy(1, ["127.0.0.1:9"]))
        async with house([path]) as running:
            swap_in(path, of_pool(2))
            problems = await running.refused()
            assert any("start with `--kube`" in problem for problem in problems)

    run(main)


def test_a_policy_on_trial_sees_the_pods_that_come_meanwhile(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(of_pool(1))
        async with servers(2) as (one, two):
            with reached(tmp_path) as (server, api):
                there(server, one.port)
                there(server, two.port, name="other")
                server.shelf.put(PODS, pod("pod-other", "127.0.0.1", ready=False, app="other"))
                async with house([path], api=api, soak_s=30.0) as running:
                    await until(lambda: ready(running) == 1)
                    swap_in(path, of_pool(2, "other"))
                    await until(lambda: running.succession.current.shadow is not None)
                    shadow = running.succession.current.shadow
                    assert shadow is not None
                    await chat(running)
                    server.shelf.put(PODS, pod("pod-other", "127.0.0.1", app="other"))

                    def seen() -> bool:
                        trial = running.succession.trial
                        assert trial is not None
                        trial.refresh()
                        return trial.store.snapshot.pools["gemma"].ready == 1

                    await until(seen)
                    assert ready(running) == 1

    run(main)


def test_a_reload_that_keeps_its_pools_keeps_its_watches(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(of_pool(1))
        with reached(tmp_path) as (server, api):
            there(server, 9)
            async with house([path], api=api) as running:
                swap_in(path, of_pool(2))
                await running.reach(2)
                listed = [line for line in server.seen if "limit=" in line]
                assert len(listed) == len(set(listed))

    run(main)
