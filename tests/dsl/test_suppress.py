"""Warnings can be allowed, with a reason and until a day; errors cannot."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.policy import check_policy, compile_policy
from headrace.dsl.source import Source

BASE = 'sched 1\npool gemma { endpoints "10.0.0.1:8000" }\nmodel chat { route gemma }\n'
UNUSED = "filter spare = endpoint.ready"


def codes(text: str, today: str = "2026-11-22") -> list[str]:
    return [d.code for d in check_policy([Source("t.sched", text)], today=today)]


@pytest.mark.parametrize(
    "text",
    [
        f"{BASE}#! allow S307: kept\n{UNUSED}\n",
        f"{BASE}{UNUSED}  #! allow S307: kept\n",
        f"{BASE}#! allow S307: kept\n\n# another comment\n{UNUSED}\n",
        f"#! allow S307 in file: kept\n{BASE}{UNUSED}\n",
        BASE.replace("\n", "\n#! allow S307 in file: kept\n", 1) + UNUSED,
        f"{BASE}#! allow S307 until 2026-11-22: kept: till today\n{UNUSED}\n",
        f"{BASE}#!allow  S307 , S311 until 2030-01-01 :x\nfilter spare = endpoint.queue\n  >= 0\n",
        f"#!/usr/bin/env headrace\n{BASE}",
    ],
)
def test_a_warning_that_is_allowed_is_silent(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("#! allow S307", "S113"),
        ("#! allow S307:", "S113"),
        ("#! allow S307 until tomorrow: x", "S113"),
        ("#! allow S307 until 2027-02-30: x", "S113"),
        ("#! allow: x", "S113"),
        ("#! allow S307 in file: too late", "S113"),
        ("#! allow S9: x", "S113"),
        ("#! forbid S307: x", "S113"),
        ("#! allow S307 until 2026-11-21: over", "S114"),
    ],
)
def test_what_is_wrong_with_allowing_is_told_and_allows_nothing(
    comment: str, expected: str
) -> None:
    assert sorted(codes(f"{BASE}{comment}\n{UNUSED}\n")) == [expected, "S307"]


def test_a_comment_that_allows_nothing_is_told_with_a_fix() -> None:
    text = f"{BASE}#! allow S307: was unused once\n"
    (found,) = check_policy([Source("t.sched", text)])

    assert (found.code, found.fix is not None and found.fix.safe) == ("S115", True)


def test_errors_cannot_be_allowed() -> None:
    assert codes(f"{BASE}#! allow S201: no\nlet x = nothing\n") == ["S113", "S307", "S201"]


def test_a_raised_warning_cannot_be_allowed_either() -> None:
    below = "profile default { score -1 * x }  #! allow S303: x\n"
    text = f"{BASE}scorer x = endpoint.kv_cache\n{below}"

    assert "S303" in codes(text)


def test_a_comment_is_for_its_line_and_its_file_only() -> None:
    one = f"{BASE}#! allow S307: kept\nfilter a = endpoint.ready\nfilter b = endpoint.queue > 1\n"
    other = "sched 1\nfilter c = endpoint.running > 1\n"
    found = check_policy([Source("a.sched", one), Source("b.sched", other)], today="2026-11-22")

    assert [(d.code, d.span.text) for d in found] == [("S307", "b"), ("S307", "c")]


def test_without_a_date_nothing_expires_and_no_comment_stops_a_policy_from_loading() -> None:
    text = f"{BASE}#! allow S307 until 2001-01-01: long ago\n{UNUSED}\n#! nonsense\n"

    assert codes(text, today="") == ["S113"]
    assert compile_policy([Source("t.sched", text)]).models


def test_an_unused_comment_is_not_told_beside_errors_that_may_hide_its_warning() -> None:
    assert codes(f"{BASE}#! allow S307: kept\nfilter spare = nothing\n") == ["S201"]


def test_a_comment_in_a_string_is_none() -> None:
    text = f'{BASE}class c when request.path == "#! allow S307: x" {{ priority 1 }}\n'

    assert codes(text) == []


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="#! alowS3017,:until2026-infe\n", max_size=40))
def test_any_comment_is_read_without_a_crash(text: str) -> None:
    assert isinstance(codes(f"{BASE}#!{text}"), list)
