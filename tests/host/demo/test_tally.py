"""Counting: the summary's shape, and what counts as unexpected."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.host.demo.tally import Result, Tally, quantile
from headrace.host.demo.view import board, conclusion

POOL_OF = {"127.0.0.1:1": "gemma", "127.0.0.1:2": "gemma", "127.0.0.1:3": "gemma-new"}
SERVED = Result("chat", "chatbot", 200, "127.0.0.1:1", "", 0.25, 100, 60, 20)
SHED = Result("batch", "chatbot", 429, reason="shed")


def tally(*results: Result) -> Tally:
    counted = Tally(POOL_OF)
    for result in results:
        counted.sent += 1
        counted.add(result)
    return counted


def test_the_summary_counts_by_everything_the_policy_decides() -> None:
    adapter = Result("adapter", "english-bot", 200, "127.0.0.1:3", "", 0.75, 100, 0, 5)

    summary = tally(SERVED, SERVED, adapter, SHED).summary()

    assert msgspec.json.decode(msgspec.json.encode(summary)) == {
        "requests": 4,
        "by_status": {"200": 3, "429": 1},
        "by_model": {"chatbot": 3, "english-bot": 1},
        "by_pool": {"gemma": 2, "gemma-new": 1},
        "by_endpoint": {"127.0.0.1:1": 2, "127.0.0.1:2": 0, "127.0.0.1:3": 1},
        "shed": {"chat": 0, "adapter": 0, "batch": 1},
        "ttft_ms": {"p50": 250.0, "p90": 750.0, "p99": 750.0},
        "prefix_hit_ratio": 0.4,
        "errors": 0,
        "unexpected": [],
    }


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (Result("chat", "m", 429, reason="shed"), "chat request for `m` was shed"),
        (Result("batch", "m", 429), "batch request for `m`: status 429 (no reason given)"),
        (Result("chat", "m", 503, reason="bug"), "chat request for `m`: status 503 (bug)"),
        (Result("chat", "m", 0, error="gone"), "chat request for `m`: gone"),
        (
            Result("chat", "m", 200, "10.0.0.9:1"),
            "chat request for `m` was served by `10.0.0.9:1`, which is no endpoint of the policy",
        ),
    ],
)
def test_what_a_sound_system_does_not_do_is_unexpected(result: Result, says: str) -> None:
    counted = tally(result)

    assert counted.errors == 1
    assert counted.notes == [says]


def test_notes_are_bounded_and_errors_are_counted_on() -> None:
    counted = tally(*[Result("chat", "m", 500)] * 100)

    assert counted.errors == 100
    assert len(counted.notes) == 20


def test_nothing_sent_is_no_division_by_zero() -> None:
    summary = tally().summary()

    assert summary["prefix_hit_ratio"] == 0.0
    assert summary["ttft_ms"] == {"p50": 0.0, "p90": 0.0, "p99": 0.0}
    assert "0 requests" in conclusion(tally())
    assert board("title", tally())


def test_the_conclusion_is_in_words_and_numbers() -> None:
    text = conclusion(tally(SERVED, SHED))

    assert text == (
        "2 requests: 1 served, 1 shed (chat 0, adapter 0, batch 1), 0 unexpected\n"
        "first token after 250 ms (median), 250 ms (p99)\n"
        "60% of all prompt tokens were already in the chosen replica's cache\n"
        "by pool: gemma 100%, gemma-new 0%"
    )


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_quantile_is_one_of_the_values_and_enough_are_not_above(
    values: list[float], share: float
) -> None:
    found = quantile(values, share)

    assert found in values
    assert sum(v <= found for v in values) >= share * len(values)
