import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from headrace.dsl.dialects.builtin import built_in
from headrace.dsl.dialects.dialect import Dialect
from headrace.dsl.program import Pool, Program
from headrace.dsl.source import Source, Span
from headrace.extensions.picker.snapshot import Endpoint
from headrace.extensions.picker.store import Store
from headrace.host.scrape.scraper import ScrapeOptions, Scraper
from tests.host.scrape.pages import Engine, vllm_page
from tests.host.scrape.servers import Server, servers

SPAN = Span(Source("test.sched", "pool"), 0, 4)
FAST = ScrapeOptions(hot_s=0.02, idle_s=0.04)


def program(
    pools: Mapping[str, Sequence[str]], stale_after_s: float = 2.0, dialect: Dialect | None = None
) -> Program:
    spoken = dialect or built_in("vllm")
    made = {
        name: Pool(
            name,
            SPAN,
            tuple(addresses),
            stale_after_s=stale_after_s,
            dead_after_s=2 * stale_after_s,
            dialect=spoken,
        )
        for name, addresses in pools.items()
    }
    return Program("digest", made)


class Tally:
    """Counts scrapes."""

    def __init__(self) -> None:
        self.ends: list[bool] = []

    def scraped(self, pool: str, endpoint: str, wall_s: float, ok: bool) -> None:
        assert wall_s >= 0.0
        self.ends.append(ok)


@asynccontextmanager
async def scraping(
    running: Sequence[Server],
    options: ScrapeOptions = FAST,
    stale_after_s: float = 2.0,
    dialect: Dialect | None = None,
) -> AsyncGenerator[tuple[Store, Scraper]]:
    policy = program({"gemma": [s.address for s in running]}, stale_after_s, dialect)
    store = Store.for_program(policy)
    async with Scraper(store, policy, options) as scraper:
        assert await scraper.first_round(5.0)
        yield store, scraper


def endpoint(store: Store, server: Server) -> Endpoint:
    found = store.snapshot.pools["gemma"].get(server.address)
    assert found is not None
    return found


async def until(holds: Callable[[], bool], within_s: float = 3.0) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - the store is polled, as a picker would
            await asyncio.sleep(0.005)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:  # Any: what a coroutine yields
    """Run *main*, and find no task left behind."""

    async def whole() -> None:
        await main()
        assert not [t for t in asyncio.all_tasks() if t.get_name().startswith("scrape")]

    asyncio.run(whole(), debug=False)


def test_the_first_round_is_immediate_and_fills_the_store() -> None:
    async def main() -> None:
        async with servers(2) as (a, b):
            a.page = vllm_page([Engine(3, 5, 0.25)])
            b.page = vllm_page([Engine(1, 0, 0.5)], [("x", "y,x", "4", 9.0)])
            async with scraping([a, b]) as (store, _):
                first, second = endpoint(store, a), endpoint(store, b)
        assert (first.ready, first.queue, first.running, first.kv_cache) == (True, 3, 5, 0.25)
        assert (second.adapters, second.adapters_waiting) == (("x",), ("y",))
        assert second.adapter_slots == 2

    run(main)


def test_a_killed_server_is_not_ready_at_once_and_again_when_it_is_back() -> None:
    async def main() -> None:
        async with servers(2) as (a, b), scraping([a, b]) as (store, _):
            await a.kill()
            await until(lambda: not endpoint(store, a).ready)
            assert endpoint(store, a).error == "connection refused"
            assert endpoint(store, b).ready
            await a.start()
            await until(lambda: endpoint(store, a).ready)
            assert endpoint(store, a).error == ""

    run(main)


@asynccontextmanager
async def ill_for_a_while(server: Server, ill: Mapping[str, object]) -> AsyncGenerator[None]:
    """Give *server* these attributes, and then those of a healthy one again."""
    for name, value in ill.items():
        setattr(server, name, value)
    yield
    healthy = Server()
    for name in ill:
        setattr(server, name, getattr(healthy, name))


