"""Each built-in dialect, read off a page that its server would write, over real sockets."""

import asyncio
from dataclasses import replace

import pytest

from headrace.dsl.dialects.builtin import built_in
from headrace.dsl.dialects.dialect import METRIC_DIALECTS
from headrace.dsl.program import Pool, Program
from headrace.dsl.source import Source, Span
from headrace.extensions.picker.store import Store
from headrace.host.scrape.page import read_page
from headrace.host.scrape.scraper import ScrapeOptions, Scraper
from headrace.host.sim.exposition import AdapterSeries, expose, note_adapters
from headrace.host.sim.options import ModelServerOptions
from headrace.host.sim.other_pages import other_page
from headrace.host.sim.server import ModelServer
from headrace.host.sim.tally import Metrics
from tests.host.scrape.test_scraper import until
from tests.host.sim.world import ask, replica

SPAN = Span(Source("t.sched", "pool"), 0, 4)
# What the server of each dialect does not tell.
UNTOLD = {"triton": {"running", "kv_cache", "block_size", "num_blocks"}}


def busy() -> Metrics:
    machine = replica(max_num_seqs=2, max_loras=1)
    for n in range(5):
        machine.submit(ask(n, 40, 2), 0.0)
    machine.start(0.0)
    return machine.metrics()


@pytest.mark.parametrize("name", METRIC_DIALECTS[1:])
def test_every_value_that_a_server_tells_is_read(name: str) -> None:
    metrics = busy()
    facts = read_page(other_page(name, metrics, 'odd "name"').encode(), built_in(name))
    expected = {
        "waiting": metrics.waiting,
        "running": metrics.running,
        "kv_cache": metrics.kv_used_ratio,
        "block_size": metrics.block_tokens,
        "num_blocks": metrics.block_count,
    }

    assert metrics.waiting == 3
    assert facts.problems == ()
    for value, said in expected.items():
        assert getattr(facts, value) == (None if value in UNTOLD.get(name, set()) else said)


def test_adapters_that_a_simulated_server_runs_and_that_wait_there_are_told_apart() -> None:
    machine, series = replica(max_num_seqs=4, max_loras=2), AdapterSeries()
    for number, adapter in enumerate(("a", "b", "c", "a")):
        machine.submit(ask(number, 40, 2, adapter=adapter), 0.0)
    machine.start(0.0)
    metrics = machine.metrics()
    note_adapters(series, metrics, 1.0)
    facts = read_page(expose(metrics, "gemma", series).encode(), built_in("vllm"))

    assert (facts.adapters, facts.adapters_waiting) == (("a", "b"), ("c",))
    assert facts.adapters_max == 2


@pytest.mark.parametrize("name", METRIC_DIALECTS)
def test_a_server_of_each_dialect_is_scraped(name: str) -> None:
    async def main() -> None:
        options = ModelServerOptions(port=0, models=("gemma",), adapters=("fr",), metrics=name)
        async with ModelServer(options) as server:
            dialect = replace(built_in(name), port=None)  # Triton's page has a port of its own
            pool = Pool("p", SPAN, (str(server.address),), adapters_max=4, dialect=dialect)
            program = Program("digest", {"p": pool})
            store = Store.for_program(program)
            async with Scraper(store, program, ScrapeOptions(hot_s=0.02, idle_s=0.02)) as scraper:
                assert await scraper.first_round(5.0)
                if dialect.models:
                    await until(lambda: bool(store.snapshot.pools["p"].endpoints[0].models))
                before = store.snapshot.epoch
                await until(lambda: store.snapshot.epoch >= before + 2)
            found = store.snapshot.pools["p"].endpoints[0]
        assert (found.ready, found.error, found.queue) == (True, "", 0)
        assert found.models == (("gemma", "fr") if dialect.models else ())
        # vLLM's own page tells of adapters: of those that run, and none does.
        listed = dialect.models and name != "vllm"
        assert found.adapters == (("fr",) if listed else ())
        assert found.adapter_slots == (3 if listed else 4)

    asyncio.run(main())
