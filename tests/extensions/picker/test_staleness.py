"""Stale measurements are taken to be worse than they were, and never stop the service."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.dsl.program import Pool
from headrace.extensions.picker.snapshot import Endpoint, ServerFacts
from headrace.extensions.picker.staleness import drifted, staleness
from headrace.extensions.picker.store import Store
from tests.extensions.picker.build import NAMES, program, ready_store, span

A, B, C = NAMES
POOL = Pool("gemma", span("pool"), NAMES, stale_after_s=2.0, dead_after_s=10.0)


def endpoint(store: Store, address: str = A) -> Endpoint:
    found = store.snapshot.pools["gemma"].get(address)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("age_s", "dead_after_s", "share"),
    [
        (0.0, 10.0, 0.0),
        (2.0, 10.0, 0.0),
        (6.0, 10.0, 0.5),
        (10.0, 10.0, 1.0),
        (99.0, 10.0, 1.0),
        (float("inf"), 10.0, 1.0),
        (2.0, 2.0, 0.0),
        (2.1, 2.0, 1.0),
    ],
)
def test_measurements_go_from_fresh_to_worthless_in_a_straight_line(
    age_s: float, dead_after_s: float, share: float
) -> None:
    assert staleness(age_s, replace(POOL, dead_after_s=dead_after_s)) == share


AGES = st.floats(0.0, 30.0)


@given(AGES, AGES, st.integers(0, 50), st.integers(0, 50), st.floats(0.0, 1.0))
def test_the_older_the_worse_and_never_better_than_reported(
    one_s: float, other_s: float, waiting: int, longest: int, kv_cache: float
) -> None:
    known = Endpoint(A, A, True, 0.0, queue=waiting + 3, kv_cache=kv_cache, waiting_scraped=waiting)
    young, old = (drifted(known, POOL, longest, s) for s in sorted((one_s, other_s)))

    assert waiting + 3 <= young.queue <= old.queue <= max(waiting + 3, longest + 4)
    assert kv_cache <= young.kv_cache <= old.kv_cache <= 1.0
    assert abs(old.kv_reported - kv_cache) < 1e-9
    again = drifted(young, POOL, longest, max(one_s, other_s))  # by steps or at once
    assert (again.queue, again.queue_drift) == (old.queue, old.queue_drift)
    assert abs(again.kv_cache - old.kv_cache) < 1e-9


def test_an_unreadable_page_is_a_sign_of_life() -> None:
    store = ready_store(program())
    for now_s in (5.0, 11.0, 500.0):
        store.unreadable("gemma", A, "no page", now_s)
        assert endpoint(store).ready
    assert (endpoint(store).kv_cache, endpoint(store).queue) == (1.0, 1)
    assert endpoint(store).age_s(500.0) == 500.0
    store.failed("gemma", A, "slow", 510.5)

    assert not endpoint(store).ready
    store.unreadable("gemma", A, "no page", 511.0)
    assert not endpoint(store).ready  # who was gone comes back by a page that can be read


def test_an_endpoint_that_was_never_read_does_not_get_ready_by_an_unreadable_page() -> None:
    store = Store.for_program(program())
    store.unreadable("gemma", A, "no page", 1.0)

    assert not endpoint(store).ready
    assert endpoint(store).error == "no page"


def test_stale_measurements_of_all_endpoints_take_none_out_and_overload_no_pool() -> None:
    # llm-d-router issue 2408: there, stale metrics of all endpoints stop every dispatch.
    store = ready_store(program())
    for address in NAMES:
        store.scraped("gemma", address, ServerFacts(1, 2, 0.25), 1.0)
    before = store.snapshot.pools["gemma"]
    for second in range(2, 600):
        for address in NAMES:
            store.unreadable("gemma", address, "no page", float(second))
    after = store.snapshot.pools["gemma"]

    assert after.ready == 3
    assert (after.queue, after.kv_cache) == (before.queue, before.kv_cache) == (1.0, 0.25)
    assert after.max == before.max
    assert {e.queue for e in after.endpoints} == {2}  # alike, so that none is preferred


def test_our_own_picks_count_on_top_of_what_is_stale() -> None:
    store = ready_store(program())
    store.scraped("gemma", B, ServerFacts(9), 5.0)
    store.unreadable("gemma", A, "no page", 6.0)  # half way from 2 s to 10 s, longest queue 9
    assert endpoint(store).queue == 5
    held = store.reserve("gemma", A, 6.0)
    assert endpoint(store).queue == 6
    store.release(held, 6.5)
    assert endpoint(store).queue == 5
    store.scraped("gemma", A, ServerFacts(2), 7.0)

    assert (endpoint(store).queue, endpoint(store).queue_drift) == (2, 0)


def test_a_value_that_pages_lack_keeps_its_own_age() -> None:
    store = ready_store(program())
    store.scraped("gemma", A, ServerFacts(3, 4, 0.5), 1.0)
    for now_s in (2.0, 3.0, 7.0):
        store.scraped("gemma", A, ServerFacts(3, 4, None), now_s)
    found = endpoint(store)

    assert found.lacking == {"kv_cache": 1.0}
    assert (found.queue, found.age_s(7.0)) == (3, 0.0)
    assert found.kv_cache == 0.75  # six seconds old, half way from 2 s to 10 s
    store.scraped("gemma", A, ServerFacts(3, 4, 0.5), 8.0)
    assert (dict(endpoint(store).lacking), endpoint(store).kv_cache) == ({}, 0.5)


def test_a_value_that_was_never_told_is_not_made_worse() -> None:
    store = Store.for_program(program())
    for now_s in (1.0, 50.0):
        store.scraped("gemma", A, ServerFacts(waiting=2), now_s)

    assert (endpoint(store).kv_cache, endpoint(store).queue) == (0.0, 2)
    store.unreadable("gemma", A, "no page", 100.0)
    assert (endpoint(store).kv_cache, endpoint(store).queue) == (0.0, 3)
