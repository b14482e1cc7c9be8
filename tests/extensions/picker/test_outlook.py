"""The cost model: numbers that can be checked by hand, and what holds of all of them."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from headrace.dsl.program import Speed
from headrace.dsl.vocabulary import variables
from headrace.extensions.picker.cost.load import Carried
from headrace.extensions.picker.cost.outlook import NO_OUTLOOK, Latest, Outlook
from headrace.extensions.picker.feedback import SPEED_MAX, Feedback, Means
from headrace.extensions.picker.snapshot import Endpoint
from headrace.extensions.picker.staging import OUTLOOK
from headrace.extensions.work import Work

# Round numbers: 10 ms a step, 1 ms an answer, 1 ms per 1,000 tokens of these, 1 ms a token.
ROUND = Speed(0.01, 0.001, 0.001, 0.001, 0.0, 0.0, 100, 8)
MODEL = Outlook(ROUND, means=Means(output_tokens=100.0, uncached_tokens=50.0, match_ratio=0.5))
PROMPT = Work(50, streams=True)


def at(
    carried: Carried | None = None,
    decoding: int = 0,
    blocks: int | None = None,
    kv_cache: float = 0.0,
    outlook: Outlook = MODEL,
) -> Endpoint:
    """Return an endpoint whose cache has *blocks* of 16 tokens."""
    return Endpoint(
        "a",
        "a",
        True,
        kv_cache=kv_cache,
        block_size=16,
        num_blocks=blocks,
        decoding=decoding,
        carried=carried or Carried(),
        outlook=outlook,
    )


def ttft(e: Endpoint, work: Work = PROMPT, now_s: float = 100.0) -> float:
    return e.outlook.predicted_ttft(e, work, now_s)


def test_an_idle_server_takes_a_step_and_the_prompt() -> None:
    assert ttft(at()) == pytest.approx(0.010 + 0.050)


def test_what_is_cached_takes_no_time_but_its_last_token_does() -> None:
    half, whole = Work(50, prefix={"a": 0.5}), Work(50, prefix={"a": 1.0})

    assert ttft(at(), half) == pytest.approx(0.010 + 0.025)
    assert ttft(at(), whole) == pytest.approx(0.010 + 0.001)


def test_prompts_ahead_take_their_time_in_steps_of_a_bounded_size() -> None:
    waiting = Carried(prefills=2, prefill_tokens=120)

    assert ttft(at(waiting)) == pytest.approx(2 * 0.010 + 0.170)


def test_the_step_under_way_has_got_somewhere() -> None:
    begun = Carried(prefills=1, prefill_tokens=90, batch_tokens=90, batch_since_s=99.96)
    # Of its 100 ms, 40 are over; then a step with the prompt.
    assert ttft(at(begun)) == pytest.approx(0.060 + 0.060)
    # It is overdue, and will be over at any time.
    assert ttft(at(begun), now_s=200.0) == pytest.approx(0.060)


def test_answers_make_each_step_longer_and_the_prompt_waits_for_the_end_of_one() -> None:
    busy = at(Carried(decode_tokens=4000, decode_first_us=4 * 100_000_000), decoding=4)
    step_s = 0.010 + 0.004 + 0.004

    assert ttft(busy) == pytest.approx(step_s / 2 + step_s + 0.050)
    assert busy.outlook.itl(busy, PROMPT, 100.0) == pytest.approx(step_s + 0.001 + 0.00005)
    assert busy.outlook.decode_delay(busy, PROMPT, 100.0) == pytest.approx(4 * 0.050)


def test_requests_of_others_count_with_the_mean_of_ours() -> None:
    assert ttft(at(Carried(foreign_waiting=1))) == pytest.approx(0.010 + 0.050 + 0.050)
    busy = at(Carried(foreign_running=2))
    assert busy.outlook.decode_delay(busy, PROMPT, 100.0) == pytest.approx(2 * 0.050)


def test_an_answer_grows_with_time_until_it_is_as_long_as_expected() -> None:
    e = at(Carried(decode_tokens=1000, decode_first_us=90_000_000, decode_output_tokens=30), 1)
    step_s = 0.010 + 0.001 + 0.001

    assert e.outlook.decode_context_tokens(e, PROMPT, 90.0 + 5.5 * step_s) == 1005
    assert e.outlook.decode_context_tokens(e, PROMPT, 900.0) == 1030


def test_prompts_that_keep_coming_make_tokens_come_slower() -> None:
    # 693 tokens, of a half-life of 4 s: as if 120 a second came, each of 1 ms.
    e = at(Carried(recent_tokens=120 * 4 / math.log(2), recent_at_s=100.0))

    assert e.outlook.itl(e, PROMPT, 100.0) == pytest.approx((0.010 + 0.001 + 0.00005) / 0.88)
    assert e.outlook.itl(e, PROMPT, 1000.0) == pytest.approx(0.010 + 0.001 + 0.00005)


def test_who_finds_no_slot_waits_until_an_answer_ends() -> None:
    e = at(Carried(prefills=1, prefill_tokens=1, decode_first_us=7 * 100_000_000), decoding=7)
    step_s = 0.010 + 0.007
    without = replace(e, outlook=Outlook(replace_slots(9), means=MODEL.means))

    assert ttft(e) - ttft(without) == pytest.approx(100 * step_s / 7)


def replace_slots(slots: int) -> Speed:
    return Speed(0.01, 0.001, 0.001, 0.001, 0.0, 0.0, 100, slots)


def test_who_finds_no_memory_waits_for_as_many_ends_as_it_needs() -> None:
    carried = Carried(decode_tokens=400, decode_first_us=4 * 100_000_000)
    free = at(carried, 4, blocks=100, kv_cache=0.5)
    full = at(carried, 4, blocks=100, kv_cache=1.0)
    step_s = 0.010 + 0.004 + 0.0004

    # 50 tokens are missing, and each end gives back 100.
    assert ttft(full) - ttft(free) == pytest.approx(0.5 * 100 * step_s / 4)
    assert free.outlook.kv_free_tokens(free, PROMPT, 0.0) == 800
    assert full.outlook.kv_free_tokens(full, PROMPT, 0.0) == 0
    assert at().outlook.kv_free_tokens(at(), PROMPT, 0.0) is None


def test_what_a_prompt_pushes_out_of_a_full_cache_has_to_be_computed_again() -> None:
    def cost(filled: int) -> float:
        e = at(Carried(filled_tokens=filled), blocks=100)
        return e.outlook.eviction_cost(e, PROMPT, 0.0)

    # 50 of the prompt and 100 of the answer; half of what is sent there is found again.
    assert cost(0) == 0.0
    assert cost(1600) == cost(9999) == pytest.approx(150 * 0.5 * 0.001)
    assert cost(1500) == pytest.approx(50 * 0.5 * 0.001)
    assert at().outlook.eviction_cost(at(), PROMPT, 0.0) == 0.0


def test_answers_that_would_be_late_are_late_by_what_they_are_not_ahead() -> None:
    e = at(Carried(slacks_s=(0.010, 0.040, 0.060)))

    assert e.outlook.slo_slack(e, PROMPT, 0.0) == pytest.approx(0.040 + 0.010)
    assert at().outlook.slo_slack(at(), PROMPT, 0.0) == 0.0


def test_a_server_of_half_the_speed_takes_twice_the_time() -> None:
    slow = Feedback(log_speed=-math.log(2), speeds=9, speed_at_s=100.0)
    e = replace(at(), outlook=MODEL.learning(slow, MODEL.means))

    assert ttft(e) == pytest.approx(2 * 0.060)
    assert e.outlook.speed(e, PROMPT, 100.0) == pytest.approx(0.5)


COUNTS = st.integers(0, 1 << 20)
TIMES = st.floats(0.0, 1e6)
SPEEDS = st.builds(
    Speed,
    st.floats(1e-6, 10.0),
    *(st.floats(0.0, 1.0),) * 3,
    st.floats(0.0, 0.001),
    st.floats(0.0, 10.0),
    st.integers(16, 1 << 24),
    st.integers(1, 1 << 20),
)
LOGS = st.floats(-math.log(SPEED_MAX), math.log(SPEED_MAX))
OUTLOOKS = st.builds(
    Outlook,
    SPEEDS,
    st.builds(Feedback, LOGS, COUNTS, TIMES, TIMES, TIMES, TIMES, TIMES, TIMES),
    st.builds(Means, st.floats(0.0, 1e6), st.floats(0.0, 1e6), st.floats(0.0, 1.0), LOGS),
)
CARRIED = st.builds(
    Carried,
    *(COUNTS,) * 5,
    TIMES,
    COUNTS,
    st.integers(0, 1 << 50),
    *(COUNTS,) * 5,
    st.lists(TIMES, max_size=9).map(lambda slacks: tuple(sorted(slacks))),
    st.floats(0.0, 1e9),
    TIMES,
)
ENDPOINTS = st.builds(
    at,
    CARRIED,
    st.integers(0, 1000),
    st.none() | st.integers(1, 1 << 20),
    st.floats(0.0, 1.0),
    OUTLOOKS,
)
WORKS = st.builds(
    Work,
    COUNTS,
    st.integers(0, 1 << 20),
    prefix=st.dictionaries(st.just("a"), st.floats(0.0, 1.0), max_size=1),
)


@given(e=ENDPOINTS, work=WORKS, now_s=TIMES)
def test_what_it_says_is_a_number_within_the_range_of_the_vocabulary(
    e: Endpoint, work: Work, now_s: float
) -> None:
    for name in sorted(OUTLOOK):
        variable = variables()[name]
        value = getattr(e.outlook, name.partition(".")[2])(e, work, now_s)

        assert variable.range is not None
        if value is None:
            assert variable.optional, name
        else:
            assert variable.range.lo <= value <= variable.range.hi, name


@given(e=ENDPOINTS, work=WORKS, now_s=TIMES, more=st.integers(1, 100_000))
def test_a_longer_prompt_never_takes_less(e: Endpoint, work: Work, now_s: float, more: int) -> None:
    longer = replace(work, prompt_tokens=work.prompt_tokens + more)

    for said in (e.outlook.predicted_ttft, e.outlook.decode_delay, e.outlook.eviction_cost):
        assert said(e, longer, now_s) >= said(e, work, now_s) * (1 - 1e-9), said.__name__


@given(e=ENDPOINTS, work=WORKS, now_s=TIMES, more=st.integers(1, 100_000))
def test_a_longer_queue_never_takes_less(e: Endpoint, work: Work, now_s: float, more: int) -> None:
    c = e.carried
    assume(c.batch_tokens <= c.prefill_tokens and c.batch_pairs <= c.prefill_pairs)
    busier = replace(e, carried=replace(c, prefill_tokens=c.prefill_tokens + more))
    foreign = replace(e, carried=replace(c, foreign_waiting=c.foreign_waiting + 1))

    before = e.outlook.predicted_ttft(e, work, now_s)
    assert busier.outlook.predicted_ttft(busier, work, now_s) >= before * (1 - 1e-9)
    assert foreign.outlook.predicted_ttft(foreign, work, now_s) >= before * (1 - 1e-9)


@given(work=WORKS, share=st.floats(0.0, 1.0), address=st.sampled_from("ab"))
def test_what_is_not_cached_is_between_a_token_and_the_prompt(
    work: Work, share: float, address: str
) -> None:
    work = replace(work, prefix={"a": share})
    uncached = work.uncached_at(address)

    assert min(1, work.prompt_tokens) <= uncached <= work.prompt_tokens
    assert work.at(address, 100.0).pairs_twice >= 0


@given(e=ENDPOINTS, work=WORKS, now_s=TIMES, later_s=TIMES)
def test_what_was_asked_before_changes_no_answer(
    e: Endpoint, work: Work, now_s: float, later_s: float
) -> None:
    other = replace(e, decoding=e.decoding + 1)
    slower = replace(e.outlook, means=replace(e.outlook.means, log_speed=-1.0))
    asked = [(e, e.outlook, now_s), (e, e.outlook, later_s), (other, e.outlook, later_s)]
    for endpoint, outlook, at_s in [*asked, (other, slower, later_s), *asked]:
        fresh = Outlook(outlook.speeds, outlook.feedback, outlook.means)

        for said in ("predicted_ttft", "decode_delay", "itl"):
            of = getattr(outlook, said)(endpoint, work, at_s)
            assert of == getattr(fresh, said)(endpoint, work, at_s), said


def test_models_of_one_endpoint_are_equal_whatever_they_were_asked() -> None:
    asked, e = replace(MODEL, _latest=Latest()), at()
    asked.itl(e, PROMPT, 100.0)

    assert asked == MODEL
    assert hash(Latest()) == hash(Latest())
    assert "Latest()" in repr(asked)
    assert Latest() != 1


def test_a_value_of_nothing_is_asked_of_no_one() -> None:
    e = Endpoint("a", "a")

    assert ttft(e, Work()) == pytest.approx(0.015 + 0.014)
    assert NO_OUTLOOK.uncached_tokens(e, Work(), 0.0) == 0
