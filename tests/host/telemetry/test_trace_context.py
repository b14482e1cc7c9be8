from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.host.telemetry.trace_context import Ids, Parent, Sampler, parse

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = Parent(int(TRACE, 16), int(SPAN, 16), True)


@pytest.mark.parametrize(
    ("header", "parent"),
    [
        (f"00-{TRACE}-{SPAN}-01", PARENT),
        (f" 00-{TRACE}-{SPAN}-01 ", PARENT),
        (f"00-{TRACE}-{SPAN}-00", Parent(PARENT.trace_id, PARENT.span_id, False)),
        (f"00-{TRACE}-{SPAN}-03", PARENT),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-brings", PARENT),
        (f"cc-{TRACE}-{SPAN}-01", PARENT),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}", None),
        ("", None),
    ],
)
def test_a_traceparent_is_read_as_the_w3c_says(header: str, parent: Parent | None) -> None:
    assert parse(header) == parent


@given(st.text())
def test_no_text_raises(header: str) -> None:
    parse(header)


@given(st.text(), st.floats(0.0, 1.0), st.none() | st.floats(0.0, 1.0))
def test_a_client_s_choice_goes_before_every_ratio(
    request: str, flag: float, said: float | None
) -> None:
    sampler = Sampler(flag)

    assert sampler.keeps(Parent(1, 1, True), request, said)
    assert not sampler.keeps(Parent(1, 1, False), request, said)


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 1.0])
def test_the_ratio_of_new_traces_is_kept(ratio: float) -> None:
    sampler, n = Sampler(ratio), 5_000
    kept = sum(sampler.keeps(None, f"r-{i}") for i in range(n))

    assert abs(kept / n - ratio) < 0.03


@given(st.text(), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_higher_ratio_keeps_all_that_a_lower_one_keeps(request: str, a: float, b: float) -> None:
    low, high = sorted((a, b))

    assert Sampler(low).keeps(None, request) <= Sampler(high).keeps(None, request)


@given(st.text(), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_what_the_policy_says_goes_before_the_flag(request: str, flag: float, said: float) -> None:
    assert Sampler(flag).keeps(None, request, said) == Sampler(said).keeps(None, request)


def test_ids_are_never_zero_and_of_their_width() -> None:
    ids = Ids(Random(1))

    assert all(0 < ids.trace() < 1 << 128 and 0 < ids.span() < 1 << 64 for _ in range(100))
