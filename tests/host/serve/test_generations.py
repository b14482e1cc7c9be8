"""Generations side by side: each exchange has one, what is known survives, nothing is left."""

import asyncio
import gc
import linecache
import sys
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.extensions.picker.decision import Decision
from headrace.extensions.records import Routing
from headrace.extensions.stage import Outcome
from headrace.host.extproc.grpcio import GrpcServer
from tests.host.extproc.wire import TRANSPORT, TRANSPORTS, Stream
from tests.host.scrape.servers import servers
from tests.host.serve.house import (
    House,
    begin,
    chat,
    connected,
    finish,
    house,
    policy,
    run,
    swap_in,
    until,
)

# As many as we promise by the transport we serve with; by the reference, enough to mix.
PLANS = [("native", 500, 100), ("grpcio", 100, 20)]


async def opened(open_stream: Callable[[], Stream]) -> Stream:
    """Begin an exchange; its request is not complete yet."""
    stream = open_stream()
    await begin(stream)
    return stream


def version_of(outcome: Outcome) -> set[str]:
    """Return the versions of the policy that left a mark on *outcome*: of route, scorer, model."""
    records = [record for run in outcome.runs for record in run.records]
    (routing,) = (r for r in records if isinstance(r, Routing))
    (decision,) = (r for r in records if isinstance(r, Decision))
    rows = decision.rows()
    return {
        routing.target.removeprefix("upstream-"),
        *(cell.scorer.removeprefix("version_") for row in rows for cell in row.cells),
    }


async def reload_all(
    running: House, path: Path, addresses: list[str], versions: range
) -> list[str]:
    """Put one version after the other in place; return their digests."""
    digests: list[str] = []
    for version in versions:
        swap_in(path, policy(version, addresses))
        running.reloader.ask()
        await running.reach(version)
        digests.append(running.succession.generation.program.digest)
    return digests


@pytest.mark.parametrize(("transport", "streams_open", "reloads"), PLANS)
def test_reloads_during_open_streams_fail_none_and_mix_none(
    transport: str, streams_open: int, reloads: int, tmp_path: Path
) -> None:
    async def main() -> None:
        TRANSPORT.set(TRANSPORTS[transport])
        async with servers(2) as pair:
            addresses = [one.address for one in pair]
            path = tmp_path / "p.sched"
            path.write_text(policy(1, addresses))
            async with (
                house([path]) as running,
                connected(running) as open_stream,
            ):
                first = running.succession.generation.program.digest
                streams = list(
                    await asyncio.gather(*(opened(open_stream) for _ in range(streams_open)))
                )
                await until(lambda: running.succession.generation.tenants.count == streams_open)
                models: list[str] = []
                digests = [first]
                for version in range(2, reloads + 2):
                    leaving, streams = streams[:5], streams[5:]
                    new, done, more = await asyncio.gather(
                        asyncio.gather(*(opened(open_stream) for _ in range(5))),
                        asyncio.gather(*(finish(stream) for stream in leaving)),
                        reload_all(running, path, addresses, range(version, version + 1)),
                    )
                    streams, models, digests = streams + new, models + done, digests + more
                models += await asyncio.gather(*(finish(stream) for stream in streams))
                await until(lambda: not running.succession.current.older)

        assert len(models) == len(running.outcomes) == streams_open + 5 * reloads
        assert {o.termination for o in running.outcomes} == {"complete"}
        assert {o.reason for o in running.outcomes} == {None}
        for outcome in running.outcomes:
            assert version_of(outcome) == {str(outcome.generation)}
            assert outcome.policy == digests[outcome.generation - 1]
        assert len({o.generation for o in running.outcomes}) > reloads // 2
        assert running.sample("headrace_policy_reloads_total", result="swapped") == reloads

    run(main)


def test_what_is_known_of_endpoints_survives_and_new_ones_are_warm_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with servers(3) as (kept, gone, new):
            path = tmp_path / "p.sched"
            path.write_text(policy(1, [kept.address, gone.address]))
            async with (
                house([path]) as running,
                connected(running) as open_stream,
            ):
                stream = await opened(open_stream)
                await until(lambda: running.succession.generation.tenants.count)
                reserved = running.store.reserve("gemma", kept.address, 0.0)
                running.store.prefixes["gemma"].insert(kept.address, [1, 2])
                before = running.store.snapshot.pools["gemma"].get(kept.address)
                swap_in(path, policy(2, [kept.address, new.address]))
                await running.reach(2)
                pool = running.store.snapshot.pools["gemma"]
                after, added = pool.get(kept.address), pool.get(new.address)
                scrapes = len(gone.hits)
                await finish(stream)
                await asyncio.sleep(0.5)

                assert before is not None
                assert after is not None
                assert added is not None
                assert after.scraped_at_s >= before.scraped_at_s > 0
                assert after.in_flight == 1
                assert added.ready
                assert running.store.prefixes["gemma"].match([1, 2]) == {kept.address: 1.0}
                assert pool.get(gone.address) is None
                assert len(gone.hits) <= scrapes + 1
                running.store.release(reserved, 1.0)

    run(main)


