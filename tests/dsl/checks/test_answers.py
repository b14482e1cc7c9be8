"""Expressions over providers' answers and guards' verdicts: values, faults, and bounds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.dsl.guarding import AnswerRule, VerdictRule
from headrace.dsl.policy import compile_policy
from headrace.dsl.program import RuleFault
from headrace.dsl.source import Source

BASE = 'sched 1\npool p { endpoints "10.0.0.1:8000" }\nmodel m { route p }\n'
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


def rule(verb: str, text: str) -> AnswerRule:
    said = f"{verb} {'when ' if verb == 'match' else ''}{text}"
    rest = "" if verb == "match" else "match when answer.flagged"
    guard = f'guard g {{ ask http "http://h" {{ {said} {rest} }} }}'
    (found,) = compile_policy([Source("p.sched", BASE + guard)]).guards
    assert found.ask is not None
    return found.ask.rules[verb]


def blocks(text: str) -> VerdictRule:
    guards = "".join(f'guard {n} {{ patterns "{n}"  on match log }}\n' for n in "abc")
    found = compile_policy(
        [Source("p.sched", f"{BASE}{guards}safety {{ block when {text} }}")]
    ).safety.block
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "answer", "value"),
    [
        ("answer.flagged", {"flagged": True}, True),
        ("answer.score > 80%", {"score": 0.81}, True),
        ("answer.score > 80%", {"score": 1}, True),
        ("answer.score >= 1", {"score": 1.0}, True),
        ("answer.bytes > 4KiB", {"bytes": 5000}, True),
        ("answer.results.exists(r, r.flagged)", {"results": [{"flagged": False}]}, False),
        ('"hate" in answer.categories', {"categories": ["hate"]}, True),
        ("has(answer.verdict) && answer.verdict.bad", {}, False),
        ('answer[0]["a"] == null', [{"a": None}], True),
        ("answer.?flagged.orValue(false)", {}, False),
        ('answer == "BLOCK"', "BLOCK", True),
        ("answer.flagged", {}, RuleFault("missing")),
        ("answer.flagged", {"flagged": "yes"}, RuleFault("type")),
        ("answer.flagged", [1], RuleFault("type")),
        ("answer.n / 0 == 1", {"n": 1}, RuleFault("division-by-zero")),
        ("answer.n > 5", {"n": 2**70}, RuleFault("range")),
    ],
)
def test_whether_an_answer_is_a_finding_is_computed(
    text: str, answer: object, value: object
) -> None:
    assert rule("match", text).read(answer) == value


@pytest.mark.parametrize(
    ("text", "answer", "value"),
    [
        ("answer.label", {"label": "toxic"}, "toxic"),
        ("answer.labels", {"labels": ["toxic", "threat"]}, ["toxic", "threat"]),
        ("answer.results.map(r, r.name)", {"results": [{"name": "a"}]}, ["a"]),
        ("answer.?label", {"label": "toxic"}, "toxic"),
        ("answer.?label", {}, None),
        ("answer.label", {"label": None}, None),
        ('answer.bad ? "bad" : "good"', {"bad": True}, "bad"),
        ("answer.label", {"label": 5}, RuleFault("type")),
        ("answer.labels", {"labels": ["a", 5]}, RuleFault("type")),
        ("answer.label", {}, RuleFault("missing")),
    ],
)
def test_the_words_of_a_finding_are_computed(text: str, answer: object, value: object) -> None:
    assert rule("category", text).read(answer) == value
    assert rule("text", text).read(answer) == value


def test_an_answer_with_too_many_items_is_a_fault() -> None:
    found = rule("match", "answer.all(x, answer.all(y, x == y))")

    assert found.read([1] * 50) is True
    assert found.read([1] * 200) == RuleFault("range")


def test_an_answer_that_is_nested_too_deeply_is_a_fault() -> None:
    answer: object = 1
    for _ in range(5000):
        answer = [answer]

    assert rule("match", "answer == 1").read(answer) == RuleFault("type")


@given(JSON)
def test_whatever_a_provider_answers_a_rule_gives_a_value_or_a_fault(answer: object) -> None:
    match = rule("match", 'answer.a.b[0].c > 0.5 || answer.d == "e" || answer.size() > 3')
    category = rule("category", "answer.a.map(x, x.b)")

    assert isinstance(match.read(answer), bool | RuleFault)
    assert isinstance(category.read(answer), str | list | RuleFault | None)


def test_a_number_that_is_none_is_not_above_any_other() -> None:
    assert rule("match", "answer.score > 0.5").read({"score": math.nan}) is False


@pytest.mark.parametrize(
    ("text", "found", "value"),
    [
        ('matched("a")', {"a": True}, True),
        ('matched("a")', {}, False),
        ('matched("a") && matched("b")', {"a": True}, False),
        ('matched("a") && !matched("b")', {"a": True, "c": True}, True),
        ('[matched("a"), matched("b"), matched("c")].filter(m, m).size() > 1',
         {"a": True, "c": True}, True),
        ('matched("a") ? matched("b") : matched("c")', {"c": True}, True),
        ('1 / (matched("a") ? 0 : 1) == 1', {"a": True}, RuleFault("division-by-zero")),
    ],
)  # fmt: skip
def test_what_blocks_is_computed_from_the_verdicts(
    text: str, found: dict[str, bool], value: object
) -> None:
    assert blocks(text).test(found) == value
