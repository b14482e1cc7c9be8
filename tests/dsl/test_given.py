"""`test` blocks: cases, tables, and what can be given."""

import pytest

from headrace.dsl.checks.given import CASES_MAX
from headrace.dsl.policy import check_policy, compile_policy
from headrace.dsl.program import TestCase
from headrace.dsl.source import Source

BASE = 'sched 1\npool gemma { endpoints "10.0.0.1:8000" }\nmodel chat { route gemma }\n'


def cases(text: str) -> tuple[TestCase, ...]:
    return compile_policy([Source("t", f"{BASE}{text}")]).tests


def codes(text: str) -> list[str]:
    found = check_policy([Source("t", f"{BASE}{text}")])
    return [d.code for d in found if d.code != "S108"]


def test_each_request_is_a_case_with_the_expectations_below_it() -> None:
    found = cases("""test "two" {
          given request { "path": "/v1/chat/completions" }
          when request { "model": "chat", "stream": true }
          expect request.stream
          expect decision.pool == "gemma"
          when request { "model": "other" }
          expect decision.status == 404
        }""")

    assert [case.name for case in found] == ["two #1", "two #2"]
    assert [len(case.expects) for case in found] == [2, 1]
    assert found[1].request == {"path": "/v1/chat/completions", "model": "other"}


def test_one_case_has_the_name_of_its_test() -> None:
    (case,) = cases('test "one" { given request { "model": "chat" } expect decision.pool == "" }')

    assert case.name == "one"
    assert case.request == {"model": "chat"}


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("queue", "9", 9),
        ("kv_cache", "96%", 0.96),
        ("kv_cache", "1", 1.0),
        ("age", "1.5s", 1.5),
        ("ready", "false", False),
        ("zone", '"eu"', "eu"),
        ("adapters", '["a", "b"]', ("a", "b")),
        ("labels", '{"app": "x"}', {"app": "x"}),
        ("prefix_match", "80%", 0.8),
        ("gpu", "0.5", 0.5),
    ],
)
def test_a_field_is_given_in_base_units(field: str, value: str, read: object) -> None:
    text = f'given pool gemma {{ endpoint a {{ "{field}": {value} }} }}'
    asked = 'when request { "model": "chat" } expect decision.pool == "gemma"'
    (case,) = cases(f'test "t" {{ {text} {asked} }}')

    assert case.pools[0].endpoints[0].values == {field: read}
    assert type(case.pools[0].endpoints[0].values[field]) is type(read)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("queue", "9.5"), ("queue", "true"), ("queue", "9s"), ("ready", "1"), ("zone", "5"),
        ("adapters", '"a"'), ("adapters", "[1]"), ("labels", '{"a": 1}'), ("labels", "[]"),
        ("age", "5"), ("kv_cache", '"x"'), ("name", '"x"'),
    ],
)  # fmt: skip
def test_a_field_of_another_type_is_refused(field: str, value: str) -> None:
    text = f'given pool gemma {{ endpoint a {{ "{field}": {value} }} }}'
    asked = 'when request { "model": "chat" } expect decision.pool == "gemma"'

    assert codes(f'test "t" {{ {text} {asked} }}') in (["S203"], ["S201"])


def test_a_column_stands_for_its_cell_wherever_a_constant_or_an_expectation_is() -> None:
    found = cases("""test "t" {
          table wanted, tokens | "gemma", 5 | "", 7
          given pool gemma { endpoint a { "queue": tokens, "zone": wanted } }
          when request { "model": "chat", "max_tokens": tokens }
          expect decision.pool == wanted && tokens > 0
        }""")

    assert [case.row for case in found] == [
        {"wanted": "gemma", "tokens": 5},
        {"wanted": "", "tokens": 7},
    ]
    assert [case.request["max_tokens"] for case in found] == [5, 7]
    assert found[1].pools[0].endpoints[0].values == {"queue": 7, "zone": ""}


def test_there_are_not_more_cases_than_anyone_reads() -> None:
    rows = " ".join(f"| {n}" for n in range(CASES_MAX + 1))
    asked = 'when request { "model": "chat", "max_tokens": n } expect n >= 0'

    assert codes(f'test "t" {{ table n {rows} {asked} }}') == ["S218"]


def test_tests_of_several_blocks_count_together() -> None:
    rows = " ".join(f"| {n}" for n in range(CASES_MAX // 2 + 1))
    asked = 'when request { "model": "chat", "max_tokens": n } expect n >= 0'
    both = f'test "a" {{ table n {rows} {asked} }}\ntest "b" {{ table n {rows} {asked} }}'

    assert codes(both) == ["S218"]
