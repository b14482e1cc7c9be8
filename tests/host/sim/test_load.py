import itertools
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.host.sim.chance import Splitmix, exponential, pick
from headrace.host.sim.load import (
    OutputLength,
    PlannedRequest,
    PromptFamily,
    Workload,
    WorkloadClass,
    plan,
)
from headrace.host.sim.tokens import tokenize

DOCS = PromptFamily("docs", documents=3, shared_tokens=200, question_tokens=20)
BARE = PromptFamily("bare", documents=1, shared_tokens=0, question_tokens=10, weight=3)
CHAT = WorkloadClass("chat", "qwen", (DOCS,), OutputLength(60, 4, 300), 3, (("x-a", "b"),))
BATCH = WorkloadClass("batch", "llama", (DOCS, BARE), OutputLength(5, 5, 5), 1, stream=False)
MIX = Workload((CHAT, BATCH), rate_per_s=50)


def first(count: int, seed: int = 1, mix: Workload = MIX) -> list[PlannedRequest]:
    return list(itertools.islice(plan(mix, seed), count))


def test_a_plan_is_a_function_of_its_seed() -> None:
    assert first(50, seed=1) == first(50, seed=1)
    assert first(50, seed=1) != first(50, seed=2)


def test_requests_come_at_the_rate_asked_for_and_in_order() -> None:
    planned = first(2000)
    times_s = [one.send_s for one in planned]

    assert times_s == sorted(times_s)
    assert times_s[-1] == pytest.approx(2000 / 50, rel=0.1)
    assert [one.number for one in planned] == list(range(2000))


def test_classes_and_families_have_the_shares_of_their_weights() -> None:
    planned = first(2000)
    classes = Counter(one.workload_class for one in planned)
    families = Counter(one.family for one in planned if one.workload_class == "batch")

    assert classes["chat"] / 2000 == pytest.approx(0.75, abs=0.04)
    assert families["bare"] / families.total() == pytest.approx(0.75, abs=0.08)


def test_requests_of_a_document_share_its_text_and_no_question_comes_twice() -> None:
    planned = [one for one in first(300) if one.family == "docs"]
    shared = Counter(one.messages[0].content for one in planned)
    asked = {one.messages[-1].content for one in planned}

    assert len(shared) == 3
    assert len(asked) == len(planned)
    assert all(200 <= len(tokenize(text)) <= 210 for text in shared)


def test_a_family_without_a_document_asks_only_its_question() -> None:
    bare = next(one for one in first(300) if one.family == "bare")

    assert [message.role for message in bare.messages] == ["user"]


def test_output_lengths_keep_their_bounds_and_their_mean() -> None:
    lengths = [one.max_tokens for one in first(3000) if one.workload_class == "chat"]

    assert 4 <= min(lengths) <= max(lengths) <= 300
    assert sum(lengths) / len(lengths) == pytest.approx(60, rel=0.1)


def test_a_planned_request_becomes_a_chat_body() -> None:
    chat = next(one for one in first(50) if one.workload_class == "chat")
    batch = next(one for one in first(50) if one.workload_class == "batch")

    assert chat.headers == (("x-a", "b"),)
    assert chat.body()["stream_options"] == {"include_usage": True}
    assert "stream" not in batch.body()
    assert batch.body()["max_tokens"] == 5
    assert batch.body()["model"] == "llama"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: replace(DOCS, documents=0),
        lambda: replace(DOCS, question_tokens=0),
        lambda: replace(DOCS, weight=0),
        lambda: replace(CHAT, families=()),
        lambda: replace(CHAT, weight=0),
        lambda: replace(MIX, classes=()),
        lambda: replace(MIX, rate_per_s=0),
        lambda: OutputLength(mean=5, least=6),
    ],
)
def test_a_workload_that_makes_no_sense_is_refused(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(AssertionError):
        wrong()


def test_splitmix_gives_the_published_numbers() -> None:
    # The reference implementation's first output for seed 1234567 is 6457827717110365317.
    assert Splitmix(1234567).uniform() == (6457827717110365317 >> 11) / (1 << 53)


@given(seed=st.integers(), weights=st.lists(st.floats(0, 9), min_size=1).filter(any))
def test_only_what_has_weight_is_picked(seed: int, weights: list[float]) -> None:
    assert weights[pick(weights, Splitmix(seed))] > 0


class Always:
    """Chance without chance."""

    def __init__(self, value: float) -> None:
        self.value = value

    def uniform(self) -> float:
        return self.value


def test_a_number_near_one_picks_the_last_index_with_weight_in_spite_of_rounding() -> None:
    almost_one = 1 - 2**-53
    weights = [0.83, 0.9, 0.75, 0.81 + 0.01, 0.53, 0.56 + 0.01, 0.44, 0.06 + 0.01, 0.0]

    assert pick(weights, Always(almost_one)) == 7


@given(seed=st.integers())
def test_chance_keeps_its_range(seed: int) -> None:
    chance = Splitmix(seed)

    assert all(0 <= chance.uniform() < 1 for _ in range(20))
    assert exponential(3.0, chance) >= 0