@pytest.mark.parametrize(
    ("ill", "error"),
    [
        ({"page": b"<html></html>"}, "no `vllm:num_requests_waiting` on the page"),
        ({"page": b"\xff" * 5000}, "no `vllm:num_requests_waiting` on the page"),
        ({"status": 404}, "`/metrics` answered 404"),
        ({"status": 302}, "`/metrics` answered 302"),
        ({"coding": "br"}, "`/metrics` is in the coding `br`"),
        ({"coding": "gzip"}, "error: Error -3"),
        ({"page": b"#" * 70_000}, "the page is larger than 65536 bytes"),
        ({"endless": True}, "no metrics within 0.1 s but a part of them"),
    ],
    ids=lambda v: str(v)[:24],
)
def test_a_page_that_cannot_be_read_costs_its_server_its_freshness_and_nothing_else(
    ill: dict[str, object], error: str
) -> None:
    async def main() -> None:
        options = replace(FAST, timeout_s=0.1, page_bytes_max=65536)
        async with servers(2) as (a, b), scraping([a, b], options, 0.3) as (store, _):
            async with ill_for_a_while(a, ill):
                await until(lambda: endpoint(store, a).queue_drift == 1)  # `stale after` is past
                await until(lambda: endpoint(store, a).kv_cache == 1.0)  # so is `dead after`
                assert endpoint(store, a).error.startswith(error)
                assert endpoint(store, a).ready is (ill.get("coding") != "gzip")
                before = len(b.hits)
                await until(lambda: len(b.hits) > before + 2)
                assert (endpoint(store, b).ready, endpoint(store, b).kv_cache) == (True, 0.0)
            await until(lambda: endpoint(store, a).error == "")
            assert endpoint(store, a).ready
            assert (endpoint(store, a).queue, endpoint(store, a).kv_cache) == (0, 0.0)

    run(main)


@pytest.mark.parametrize(
    ("ill", "error"),
    [({"delay_s": 9.0}, "no metrics within 0.1 s"), ({"status": 503}, "`/metrics` answered 503")],
    ids=lambda v: str(v)[:24],
)
def test_a_server_that_does_not_answer_is_used_until_it_is_dead(
    ill: dict[str, object], error: str
) -> None:
    async def main() -> None:
        options = replace(FAST, timeout_s=0.1)
        async with servers(2) as (a, b), scraping([a, b], options, 0.3) as (store, _):
            async with ill_for_a_while(a, ill):
                await until(lambda: endpoint(store, a).queue_drift == 1)
                assert endpoint(store, a).ready
                await until(lambda: not endpoint(store, a).ready)
                assert endpoint(store, a).error.startswith(error)
                assert endpoint(store, b).ready
            await until(lambda: endpoint(store, a).ready)

    run(main)


def test_what_came_of_a_page_that_breaks_off_is_used() -> None:
    async def main() -> None:
        async with servers(1) as (a,), scraping([a]) as (store, _):
            page = vllm_page([Engine(7, 3, 0.5)])
            kv = page.index(b"\n", page.index(b"\nvllm:kv_cache_usage_perc") + 1)
            a.page, a.truncate = page[:kv] + b" " * 10, True  # the server keeps back ten
            await until(lambda: endpoint(store, a).queue == 7)
            found = endpoint(store, a)
            assert (found.ready, found.running, found.kv_cache) == (True, 3, 0.0)
            assert found.error.startswith("the page breaks off: ClientPayloadError")
            assert found.error.endswith("kv_cache: not a finite number")

    run(main)


def test_a_page_longer_than_allowed_is_read_as_far_as_it_goes() -> None:
    async def main() -> None:
        async with servers(1) as (a,):
            a.page = vllm_page([Engine(7, 3, 0.5)]) + b"# more and more\n" * 10_000
            async with scraping([a], replace(FAST, page_bytes_max=65536)) as (store, _):
                found = endpoint(store, a)
                assert (found.ready, found.queue, found.kv_cache) == (True, 7, 0.5)
                assert found.error == "the page is larger than 65536 bytes"

    run(main)


@pytest.mark.parametrize("asks", [True, False])
def test_a_compressed_page_is_read_whether_it_was_asked_for_or_not(asks: bool) -> None:
    async def main() -> None:
        async with servers(1) as (a,):
            a.compress = True
            a.page = vllm_page([Engine(7)])
            dialect = replace(built_in("vllm"), gzip=asks)
            async with scraping([a], dialect=dialect) as (store, _):
                assert endpoint(store, a).queue == 7
                assert a.accepted[-1] == ("gzip" if asks else "identity")

    run(main)


def test_a_compressed_page_that_unfolds_to_more_than_allowed_is_cut() -> None:
    async def main() -> None:
        async with servers(1) as (a,):
            a.compress = True
            a.page = vllm_page([Engine(7)]) + b"#" * 3_000_000
            async with scraping([a], replace(FAST, page_bytes_max=65536)) as (store, _):
                assert endpoint(store, a).queue == 7
                assert endpoint(store, a).error == "the page is larger than 65536 bytes"

    run(main)


def test_what_comes_behind_a_compressed_page_is_not_waited_for() -> None:
    async def main() -> None:
        async with servers(1) as (a,):
            a.compress = a.endless = True
            a.page = vllm_page([Engine(7)])
            async with scraping([a], replace(FAST, timeout_s=0.2)) as (store, _):
                assert (endpoint(store, a).queue, endpoint(store, a).error) == (7, "")

    run(main)


