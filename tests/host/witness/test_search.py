"""Where two policies decide differently, a request is found that shows it; else none."""

from functools import cache
from itertools import pairwise

import pytest

from headrace.dsl.diff.boundaries import VALUES_MAX, boundaries
from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.extensions.registry import builders
from headrace.host.policytest.run import Result, Runner
from headrace.host.witness.candidate import block, written
from headrace.host.witness.search import Searched, search

BASE = """sched 1
pool a { endpoints "10.0.0.1:8000" }
pool b { endpoints "10.0.0.2:8000" }
objective low { priority -7 }
filter up = endpoint.ready && endpoint.age < 2s
filter room = endpoint.kv_cache < 90% && endpoint.queue < 40
scorer free = 1.0 - endpoint.kv_cache
scorer prefix = endpoint.prefix_match
class job when request.header("x-job") == "batch" { priority -3 }
class long when request.prompt_tokens > 700 { profile quick }
trust { objective from request.header("x-from") == "mesh" }
profile default { require up  prefer room  score 3 * prefix + free  pick max }
profile quick { require up  pick max ties by endpoint.running }
model m { route 90% to a, 10% to b }
model "tuned-*" { adapter of b }
overload when pool.queue > 5.0 { shed when request.priority < 0 with 429 "later" retry after 2s }
guard words { patterns "forbidden words" }
"""


@cache
def program(text: str = BASE) -> Program:
    return compile_policy([Source("t.sched", text)])


@cache
def found(new: str, tries: int = 4000) -> Searched:
    """Return what is found between the policy and *new*."""
    return search(program(), program(new), builders(), lambda _: True, tries)


EDITS = [
    ("3 * prefix", "1 * prefix", "endpoint"),
    ("queue > 5.0", "queue > 6.0", "status"),
    ("queue > 5.0", "queue >= 5.0", "status"),
    ("< 90%", "< 91%", "endpoint"),
    ("age < 2s", "age <= 2s", "endpoint"),
    ('"x-job") == "batch"', '"x-job") == "nightly"', "status"),
    ("> 700", "> 701", "endpoint"),
    ("90% to a, 10% to b", "60% to a, 40% to b", "pool"),
    ("retry after 2s", "retry after 3s", "retry_after"),
    ("objective from", "fairness_id from", "status"),
    ('"forbidden words"', '"other words"', "reason"),
    ("adapter of b", "adapter of a", "pool"),
    ("prefer room", "", "endpoint"),
    ("model m {", "model n {", "reason"),
]


@pytest.mark.parametrize(("before", "after", "name"), EDITS, ids=lambda text: str(text)[:24])
def test_a_changed_rule_is_shown_by_a_request(before: str, after: str, name: str) -> None:
    assert before in BASE
    new = BASE.replace(before, after)
    searched = found(new)

    assert searched.witness is not None
    assert name in searched.witness.differing


@pytest.mark.parametrize(("before", "after", "_"), EDITS[::3], ids=lambda text: str(text)[:24])
def test_the_block_can_be_pasted_and_tells_the_two_apart(before: str, after: str, _: str) -> None:
    new = BASE.replace(before, after)
    witness = found(new).witness
    assert witness is not None
    name = witness.differing[0]
    test = block(witness.candidate, "it stays", {name: witness.old[name]})
    results: list[Result] = []
    for text in (BASE, new):
        pasted = compile_policy([Source("t.sched", f"{text}\n{test}")])
        (case,) = pasted.tests
        results.append(Runner(pasted).case(case))

    assert [result.passed for result in results] == [True, False]
    assert not any(result.error for result in results)


def test_a_witness_has_nothing_that_it_does_not_need() -> None:
    witness = found(BASE.replace("queue > 5.0", "queue > 6.0")).witness

    assert witness is not None
    (endpoints,) = witness.candidate.pools.values()
    assert [set(values) for values in endpoints] == [{"queue"}]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("endpoint.age < 2s", "!(endpoint.age >= 2s)"),
        ("request.priority < 0", "request.priority <= -1"),
        ("score 3 * prefix + free", "score 6 * prefix + 2 * free"),
        ("pool.queue > 5.0", "double(pool.size) * pool.queue > 5.0 * double(pool.size)"),
    ],
)
def test_what_decides_alike_has_no_witness(before: str, after: str) -> None:
    assert before in BASE
    searched = found(BASE.replace(before, after), tries=250)

    assert searched.witness is None
    assert searched.tries == 250


def test_a_search_ends_when_its_time_is_over() -> None:
    asked: list[int] = []

    def goes_on(tries: int) -> bool:
        asked.append(tries)
        return tries < 20

    searched = search(program(), program(), builders(), goes_on)

    assert (searched.tries, searched.whole) == (20, False)
    assert all(b == a + 1 for a, b in pairwise(asked))


def test_the_same_search_finds_the_same() -> None:
    new = BASE.replace("< 90%", "< 91%")

    assert found.__wrapped__(new) == found(new)


def test_values_are_the_constants_and_their_neighbours() -> None:
    known = boundaries((program(),))

    assert {0.89, 0.9, 0.91} <= set(known.numbers["endpoint.kv_cache"])
    assert {1.999, 2.0, 2.001} <= set(known.numbers["endpoint.age"])
    assert {39, 40, 41, 4, 5, 6} <= set(known.numbers["endpoint.queue"])
    assert {699, 700, 701} <= set(known.numbers["request.prompt_tokens"])
    assert known.headers["x-job"] == ["batch", "another"]
    assert "tuned-x" in known.models
    assert known.prompts == ["forbidden words"]


def test_of_one_name_there_is_a_bounded_number_of_values() -> None:
    text = BASE + "".join(
        f"class c{i} when request.max_tokens == {i * 7} {{ priority {i} }}\n" for i in range(60)
    )

    assert len(boundaries((program(text),)).numbers["request.max_tokens"]) == VALUES_MAX


@pytest.mark.parametrize(
    ("value", "key", "text"),
    [
        (0.29, "kv_cache", "29%"),
        (1.0, "prefix_match", "100%"),
        (2.001, "age", "2001ms"),
        (0.0, "age", "0ms"),
        (20, "queue", "20"),
        (True, "ready", "true"),
        (("a", "b"), "adapters", '["a", "b"]'),
        ({"x-a": 'say "so"'}, "headers", '{ "x-a": "say \\"so\\"" }'),
        ({}, "", "{}"),
        (None, "gpu", "null"),
    ],
)
def test_values_are_written_as_the_language_has_them(value: object, key: str, text: str) -> None:
    assert written(value, key) == text


def test_what_a_guard_looks_for_is_tried() -> None:
    guards = 'guard g { patterns "secret"  deny "project x"  detect card, us_ssn }'
    text = f'sched 1\npool a {{ endpoints "10.0.0.1:1" }}\nmodel m {{ route a }}\n{guards}'

    assert boundaries((program(text),)).prompts == [
        "secret", "project x", "4111 1111 1111 1111",
    ]  # fmt: skip
