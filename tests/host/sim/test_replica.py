import pytest

from headrace.host.sim.replica import Limits, Replica
from headrace.host.sim.request import FinishReason, SimRequest
from headrace.host.sim.step_time import Profile
from tests.host.sim.world import ROUND, ask, drain, replica


def test_an_idle_replica_has_no_step() -> None:
    machine = replica()

    assert machine.start_s(5.0) is None
    assert machine.step(5.0) is None


def test_the_first_token_leaves_with_the_prefill_and_then_one_per_step() -> None:
    machine = replica()
    machine.submit(ask(1, prompt=20, output=3), now_s=0.0)
    run = drain(machine)

    assert [step.emitted for step in run.steps] == [(1,), (1,), (1,)]
    assert run.ends_s == pytest.approx((0.030, 0.041, 0.052))
    assert run.finished() == [1]


def test_a_request_is_seen_only_once_it_is_ingested() -> None:
    machine = Replica(Profile("slow", 10, 0, 0, 0, 1024, 1024, ingest_ms=15))
    machine.submit(ask(1, 4, 1), now_s=1.0)

    assert machine.step(1.0) is None
    assert machine.start_s(1.0) == pytest.approx(1.015)
    assert machine.start_s(2.0) == 2.0


def test_a_long_prompt_is_computed_in_chunks_of_the_token_budget() -> None:
    machine = replica(max_num_batched_tokens=64)
    machine.submit(ask(1, prompt=150, output=1), 0.0)
    run = drain(machine)

    assert [round(step.duration_s * 1000) for step in run.steps] == [74, 74, 32]
    assert [step.emitted for step in run.steps] == [(), (), (1,)]


def test_running_requests_come_before_waiting_ones() -> None:
    machine = replica(max_num_batched_tokens=32)
    machine.submit(ask(1, 16, 4), 0.0)
    machine.step(0.0)
    machine.submit(ask(2, 40, 1), 0.1)
    batch = machine.start(0.1)

    assert batch
    assert [(progress.request.number, tokens) for progress, tokens in batch.chunks] == [
        (1, 1),
        (2, 31),
    ]


def test_no_more_than_max_num_seqs_run_at_once() -> None:
    machine = replica(max_num_seqs=2)
    for number in range(3):
        machine.submit(ask(number, 4, 2), 0.0)
    machine.start(0.0)
    seen = machine.metrics()

    assert (seen.running, seen.waiting, seen.deferred) == (2, 1, 0)


def test_the_head_of_the_queue_blocks_when_blocks_run_out() -> None:
    machine = replica(block_count=4)
    machine.submit(ask(1, 40, 2), 0.0)
    machine.submit(ask(2, 40, 2), 0.0)
    machine.submit(ask(3, 4, 2), 0.0)
    run_now = machine.start(0.0)

    assert run_now
    assert [progress.request.number for progress, _ in run_now.chunks] == [1]
    assert machine.waiting_count == 2


def test_without_blocks_the_last_running_is_preempted_and_computed_again() -> None:
    machine = replica(block_count=4)
    machine.submit(ask(1, 31, 6), 0.0)
    machine.submit(ask(2, 31, 6), 0.0)
    machine.submit(ask(3, 2, 1), 0.1)
    run = drain(machine)
    preempting = [step for step in run.steps if step.preempted]

    assert [step.preempted for step in preempting] == [(2,)]
    assert preempting[0].emitted == (1,), "nothing is admitted in a step that preempted"
    back = next(step for step in run.steps if 3 in step.emitted)
    assert back.emitted == (2, 3), "the preempted one is the head of the queue"
    assert [run.tokens(number) for number in (1, 2, 3)] == [6, 6, 1]
    assert machine.metrics().preemptions == 1


def test_a_preempted_request_finds_its_own_blocks_again() -> None:
    fresh, cached = replica(block_count=4), replica(block_count=4)
    for machine, family in ((fresh, 0), (cached, 7)):
        machine.submit(ask(1, 31, 6), 0.0)
        machine.submit(ask(2, 31, 6, family), 0.0)

    assert drain(cached).ends_s[-1] < drain(fresh).ends_s[-1]


@pytest.mark.parametrize(
    ("prompt", "cached"),
    [(15, 0), (16, 0), (17, 16), (32, 16), (33, 32), (100, 96)],
)
def test_the_cached_prefix_is_whole_blocks_and_never_the_last_token(
    prompt: int, cached: int
) -> None:
    machine = replica()
    machine.submit(ask(1, prompt, 1, family=7), 0.0)
    machine.submit(ask(2, prompt, 1, family=7), 10.0)
    run = drain(machine)

    assert run.cached() == {1: 0, 2: cached}
    assert machine.metrics().prefix_hit_tokens == cached
    assert machine.metrics().prefix_queried_tokens == 2 * prompt


def test_blocks_are_found_only_after_their_chunk_is_computed() -> None:
    machine = replica()
    machine.submit(ask(1, 64, 1, family=7), 0.0)
    machine.submit(ask(2, 64, 1, family=7), 0.0)

    assert drain(machine).cached() == {1: 0, 2: 0}