def test_connections_are_kept() -> None:
    async def main() -> None:
        async with servers(1) as (a,), scraping([a]):
            await until(lambda: len(a.hits) >= 6)
            assert len(a.agents) == 1

    run(main)


def gaps(server: Server) -> list[float]:
    return [later - earlier for earlier, later in pairwise(server.hits)]


def test_idle_servers_are_asked_less_and_less_but_before_they_go_stale() -> None:
    async def main() -> None:
        options = ScrapeOptions(hot_s=0.02, idle_s=5.0)
        async with servers(1) as (a,), scraping([a], options, stale_after_s=0.6):
            await asyncio.sleep(1.2)
            rests = gaps(a)
            assert rests[0] < 0.15 < max(rests[-2:]) < 0.6  # the last: `stale after`

    run(main)


def test_traffic_brings_the_short_interval_back() -> None:
    async def main() -> None:
        options = ScrapeOptions(hot_s=0.02, idle_s=0.25)
        async with servers(1) as (a,), scraping([a], options) as (store, _):
            await asyncio.sleep(0.8)
            assert gaps(a)[-1] > 0.1
            before, clock = len(a.hits), asyncio.get_running_loop().time
            for _ in range(30):
                store.reserve("gemma", a.address, clock())
                await asyncio.sleep(0.02)
            assert len(a.hits) - before >= 6  # the long interval allows three

    run(main)


def test_picks_made_while_a_scrape_is_under_way_are_not_lost() -> None:
    async def main() -> None:
        async with servers(1) as (a,), scraping([a]) as (store, _):
            a.delay_s = 0.1
            before = len(a.hits)
            await until(lambda: len(a.hits) > before)
            loop = asyncio.get_running_loop()
            taken = store.snapshot.epoch
            store.reserve("gemma", a.address, loop.time())
            await until(lambda: store.snapshot.epoch > taken + 1)
            assert endpoint(store, a).queue == 1  # this scrape began before the pick
            await until(lambda: endpoint(store, a).queue == 0)
            assert endpoint(store, a).in_flight == 1

    run(main)


def test_a_new_policy_starts_and_stops_only_what_it_must() -> None:
    async def main() -> None:
        async with servers(3) as (a, b, c), scraping([a, b]) as (store, scraper):
            policy = program({"gemma": [b.address, c.address]})
            store.adopt(policy, 0.0)
            await scraper.adopt(policy)
            assert await scraper.first_round(5.0)
            assert endpoint(store, b).ready
            assert endpoint(store, c).ready
            asked = len(a.hits)
            await asyncio.sleep(0.15)
            assert len(a.hits) == asked

    run(main)


def test_scrapes_are_counted_and_waiting_for_the_first_round_is_bounded() -> None:
    async def main() -> None:
        async with servers(2) as (a, b):
            b.delay_s = 9.0
            policy = program({"gemma": [a.address, b.address]})
            tally = Tally()
            options = replace(FAST, timeout_s=0.2)
            async with Scraper(Store.for_program(policy), policy, options, tally) as scraper:
                assert not await scraper.first_round(0.05)
                assert await scraper.first_round(5.0)
            assert {True, False} == set(tally.ends)
            await scraper.stop()

    run(main)


def test_our_own_mistake_is_the_endpoints_error_and_the_scraping_goes_on() -> None:
    class Broken(Store):
        def scraped(self, *args: object, **more: object) -> None:
            raise RuntimeError("not your fault")

    async def main() -> None:
        async with servers(1) as (a,):
            policy = program({"gemma": [a.address]})
            store = Broken.for_program(policy)
            async with Scraper(store, policy, FAST):
                await until(lambda: len(a.hits) >= 3)
                assert endpoint(store, a).error == "bug: RuntimeError"

    run(main)


def test_what_rules_ask_for_is_read_at_once_when_a_new_policy_asks() -> None:
    async def main() -> None:
        slow = replace(FAST, hot_s=30.0, idle_s=30.0)
        async with servers(1) as (a,):
            a.page = vllm_page([Engine(7)])
            policy = program({"gemma": [a.address]}, stale_after_s=300.0)
            store = Store.for_program(policy)
            async with Scraper(store, policy, slow) as scraper:
                assert await scraper.first_round(5.0)
                before = dict(endpoint(store, a).metrics)
                await scraper.adopt(replace(policy, metrics=("vllm:num_requests_waiting", "x")))
                assert await scraper.first_round(5.0)
                assert (before, endpoint(store, a).metrics) == (
                    {},
                    {"vllm:num_requests_waiting": 7.0},
                )

    run(main)
