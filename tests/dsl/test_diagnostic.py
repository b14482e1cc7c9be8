"""How problems are rendered, and the suggestion of words."""

import json

import pytest

from headrace.dsl.policy import compile_policy
from headrace.dsl.problems.codes import CODES, Level, level_of
from headrace.dsl.problems.diagnostic import Diagnostic, PolicyError, Related, as_json, render
from headrace.dsl.problems.suggest import closest, distance
from headrace.dsl.source import Source, Span

SOURCE = Source("a.sched", "one two\nthree\n")


def test_a_diagnostic_is_plain_data_too() -> None:
    diagnostic = Diagnostic(
        "S207",
        Level.ERROR,
        "`two` is defined twice",
        Span(SOURCE, 4, 7),
        "second",
        "rename it",
        (Related(Span(SOURCE, 8, 13), "first"),),
    )

    assert json.loads(json.dumps(as_json(diagnostic))) == {
        "code": "S207",
        "level": "error",
        "message": "`two` is defined twice",
        "label": "second",
        "help": "rename it",
        "file": "a.sched",
        "line": 1,
        "column": 5,
        "end_line": 1,
        "end_column": 8,
        "related": [
            {
                "label": "first",
                "file": "a.sched",
                "line": 2,
                "column": 1,
                "end_line": 2,
                "end_column": 6,
            }
        ],
        "fix": None,
    }


def test_a_span_over_several_lines_is_marked_on_its_first() -> None:
    text = render(Diagnostic("S101", Level.ERROR, "odd", Span(SOURCE, 4, 13)))

    assert text.splitlines()[-1] == "  |     ^^^"


def test_a_policy_error_holds_errors_and_warnings_of_all_files_in_order() -> None:
    sources = [
        Source("b.sched", 'sched 1\npool gemma { endpoints "10.0.0.1:8000" stale 2s }\n'),
        Source("a.sched", "sched 1\nmodel chat { route gema }\nlet x = nothing\n"),
    ]
    with pytest.raises(PolicyError) as caught:
        compile_policy(sources)
    found = [(d.span.source.name, d.code) for d in caught.value.diagnostics]

    assert found == [("b.sched", "S101"), ("a.sched", "S209"), ("a.sched", "S201")]
    assert "unknown pool `gema`" in str(caught.value)


def test_codes_are_unique_and_sorted() -> None:
    ids = [code.id for code in CODES]

    assert ids == sorted(set(ids))
    assert level_of("S307") is Level.WARNING
    assert all(code.title and not code.title.endswith(".") for code in CODES)


@pytest.mark.parametrize(
    ("a", "b", "steps"),
    [("", "", 0), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "ab", 1), ("pool", "poool", 1),
     ("kitten", "sitting", 3), ("", "abc", 3)],
)  # fmt: skip
def test_distance_counts_single_mistakes(a: str, b: str, steps: int) -> None:
    assert distance(a, b) == distance(b, a) == steps


def test_only_a_near_word_is_suggested() -> None:
    known = {"gemma", "gemma-new", "deepseek"}

    assert closest("gema", known) == "gemma"
    assert closest("GEMMA", known) == "gemma"
    assert closest("llama", known) is None
    assert closest("", known) is None
    assert closest("x" * 1000, known) is None