def test_a_pool_that_only_older_exchanges_know_is_kept_until_the_last_has_ended(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with servers(2) as (old, new):
            path = tmp_path / "p.sched"
            path.write_text(policy(1, [old.address]))
            async with (
                house([path]) as running,
                connected(running) as open_stream,
            ):
                stream = await opened(open_stream)
                await until(lambda: running.succession.generation.tenants.count)
                swap_in(path, policy(2, [new.address]).replace("gemma", "other"))
                await running.reach(2)
                both = set(running.store.snapshot.pools)
                draining = running.desk.page()["draining"]
                hits = len(old.hits)
                await until(lambda: len(old.hits) > hits)
                model = await finish(stream)
                await until(lambda: set(running.store.snapshot.pools) == {"other"})
                await asyncio.sleep(0.1)
                hits = len(old.hits)
                await asyncio.sleep(0.6)

                assert both == {"gemma", "other"}
                assert isinstance(draining, list)
                assert draining[0]["exchanges"] == 1
                assert model == "upstream-1"
                assert len(old.hits) == hits

    run(main)


def test_an_unreachable_new_endpoint_delays_the_swap_but_not_for_long(tmp_path: Path) -> None:
    async def main() -> None:
        async with servers(2) as (one, silent):
            silent.delay_s = 30.0
            path = tmp_path / "p.sched"
            path.write_text(policy(1, [one.address]))
            async with house([path]) as running:
                swap_in(path, policy(2, [one.address, silent.address]))
                await running.reach(2)

                assert await chat(running) == "upstream-2"

    run(main)


def test_how_many_older_generations_may_linger_is_bounded(tmp_path: Path) -> None:
    async def main() -> None:
        async with servers(1) as (one,):
            path = tmp_path / "p.sched"
            path.write_text(policy(1, [one.address]))
            async with house([path], older_max=2) as running, connected(running) as open_stream:
                streams: list[Stream] = []
                for version in range(2, 4):
                    streams.append(await opened(open_stream))
                    await until(lambda: running.succession.generation.tenants.count)
                    await reload_all(running, path, [one.address], range(version, version + 1))
                swap_in(path, policy(4, [one.address]))
                problems = await running.refused()
                await finish(streams[0])
                running.reloader.ask()
                await running.reach(4)
                await finish(streams[1])

            assert "2 older generations have exchanges open" in problems[0]

    run(main)


async def used(running: House, path: Path, address: str, versions: range) -> None:
    """Put one version after the other in place, and let every fifth decide on something."""
    for version in versions:
        await reload_all(running, path, [address], range(version, version + 1))
        if version % 5 == 0:
            await chat(running)
            await until(lambda: running.outcomes)
            running.outcomes.clear()
    gc.collect()


def test_200_reloads_leave_the_memory_as_it_was(tmp_path: Path) -> None:
    async def main() -> None:
        TRANSPORT.set(GrpcServer)  # the reference: what else a transport keeps is not asked here
        async with servers(1) as (one,):
            path = tmp_path / "p.sched"
            path.write_text(policy(1, [one.address]))
            async with house([path]) as running:
                await used(running, path, one.address, range(2, 51))
                blocks, lines = sys.getallocatedblocks(), len(linecache.cache)
                objects = len(gc.get_objects())
                await used(running, path, one.address, range(51, 201))

            assert len(running.reloader.history.kept) == 5
            assert len(gc.get_objects()) < objects + 500
            assert sys.getallocatedblocks() < blocks + 3_000
            assert len(linecache.cache) <= lines + 10

    run(main)


def test_an_old_generation_goes_when_its_last_exchange_and_its_place_in_history_have_gone(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        path = tmp_path / "p.sched"
        path.write_text(policy(1, ["127.0.0.1:9"]))
        async with house([path]) as running:
            await reload_all(running, path, ["127.0.0.1:9"], range(2, 3))
            second = weakref.ref(running.succession.generation)
            (rule,) = running.succession.generation.program.profiles["default"].terms
            program = weakref.ref(rule.scorer.column)
            del rule
            gc.disable()  # nothing waits for a collection: while serving there are few
            try:
                await reload_all(running, path, ["127.0.0.1:9"], range(3, 10))

                assert second() is None
                assert program() is None
            finally:
                gc.enable()

    run(main)
