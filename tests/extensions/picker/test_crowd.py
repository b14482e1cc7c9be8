"""A pool under more than it can bear: who is served, who waits, who is turned away."""

import pytest

from tests.extensions.picker.crowd import CAPACITY_PER_S, Crowd
from tests.extensions.picker.queueing import policy

SECONDS, STEADY_S = 16.0, 40.0  # and how long it takes until refusals know the rate
CRITICAL, NORMAL, BATCH = 10, 0, -10


def test_at_a_third_over_capacity_batch_is_shed_and_nobody_else() -> None:
    text = """overload when pool.queue > 2.0 {
      shed  when request.priority < 0
      queue by request.priority for up to 5s, at most 200
    }"""
    crowd = Crowd(policy(text), 1.3, (CRITICAL, NORMAL, BATCH))
    crowd.run(SECONDS)

    assert {priority for priority, _ in crowd.rejected} == {BATCH}
    assert {reason for _, reason in crowd.rejected} == {"shed"}
    assert sum(crowd.served.values()) > 0.95 * CAPACITY_PER_S * SECONDS
    assert crowd.longest <= 200


@pytest.mark.parametrize("scrape_s", [0.05, 0.5])
def test_a_queue_keeps_the_servers_busy(scrape_s: float) -> None:
    text = "overload when pool.queue > 2.0 { queue by request.priority for up to 2s, at most 100 }"
    crowd = Crowd(policy(text), 1.5, (NORMAL,), scrape_s)
    crowd.run(SECONDS)

    assert sum(crowd.served.values()) > 0.93 * CAPACITY_PER_S * SECONDS


def test_what_is_refused_is_told_within_a_factor_of_two_when_to_come_back() -> None:
    text = "overload when pool.queue > 2.0 { queue by request.priority for up to 60s, at most 160 }"
    crowd = Crowd(policy(text), 1.5, (NORMAL,))
    house = crowd.run(STEADY_S)
    steady = [retry_s for when_s, retry_s in crowd.told if when_s > 20.0]
    true_s = 160 / CAPACITY_PER_S  # until those have gone that were ahead

    assert len(steady) > 100
    assert all(true_s / 2 <= retry_s <= true_s * 2 for retry_s in steady)
    assert house.flow.rate_per_s == pytest.approx(CAPACITY_PER_S, rel=0.25)


@pytest.mark.parametrize(("strictly", "batch_is_served"), [("", True), ("strictly", False)])
def test_a_flood_of_the_urgent_starves_the_rest_only_if_the_policy_says_so(
    strictly: str, batch_is_served: bool
) -> None:
    rule = f"queue {strictly} by request.priority for up to 3s, at most 1_000"
    crowd = Crowd(policy(f"overload when pool.queue > 2.0 {{ {rule} }}"), 4.0, (5, 5, 5, 0))
    crowd.run(SECONDS)
    share = crowd.served[0] / sum(crowd.served.values())

    assert (share > 0.2) if batch_is_served else (share < 0.05)
