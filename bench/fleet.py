"""Simulated replicas in virtual time, behind the picker's own store, index and decisions.

No network and no clock: a run is a function of its policy, its jobs and its seed.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.extensions.call import TOKEN_BYTES
from headrace.extensions.picker.decide import Question, decide
from headrace.extensions.picker.plans import Plans
from headrace.extensions.picker.prefix import Observed, Ticket
from headrace.extensions.picker.prompt import Prompt
from headrace.extensions.picker.snapshot import Reservation, ServerFacts
from headrace.extensions.picker.store import Store
from headrace.extensions.picker.values import Seen
from headrace.extensions.work import Work
from headrace.host.sim.replica import Limits, Replica
from headrace.host.sim.request import Batch, SimRequest
from headrace.host.sim.step_time import Profile

POOL = "p"
INDEX_EVERY = 4  # of the server's blocks make one of the index
SCRAPE_S = 0.05


@dataclass(frozen=True, slots=True)
class Job:
    """One request. *hashes*: of the server's blocks of its prompt."""

    at_s: float
    prompt_tokens: int
    output_tokens: int
    hashes: tuple[int, ...] = field(repr=False)


@dataclass(slots=True)
class Ran:
    """How a job went. Written by the fleet only."""

    job: Job
    place: int
    predicted_s: float
    reservation: Reservation
    prompt: Prompt
    ticket: Ticket
    first_s: float = 0.0
    last_s: float = 0.0
    cached_tokens: int = 0

    @property
    def ttft_s(self) -> float:
        """From its arrival to its first token."""
        return self.first_s - self.job.at_s

    @property
    def tpot_s(self) -> float:
        """The mean time per token after the first."""
        return (self.last_s - self.first_s) / max(1, self.job.output_tokens - 1)


@dataclass(frozen=True, slots=True)
class Setting:
    """What the fleet is made of: *sizes*: the speed of each replica, 1 as the profile says."""

    profile: Profile
    kv_tokens: int
    sizes: tuple[float, ...] = (1.0,) * 8
    scrape_s: float = SCRAPE_S


