"""States and requests from files: they mean what a `test` block of the same content means."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import TestCase
from headrace.dsl.source import Source
from headrace.host.policytest.scenario import Unreadable, scenario
from tests.host.policytest.house import CHAT, program

POLICY = program(CHAT)


def case(state: object, request: object) -> TestCase:
    """Return the case that the compiler makes of both."""
    text = scenario("t", state, request, POLICY)
    (found,) = compile_policy([Source("p.sched", CHAT), Source("<given>", text)]).tests
    return found


def test_a_state_may_name_units_or_be_in_base_units() -> None:
    state = {"pools": {"gemma": {"a": {"kv_cache": "62%", "age": "500ms", "queue": 3}}}}
    plain = {"gemma": [{"name": "a", "kv_cache": 0.62, "age": 0.5, "queue": 3}]}

    for given_ in (state, plain):
        (endpoint,) = case(given_, None).pools[0].endpoints
        assert endpoint.name == "a"
        assert endpoint.values == {"kv_cache": 0.62, "age": 0.5, "queue": 3}


def test_a_request_names_a_model_of_the_policy_if_it_names_none() -> None:
    assert case(None, {"headers": {"X": "1"}}).request == {"model": "chat", "headers": {"X": "1"}}


def test_what_looks_like_a_quantity_stays_a_text_in_a_text() -> None:
    state = {"gemma": {"1.1.1.1:1": {"zone": "5s", "labels": {"a": "5%"}, "adapters": ["1h"]}}}
    (endpoint,) = case(state, None).pools[0].endpoints

    assert endpoint.name == "1.1.1.1:1"
    assert endpoint.values == {"zone": "5s", "labels": {"a": "5%"}, "adapters": ("1h",)}


@pytest.mark.parametrize(
    ("state", "request_", "words"),
    [
        ([1], None, "the state is no map"),
        ({"pools": {"gemma": 3}}, None, "pool `gemma`"),
        ({"gemma": {"a": 3}}, None, "endpoint `a` is no map"),
        ({"gemma": [3]}, None, "endpoint 0 of pool `gemma`"),
        (None, [], "the request is no map"),
        (None, {"model": None}, "`model` has no value"),
        ({"gemma": {"a": {"kv_cache": float("nan")}}}, None, "`kv_cache` is no number"),
        (None, {"prompt": "x" * (2 << 20)}, "more than 1 MiB"),
    ],
)
def test_another_shape_is_refused_with_its_place(
    state: object, request_: object, words: str
) -> None:
    with pytest.raises(Unreadable) as refused:
        scenario("t", state, request_, POLICY)

    assert words in str(refused.value)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    st.floats(0, 1), st.floats(0, 1e6), st.integers(0, 10**9), TEXTS,
    st.dictionaries(TEXTS, TEXTS, max_size=3),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_every_value_arrives_as_it_is(
    ratio: float, age_s: float, queue: int, zone: str, headers: dict[str, str]
) -> None:
    fields = {"kv_cache": ratio, "age": age_s, "queue": queue, "zone": zone}
    found = case({"gemma": {"a": fields}}, {"headers": headers})

    values = found.pools[0].endpoints[0].values
    assert values["queue"] == queue
    assert values["zone"] == zone
    assert values["kv_cache"] == pytest.approx(ratio, abs=1e-11)
    assert values["age"] == pytest.approx(age_s, abs=1e-8)
    assert found.request["headers"] == headers
