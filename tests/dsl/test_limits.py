"""Nothing that is written can make the compiler fail, hang or run what is written."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.policy import CHARS_MAX, check_policy, compile_policy
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import SHOWN_MAX, as_json, render
from headrace.dsl.source import Source
from tests.dsl.facts import value

QUICKSTART = (Path(__file__).parents[2] / "policies" / "quickstart.sched").read_text()
BASE = 'sched 1\npool gemma { endpoints "10.0.0.1:8000" }\nmodel chat { route gemma }\n'
PIECES = [
    "{", "}", "(", ")", "[", '"', "'", "#", "\n", " ", "=", "when", "pool", "filter", "x", "5%",
    "5m", "&&", "||", "!", "-", ".", ",", "priority", "é", "\x00", "\u202e", "profile default {",
    "let", "has(", "99999999999999999999", "r'", "\\",
]  # fmt: skip


def codes(text: str) -> list[str]:
    return [d.code for d in check_policy([Source("t.sched", text)])]


def shown(text: str) -> None:
    """Check *text* and render all that is found: neither may raise."""
    for diagnostic in check_policy([Source("t.sched", text)]):
        assert render(diagnostic).startswith(diagnostic.level.value)
        assert as_json(diagnostic)["code"] == diagnostic.code


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_checked_without_a_crash(text: str) -> None:
    shown(text)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join))
def test_any_heap_of_words_is_checked_without_a_crash(text: str) -> None:
    shown(f"sched 1\n{text}")


@settings(max_examples=80, deadline=None)
@given(
    at=st.integers(0, len(QUICKSTART)),
    length=st.integers(0, 30),
    piece=st.sampled_from([*PIECES, ""]),
)
def test_a_damaged_policy_is_checked_without_a_crash(at: int, length: int, piece: str) -> None:
    shown(QUICKSTART[:at] + piece + QUICKSTART[at + length :])


@pytest.mark.parametrize(
    "expression",
    [
        "size(" * 500 + "1" + ")" * 500,
        "!" * 500 + "true",
        "-" * 500 + "1 == 1",
        "1" + " + 1" * 500 + " == 1",
        "[" * 500 + "]" * 500,
        "true ? 1 : " * 500 + "1",
        "request.header(" * 500 + "'x'" + ")" * 500,
        "request" + ".x" * 500,
    ],
    ids=["size", "!", "-", "+", "[]", "?:", "call", "dots"],
)
def test_a_nesting_bomb_is_refused(expression: str) -> None:
    assert codes(f"{BASE}filter a = {expression}\nprofile default {{ require a }}") == ["S110"]


def test_parentheses_alone_are_not_nesting() -> None:
    text = f"{BASE}filter a = {'(' * 500}endpoint.ready{')' * 500}\n"

    assert codes(f"{text}profile default {{ require a }}") == []


def test_a_long_list_of_alternatives_is_not_nesting() -> None:
    names = " || ".join(f'request.model == "m{i}"' for i in range(200))

    assert codes(f"{BASE}class c when {names} {{ priority 1 }}") == []


def test_lets_cannot_grow_without_bound() -> None:
    lets = "".join(f"let x{i} = x{i - 1} + x{i - 1}\n" for i in range(1, 40))
    text = (
        f"{BASE}let x0 = endpoint.queue\n{lets}filter a = x39 > 5\nprofile default {{ require a }}"
    )

    assert "S110" in codes(text)


def test_a_large_file_is_refused_unread() -> None:
    assert codes("sched 1\n" + "x" * CHARS_MAX) == ["S111"]


def test_many_problems_are_counted_and_not_all_shown() -> None:
    text = BASE + "".join(f"filter f{i} = nothing{i}\n" for i in range(SHOWN_MAX + 50))
    found = codes(text)

    assert len(found) == SHOWN_MAX + 1
    assert found[-1] == "S112"


def test_guards_and_patterns_are_bounded() -> None:
    many = ", ".join('"x"' for _ in range(101))
    long = f'"{"x" * 1001}"'

    assert codes(f"{BASE}guard g {{ patterns {many} }}") == ["S218"]
    assert codes(f"{BASE}guard g {{ patterns {long} }}") == ["S219"]


def test_patterns_take_linear_time() -> None:
    started = time.process_time()

    assert value("request.path.matches('(a+)+$')") is False
    assert value(f"'{'a' * 5000}b'.matches('^(a+)+$')") is False
    assert time.process_time() - started < 1.0


HOSTILE = [
    "'); import os; os.abort(); ('",
    "{0}{1}{e}",
    "\\",
    '"""',
    "\\n\\u0000",
    "__import__('os').abort()",
    "%s%d",
    "é\u202e\u2028",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_string_of_a_policy_is_data_wherever_it_stands(text: str) -> None:
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    assert value(quoted) == text
    assert value(f"[{quoted}].exists(x, x == {quoted})") is True
    assert value(f"{{{quoted}: 1}}[{quoted}]") == 1
    assert value(f"request.header({quoted})") == ""
    assert value(f"request.path.contains({quoted})") is False


def test_names_of_a_policy_never_reach_generated_code() -> None:
    text = f"""{BASE}
        let e = 1
        let endpoints = 2
        let h0 = 3
        let Fault = 4
        let __builtins__ = 5
        filter out = [7].exists(rule, rule == e + endpoints + h0 + Fault - 3)
                     && endpoint.queue < __builtins__ && size(request.id) > 0
        profile default {{ require out }}
        """
    program = compile_policy([Source("'); import os\n#.sched", text)])
    column = program.profiles["default"].require[0].column

    assert set(column.__code__.co_names) <= {
        "queue", "id", "len", "_exists", "Fault", "fault", "append",
    }  # fmt: skip
    assert column.__globals__["__builtins__"] == {}


def test_a_terminal_is_safe_from_a_policy() -> None:
    found = check_policy([Source("\x1b[31m.sched", "sched 1\nmodel \x1b[2J { }\n")])

    assert found
    assert "\x1b" not in "".join(render(d) for d in found)


def test_a_program_without_errors_has_all_that_was_written() -> None:
    text = BASE + "filter a = endpoint.ready\nscorer b = endpoint.kv_cache\n"
    program = compile_policy([Source("t", f"{text}profile default {{ require a score b }}")])

    assert program.profiles["default"].require
    assert program.profiles["default"].terms


def test_300_lines_are_read_in_an_instant() -> None:
    blocks = [
        f"filter f{i} = endpoint.queue < {i + 1} && endpoint.kv_cache < 50%\n"
        f"profile p{i} extends default {{\n  require f{i}\n  pick max\n}}\n"
        f"class c{i} when request.model == 'm{i}' {{ profile p{i} }}\n"
        for i in range(50)
    ]
    source = Source("t.sched", BASE + "".join(blocks))
    check_policy([source])  # the parser is built once per process
    timings: list[float] = []
    for _ in range(3):
        started = time.process_time()
        found = check_policy([source])
        timings.append(time.process_time() - started)

        assert not any(d.level is Level.ERROR for d in found)
    # Measured at 40 ms; the rest is for slower machines.
    assert min(timings) < 0.25
