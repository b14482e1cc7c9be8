import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from headrace.dsl.dialects.builtin import built_in
from headrace.host.scrape.page import PageFault, labels_of, read_page, series
from tests.host.scrape.pages import Engine, vllm_page

VLLM = built_in("vllm")


def test_a_page_of_one_engine() -> None:
    facts = read_page(vllm_page([Engine(3, 5, 0.25)]), VLLM)

    assert (facts.waiting, facts.running, facts.kv_cache) == (3, 5, 0.25)
    assert (facts.block_size, facts.num_blocks) == (16, 27000)
    assert facts.started_s == 1.7e9
    assert (facts.adapters, facts.adapters_max, facts.problems) == ((), None, ())


def test_engines_in_parallel_add_up_their_counts_and_average_their_ratios() -> None:
    facts = read_page(vllm_page([Engine(3, 5, 0.25), Engine(1, 2, 0.75)]), VLLM)

    assert (facts.waiting, facts.running, facts.kv_cache) == (4, 7, 0.5)


def test_the_newest_series_tells_the_adapters_and_one_that_runs_does_not_wait() -> None:
    lora = [("old", "", "2", 99.5), ("a, b", "c,a", "4", 101.25), ("older", "", "1", 7.0)]
    facts = read_page(vllm_page([Engine()], lora), VLLM)

    assert (facts.adapters, facts.adapters_waiting) == (("a", "b"), ("c",))
    assert facts.adapters_max == 4


def test_the_name_of_the_cache_before_v1_is_known() -> None:
    page = vllm_page([Engine(kv_cache=0.5)], kv_name="vllm:gpu_cache_usage_perc")

    assert read_page(page, VLLM).kv_cache == 0.5


def test_a_cache_size_that_is_not_known_yet_is_none() -> None:
    assert read_page(vllm_page([Engine()], num_blocks="None"), VLLM).num_blocks is None


def test_a_page_of_200_kb_reads_the_same_as_a_small_one() -> None:
    engines = [Engine(3, 5, 0.25)]
    large = vllm_page(engines, histograms=56)

    assert len(large) > 200_000
    assert read_page(large, VLLM) == read_page(vllm_page(engines), VLLM)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from([0, 1, 8])), min_size=2, max_size=4),
    st.booleans(),
)
def test_where_metrics_stood_before_changes_nothing_but_how_long_it_takes(
    shapes: list[tuple[int, int]], lora: bool
) -> None:
    spots: dict[bytes, int] = {}
    asked = (b"vllm:num_requests_waiting", b"process_start_time_seconds")
    for engines, histograms in shapes:
        adapters = [("a", "", "4", 1.0)] if lora else []
        every = [Engine(3, 10**n, 0.25) for n in range(engines)]
        page = vllm_page(every, adapters, histograms=histograms)

        assert read_page(page, VLLM, asked, spots) == read_page(page, VLLM, asked)
        if b"\n" in page[:100]:  # a proxy puts something before it
            moved = b"# moved\n" * 100 + page
            assert read_page(moved, VLLM, asked, spots) == read_page(page, VLLM, asked)


MINIMAL = "vllm:num_requests_waiting 1\nvllm:num_requests_running 2\nvllm:kv_cache_usage_perc 0.5\n"


@pytest.mark.parametrize(
    ("line", "replacement", "problem"),
    [
        ("kv_cache_usage_perc 0.5", "kv_cache_usage_perc NaN", "kv_cache: not a finite number"),
        ("kv_cache_usage_perc 0.5", "kv_cache_usage_perc 85", "kv_cache: 85 is no ratio"),
        ("kv_cache_usage_perc 0.5", "kv_cache_usage_perc -0.5", "kv_cache: -0.5 is no ratio"),
        ("kv_cache_usage_perc 0.5", "kv_cache_usage", "kv_cache is missing"),
        ("num_requests_waiting 1", "num_requests_waiting -1", "queue: -1 is no count"),
        ("num_requests_waiting 1", "num_requests_waiting 1e99", "queue: 1e+99 is no count"),
        ("num_requests_waiting 1", "num_requests_waiting +Inf", "queue: not a finite number"),
        ("num_requests_waiting 1", "num_requests_waiting", "queue is missing"),
        ("num_requests_waiting 1", "num_requests_waiting x", "queue: not a finite number"),
        ("num_requests_waiting 1", "num_requests_waiting ", "queue: not a finite number"),
        ("num_requests_running 2", 'num_requests_running{a="', "running: not a finite number"),
    ],
)
def test_a_value_that_cannot_be_read_is_unknown_and_said(
    line: str, replacement: str, problem: str
) -> None:
    facts = read_page(MINIMAL.replace(line, replacement).encode(), VLLM)

    assert facts.problems == (problem,)
    assert [facts.waiting, facts.running, facts.kv_cache].count(None) == 1


