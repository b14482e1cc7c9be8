from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.host.sim.replica import Limits, Replica
from headrace.host.sim.request import SimRequest, Step
from tests.host.sim.world import ROUND, ask

CAPACITY = 24


@dataclass(frozen=True, slots=True)
class Sent:
    """One request of a generated load."""

    gap_ms: int
    prompt: int
    output: int
    family: int
    adapter: str | None
    aborted_after: int | None


SENT = st.builds(
    Sent,
    gap_ms=st.integers(0, 120),
    prompt=st.integers(1, 160),
    output=st.integers(0, 60),
    family=st.integers(0, 2),
    adapter=st.sampled_from([None, None, "a", "b", "c"]),
    aborted_after=st.none() | st.integers(0, 6),
)
LIMITS = st.builds(
    Limits,
    max_num_batched_tokens=st.sampled_from([16, 48, 8192]),
    max_num_seqs=st.integers(1, 6),
    max_loras=st.integers(1, 3),
    block_count=st.just(CAPACITY),
)


def play(sent: list[Sent], limits: Limits) -> tuple[list[Step], Replica, dict[int, SimRequest]]:
    """Run *sent*; after each step, check what holds at all times."""
    machine, steps, now_s, arrival_s = Replica(ROUND, limits), list[Step](), 0.0, 0.0
    todo: list[tuple[float, SimRequest, int | None]] = []
    for number, one in enumerate(sent):
        arrival_s += one.gap_ms / 1000
        request = ask(number, one.prompt, one.output, one.family, one.adapter)
        todo.append((arrival_s, request, one.aborted_after))
    requests = {request.number: request for _, request, _ in todo}
    aborts: dict[int, int] = {}
    while todo or machine.start_s(now_s) is not None:
        start_s = machine.start_s(now_s)
        if start_s is None or (todo and todo[0][0] <= start_s):
            at_s, request, after = todo.pop(0)
            machine.submit(request, at_s)
            if after is not None:
                aborts[request.number] = len(steps) + after
            continue
        step = machine.step(start_s)
        assert step
        steps.append(step)
        now_s = start_s + step.duration_s
        for number in [number for number, when in aborts.items() if when <= len(steps)]:
            del aborts[number]
            machine.abort(number, now_s)
        seen = machine.metrics()
        assert 0.0 <= seen.kv_used_ratio <= 1.0
        assert seen.running <= limits.max_num_seqs
        assert len(seen.running_adapters) <= limits.max_loras
        assert all(machine.pool.references(block) >= 0 for block in range(CAPACITY))
    return steps, machine, requests


@settings(max_examples=120, deadline=None)
@given(sent=st.lists(SENT, max_size=14), limits=LIMITS)
def test_every_request_ends_once_with_all_its_tokens_unless_it_was_aborted(
    sent: list[Sent], limits: Limits
) -> None:
    steps, machine, requests = play(sent, limits)
    finished = [one.number for step in steps for one in step.finished]
    emitted = [number for step in steps for number in step.emitted]
    ended = sum(machine.metrics().finished.values())

    assert len(set(finished)) == len(finished)
    assert ended == len(requests)
    for number, request in requests.items():
        tokens = emitted.count(number)
        assert tokens <= request.output_tokens
        if number in finished:
            assert tokens == request.output_tokens
        else:
            assert sent[number].aborted_after is not None


@settings(max_examples=60, deadline=None)
@given(sent=st.lists(SENT, max_size=14), limits=LIMITS)
def test_an_empty_replica_holds_no_block(sent: list[Sent], limits: Limits) -> None:
    _, machine, _ = play(sent, limits)
    seen = machine.metrics()

    assert machine.pool.free_count == CAPACITY
    assert (seen.running, seen.waiting, seen.kv_used_ratio) == (0, 0, 0.0)
    assert seen.prefix_hit_tokens <= seen.prefix_queried_tokens


@settings(max_examples=30, deadline=None)
@given(sent=st.lists(SENT, max_size=14), limits=LIMITS)
def test_the_same_requests_give_the_same_steps(sent: list[Sent], limits: Limits) -> None:
    once, first, _ = play(sent, limits)
    again, second, _ = play(sent, limits)

    assert once == again
    assert first.metrics() == second.metrics()
