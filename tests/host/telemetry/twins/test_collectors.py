from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from headrace.host.telemetry.catalogue import HOOK_S
from headrace.host.telemetry.metric import Kind, Metric
from headrace.host.telemetry.series import Bins
from headrace.host.telemetry.twins.catalogue import SHORT_S, TTFT_S, Twin
from headrace.host.telemetry.twins.collectors import TwinSpreads, TwinValues, coarser
from headrace.host.telemetry.twins.requests import see


def told(registry: CollectorRegistry) -> list[str]:
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if not line.startswith("#") and "_created" not in line]


def test_a_name_with_fewer_labels_tells_the_sums() -> None:
    registry = CollectorRegistry()
    wide = Metric("new_total", Kind.COUNTER, "x", ("endpoint_name", "model"))
    narrow = Metric("old_total", Kind.COUNTER, "x", ("pod_name",))
    series = {("a", "m"): 1.0, ("a", "n"): 2.0, ("b", "m"): 4.0}
    TwinValues(Twin(("endpoint_name", "model"), (wide, narrow)), registry, series.items)

    assert told(registry) == [
        'new_total{endpoint_name="a",model="m"} 1.0',
        'new_total{endpoint_name="a",model="n"} 2.0',
        'new_total{endpoint_name="b",model="m"} 4.0',
        'old_total{pod_name="a"} 3.0',
        'old_total{pod_name="b"} 4.0',
    ]


def test_histograms_are_added_bucket_by_bucket() -> None:
    registry = CollectorRegistry()
    metric = Metric("s", Kind.HISTOGRAM, "x", (), (1.0, 2.0))
    one, two = Bins((1.0, 2.0)), Bins((1.0, 2.0))
    for bins, value in ((one, 0.5), (one, 1.5), (two, 1.5), (two, 9.0)):
        see(bins, (1.0, 2.0), value)
    series = {("a",): one, ("b",): two}
    TwinSpreads(Twin(("x",), (metric,)), registry, series.items)

    assert told(registry) == [
        's_bucket{le="1.0"} 1.0',
        's_bucket{le="2.0"} 3.0',
        's_bucket{le="+Inf"} 4.0',
        "s_count 4.0",
        "s_sum 12.5",
    ]


@given(st.lists(st.one_of(st.floats(0, 2), st.sampled_from(HOOK_S))))
def test_counted_finely_and_then_coarsened_is_counted_coarsely(values: list[float]) -> None:
    fine, coarse = Bins(HOOK_S), Bins(SHORT_S)
    for value in values:
        see(fine, HOOK_S, value)
        see(coarse, SHORT_S, value)

    made = coarser(fine, HOOK_S, SHORT_S)
    assert made.counts == coarse.counts
    assert made.total == fine.total


def test_the_bounds_of_the_reference_are_among_those_a_hook_is_counted_by() -> None:
    assert set(SHORT_S) <= set(HOOK_S)
    assert TTFT_S.buckets == tuple(sorted(TTFT_S.buckets))
