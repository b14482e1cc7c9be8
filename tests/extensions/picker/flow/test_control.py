"""The queue of one pool: in by rank and key, out exactly once."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.extensions.picker.flow.control import DEPARTED_MAX, FlowControl
from headrace.extensions.picker.flow.waiter import How, Lane, Waiter
from tests.extensions.picker.flow.waiting import enter, room, serve, waiter

STRICT = Lane("queue", 1_000, 1 << 30, strict=True, uniform=True)


def names(served: list[Waiter]) -> str:
    return "".join(w.key for w in served)


def test_who_came_first_goes_first() -> None:
    flow = FlowControl("p")
    waiters = [waiter() for _ in range(5)]
    enter(flow, *waiters)

    assert serve(flow, 9) == waiters


def test_nobody_goes_while_there_is_no_room() -> None:
    flow = FlowControl("p")
    enter(flow, waiter())

    assert flow.pump(room(0), 1.0) == 0
    assert len(flow) == 1


def test_keys_take_turns() -> None:
    flow = FlowControl("p")
    enter(flow, *[waiter(key="a") for _ in range(4)], *[waiter(key="b") for _ in range(2)])

    assert names(serve(flow, 6)) == "ababaa"


def test_turns_are_by_what_they_cost_if_so_asked() -> None:
    flow = FlowControl("p")
    enter(flow, *[waiter(key="a", cost=300.0) for _ in range(3)])
    enter(flow, *[waiter(key="b", cost=100.0) for _ in range(9)])

    assert names(serve(flow, 12)) == "abbbabbbabbb"


def test_the_soonest_deadline_goes_first_within_a_key() -> None:
    flow = FlowControl("p")
    late, soon, sooner = (waiter(order=order) for order in (9.0, 5.0, 2.0))
    enter(flow, late, soon, sooner)

    assert serve(flow, 3) == [sooner, soon, late]


def test_of_two_ranks_the_higher_gets_two_turns_in_three() -> None:
    flow = FlowControl("p")
    enter(
        flow,
        *[waiter(-1.0, key="l") for _ in range(60)],
        *[waiter(5.0, key="h") for _ in range(60)],
    )

    assert Counter(names(serve(flow, 60))) == {"h": 40, "l": 20}


def test_a_strict_rank_gives_no_turn_away() -> None:
    flow = FlowControl("p")
    enter(flow, *[waiter(-1.0, lane=STRICT, key="l") for _ in range(5)])
    enter(flow, *[waiter(5.0, lane=STRICT, key="h") for _ in range(5)])

    assert names(serve(flow, 10)) == "hhhhhlllll"


def test_no_rank_starves_however_many_keep_coming_above_it() -> None:
    flow = FlowControl("p")
    lowest = waiter(-9.0, key="lowest")
    enter(flow, lowest)
    for rank in range(20):
        enter(flow, *[waiter(float(rank), key=str(rank)) for _ in range(30)])
    served = serve(flow, 27)

    assert lowest in served
    assert Counter(w.key for w in served)["19"] == 18


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=40),
    st.lists(st.integers(1, 50), min_size=1, max_size=40),
)
def test_the_service_of_two_waiting_keys_differs_by_one_request_of_each(
    a: list[int], b: list[int]
) -> None:
    flow = FlowControl("p")
    enter(flow, *[waiter(key="a", cost=float(c)) for c in a])
    enter(flow, *[waiter(key="b", cost=float(c)) for c in b])
    had = {"a": 0.0, "b": 0.0}
    left = {"a": len(a), "b": len(b)}
    for one in serve(flow, len(a) + len(b)):
        had[one.key] += one.cost
        left[one.key] -= 1
        if all(left.values()):
            assert abs(had["a"] - had["b"]) <= max(a) + max(b)
    assert left == {"a": 0, "b": 0}


def test_a_key_cannot_save_up_turns_by_staying_away() -> None:
    flow = FlowControl("p")
    enter(flow, *[waiter(key="a") for _ in range(20)])
    serve(flow, 10)
    enter(flow, *[waiter(key="b") for _ in range(20)])

    assert Counter(names(serve(flow, 10))) == {"a": 5, "b": 5}


def test_a_key_cannot_shed_its_debt_by_leaving_for_a_moment() -> None:
    flow = FlowControl("p")
    enter(flow, waiter(key="a", cost=10.0), *[waiter(key="b") for _ in range(30)])
    assert names(serve(flow, 1)) == "a"
    enter(flow, waiter(key="a", cost=10.0))

    assert names(serve(flow, 11)) == "bbbbbbbbbba"


def test_what_is_sent_counts_before_a_scrape_has_seen_it() -> None:
    flow = FlowControl("p")
    enter(flow, *[waiter() for _ in range(10)])

    assert flow.pump(room(3), 0.0) == 3
    assert flow.pump(room(3), 0.0) == 0
    assert flow.departed == 3


def test_few_are_on_their_way_at_once() -> None:
    flow = FlowControl("p")
    waiters = [waiter() for _ in range(40)]
    enter(flow, *waiters)

    assert flow.pump(room(1_000), 0.0) == DEPARTED_MAX
    for one in waiters[:DEPARTED_MAX]:
        flow.leave(one)
    assert flow.pump(room(1_000), 0.0) == DEPARTED_MAX


def test_a_free_place_among_the_departed_wakes_the_host() -> None:
    woken: list[int] = []
    flow = FlowControl("p", wake=lambda: woken.append(1))
    one, other = waiter(), waiter()
    enter(flow, one, other)
    flow.pump(room(1), 0.0)
    flow.leave(one)
    flow.leave(one)

    assert woken == [1]


def test_one_whose_own_condition_holds_does_not_keep_others_waiting() -> None:
    flow = FlowControl("p")
    lane = Lane("giants", 10, 1 << 20)
    giant = Waiter(lane, 9.0, 1e9, lambda pool, now_s: True)
    small = Waiter(lane, 0.0, 1e9, lambda pool, now_s: False)
    enter(flow, giant, small)

    assert flow.pump(room(5), 0.0) == 1
    assert small.turned is not None
    assert giant.turned is None


@pytest.mark.parametrize(("sizes", "lane"), [
    ([1, 1, 1], Lane("x", 2, 1_000)),
    ([400, 600, 1], Lane("x", 9, 1_000)),
])  # fmt: skip
def test_who_finds_it_full_is_refused(sizes: list[int], lane: Lane) -> None:
    flow = FlowControl("p")
    refused = [flow.enter(waiter(lane=lane, size_bytes=s), 0.0) for s in sizes]

    assert refused[:2] == [None, None]
    assert refused[2] is not None
    assert refused[2].how is How.FULL
    assert refused[2].retry_after_s is not None


def test_lanes_are_bounded_apart() -> None:
    flow = FlowControl("p")
    enter(flow, waiter(lane=Lane("x", 1, 1)), waiter(lane=Lane("y", 1, 1)))

    assert flow.enter(waiter(lane=Lane("x", 1, 1)), 0.0) is not None


def test_who_has_waited_for_too_long_is_turned_away_when_it_is_time() -> None:
    flow = FlowControl("p")
    early, late = waiter(expires_s=2.0), waiter(expires_s=3.0)
    enter(flow, late, early, now_s=1.0)
    assert flow.due_s == 2.0
    flow.expire(2.5)

    assert early.turned is not None
    assert (early.turned.how, early.turned.waited_s) == (How.EXPIRED, 1.5)
    assert late.turned is None
    assert flow.due_s == 3.0


def test_a_client_that_leaves_frees_its_place() -> None:
    flow = FlowControl("p")
    lane = Lane("x", 1, 1 << 10)
    first = waiter(lane=lane, size_bytes=9)
    enter(flow, first)
    flow.leave(first, 1.0)
    flow.leave(first, 1.0)

    assert (len(flow), flow.size_bytes) == (0, 0)
    assert flow.outcomes == {How.GONE: 1}
    assert flow.enter(waiter(lane=lane), 1.0) is None


def test_draining_turns_all_away_and_who_comes_later_too() -> None:
    flow = FlowControl("p")
    waiters = [waiter() for _ in range(3)]
    enter(flow, *waiters)
    flow.drain(1.0)
    refused = flow.enter(waiter(), 2.0)

    assert [w.turned and w.turned.how for w in waiters] == [How.DRAINING] * 3
    assert refused is not None
    assert refused.how is How.DRAINING


@given(st.floats(0.5, 40.0), st.integers(5, 200))
@settings(max_examples=40, deadline=None)
def test_retry_after_is_right_within_a_factor_of_two(rate: float, length: int) -> None:
    """Whoever comes back when told finds those served that were ahead when it was refused."""
    flow = FlowControl("p")
    lane = Lane("x", length, 1 << 40, uniform=True)
    enter(flow, *[waiter(lane=lane) for _ in range(length)])
    now_s = 0.0
    for _ in range(60):  # each time one goes, another one comes
        now_s += 1.0 / rate
        serve(flow, 1, now_s)
        enter(flow, waiter(lane=lane), now_s=now_s)
    refused = flow.enter(waiter(lane=lane), now_s)
    assert refused is not None
    assert refused.retry_after_s is not None
    true_s = length / rate

    assert flow.rate_per_s == pytest.approx(rate, rel=0.2)
    assert min(300.0, max(1.0, true_s / 2)) <= refused.retry_after_s <= max(2.0, true_s * 2)


def test_a_queue_that_has_not_moved_yet_says_to_come_back_after_the_longest_wait() -> None:
    flow = FlowControl("p")
    refused = flow.enter(waiter(lane=Lane("x", 0, 0), expires_s=2.5), 0.0)

    assert refused is not None
    assert refused.retry_after_s == 3.0


def test_what_is_told_of_each_is_told_once() -> None:
    noted: list[tuple[str, How, float]] = []
    told: list[How] = []
    flow = FlowControl("p", noted=lambda pool, how, wait_s: noted.append((pool, how, wait_s)))
    served, expired = waiter(), waiter(expires_s=5.0)
    for one in (served, expired):
        one.tell = lambda turned: told.append(turned.how)
    enter(flow, served, expired)
    flow.pump(room(1), 2.0)
    flow.expire(5.0)

    assert noted == [("p", How.SERVED, 2.0), ("p", How.EXPIRED, 5.0)]
    assert told == [How.SERVED, How.EXPIRED]


def test_ranks_without_number_are_bounded() -> None:
    flow = FlowControl("p")
    lane = Lane("x", 5_000, 1 << 30, strict=True, uniform=True)
    enter(flow, *[waiter(float(rank), lane=lane) for rank in range(3_000)])

    assert len(flow) == 3_000
    assert len(serve(flow, 3_000)) == 3_000


def test_nobody_goes_past_a_strict_rank_even_if_there_is_room_for_him_alone() -> None:
    flow = FlowControl("p")
    lane = Lane("strict", 10, 1 << 20, strict=True)
    giant = Waiter(lane, 9.0, 1e9, lambda pool, now_s: now_s < 5.0)
    urgent = Waiter(lane, 10.0, 6.0, lambda pool, now_s: False)
    small = Waiter(lane, 0.0, 1e9, lambda pool, now_s: False)
    enter(flow, giant, small, urgent)

    assert flow.pump(room(5), 1.0) == 1
    assert urgent.turned is not None
    assert flow.pump(room(5), 4.0) == 0
    assert flow.pump(room(5), 5.0) == 2


def test_a_strict_rank_that_is_not_the_highest_holds_back_those_below_it_only() -> None:
    flow = FlowControl("p")
    strict, shared = Lane("strict", 90, 1 << 20, strict=True), Lane("shared", 90, 1 << 20)
    enter(flow, *[waiter(0.0, lane=shared, key="l") for _ in range(20)])
    enter(flow, *[waiter(4.0, lane=strict, key="s") for _ in range(6)])
    enter(flow, *[waiter(9.0, lane=shared, key="h") for _ in range(12)])

    assert sorted(names(serve(flow, 18))) == sorted("h" * 12 + "s" * 6)
