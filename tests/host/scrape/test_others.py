"""What is read beside the metrics of servers: lists of models, and hosts' accelerators."""

import asyncio
from dataclasses import replace

import msgspec
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from headrace.dsl.dialects.builtin import built_in
from headrace.dsl.program import Pool, Program
from headrace.dsl.serving import GpuSource
from headrace.dsl.source import Source, Span
from headrace.extensions.picker.store import Store
from headrace.host.scrape.models import (
    MODELS_MAX,
    NAME_CHARS_MAX,
    Listed,
    ListFault,
    read_models,
)
from headrace.host.scrape.page import PageFault, read_gpu
from headrace.host.scrape.scraper import GPU_FAILURES_MAX, ScrapeOptions, Scraper
from headrace.host.scrape.target import devices, targets
from tests.host.scrape.servers import Server, servers
from tests.host.scrape.test_scraper import FAST, endpoint, program, run, scraping, until

SPAN = Span(Source("t.sched", "pool"), 0, 4)


def listing(*cards: object) -> bytes:
    return msgspec.json.encode({"object": "list", "data": cards})


def test_models_with_a_parent_are_adapters() -> None:
    page = listing({"id": "base", "parent": None}, {"id": "fr", "parent": "base"}, {"id": "base"})

    assert read_models(page) == Listed(("base", "fr"), {"fr": "base"})


def test_a_list_of_models_is_bounded_in_number_and_in_length() -> None:
    many = [{"id": f"m{n}", "parent": "b"} for n in range(MODELS_MAX + 9)]
    odd = [{"id": ""}, {"id": "a\nb"}, {"id": "x" * (NAME_CHARS_MAX + 1)}]
    found = read_models(listing(*odd, *many))

    assert len(found.models) == len(found.bases) == MODELS_MAX
    assert found.models[0] == "m0"


NESTED = st.integers(1, 5000).map(lambda n: b'{"data": [' * n)


@given(st.binary(max_size=60) | NESTED)
def test_no_page_breaks_the_reader_of_models(page: bytes) -> None:
    try:
        found = read_models(page)
    except ListFault:
        return
    assert found == Listed()


def test_models_are_learnt_and_asked_for_again_when_the_server_has_been_restarted() -> None:
    async def main() -> None:
        async with servers(1) as (a,):
            a.models = listing({"id": "gemma"}, {"id": "fr", "parent": "gemma"})
            async with scraping([a]) as (store, _):
                await until(lambda: endpoint(store, a).models == ("gemma", "fr"))
                asked = a.models_hits
                await asyncio.sleep(0.1)
                assert a.models_hits == asked  # not with every scrape
                a.models = listing({"id": "gemma-2"})
                a.page = a.page.replace(b"_seconds 1.7e+09", b"_seconds 1.8e+09")
                await until(lambda: endpoint(store, a).models == ("gemma-2",))

    run(main)


@pytest.mark.parametrize(
    "ill", [{"models": b"no json"}, {"models_status": 404}, {"models_delay_s": 9.0}], ids=str
)
def test_a_server_without_a_list_of_models_is_scraped_all_the_same(ill: dict[str, object]) -> None:
    async def main() -> None:
        async with servers(1) as (a,):
            for name, value in ill.items():
                setattr(a, name, value)
            async with scraping([a]) as (store, _):
                before = len(a.hits)
                await until(lambda: len(a.hits) > before + 3)
                assert (endpoint(store, a).ready, endpoint(store, a).models) == (True, ())

    run(main)


DCGM = b'DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="a"} 30\nDCGM_FI_DEV_GPU_UTIL{gpu="1",UUID="b"} 60\n'


