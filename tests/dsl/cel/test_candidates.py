"""`candidates` goes through the endpoints that a rule is asked about, and no others."""

import pytest

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program, RuleFault
from headrace.dsl.source import Source
from headrace.extensions.picker.snapshot import Endpoint, pool_state
from tests.extensions.picker.build import Asked

QUEUES = [0, 4, 4, 10]
MATCHES = {"b:1": 0.5, "d:1": 0.25}
Column = list[float | bool | RuleFault]


def program(keyword: str, text: str) -> Program:
    return compile_policy([
        Source("candidates.sched", f"""sched 1
pool gemma {{ endpoints "10.0.0.1:1" }}
model chatbot {{ route gemma }}
{keyword} rule = {text}
profile default {{ {"require" if keyword == "filter" else "score"} rule  pick weighted of top 3 }}
""")
    ])  # fmt: skip


def column(text: str, keyword: str = "scorer", queues: list[int] | None = None) -> Column:
    """Return what the rule says of endpoints with those queues."""
    profile = program(keyword, text).profiles["default"]
    rule = profile.require[0] if keyword == "filter" else profile.terms[0].scorer
    given = QUEUES if queues is None else queues
    endpoints = [
        Endpoint(f"{n}:1", f"{n}:1", ready=True, queue=q, running=i, gpu=0.5 if i % 2 else None)
        for i, (n, q) in enumerate(zip("abcdefgh", given, strict=False))
    ]
    return list(rule.column(endpoints, Asked(prefix=MATCHES), pool_state("gemma", endpoints), 0.0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("candidates.low(endpoint.queue)", [1.0, 0.6, 0.6, 0.0]),
        ("candidates.high(endpoint.queue)", [0.0, 0.4, 0.4, 1.0]),
        ("double(candidates.min(endpoint.queue))", [0.0] * 4),
        ("double(candidates.max(endpoint.queue)) / 10.0", [1.0] * 4),
        ("double(candidates.max(endpoint.queue + endpoint.running))", [13.0] * 4),
        ("double(candidates.rank(endpoint.queue))", [0.0, 1.0, 1.0, 3.0]),
        ("double(candidates.count(endpoint.queue > 0))", [3.0] * 4),
        ("double(candidates.size)", [4.0] * 4),
        ("double(candidates.max(endpoint.queue, endpoint.queue < 10))", [4.0] * 4),
        ("candidates.low(endpoint.queue, endpoint.queue < 10)", [1.0, 0.0, 0.0, 0.0]),
        ("candidates.high(endpoint.queue, endpoint.queue > 0)", [0.0, 0.0, 0.0, 1.0]),
        ("candidates.max(endpoint.prefix_match)", [0.5] * 4),
        ("candidates.max(endpoint.gpu, has(endpoint.gpu))", [0.5] * 4),
        ("candidates.high(endpoint.age < 1s ? 1 : 0)", [1.0] * 4),
    ],
)
def test_a_figure_over_the_candidates(text: str, expected: list[float]) -> None:
    assert column(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("candidates.any(endpoint.queue > 9)", [True] * 4),
        ("candidates.any(endpoint.queue > 10)", [False] * 4),
        ("candidates.all(endpoint.queue >= 0 && endpoint.running < 4)", [True] * 4),
        ("candidates.all(endpoint.queue > 0)", [False] * 4),
        ("endpoint.queue == candidates.min(endpoint.queue)", [True, False, False, False]),
        ("candidates.any(endpoint.name == 'b:1') && endpoint.queue > 4", [False] * 3 + [True]),
    ],
)
def test_a_condition_over_the_candidates(text: str, expected: list[bool]) -> None:
    assert column(text, "filter") == expected


@pytest.mark.parametrize("how", ["low", "high"])
def test_equal_candidates_all_score_1(how: str) -> None:
    assert column(f"candidates.{how}(endpoint.queue)", queues=[7, 7, 7]) == [1.0] * 3


def test_an_endpoint_at_which_the_value_fails_does_not_count_and_faults_itself() -> None:
    text = "candidates.high(10 / endpoint.queue)"  # the first queue is 0

    first, *rest = column(text)

    assert first == RuleFault("division-by-zero")
    assert rest == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("how", ["max", "min"])
def test_where_no_candidate_counts_there_is_no_figure(how: str) -> None:
    found = column(f"candidates.{how}(endpoint.kv_cache, endpoint.queue > 99)")

    assert found == [RuleFault("missing")] * 4


def test_no_figure_is_no_fault_where_it_is_not_needed() -> None:
    text = (
        "candidates.any(endpoint.queue > 99)"
        " ? candidates.max(endpoint.kv_cache, endpoint.queue > 99) : 50%"
    )

    assert column(text) == [0.5] * 4


def test_infinite_values_are_the_worst_and_do_not_flatten_the_others() -> None:
    endpoints = [
        Endpoint("a:1", "a:1", scraped_at_s=-1.0),
        Endpoint("b:1", "b:1", scraped_at_s=-3.0),
        Endpoint("c:1", "c:1"),  # never scraped: infinitely old
    ]
    rule = program("scorer", "candidates.low(endpoint.age)").profiles["default"].terms[0].scorer

    assert rule.column(endpoints, Asked(), pool_state("gemma", endpoints), 0.0) == [1.0, 0.0, 0.0]


def test_of_no_candidates_nothing_is_said() -> None:
    for text in ("candidates.low(endpoint.queue)", "double(candidates.max(endpoint.queue))"):
        assert column(text, queues=[]) == []
