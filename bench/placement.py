"""How policies place requests: simulated replicas, promises missed, predictions that were off.

All policies get the same jobs. A promise is missed if the first token comes after 2 s, or
further tokens take more than 50 ms on the mean. ``python -m bench.placement``.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.fleet import Fleet, Ran, Setting
from bench.workload import TPOT_S, Workload
from headrace.host.sim.profile import PROFILE_DEFAULT, profiles

TTFT_S = 2.0
LOADS = (0.7, 0.9)  # of the capacity
JOBS = 2_000
WARM_RATIO = 0.1  # of the jobs, which fill the caches and are not counted
SEED = 3
HALVES = (1.0,) * 5 + (0.5,) * 3  # some replicas are half as fast, and the policy does not know
ALIKE = (1.0,) * 8
ROOM = 307_328  # tokens of KV cache: measured on two H100
HEAD = "sched 1\npool p { endpoints ENDPOINTS }\nmodel m { route p }\n"
SLO = Path(__file__).parents[1] / "policies" / "slo.sched"


@dataclass(frozen=True, slots=True)
class Scene:
    """A workload on a fleet."""

    workload: Workload
    sizes: tuple[float, ...] = ALIKE
    kv_tokens: int = ROOM


SCENES = (
    Scene(Workload("families of prompts", 60, 3000, 500, 200)),
    Scene(Workload("many, caches churn", 2000, 3000, 500, 200), kv_tokens=ROOM // 2),
    Scene(Workload("one tenant is hot", 200, 3000, 500, 200, 0.3)),
    Scene(Workload("long prompts", 100, 6000, 1500, 120)),
    Scene(Workload("mixed hardware", 60, 3000, 500, 200), sizes=HALVES),
)


def policies() -> dict[str, str]:
    """Return the policies that are compared, by name."""
    queue = "scorer short = 1.0 / (1.0 + double(endpoint.queue))\n"
    queue += "profile default { score short  pick max  ties by endpoint.in_flight }"
    greedy = "cost first = endpoint.predicted_ttft\n"
    greedy += "profile default { minimize first  pick least  ties by endpoint.in_flight }"
    rules = SLO.read_text().partition("filter alive")
    return {
        "default policy": HEAD,  # which has a profile of its own
        "least queue": HEAD + queue,
        "first token alone": HEAD + greedy,
        "slo.sched": HEAD + rules[1] + rules[2],
    }


@dataclass(frozen=True, slots=True)
class Placed:
    """What came of one policy. *off*: how wrong predictions of the first token were, as ratios."""

    missed_ratio: float
    cached_ratio: float
    off: Sequence[float]
    ttft_p99_s: float

    @property
    def off_median(self) -> float:
        """Half of the predictions were better."""
        return statistics.median(self.off)


def placed(policy: str, scene: Scene, load: float, jobs: int = JOBS, seed: int = SEED) -> Placed:
    """Return what *policy* makes of *scene* at *load*, a share of its capacity."""
    profile = profiles()[PROFILE_DEFAULT]
    capacity = scene.workload.capacity(profile, 1) * sum(scene.sizes)
    asked = scene.workload.jobs(jobs, load * capacity, seed)
    fleet = Fleet(policy, Setting(profile, scene.kv_tokens, scene.sizes), seed)
    return judged(fleet.run(asked)[round(jobs * WARM_RATIO) :])


def judged(ran: Sequence[Ran]) -> Placed:
    """Return what came of these jobs."""
    missed = sum(r.ttft_s > TTFT_S or r.tpot_s > TPOT_S for r in ran)
    cached = sum(r.cached_tokens for r in ran) / sum(r.job.prompt_tokens for r in ran)
    off = [abs(r.predicted_s - r.ttft_s) / r.ttft_s for r in ran]
    ttfts = sorted(r.ttft_s for r in ran)
    return Placed(missed / len(ran), cached, off, ttfts[len(ttfts) * 99 // 100])


Row = tuple[str, float, str]


def rows(jobs: int = JOBS) -> Iterator[Row]:
    """Yield what was missed, by scene, load and policy; and how wrong predictions were."""
    medians: list[float] = []
    means: list[float] = []
    for scene in SCENES:
        for load in LOADS:
            at = f"{scene.workload.name} at {load:.0%}"
            for name, policy in policies().items():
                found = placed(policy, scene, load, jobs)
                yield f"missed, {at}, {name}", round(100 * found.missed_ratio, 1), "%"
                if name == "slo.sched":
                    medians.append(found.off_median)
                    means.append(statistics.fmean(found.off))
    yield "first token predicted, off by, median", round(100 * statistics.median(medians), 1), "%"
    yield "first token predicted, off by, mean", round(100 * statistics.fmean(means), 1), "%"
    yield from decisions()


def decisions() -> Iterator[Row]:
    """Yield what a decision by the cost model costs, by endpoints."""
    policy = policies()["slo.sched"]
    for size in (8, 64):
        fleet = Fleet(policy, Setting(profiles()[PROFILE_DEFAULT], ROOM, (1.0,) * size), SEED)
        jobs = SCENES[0].workload.jobs(600, 4.0 * size, SEED)
        fleet.run(jobs)
        cost_us = 1e6 * statistics.median(fleet.timed(jobs[-200:], time.perf_counter))
        yield f"decision, {size} endpoints, slo.sched", round(cost_us, 1), "us"


def main() -> None:
    """Print the table."""
    for name, value, unit in rows():
        print(f"{name:<64} {value:>8} {unit}", flush=True)


if __name__ == "__main__":
    main()
