"""What the lints prove no state contradicts, and what they show an evaluation confirms."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.lints.cases import cases, implies, possible
from headrace.dsl.lints.witness import Value, evaluator, search
from headrace.dsl.policy import check_policy
from headrace.dsl.problems.diagnostic import Diagnostic
from headrace.dsl.source import Source
from tests.dsl.facts import checked
from tests.dsl.lints.conditions import conditions, outcome, states

HEAD = 'sched 1\npool gemma { endpoints "10.0.0.1:8000" }\nmodel chat { route gemma }\n'
State = dict[str, Value]


def found(text: str) -> tuple[Diagnostic, ...]:
    return check_policy([Source("t.sched", HEAD + text)])


@settings(max_examples=120, deadline=None)
@given(conditions, st.lists(states, min_size=6, max_size=6))
def test_what_cannot_come_out_never_does(text: str, tried: list[State]) -> None:
    typed, _ = checked(text)
    run = evaluator(typed)
    came = {value for value in map(run, tried) if isinstance(value, bool)}

    assert all(possible((typed, value)) for value in came)


@settings(max_examples=60, deadline=None)
@given(conditions, conditions, st.lists(states, min_size=6, max_size=6))
def test_what_follows_from_a_condition_holds_with_it(a: str, b: str, tried: list[State]) -> None:
    one, other = checked(a)[0], checked(b)[0]
    if implies(one, other):
        runs = evaluator(one), evaluator(other)

        assert all(runs[1](state) is True for state in tried if runs[0](state) is True)


@settings(max_examples=60, deadline=None)
@given(conditions, st.lists(states, min_size=6, max_size=6))
def test_a_condition_reported_as_always_or_never_true_is_that_in_every_state(
    text: str, tried: list[State]
) -> None:
    reported = found(f"filter f = {text}\nprofile default {{ prefer f }}\n")
    span = len(HEAD) + len("filter f = ")
    whole = [
        d
        for d in reported
        if d.code in ("S311", "S312") and (d.span.start, d.span.end) == (span, span + len(text))
    ]
    for diagnostic in whole:
        truth = diagnostic.code == "S311" and "true" in diagnostic.message

        assert all(outcome(text, state) is not (not truth) for state in tried)


@settings(max_examples=60, deadline=None)
@given(conditions)
def test_a_witness_is_confirmed_by_an_evaluation(text: str) -> None:
    typed, _ = checked(text)
    seen = search(typed, lambda value: value is True)
    if seen is not None:
        assert outcome(text, seen.values) is True


OF_REQUESTS = {
    "endpoint.queue": "pool.max.queue",
    "endpoint.running": "pool.max.running",
    "endpoint.kv_cache": "pool.kv_cache",
    "endpoint.zone": "pool.name",
    "endpoint.ready": "request.stream",
}


@settings(max_examples=30, deadline=None)
@given(conditions)
def test_a_shed_is_reported_if_and_only_if_it_may_turn_away_the_urgent(text: str) -> None:
    for name, other in OF_REQUESTS.items():
        text = text.replace(name, other)
    reported = found(f"overload when pool.queue > 5 {{ shed when {text} }}\n")
    typed, _ = checked(f"pool.queue > 5.0 && ({text}) && request.priority >= 0")
    case = next(cases([(typed, True)]), None)

    assert ("S305" in {d.code for d in reported}) is (case is not None)
    if any("\n" in d.label for d in reported if d.code == "S305"):
        assert case is not None
        assert search(typed, lambda value: value is True, case) is not None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("endpoint.kv_cache + 50%", 1.5),
        ("2.0 - endpoint.kv_cache", 2.0),
        ("1.0 - double(endpoint.queue)", None),
        ("request.stream ? 2.0 : 0.5", 2.0),
    ],
)
def test_a_scorer_that_leaves_its_range_is_shown_with_a_value_that_does(
    text: str, value: float | None
) -> None:
    (one,) = [
        d for d in found(f"scorer s = {text}\nprofile default {{ score s }}\n") if d.code == "S314"
    ]
    seen = search(checked(text)[0], lambda v: isinstance(v, float) and not 0 <= v <= 1)

    assert seen is not None
    assert value is None or one.label.startswith(f"is {value:g} with")


@pytest.mark.parametrize(
    "text",
    [
        "endpoint.kv_cache - endpoint.kv_cache * 0.5",
        "endpoint.queue < 128 ? 1.0 - double(endpoint.queue) / 128.0 : 0.0",
        "pool.size == 0 ? 1.0 : 1.0 / double(pool.size)",
    ],
)
def test_a_scorer_that_stays_inside_is_not_reported(text: str) -> None:
    reported = found(f"scorer s = {text}\nprofile default {{ score s }}\n")

    assert [d.code for d in reported if d.code in ("S314", "S309")] == []