def test_a_hit_is_looked_up_at_admission_not_at_arrival() -> None:
    machine = replica(max_num_seqs=1)
    machine.submit(ask(1, 64, 1, family=7), 0.0)
    machine.submit(ask(2, 64, 1, family=7), 0.0)

    assert drain(machine).cached() == {1: 0, 2: 48}


def test_the_answer_is_cached_for_the_next_turn() -> None:
    machine = replica()
    machine.submit(ask(1, 32, 33, family=7), 0.0)
    machine.submit(ask(2, 80, 1, family=7), 10.0)

    assert drain(machine).cached()[2] == 64


def test_an_embedding_ends_with_its_prefill_and_yields_no_token() -> None:
    machine = replica()
    machine.submit(SimRequest(1, 20, 0, finish=FinishReason.STOP), 0.0)
    run = drain(machine)

    assert [step.emitted for step in run.steps] == [()]
    assert run.finished() == [1]
    assert machine.metrics().prompt_tokens == 20


def test_a_request_whose_adapter_has_no_slot_is_passed_over() -> None:
    machine = replica(max_loras=1)
    machine.submit(ask(1, 4, 2, adapter="a"), 0.0)
    machine.submit(ask(2, 4, 1, adapter="b"), 0.0)
    machine.submit(ask(3, 4, 1), 0.0)
    machine.start(0.0)
    seen = machine.metrics()

    assert seen.running_adapters == ("a",)
    assert seen.waiting_adapters == ("b",)
    assert (seen.running, seen.waiting, seen.deferred) == (2, 1, 1)
    assert sorted(drain(machine, 0.1).finished()) == [1, 2, 3]


def test_adapters_slow_the_step_and_a_cold_one_has_to_be_loaded() -> None:
    machine = Replica(
        Profile("lora", 10, 0, 0, 0, 1024, 1024, ingest_ms=0, lora_ratio=0.1, adapter_load_ms=50),
        Limits(max_loras=2),
    )
    machine.submit(ask(1, 4, 2, adapter="a"), 0.0)
    machine.submit(ask(2, 4, 2, adapter="b"), 0.0)
    both = drain(machine)
    machine.submit(ask(3, 4, 1, adapter="b"), 1.0)
    warm = drain(machine)
    machine.submit(ask(4, 4, 1, adapter="c"), 2.0)
    machine.submit(ask(5, 4, 1, adapter="b"), 3.0)
    evicting = drain(machine)
    machine.unload("b")
    machine.submit(ask(6, 4, 1, adapter="b"), 4.0)

    assert [step.duration_s for step in both.steps] == pytest.approx([0.112, 0.012])
    assert [step.duration_s for step in warm.steps] == pytest.approx([0.011])
    assert [step.duration_s for step in evicting.steps] == pytest.approx([0.061, 0.011])
    assert [step.duration_s for step in drain(machine).steps] == pytest.approx([0.061])


@pytest.mark.parametrize("when", ["waiting", "under way", "between steps"])
def test_an_aborted_request_frees_its_blocks_and_yields_nothing_more(when: str) -> None:
    machine = replica()
    machine.submit(ask(1, 40, 5), 0.0)
    batch = None if when == "waiting" else machine.start(0.0)
    if batch and when == "between steps":
        machine.finish(batch)
    aborted = machine.abort(1, 0.02)

    assert aborted
    if batch and when == "under way":
        assert machine.finish(batch).emitted == ()
    assert machine.pool.used_ratio == 0.0
    assert machine.metrics().finished == {FinishReason.ABORT: 1}
    assert not machine.abort(1, 0.03)


def test_metrics_show_the_step_under_way() -> None:
    machine = replica()
    machine.submit(ask(1, 32, 1), 0.0)
    batch = machine.start(0.0)
    seen = machine.metrics()

    assert batch
    assert (seen.running, seen.kv_used_ratio) == (1, 2 / 64)
    machine.finish(batch)
    after = machine.metrics()
    assert (after.running, after.kv_used_ratio) == (0, 0.0)


def test_the_context_is_bounded_by_the_cache() -> None:
    assert replica(block_count=4).context_tokens_max == 64
    assert Replica(ROUND).context_tokens_max == ROUND.context_tokens_max


def test_latencies_are_measured_from_arrival() -> None:
    machine = replica(max_num_seqs=1)
    machine.submit(ask(1, 10, 3), 0.0)
    machine.submit(ask(2, 10, 1), 0.0)
    drain(machine)
    seen = machine.metrics().latencies

    assert seen.first_token.total == pytest.approx(0.020 + 0.062)
    assert sum(seen.token_gap.counts) == 2
    assert seen.token_gap.total == pytest.approx(0.022)
    assert seen.queue.total == pytest.approx(0.042)
    assert seen.prefill.total == pytest.approx(0.040)
    assert seen.decode.total == pytest.approx(0.022)
    assert seen.whole.total == pytest.approx(0.042 + 0.062)
