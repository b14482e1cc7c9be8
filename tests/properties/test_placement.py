"""On simulated servers, the policy for promises keeps more of them, and its predictions hold."""

import functools

from bench.placement import SCENES, Placed, placed, policies

JOBS = 500
HOT = SCENES[2]  # one tenant asks for a third of everything


@functools.cache
def of_the_hot_tenant(policy: str) -> Placed:
    return placed(policies()[policy], HOT, 0.9, JOBS)


def test_promises_are_kept_where_the_default_and_the_least_queue_miss_many() -> None:
    slo = of_the_hot_tenant("slo.sched")
    default = of_the_hot_tenant("default policy")
    queue = of_the_hot_tenant("least queue")

    assert slo.missed_ratio < 0.05
    assert default.missed_ratio > 2 * slo.missed_ratio
    assert queue.missed_ratio > 2 * slo.missed_ratio
    assert slo.cached_ratio > queue.cached_ratio


def test_first_tokens_come_about_when_they_are_predicted() -> None:
    slo = of_the_hot_tenant("slo.sched")

    assert slo.off_median < 0.2


def test_a_run_is_a_function_of_its_seed() -> None:
    one, other = (placed(policies()["slo.sched"], SCENES[0], 0.7, 200, seed=4) for _ in range(2))

    assert one == other
