"""A pool as it will be seen: all that was sent there counts, once, at its endpoint."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.picker.flow.projected import projected
from headrace.extensions.picker.snapshot import Endpoint, pool_state, sums
from tests.extensions.picker.queueing import IDLE, A, House, policy

Sent = tuple[int, int, int, float, bool]  # waiting, unseen, running, KV cache, ready
SENT: st.SearchStrategy[Sent] = st.tuples(
    st.integers(0, 20), st.integers(0, 20), st.integers(0, 50), st.floats(0.0, 1.0), st.booleans()
)


@given(st.lists(SENT, max_size=6), st.integers(0, 16))
def test_every_request_that_no_scrape_has_seen_counts_once(
    given_: list[Sent], departed: int
) -> None:
    pool = pool_state(
        "p",
        [
            Endpoint(
                f"e{n}",
                f"e{n}",
                ready=ready,
                waiting_scraped=waiting,
                queue=waiting + unseen,
                running=running,
                in_flight=unseen,
                kv_cache=kv,
            )
            for n, (waiting, unseen, running, kv, ready) in enumerate(given_)
        ],
    )
    seen = projected(pool, departed)
    sent = sum(unseen for _, unseen, _, _, ready in given_ if ready)
    sent += departed if pool.ready else 0

    assert seen.sums == sums(seen.endpoints)
    assert seen.sums.queue == pool.sums.queue + sent
    assert seen.sums.running == pool.sums.running + sent
    assert seen.ready == pool.ready
    for before, after in zip(pool.endpoints, seen.endpoints, strict=True):
        assert before.kv_cache <= after.kv_cache <= 1.0
        assert after.in_flight >= before.in_flight


def test_a_request_takes_as_much_memory_as_those_that_run_there() -> None:
    endpoint = Endpoint("e", "e", ready=True, queue=2, running=10, kv_cache=0.5)

    (seen,) = projected(pool_state("p", [endpoint]), 1).endpoints
    assert seen.kv_cache == pytest.approx(0.5 + 2 * 0.05 + 0.6 / 12)


@pytest.mark.parametrize(
    ("waiting", "unseen", "left", "expected"),
    [
        (2, 0, 1, (1, 4)),
        (2, 0, 3, (0, 3)),
        (2, 8, 10, (0, 4)),
        (0, 0, 9, (0, 0)),
        (0, 1, 1, (0, 4)),
    ],
)
def test_what_is_over_counts_no_more_first_where_it_waited(
    waiting: int, unseen: int, left: int, expected: tuple[int, int]
) -> None:
    endpoint = Endpoint(
        "e", "e", ready=True, waiting_scraped=waiting, queue=waiting + unseen, running=4, left=left
    )

    (seen,) = projected(pool_state("p", [endpoint]), 0).endpoints
    assert (seen.waiting_scraped, seen.running) == expected


def test_the_store_counts_what_is_over_since_a_scrape_had_counted_it() -> None:
    house = House(policy(""))
    house.scrape(0.0, IDLE)
    seen, unseen = (house.store.reserve("gemma", A, now_s) for now_s in (0.5, 1.5))
    house.store.scraped("gemma", A, IDLE, 1.0)
    house.store.release(unseen, 2.0)
    assert [e.left for e in house.store.snapshot.pools["gemma"].endpoints] == [0, 0]
    house.store.release(seen, 2.0)
    assert [e.left for e in house.store.snapshot.pools["gemma"].endpoints] == [1, 0]
    house.store.scraped("gemma", A, IDLE, 3.0)

    assert [e.left for e in house.store.snapshot.pools["gemma"].endpoints] == [0, 0]


def test_of_what_is_in_flight_the_departed_have_their_share() -> None:
    endpoint = Endpoint("e", "e", ready=True, in_flight=2, tokens_in_flight=300)
    pool = pool_state("p", [endpoint])

    assert (pool.in_flight, pool.tokens_in_flight) == (2.0, 300.0)
    seen = projected(pool, 4)
    assert (seen.in_flight, seen.tokens_in_flight) == (6.0, 900.0)


def test_a_pool_is_as_saturated_as_its_endpoints_and_one_that_is_not_ready_counts_one() -> None:
    by_queue = Endpoint("a", "a", ready=True, waiting_scraped=10, kv_cache=0.4)
    by_memory = Endpoint("b", "b", ready=True, kv_cache=0.8)
    down = Endpoint("c", "c")

    assert pool_state("p", []).saturation == 1.0
    assert pool_state("p", [by_queue]).saturation == 2.0
    assert pool_state("p", [by_queue, by_memory, down]).saturation == pytest.approx(4 / 3)
