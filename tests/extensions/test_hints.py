"""What headers ask of the serving of a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.extensions.control import forged
from headrace.extensions.headers import Headers
from headrace.extensions.hints import HINT_S_MAX, NO_HINTS, TEXT_MAX, Hints, go_duration_s, hints_of


def test_no_header_is_no_hint() -> None:
    assert hints_of(Headers([(":path", "/")])) == NO_HINTS


def test_each_generation_of_names_is_read_and_the_newer_one_goes_first() -> None:
    old = [
        ("x-gateway-inference-fairness-id", "old"), ("x-slo-ttft-ms", "250"),
        ("x-slo-tpot-ms", "12.5"), ("x-llm-d-inference-ttl", "1m30s"), ("session_id", "s"),
    ]  # fmt: skip
    new = [
        ("x-llm-d-inference-fairness-id", "new"), ("x-llm-d-slo-ttft-ms", "100"),
        ("x-headrace-ttl", "2s"), ("x-session-id", "t"),
    ]  # fmt: skip

    assert hints_of(Headers(old)) == Hints("old", "s", 90.0, 0.25, 0.0125)
    assert hints_of(Headers([*old, *new])) == Hints("new", "t", 2.0, 0.1, 0.0125)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1.5s", 1.5), ("1h2m3s", 3723.0), ("250ms", 0.25), ("100h", HINT_S_MAX),
        ("", None), ("0s", None), ("5", None), ("-5s", None), ("5 s", None), ("1s!", None),
        ("٣s", None), ("1d", None),
    ],
)  # fmt: skip
def test_a_duration_is_one_of_go_above_zero(text: str, seconds: float | None) -> None:
    assert go_duration_s(text) == seconds


@given(st.text(max_size=400), st.sampled_from(["x-slo-ttft-ms", "x-headrace-ttl", "session-id"]))
def test_whatever_is_sent_hints_are_bounded(text: str, name: str) -> None:
    hints = hints_of(Headers([(name, text)]))

    for value in (hints.ttl_s, hints.slo_ttft_s, hints.slo_tpot_s):
        assert value is None or 0.0 < value <= HINT_S_MAX
    assert len(hints.session) <= TEXT_MAX


def test_a_ttl_is_stripped_unless_the_policy_trusts_it() -> None:
    headers = Headers([("x-headrace-ttl", "5s"), ("x-headrace-pool", "a"), ("accept", "*/*")])

    assert forged(headers, frozenset()) == ("x-headrace-ttl", "x-headrace-pool")
    assert forged(headers, frozenset({"ttl"})) == ("x-headrace-pool",)
