"""What answers teach: quickly, within bounds, and not for ever."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.picker.feedback import (
    ERROR_HALF_LIFE_S,
    ERROR_PRIOR,
    NO_FEEDBACK,
    NO_MEANS,
    SPEED_HALF_LIFE_S,
    SPEED_MAX,
    TTFT_FORGOTTEN_S,
    Feedback,
    Means,
)
from headrace.extensions.picker.snapshot import Endpoint
from headrace.extensions.picker.store import Store
from headrace.extensions.work import NO_WORK, Load
from tests.extensions.picker.build import NAMES, program, ready_store

A, B, C = NAMES
CHAT = Load(1000, 1000, 100, streams=True)


def endpoint(store: Store, address: str = A) -> Endpoint:
    found = store.snapshot.pools["gemma"].get(address)
    assert found is not None
    return found


def error_rate(store: Store, address: str, now_s: float) -> float:
    e = endpoint(store, address)
    return e.outlook.error_rate(e, NO_WORK, now_s)


def speed(store: Store, address: str, now_s: float) -> float:
    e = endpoint(store, address)
    return e.outlook.speed(e, NO_WORK, now_s)


def test_one_error_of_one_is_no_broken_server_and_many_are() -> None:
    known = NO_FEEDBACK.after_answer(True, 10.0)
    assert known.error_rate(10.0) == pytest.approx(1 / (1 + ERROR_PRIOR))
    for _ in range(36):
        known = known.after_answer(True, 10.0)
    assert known.error_rate(10.0) > 0.9


def test_errors_fade_with_time_and_with_answers_that_go_well() -> None:
    known = NO_FEEDBACK
    for _ in range(16):
        known = known.after_answer(True, 10.0)
    assert known.error_rate(10.0) == pytest.approx(0.8)
    assert known.error_rate(10.0 + 2 * ERROR_HALF_LIFE_S) == pytest.approx(0.5)
    assert known.error_rate(1e6) < 1e-9
    for _ in range(20):
        known = known.after_answer(False, 10.0)
    assert known.error_rate(10.0) == pytest.approx(16 / 40)


def test_a_time_to_the_first_token_is_that_of_lately_or_none() -> None:
    assert NO_FEEDBACK.ttft(0.0) is None
    known, _ = NO_FEEDBACK.after_first_token(0.5, 0.5, 10.0)
    assert known.ttft(10.0) == 0.5
    known, _ = known.after_first_token(1.0, 0.5, 10.0)
    assert known.ttft(10.0) == pytest.approx(0.8 * 0.5 + 0.2 * 1.0)
    assert known.ttft(10.0 + TTFT_FORGOTTEN_S + 1) is None


def test_a_server_that_is_slower_than_said_is_known_to_be_after_some_dozens_of_requests() -> None:
    store, now_s = ready_store(program()), 1.0
    for _ in range(120):
        e = endpoint(store)
        work = Load(1000, 1000, 100, streams=True)
        predicted_s = e.outlook.first_token_s(e, work, now_s) * speed(store, A, now_s)
        taken = store.reserve("gemma", A, now_s, work)
        now_s += 2 * predicted_s  # it is half as fast as its pool's coefficients say
        store.first_token(taken, now_s)
        store.release(taken, now_s)

    assert 0.45 < speed(store, A, now_s) < 0.6
    # What the pool has learnt is what an endpoint that was never asked is taken for.
    store.release(store.reserve("gemma", C, now_s, CHAT), now_s)
    taken = store.reserve("gemma", C, now_s, CHAT)
    store.answered(taken, now_s, failed=False)
    assert speed(store, C, now_s) < 1.0
    alone = speed(store, A, now_s + 100 * SPEED_HALF_LIFE_S)
    assert alone == pytest.approx(speed(store, C, now_s + 100 * SPEED_HALF_LIFE_S))


def test_one_prompt_that_was_not_cached_as_believed_changes_little() -> None:
    known, _ = NO_FEEDBACK.after_first_token(50.0, 0.05, 10.0)

    assert known.speed_log(10.0) >= -math.log(2) / 9


def test_a_request_that_was_served_elsewhere_is_a_failure_of_the_one_picked() -> None:
    store = ready_store(program())
    moved = store.move(store.reserve("gemma", A, 1.0, CHAT), B, 1.5)

    assert error_rate(store, A, 1.5) == pytest.approx(1 / (1 + ERROR_PRIOR))
    assert error_rate(store, B, 1.5) == 0.0
    store.answered(moved, 2.0, failed=False, output_tokens=7)
    assert error_rate(store, B, 2.0) == 0.0


def test_what_was_learnt_is_forgotten_with_the_endpoint_and_kept_by_a_reload() -> None:
    store = ready_store(program())
    for _ in range(9):
        store.answered(store.reserve("gemma", A, 1.0, CHAT), 1.0, failed=True)
    store.adopt(program(), 1.0)
    assert error_rate(store, A, 1.0) > 0.6
    store.adopt(program(pools={"gemma": (B, C)}), 1.0)
    store.adopt(program(), 1.0)
    assert error_rate(store, A, 1.0) == 0.0


def test_the_mean_answer_of_a_pool_is_learnt() -> None:
    store = ready_store(program())
    for _ in range(200):
        taken = store.reserve("gemma", A, 1.0, CHAT)
        store.answered(taken, 1.0, failed=False, output_tokens=40)
        store.release(taken, 1.0)
    e = endpoint(store)

    assert 40 <= e.outlook.means.output_tokens < 70
    assert e.outlook.means.uncached_tokens == pytest.approx(1000, rel=0.05)
    assert e.outlook.means.match_ratio < 0.1


TIMES = st.floats(0.0, 1e5, allow_nan=False)
TOOK = st.floats(-1e5, 1e5, allow_nan=False)  # a clock may step back


@given(st.lists(st.tuples(TOOK, TIMES, TIMES, st.booleans()), max_size=40))
def test_whatever_is_learnt_stays_within_bounds(seen: list[tuple[float, ...]]) -> None:
    known, means, now_s = Feedback(), Means(), 0.0
    for took_s, predicted_s, later_s, failed in seen:
        now_s += later_s
        known, error = known.after_first_token(took_s, predicted_s, now_s)
        known = known.after_answer(bool(failed), now_s)
        tokens = abs(int(took_s))
        means = means.after_error(error).after_answer(tokens).after_pick(10, int(failed))

    assert abs(known.speed_log(now_s)) <= math.log(SPEED_MAX)
    assert abs(means.log_speed) <= math.log(SPEED_MAX)
    assert 0.0 <= known.error_rate(now_s) <= 1.0
    assert (known.ttft(now_s) is None) == (not seen)
    assert (known.ttft(now_s) or 0.0) >= 0.0
    assert means.output_tokens >= 0.0
    assert 0.0 <= means.match_ratio <= 1.0


def test_a_pick_without_a_prompt_teaches_nothing() -> None:
    assert NO_MEANS.after_pick(0, 0) is NO_MEANS
