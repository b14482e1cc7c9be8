"""Seeded workloads: families of prompts that begin alike, churn, and a tenant that is hot."""

import math
from dataclasses import dataclass
from itertools import chain, repeat
from random import Random

from bench.fleet import Job, chained
from headrace.host.sim.step_time import Profile

BLOCK = 16
TPOT_S = 0.05


@dataclass(frozen=True, slots=True)
class Workload:
    """What is asked.

    families      of prompts that begin alike; the n-th most popular is asked 1/n as often
    shared        tokens that a family has in common, on the mean
    own           tokens of a prompt after these, on the mean
    output        tokens of an answer, on the mean
    hot_ratio     share of the requests that are of one further family
    """

    name: str
    families: int
    shared: int
    own: int
    output: int
    hot_ratio: float = 0.0

    def jobs(self, count: int, rate: float, seed: int) -> list[Job]:
        """Return *count* jobs that come *rate* a second, at random."""
        chance = Random(seed)
        sizes = [
            max(64, round(chance.gammavariate(2, self.shared / 2))) for _ in range(self.families)
        ]
        weights = [1 / (n + 1) for n in range(self.families)]
        jobs: list[Job] = []
        at_s = 0.0
        for number in range(count):
            at_s += chance.expovariate(rate)
            if chance.random() < self.hot_ratio:
                family, shared = self.families, self.shared
            else:
                (family,) = chance.choices(range(self.families), weights)
                shared = sizes[family]
            own = max(16, min(12_000, round(chance.lognormvariate(math.log(self.own) - 0.5, 1.0))))
            output = max(
                2, min(2_000, round(chance.lognormvariate(math.log(self.output) - 0.3, 0.8)))
            )
            prompt = shared + own
            head = repeat(family, shared // BLOCK)
            tail = repeat(-1 - number, prompt // BLOCK - shared // BLOCK)
            jobs.append(Job(at_s, prompt, output, chained(chain(head, tail), 7)))
        return jobs

    def capacity(self, profile: Profile, replicas: int, seed: int = 1) -> float:
        """Return how many requests a second *replicas* serve within `TPOT_S`, all prompts cached.

        Of each second, a step each `TPOT_S` costs its fixed part; what is left of it is spent
        on prompts, cached where any replica has had them, and on answers.
        """
        jobs = self.jobs(2_000, 1.0, seed)
        seen: set[int] = set()
        new = output = context = 0.0
        for job in jobs:
            hits = 0
            while hits < len(job.hashes) and job.hashes[hits] in seen:
                hits += 1
            seen.update(job.hashes)
            new += job.prompt_tokens - hits * BLOCK
            output += job.output_tokens
            context += job.output_tokens * (job.prompt_tokens + job.output_tokens / 2)
        spent_ms = profile.prefill_ms * new + profile.decode_ms * output
        spent_ms += profile.context_ms * context / 1000
        free = 1.0 - profile.step_ms / 1000 / TPOT_S
        return replicas * free * 1000 / (spent_ms / len(jobs))
