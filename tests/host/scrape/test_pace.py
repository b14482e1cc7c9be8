"""Intervals: by the picks, short with work, long without, and never too long to notice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.dsl.dialects.builtin import built_in
from headrace.extensions.picker.snapshot import Endpoint, Snapshot, pool_state
from headrace.host.scrape.options import ScrapeOptions
from headrace.host.scrape.pace import Pace, Rest, is_hot
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
def test_work_of_any_kind_is_followed_and_a_queue_at_the_server_closely(busy: Endpoint) -> None:
    pace = Pace(ScrapeOptions())

    assert is_hot(busy)
    assert pace.interval_s(target(60.0), busy, 5.0) == (0.05 if busy.waiting_scraped else 0.25)


def asked_of(*endpoints: Endpoint, crowded: tuple[str, ...] = ()) -> set[str]:
    """Return whose figures are asked for of a pool of *endpoints*."""
    snapshot = Snapshot({"p": pool_state("p", endpoints)})
    return {address for _, address in Pace(ScrapeOptions()).asked(snapshot, crowded)}


def test_figures_are_asked_for_where_requests_went_that_they_do_not_count() -> None:
    fresh = Endpoint("a", "a", in_flight=2, queue=4, waiting_scraped=2, queue_drift=1)
    counted = Endpoint("b", "b", in_flight=2, queue=3, waiting_scraped=2, queue_drift=1)

    assert asked_of(fresh, counted, Endpoint("c", "c", running=3)) == {"a"}


def test_where_requests_wait_all_figures_are_asked_for_but_those_of_who_does_not_answer() -> None:
    endpoints = [Endpoint("a", "a", ready=True), Endpoint("b", "b", in_flight=1)]

    assert asked_of(*endpoints, crowded=("q",)) == set()
    assert asked_of(*endpoints, crowded=("p",)) == {"a"}


def test_who_is_asked_for_is_scraped_when_the_shortest_interval_is_over() -> None:
    pace, key = Pace(ScrapeOptions()), ("p", "a")

    def due(now_s: float, due_s: float = 9.0) -> bool:
        return pace.due({key}, {key: Rest(1.0, due_s)}, now_s) == [key]

    assert [due(now_s) for now_s in (1.0, 1.02, 1.03, 1.1, 8.0)] == [False, False, True, True, True]
    assert not due(8.0, due_s=8.04)  # it is about to be scraped anyway
    assert pace.due({key}, {}, 8.0) == []  # it is being scraped
    pace.hot = 320  # with a budget of 160 a second
    assert [due(now_s) for now_s in (2.9, 3.0)] == [False, True]


def test_of_many_that_are_asked_for_some_are_scraped_at_once_the_longest_ago_first() -> None:
    keys = [("p", str(n)) for n in range(20)]
    resting = {key: Rest(float(-at), 9.0) for at, key in enumerate(keys)}

    assert Pace(ScrapeOptions(together=8)).due(set(keys), resting, 8.0) == keys[:-9:-1]


@given(st.floats(0.5, 40.0), st.integers(1, 12))
def test_scrapes_are_as_many_as_picks_within_their_bounds(picks_per_s: float, pools: int) -> None:
    """Played in beats, with an endpoint in each of *pools*, for ten seconds."""
    options = ScrapeOptions(jitter_ratio=0.0)
    pace = Pace(options, count=pools, hot=pools)
    keys = [("p", str(n)) for n in range(pools)]
    resting = {key: Rest(0.0, 0.0) for key in keys}
    asked, picked, scrapes = set[tuple[str, str]](), 0, 0
    for beat in range(1, 201):
        now_s = beat * options.beat_s
        while picked < now_s * picks_per_s:
            picked, asked = picked + 1, set(keys)
        over = [key for key in keys if resting[key].due_s <= now_s]
        for key in {*over, *pace.due(asked, resting, now_s)}:
            scrapes += 1
            asked.discard(key)
            wait_s = pace.interval_s(target(60.0), Endpoint("a", "a", in_flight=1), 0.05)
            resting[key] = Rest(now_s, now_s + wait_s)
    per_s = scrapes / pools / 10.0

    least, most = 1 / options.warm_s, 1 / pace.hot_s
    assert 0.75 * min(max(picks_per_s, least), most) <= per_s
    assert per_s <= 1.05 * min(picks_per_s + least, most)


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
    pace.asked(Snapshot({"p": pool_state("p", endpoints)}), ())

    assert pace.hot == 800
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