class Fleet:
    """Replicas, a store, and what is due when. Written by `run` only."""

    def __init__(self, policy: str, setting: Setting, seed: int) -> None:
        self.addresses = [f"10.0.0.{i + 1}:8000" for i in range(len(setting.sizes))]
        quoted = ", ".join(f'"{address}"' for address in self.addresses)
        text = policy.replace("ENDPOINTS", quoted)
        self.program: Program = compile_policy([Source("bench.sched", text)])
        self.store = Store.for_program(self.program)
        self._plans, self._setting, self._seed = Plans(), setting, seed
        limits = Limits(block_count=setting.kv_tokens // 16)
        self._replicas = [Replica(_scaled(setting.profile, s), limits) for s in setting.sizes]
        self._busy = [False] * len(self._replicas)
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._planned = 0
        self._left = 0
        self.ran: dict[int, Ran] = {}

    def run(self, jobs: Sequence[Job]) -> list[Ran]:
        """Return how *jobs* went, in their order."""
        for place in range(len(self._replicas)):
            self._scrape(place, 0.0)
        self._left = len(jobs)
        for number, job in enumerate(jobs):
            self._plan(job.at_s, lambda now_s, n=number, j=job: self._arrive(n, j, now_s))
        while self._left:
            now_s, _, do = heapq.heappop(self._due)
            do(now_s)
        return [self.ran[number] for number in range(len(jobs))]

    def _plan(self, at_s: float, do: Callable[[float], None]) -> None:
        self._planned += 1
        heapq.heappush(self._due, (at_s, self._planned, do))

    def timed(self, jobs: Sequence[Job], clock_s: Callable[[], float]) -> Iterator[float]:
        """Yield the seconds that a decision on each of *jobs* takes, without carrying it out."""
        for number, job in enumerate(jobs):
            question = self._question(number, job, job.at_s)
            began_s = clock_s()
            decide(question, self._plans)
            yield clock_s() - began_s

    def _question(self, number: int, job: Job, now_s: float) -> Question:
        prefix = self.store.prefixes[POOL].match(_indexed(job))
        tokens = job.prompt_tokens
        work = Work(tokens, streams=True, prefix=prefix)
        seen = Seen(f"r-{number}", prompt_tokens=tokens, stream=True, prefix=prefix, work=work)
        pool, profiles = self.store.snapshot.pools[POOL], self.program.profiles
        return Question(pool, seen, profiles["default"], profiles, now_s, self._seed)

    def _arrive(self, number: int, job: Job, now_s: float) -> None:
        question = self._question(number, job, now_s)
        address = decide(question, self._plans).chosen
        assert address is not None
        endpoint, work = question.pool.get(address), question.request.work
        assert endpoint is not None
        predicted_s = endpoint.outlook.predicted_ttft(endpoint, work, now_s)
        load = self.store.load(POOL, address, work)
        reservation = self.store.reserve(POOL, address, now_s, load)
        hashes = _indexed(job)
        prompt = Prompt(hashes, hash((hashes, number)), job.prompt_tokens * TOKEN_BYTES)
        ticket = self.store.prefixes[POOL].insert(address, hashes, prompt)
        place = self.addresses.index(address)
        self.ran[number] = Ran(job, place, predicted_s, reservation, prompt, ticket)
        request = SimRequest(number, job.prompt_tokens, job.output_tokens, job.hashes)
        self._replicas[place].submit(request, now_s)
        self._wake(place, now_s)

    def _wake(self, place: int, now_s: float) -> None:
        """Start the next step of a replica, if it has work and is not at one."""
        if self._busy[place]:
            return
        at_s = self._replicas[place].start_s(now_s)
        if at_s is not None:
            self._busy[place] = True
            self._plan(at_s, lambda now_s: self._begin(place, now_s))

    def _begin(self, place: int, now_s: float) -> None:
        batch = self._replicas[place].start(now_s)
        if batch is None:
            self._busy[place] = False
            self._wake(place, now_s + 1e-6)
            return
        self._plan(now_s + batch.duration_s, lambda now_s: self._finish(place, batch, now_s))

    def _finish(self, place: int, batch: Batch, now_s: float) -> None:
        step = self._replicas[place].finish(batch)
        for number in step.emitted:
            ran = self.ran[number]
            if not ran.first_s:
                ran.first_s = now_s
                self.store.first_token(ran.reservation, now_s)
            ran.last_s = now_s
        for done in step.finished:
            ran = self.ran[done.number]
            ran.cached_tokens = done.cached_tokens
            tokens = ran.job.output_tokens
            seen = Observed(ran.job.prompt_tokens, done.cached_tokens, tokens)
            self.store.prefixes[POOL].settle(ran.ticket, ran.prompt, seen)
            self.store.answered(ran.reservation, now_s, failed=False, output_tokens=tokens)
            self.store.release(ran.reservation, now_s)
            self._left -= 1
        self._busy[place] = False
        self._wake(place, now_s)

    def _scrape(self, place: int, now_s: float) -> None:
        m = self._replicas[place].metrics()
        facts = ServerFacts(
            m.waiting,
            m.running,
            m.kv_used_ratio,
            block_size=m.block_tokens,
            num_blocks=m.block_count,
        )
        self.store.scraped(POOL, self.addresses[place], facts, now_s)
        self._plan(now_s + self._setting.scrape_s, lambda now_s: self._scrape(place, now_s))


def _indexed(job: Job) -> tuple[int, ...]:
    """Return the hashes that the index knows of its prompt."""
    return job.hashes[INDEX_EVERY - 1 :: INDEX_EVERY]


def _scaled(profile: Profile, size: float) -> Profile:
    """Return *profile*, *size* times as fast."""
    return Profile(
        profile.name,
        profile.step_ms / size,
        profile.decode_ms / size,
        profile.context_ms / size,
        profile.prefill_ms / size,
        profile.kv_tokens,
        profile.context_tokens_max,
        profile.pair_ms / size,
        profile.ingest_ms,
    )


def chained(parts: Iterator[int], seed: int) -> tuple[int, ...]:
    """Return a chain of hashes: equal as long as *parts* are."""
    found: list[int] = []
    chain = seed
    for part in parts:
        chain = hash((chain, part))
        found.append(chain)
    return tuple(found)
