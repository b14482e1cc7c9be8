"""Expressions that stand in no policy: checked as if they stood in one."""

import pytest

from headrace.dsl.asking import ask, named
from headrace.dsl.cel.pure import pure_cel
from headrace.dsl.problems.diagnostic import PolicyError
from headrace.dsl.source import Source

POLICY = Source(
    "p.sched",
    'sched 1\npool p { endpoints "1.1.1.1:1" }\nmodel m { route p }\n'
    "let busy = endpoint.queue > 5\nfilter room = !busy && endpoint.kv_cache < 95%\n"
    "scorer free = 1.0 - endpoint.kv_cache\n"
    "profile default { require room  score 1 * free }\n",
)


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("room && free > 50%", {"endpoint.queue", "endpoint.kv_cache"}),
        ("decision.shed", {"decision.shed"}),
        ("request.priority < 0 && pool.queue > 5.0", {"request.priority", "pool.queue"}),
        ("1 + 1", set[str]()),
    ],
)
def test_an_expression_may_name_the_rules_and_read_everything(text: str, reads: set[str]) -> None:
    typed = ask(text, [POLICY])

    assert typed.reads == reads
    assert typed.span.text == text


@pytest.mark.parametrize(
    ("text", "code"),
    [("rom", "S201"), ("1 +", "S101"), ("free + endpoint.queue", "S2"), ("(" * 500, "S1")],
)
def test_what_is_wrong_with_it_is_told_with_its_place(text: str, code: str) -> None:
    with pytest.raises(PolicyError) as refused:
        ask(text, [POLICY])

    assert refused.value.diagnostics[0].code.startswith(code)
    assert refused.value.diagnostics[0].span.source.name == "<expression>"


def test_a_policy_with_errors_is_told_first() -> None:
    with pytest.raises(PolicyError) as refused:
        ask("1", [Source("p.sched", "sched 1\npol x { }\n")])

    assert refused.value.diagnostics[0].span.source.name == "p.sched"


def test_a_named_expression_is_found_with_the_lets_it_is_made_of() -> None:
    found = named("room", [POLICY])

    assert found is not None
    assert pure_cel(*found) == "!(endpoint.queue > 5) && endpoint.kv_cache < 0.95"
    assert named("none", [POLICY]) is None
