"""`headrace fmt`: the meaning and the comments stay, and formatting twice is formatting once."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from headrace.dsl.format import WIDTH, format_source
from headrace.dsl.source import Source
from tests import golden
from tests.docs.pages import Block, blocks_of
from tests.dsl.format.layouts import (
    GIVEN,
    ROOT,
    blocks_of_rules,
    formatted,
    keeps_what_matters,
    laid_out,
    said,
)

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.txt"))
SHOWN = [
    block
    for page in sorted((ROOT / "docs").rglob("*.md"))
    for block in blocks_of(page)
    if block.kind.startswith("sched")
]
TEXTS = {p.name: p.read_text() for p in GIVEN}
SLOW = settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking a policy takes minutes
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.stem)
def test_a_policy_is_written_in_one_way(path: Path) -> None:
    text, _ = golden.split(path)

    golden.check(path, formatted(text))
    keeps_what_matters(text)


@pytest.mark.parametrize("name", TEXTS)
def test_formatting_changes_layout_only(name: str) -> None:
    keeps_what_matters(TEXTS[name])


@pytest.mark.parametrize(
    "path", [*ROOT.glob("policies/*.sched"), *ROOT.glob("examples/**/*.sched")]
)
def test_what_we_ship_is_formatted(path: Path) -> None:
    assert formatted(path.read_text()) == path.read_text()


@pytest.mark.parametrize("block", SHOWN, ids=str)
def test_what_the_pages_show_can_be_formatted(block: Block) -> None:
    keeps_what_matters(block.text if block.text.startswith("sched") else f"sched 1\n{block.text}")


@SLOW
@given(st.data())
def test_any_layout_of_a_policy_keeps_its_meaning_and_its_comments(data: st.DataObject) -> None:
    text = data.draw(laid_out(TEXTS[data.draw(st.sampled_from(sorted(TEXTS)))]))
    assume(said(text) is not None)

    keeps_what_matters(text)


@SLOW
@given(st.data())
def test_any_expressions_keep_their_meaning(data: st.DataObject) -> None:
    text = data.draw(blocks_of_rules())
    assume(said(text) is not None)
    keeps_what_matters(text)
    other = data.draw(laid_out(text))
    assume(said(other) is not None)

    keeps_what_matters(other)


@SLOW
@given(st.data())
def test_a_line_is_short_wherever_it_can_be_broken(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 12))
    operator = data.draw(st.sampled_from(("&&", "||", "+")))
    text = f"sched 1\nfilter x = {f' {operator} '.join(['endpoint.kv_cache < 95%'] * count)}\n"

    assert all(len(line) <= WIDTH for line in formatted(text).splitlines())


@pytest.mark.parametrize("empty", ["[\n]", "[ ]", "{\n}", "(\n[\n])"])
def test_a_line_end_between_a_pair_of_brackets_does_not_stay(empty: str) -> None:
    text = f"sched 1\nlet a: bool = [(a[({empty} < b)]), c]\n"

    assert formatted(text) == text.replace(empty, "".join(empty.split()))


def test_a_percent_sign_does_not_become_a_modulo_when_lines_are_joined() -> None:
    text = "sched 1\nscorer x = 80%\n  - 0.5\n"

    assert formatted(text) == text
    assert said(formatted(text)) == said(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("pool a { }\n", "S104"),
        ("sched 1\npool a { selct }\n", "S102"),
        ("sched 1\npool a {\n", "S106"),
        ("sched 1\nfilter a = (\n", "S106"),
        ("sched 1\nwidget a { }\n", "S103"),
        ("", "S104"),
        (f"sched 1\n# {'x' * 600_000}\n", "S111"),
    ],
)
def test_a_text_with_a_mistake_of_syntax_is_refused(text: str, code: str) -> None:
    made = format_source(Source("x.sched", text))

    assert not isinstance(made, str)
    assert code in {d.code for d in made}


def test_a_policy_that_is_only_wrong_in_meaning_is_formatted() -> None:
    assert formatted("sched 1\nmodel a {route  nowhere}") == "sched 1\nmodel a { route nowhere }\n"