@pytest.mark.parametrize(
    ("source", "page", "gpu"),
    [
        ("dcgm", DCGM, 0.45),
        ("tpu", b'tensorcore_utilization{accelerator_id="1"} 12.5\nduty_cycle 90\n', 0.125),
        ("tpu", b"duty_cycle 90\n", 0.9),
        ("dcgm", b"DCGM_FI_DEV_GPU_UTIL 120\n", "`DCGM_FI_DEV_GPU_UTIL`: 1.2 is no ratio"),
        ("dcgm", b"", "no `DCGM_FI_DEV_GPU_UTIL` on the page; is this dcgm?"),
    ],
)
def test_the_utilisation_of_a_host_is_the_mean_of_its_accelerators(
    source: str, page: bytes, gpu: float | str
) -> None:
    if isinstance(gpu, float):
        assert read_gpu(page, built_in(source)) == gpu
        return
    with pytest.raises(PageFault) as caught:
        read_gpu(page, built_in(source))
    assert str(caught.value) == gpu


def test_a_hosts_accelerators_are_watched_and_forgotten_when_nobody_tells_of_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pages = [DCGM, b"", DCGM.replace(b" 30", b" 80"), *[b""] * GPU_FAILURES_MAX]
    seen: list[float | None] = []

    async def exporter(request: web.Request) -> web.Response:
        return web.Response(body=pages.pop(0) if pages else b"")

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/metrics", exporter)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        async with servers(2) as (a, b):
            policy = program({"gemma": [a.address, b.address]})
            gpu = GpuSource(built_in("dcgm"), port)
            pools = {"gemma": replace(policy.pools["gemma"], gpu=gpu)}
            policy = replace(policy, pools=pools)
            store = Store.for_program(policy)
            async with Scraper(store, policy, replace(FAST, gpu_s=0.05)):
                for wanted in (0.45, 0.7, None):
                    await until(lambda wanted=wanted: endpoint(store, a).gpu == wanted)  # type: ignore[misc]
                    seen.append(endpoint(store, b).gpu)
        await runner.cleanup()

    run(main)

    assert seen == [0.45, 0.7, None]
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert len(warnings) == 1
    assert warnings[0].startswith("pool `gemma`: nobody tells `endpoint.gpu` at http://127.0.0.1:")


def test_pages_are_where_the_dialect_says_one_per_host_for_accelerators() -> None:
    addresses = ("10.0.0.1:8000", "10.0.0.1:8001", "[fd00::1]:8000")
    gpu = GpuSource(built_in("dcgm"), 9400)
    pool = Pool("p", SPAN, addresses, dialect=built_in("triton"), gpu=gpu)
    policy = Program("digest", {"p": pool}, metrics=("x",))
    snapshot = Store.for_program(policy).snapshot

    assert {(t.address, t.url, t.models, t.asked) for t in targets(policy, snapshot)} == {
        ("10.0.0.1:8000", "http://10.0.0.1:8002/metrics", "", (b"x",)),
        ("10.0.0.1:8001", "http://10.0.0.1:8002/metrics", "", (b"x",)),
        ("[fd00::1]:8000", "http://[fd00::1]:8002/metrics", "", (b"x",)),
    }
    assert {(d.addresses, d.url) for d in devices(policy, snapshot)} == {
        (addresses[:2], "http://10.0.0.1:9400/metrics"),
        (addresses[2:], "http://[fd00::1]:9400/metrics"),
    }


def test_an_endpoint_that_gets_work_is_scraped_at_once_however_long_it_rested() -> None:
    async def main() -> None:
        options = ScrapeOptions(hot_s=0.05, idle_s=30.0, growth=1000.0)
        async with servers(1) as (a,), scraping([a], options, 100.0) as (store, _):
            await asyncio.sleep(0.4)
            before = len(a.hits)
            assert before <= 3  # then it rests for half a minute
            store.reserve("gemma", a.address, asyncio.get_running_loop().time())
            await until(lambda: len(a.hits) >= before + 3, 1.5)

    run(main)


def test_a_failed_scrape_is_followed_up_soon() -> None:
    async def main() -> None:
        options = ScrapeOptions(hot_s=0.05, idle_s=30.0, growth=8.0)
        async with servers(1) as (a,), scraping([a], options, 3.0) as (store, _):
            a.status = 503
            await until(lambda: endpoint(store, a).failures > 0)
            before = len(a.hits)
            await until(lambda: len(a.hits) >= before + 3, 1.0)

    run(main)


def test_the_server_of_these_tests_has_no_models_unless_told() -> None:
    assert Server().models_status == 404
