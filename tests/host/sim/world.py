"""Replicas for the tests of this folder, and what is asked of them."""

from dataclasses import dataclass

from headrace.host.sim.replica import Limits, Replica
from headrace.host.sim.request import SimRequest, Step
from headrace.host.sim.step_time import Profile

# Round numbers, so that a test can say the time of a step: 10 ms, 1 ms per decoding request,
# 1 ms per prefill token, nothing else.
ROUND = Profile(
    name="round",
    step_ms=10,
    decode_ms=1,
    context_ms=0,
    prefill_ms=1,
    kv_tokens=16 * 64,
    context_tokens_max=16 * 64,
    pair_ms=0,
    ingest_ms=0,
    lora_ratio=0,
    adapter_load_ms=0,
)


@dataclass(frozen=True, slots=True)
class Run:
    """What a replica did: its steps, and when each ended."""

    steps: tuple[Step, ...]
    ends_s: tuple[float, ...]

    def tokens(self, number: int) -> int:
        return sum(step.emitted.count(number) for step in self.steps)

    def finished(self) -> list[int]:
        return [one.number for step in self.steps for one in step.finished]

    def cached(self) -> dict[int, int]:
        return {one.number: one.cached_tokens for step in self.steps for one in step.finished}


def replica(**limits: int | None) -> Replica:
    """Return a replica with round numbers and these limits."""
    return Replica(ROUND, Limits(**limits))  # type: ignore[arg-type]


def ask(
    number: int, prompt: int, output: int, family: int = 0, adapter: str | None = None
) -> SimRequest:
    """Return a request; those of one *family* share the hashes of all their blocks."""
    blocks = (prompt + output) // 16
    hashes = tuple(family * 100_000 + index for index in range(blocks)) if family else ()
    return SimRequest(number, prompt, output, hashes, adapter)


def drain(machine: Replica, now_s: float = 0.0) -> Run:
    """Step *machine* until nothing is left to do."""
    steps: list[Step] = []
    ends_s: list[float] = []
    while (start_s := machine.start_s(now_s)) is not None:
        step = machine.step(start_s)
        assert step, "work is waiting, so there is a step"
        now_s = start_s + step.duration_s
        steps.append(step)
        ends_s.append(now_s)
    return Run(tuple(steps), tuple(ends_s))
