"""Intervals: short with work, long without, spread out, and never too long to notice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.dsl.dialects.builtin import built_in
from headrace.extensions.picker.snapshot import Endpoint, Snapshot, pool_state
from headrace.host.scrape.options import ScrapeOptions
from headrace.host.scrape.pace import Pace, is_hot
from headrace.host.scrape.target import Target

IDLE = Endpoint("a", "a")
BUSY = [Endpoint("a", "a", in_flight=1), Endpoint("a", "a", running=1),
        Endpoint("a", "a", waiting_scraped=1)]  # fmt: skip


def target(stale_after_s: float) -> Target:
    return Target("p", "a", built_in("vllm"), "http://a/metrics", stale_after_s)


@given(st.floats(0.05, 3600.0), st.integers(0, 10_000), st.floats(0.0, 100.0), st.booleans())
def test_an_endpoint_is_asked_twice_within_stale_after_whatever_else_there_is(
    stale_after_s: float, hot: int, last_s: float, busy: bool
) -> None:
    pace = Pace(ScrapeOptions(), count=hot, hot=hot)
    wait_s = pace.interval_s(target(stale_after_s), BUSY[0] if busy else IDLE, last_s)
    due_s = pace.due_s(1000.0, wait_s)

    assert 0.0 <= due_s - 1000.0 <= stale_after_s / 2


@pytest.mark.parametrize("busy", BUSY)
def test_work_of_any_kind_is_followed_closely(busy: Endpoint) -> None:
    pace = Pace(ScrapeOptions())

    assert is_hot(busy)
    assert pace.interval_s(target(60.0), busy, 5.0) == 0.05


def test_rest_grows_to_its_longest() -> None:
    pace, wait_s, seen = Pace(ScrapeOptions()), 0.05, list[float]()
    for _ in range(20):
        wait_s = pace.interval_s(target(60.0), IDLE, wait_s)
        seen.append(wait_s)

    assert seen[:2] == pytest.approx([0.075, 0.1125])
    assert seen == sorted(seen)
    assert seen[-1] == 5.0


def test_many_endpoints_with_work_share_what_may_be_scraped_in_a_second() -> None:
    endpoints = [Endpoint(f"{n}", f"{n}", running=n % 2, in_flight=n % 4 == 3) for n in range(1600)]
    pace = Pace(ScrapeOptions(rate_max=160.0))
    ours = pace.working(Snapshot({"p": pool_state("p", endpoints)}))

    assert pace.hot == 800
    assert ("p", "3") in ours
    assert len(ours) == 400
    assert pace.interval_s(target(60.0), endpoints[1], 5.0) == 5.0
    assert pace.interval_s(target(60.0), None, 5.0) == 5.0


def test_a_failure_is_followed_up_soon_but_not_for_ever() -> None:
    pace = Pace(ScrapeOptions())
    waits = [
        pace.interval_s(target(60.0), Endpoint("a", "a", failures=n), 2.0) for n in (0, 1, 4, 5)
    ]

    assert waits == [3.0, 0.05, 0.05, 3.0]


def test_intervals_vary_so_that_scrapes_do_not_march_in_step() -> None:
    pace = Pace(ScrapeOptions(), count=100)
    due = {round(pace.due_s(0.0, 1.0), 3) for _ in range(200)}

    assert len(due) > 3
    assert all(0.75 <= s <= 1.2 for s in due)