def test_a_ratio_a_rounding_above_1_is_1() -> None:
    assert read_page(MINIMAL.replace("0.5", "1.0000002").encode(), VLLM).kv_cache == 1.0


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"\n",
        b"<html>not found</html>",
        b"\xff\xfe",
        b"vllm:num_requests_waiting_by_reason 3\n",
    ],
)
def test_a_page_of_something_else_is_refused_with_a_question(page: bytes) -> None:
    with pytest.raises(PageFault, match="is this a vllm server") as caught:
        read_page(page, VLLM)

    assert "vllm:num_requests_waiting" in str(caught.value)


@given(st.binary(max_size=300), st.integers(0, len(MINIMAL)), st.integers(0, 40))
def test_no_page_breaks_the_reader(noise: bytes, at: int, cut: int) -> None:
    page = MINIMAL.encode()
    page = page[:at] + noise + page[at + cut :]
    try:
        facts = read_page(page, VLLM)
    except PageFault:
        return
    assert facts.waiting is None or 0 <= facts.waiting < 2**31
    assert facts.running is None or 0 <= facts.running < 2**31
    assert facts.kv_cache is None or 0.0 <= facts.kv_cache <= 1.0


NAMES = ["app:a", "app:ab", "app:a_b", "b"]
LABELS = st.text(st.sampled_from('ab"\\\n{}, =#é'), max_size=6)
METRICS = st.dictionaries(
    st.sampled_from(NAMES),
    st.dictionaries(LABELS, st.floats(allow_nan=True), min_size=1, max_size=4),
    min_size=1,
)


@given(METRICS)
def test_series_and_labels_are_what_the_reference_parser_reads(
    metrics: dict[str, dict[str, float]],
) -> None:
    registry = CollectorRegistry()
    for name, by_label in metrics.items():
        gauge = Gauge(name, "Help.", ["one", "two"], registry=registry)
        for label, value in by_label.items():
            gauge.labels(label, "x").set(value)
    page = generate_latest(registry)
    expected = {
        (s.name, s.labels["one"], repr(s.value))
        for family in text_string_to_metric_families(page.decode())
        for s in family.samples
    }

    assert expected == {
        (name, labels_of(s.labels)["one"], repr(s.value))
        for name in NAMES
        for s in series(page, name.encode())
    }


def test_a_line_with_a_time_stamp_is_read_and_one_without_an_end_is_not_trusted() -> None:
    assert [s.value for s in series(b'x{a="b"} 3 1700000000000\nx 4\n', b"x")] == [3.0, 4.0]
    assert [math.isnan(s.value) for s in series(b"x 3\nx 4", b"x")] == [False, True]
    assert [math.isnan(s.value) for s in series(b"x{", b"x")] == [True]


def test_a_dialect_may_know_nothing_of_adapters_and_cache() -> None:
    plain = replace(VLLM, adapters=None, block_size=(), num_blocks=())
    facts = read_page(vllm_page([Engine(1)], [("a", "", "4", 1.0)]), plain)

    assert (facts.waiting, facts.adapters, facts.num_blocks) == (1, (), None)


def test_a_metric_that_a_rule_asks_for_is_the_sum_of_its_series_whatever_their_labels() -> None:
    page = vllm_page([Engine(3), Engine(1)])
    asked = (b"vllm:num_requests_waiting", b"process_start_time_seconds", b"vllm:no_such_metric")

    assert read_page(page, VLLM, asked).metrics == {
        "vllm:num_requests_waiting": 4.0,
        "process_start_time_seconds": 1.7e9,
    }


@pytest.mark.parametrize(
    "lines",
    [
        "asked NaN",
        'asked{a="1"} 1\nasked{a="2"} NaN',
        "asked +Inf",
        "asked 1e308\nasked 1e308",
        "asked",
        "asked{",
        "asked_total 1",
        "# HELP asked 1",
    ],
)
def test_what_is_no_finite_number_is_absent_and_no_problem(lines: str) -> None:
    facts = read_page(f"{MINIMAL}{lines}\n".encode(), VLLM, (b"asked",))

    assert (facts.metrics, facts.problems) == ({}, ())
