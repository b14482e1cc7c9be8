"""Plain CEL written from policies' expressions means what they mean."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings

from headrace.dsl.cel import Fault, compile, pure_cel
from headrace.dsl.cel.runtime import cookie
from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.source import Source, Span
from headrace.dsl.syntax.build_expr import ExprBuilder
from headrace.dsl.syntax.grammar import Misfit, parse
from headrace.dsl.syntax.tree import Expr
from tests.dsl.cel.expressions import ANY, TYPES, VALUES

WRITTEN = [
    (
        "endpoint.kv_cache < 95% && endpoint.age < 1h30min",
        'endpoint.kv_cache < 0.95 && endpoint.age < duration("5400s")',
    ),
    ("request.size > 4KiB ? 5% : 1_000 / 2.0", "request.size > 4096 ? 0.05 : 1000 / 2.0"),
    ("(1 + 2) * 3 - (4 - 5)", "(1 + 2) * 3 - (4 - 5)"),
    ("1 + (2 * 3) - 4", "1 + 2 * 3 - 4"),
    ("(a || b) && !(c && d) || (e && f)", "(a || b) && !(c && d) || e && f"),
    ("a && (b && c)", "a && b && c"),
    ("(a ? b : c) ? d : e ? f : g", "(a ? b : c) ? d : e ? f : g"),
    ("-(-1) + -x * (-2.5)", "--1 + -x * -2.5"),
    ("(a + b).size() + [1, ?x][0]", "(a + b).size() + [1, ?x][0]"),
    ("{'k': 1, ?'o': y}.k", '{"k": 1, ?"o": y}.k'),
    ("m.?a[?'b'].`c-d`.f(.g, .h(1))", 'm.?a[?"b"].`c-d`.f(.g, .h(1))'),
    (r"'a\n\"\\' + r'\d' + b'\xff\'a'", r'"a\n\"\\" + "\\d" + b"\xff' + "'" + r'a"'),
    (
        "250ms < 1.5s && 5u > 0x1Fu && null == null",
        'duration("0.25s") < duration("1.5s") && 5u > 31u && null == null',
    ),
    (
        "request.header('X-Job') == ''",
        '("x-job" in request.headers ? request.headers["x-job"] : "") == ""',
    ),
    (
        "request.cookie('Chat')",
        '(("cookie" in request.headers ? request.headers["cookie"] : "").split(";")'
        '.map(c, c.trim()).filter(c, c.startsWith("Chat" + "=") && "Chat" != "")'
        '.map(c, c.substring(("Chat" + "=").size()).trim()) + [""])[0]',
    ),
    ("endpoint.metric('vllm:x').orValue(0.0)", 'endpoint.metrics[?"vllm:x"].orValue(0.0)'),
]


def expr(text: str, *, plain: bool = False) -> Expr:
    source, problems = Source("t", text), Problems()
    node = parse(text, "cel" if plain else "expr")
    assert not isinstance(node, Misfit), (text, node)
    found = ExprBuilder(Span(source, 0, len(text)), problems).written(node).expr
    assert not problems.found, problems.found
    return found


@pytest.mark.parametrize(("text", "pure"), WRITTEN)
def test_what_policies_add_is_spelled_out(text: str, pure: str) -> None:
    assert pure_cel(expr(text)) == pure
    assert pure_cel(expr(pure, plain=True)) == pure


def test_a_let_is_put_in_where_it_is_used() -> None:
    lets = {"free": expr("1.0 - endpoint.kv_cache")}

    assert pure_cel(expr("free * 2.0"), lets) == "(1.0 - endpoint.kv_cache) * 2.0"


@settings(max_examples=100, deadline=None)
@given(text=ANY, values=VALUES)
def test_writing_changes_no_value(text: str, values: Mapping[str, object]) -> None:
    pure = pure_cel(expr(text, plain=True))

    assert _value(pure, values) == _value(text, values)


COOKIES = ["chat=x", "a=1; chat=x", "Chat=y;chat = z", "chat", "=x", "; ;", "chat=a=b; chat=c", ""]


@pytest.mark.parametrize("name", ["chat", "Chat", "cha", ""])
@pytest.mark.parametrize("sent", COOKIES)
def test_a_cookie_in_plain_cel_is_the_one_that_policies_find(sent: str, name: str) -> None:
    pure = pure_cel(expr(f"request.cookie('{name}')"))
    request = {"headers": {"cookie": sent}}

    found = compile(pure, {}, checked=False).evaluate({"request": request})

    assert found == cookie(sent, name)


def test_a_cookie_is_found_by_its_whole_name() -> None:
    assert [cookie(sent, "chat") for sent in COOKIES] == ["x", "x", "", "", "", "", "a=b", ""]


def _value(text: str, values: Mapping[str, object]) -> str:
    try:
        return repr(compile(text, TYPES, checked=False).evaluate(values))
    except Fault as fault:
        return fault.kind
