"""What one decision costs, by endpoints: staged, unstaged, and with two CEL runtimes.

All evaluate the same filter and five scorers, on the same endpoints and requests, in the
same process and in turns. The CEL runtimes are asked for the six values of each endpoint,
and for nothing else: no sums, no sorting, no record. ``python -m bench.decision``.
"""

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from bench.cel_runtimes import Evaluate, cel_expr_python, cel_python
from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Profile, Program
from headrace.dsl.source import Source
from headrace.extensions.picker.decide import Question, decide
from headrace.extensions.picker.plans import Plans
from headrace.extensions.picker.snapshot import PoolState, ServerFacts
from headrace.extensions.picker.store import Store
from headrace.extensions.picker.values import Seen

SIZES = (8, 64, 512, 1024, 4096)
HITS = 8  # endpoints that have some of the prompt cached, if they are half of them or less
ADAPTERS = ("", "english", "french", "german")
ROUNDS = 5
ROUND_S = 0.05  # at least, of each contestant in each round
NOW_S = 100.0
POLICY = """sched 1
pool p {{ endpoints {endpoints} }}
model m {{ route p }}
filter alive = endpoint.ready && endpoint.age < 2s
scorer prefix = endpoint.prefix_match
scorer kv_free = 1.0 - endpoint.kv_cache
scorer short_queue = 1.0 / (1.0 + double(endpoint.queue))
scorer few_running = 1.0 / (1.0 + double(endpoint.running))
scorer lora_ready = request.adapter in endpoint.adapters ? 100%
                  : endpoint.adapter_slots > 0 ? 80% : 0%
profile default {{
  require alive
  score 3 * prefix + 2 * kv_free + 2 * short_queue + 1 * few_running + 2 * lora_ready
  pick max ties by endpoint.running
}}
"""
Row = tuple[str, float, str]


class Scene:
    """A pool of *size* endpoints that are all in some state, and requests to decide on."""

    def __init__(self, size: int) -> None:
        self.chance = random.Random(size)
        self.addresses = [f"10.{i // 65536}.{i // 256 % 256}.{i % 256}:8000" for i in range(size)]
        text = POLICY.format(endpoints='"10.0.0.0:8000"')  # the others need not be parsed
        program = compile_policy([Source("bench.sched", text)])
        self.profile: Profile = program.profiles["default"]
        self.store = Store.for_program(_with_endpoints(program, self.addresses))
        for address in self.addresses:
            self.scrape(address)
        self.requests = [self.request(i) for i in range(64)]
        self.plans = Plans()

    def scrape(self, address: str) -> None:
        """Let *address* tell something new."""
        c = self.chance
        adapters = tuple(c.sample(ADAPTERS[1:], c.randrange(3)))
        facts = ServerFacts(c.randrange(9), c.randrange(30), c.random(), None, adapters, 2)
        self.store.scraped("p", address, facts, NOW_S)

    def request(self, number: int) -> Seen:
        """Return one request, whose prompt a few endpoints have in part."""
        c = self.chance
        hits = c.sample(self.addresses, min(HITS, len(self.addresses) // 2))
        prefix = {address: c.random() for address in hits}
        return Seen(id=f"r-{number}", adapter=c.choice(ADAPTERS), prefix=prefix)

    def question(self, request: Seen) -> Question:
        """Return what a decision on *request* is asked now."""
        pool = self.store.snapshot.pools["p"]
        return Question(pool, request, self.profile, {}, NOW_S + 0.1)


def rows() -> list[Row]:
    """Return the cost of a decision, by contestant and number of endpoints."""
    found: list[Row] = []
    for size in SIZES:
        for name, cost_us in _costs(Scene(size)).items():
            found.append((f"decision, {size} endpoints, {name}", round(cost_us, 1), "us"))
    return found


def _costs(scene: Scene) -> dict[str, float]:
    """Return microseconds per decision, by contestant: the median of the least disturbed round."""
    contestants: dict[str, Callable[[], Iterator[float]]] = {
        "staged": lambda: _staged(scene, dirty=False),
        "staged, one endpoint changed": lambda: _staged(scene, dirty=True),
        "generated Python": lambda: _timed(scene, lambda pool, r: unstaged(scene.profile, pool, r)),
    }
    for name, runtime in (("cel-expr-python", cel_expr_python), ("cel-python", cel_python)):
        evaluate = runtime()
        if evaluate is None:
            print(f"{name} is not installed, so it is not measured")
            continue
        contestants[name] = partial(_timed, scene, evaluate)
    timings: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, contestant in contestants.items():
            if timings[name] and timings[name][0] > 0.1:
                continue  # seconds for a figure that is far off the scale anyhow
            timings[name].append(_median(contestant()))
    return {name: min(values) * 1e6 for name, values in timings.items()}


def _median(timings: Iterator[float]) -> float:
    """Return the median of *timings*, taken until there are enough for a round."""
    taken: list[float] = []
    for seconds in timings:
        taken.append(seconds)
        if sum(taken) >= ROUND_S:
            break
    return statistics.median(taken)


def _staged(scene: Scene, *, dirty: bool) -> Iterator[float]:
    """Yield the seconds of decision after decision, each of which may find one endpoint changed."""
    while True:
        for request in scene.requests:
            if dirty:
                scene.scrape(scene.chance.choice(scene.addresses))
            question = scene.question(request)
            began_s = time.perf_counter()
            decide(question, scene.plans)
            yield time.perf_counter() - began_s


def _timed(scene: Scene, evaluate: Evaluate) -> Iterator[float]:
    pool = scene.store.snapshot.pools["p"]
    while True:
        for request in scene.requests:
            began_s = time.perf_counter()
            evaluate(pool, request)
            yield time.perf_counter() - began_s


def unstaged(profile: Profile, pool: PoolState, request: Seen) -> str:
    """Return the winner by evaluating every rule on every endpoint, as generated Python."""
    now_s = NOW_S + 0.1
    kept: Sequence[int] = range(len(pool.endpoints))
    for rule in profile.require:
        verdicts = rule.column(pool.endpoints, request, pool, now_s)
        kept = [i for i in kept if verdicts[i] is True]
    passed = [pool.endpoints[i] for i in kept]
    totals = [0.0] * len(passed)
    for term in profile.terms:
        column = term.scorer.column(passed, request, pool, now_s)
        scores = [v if type(v) is float and 0.0 <= v <= 1.0 else 0.0 for v in column]
        totals = [t + term.weight * s for t, s in zip(totals, scores, strict=True)]
    return passed[max(range(len(totals)), key=totals.__getitem__)].address


def _with_endpoints(program: Program, addresses: Sequence[str]) -> Program:
    pool = replace(program.pools["p"], endpoints=tuple(addresses))
    return replace(program, pools={"p": pool})


def main() -> None:
    """Print the table."""
    for name, value, unit in rows():
        print(f"{name:<56} {value:>12} {unit}")


if __name__ == "__main__":
    main()
