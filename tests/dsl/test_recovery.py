"""After a mistake the rest is read on: each is told once, and nothing that follows from it."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.policy import check_policy
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import Diagnostic
from headrace.dsl.problems.fixing import fixed, safe_fixes
from headrace.dsl.source import Source
from headrace.dsl.syntax.blocks import tokens
from headrace.dsl.syntax.forms import HEADS, OPENING, USAGE
from headrace.dsl.syntax.forms import settings as settings_of
from headrace.dsl.syntax.grammar import Misfit, parse

QUICKSTART = (Path(__file__).parents[2] / "policies" / "quickstart.sched").read_text()
TOKENS = [(t.start(), t.end()) for t in tokens(QUICKSTART, 0) if t.group() != "\n"]
FEW = 4  # what a reader still takes for one mistake and its name missed elsewhere

# Statements of a block, right and wrong; each wrong one has one mistake, on its own line.
RIGHT = ("priority 5", "route gemma", "profile quick")
WRONG = {
    "priority": ("priority: 5", "priority high", "priority = 5", "priorty 5", "priority 5;"),
    "route": ("route gema", "route 90%", "route: gemma", "route 100% -> gemma", "rout gemma"),
    "profile": (
        "profile quick 5",
        "profile quik",
        "profile = quick",
        "profil quick",
        "profile quick,",
    ),
}
AROUND = 'sched 1\npool gemma { endpoints "10.0.0.1:8000" }\nprofile quick { pick random }\n'


def checked(text: str) -> Sequence[Diagnostic]:
    return check_policy([Source("t.sched", text)])


def lines_of(found: Sequence[Diagnostic]) -> list[int]:
    return [d.span.source.line_column(d.span.start)[0] for d in found]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(TOKENS))
def test_a_token_that_is_gone_is_a_mistake_or_two_and_not_a_flood(token: tuple[int, int]) -> None:
    found = checked(QUICKSTART[: token[0]] + QUICKSTART[token[1] :])

    assert len(found) <= FEW, [d.message for d in found]


@settings(max_examples=100, deadline=None)
@given(st.fixed_dictionaries({kind: st.integers(-1, 4) for kind in WRONG}))
def test_every_mistake_of_a_block_is_told_once_on_its_line(chosen: dict[str, int]) -> None:
    right = dict(zip(WRONG, RIGHT, strict=True))
    rows = [right[kind] if i < 0 else WRONG[kind][i] for kind, i in chosen.items()]
    start = AROUND.count("\n") + 2

    found = checked(AROUND + "model chat {\n  " + "\n  ".join(rows) + "\n}\n")

    wrong = [start + row for row, i in enumerate(chosen.values()) if i >= 0]
    errors = [d for d in found if d.level is Level.ERROR]
    assert lines_of(errors) == wrong, [d.message for d in errors]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(
    ("filter f{} = endpoint.ready and true", "filter f{} = endpoint.qeue < 1", "filter f{} =",
     "let f{} = endpoint.queue <> 1", 'class f{} when request.path == "a" {{ priority }}',
     "pool f{} {{ endpoints }}", "model f{} {{ route: gemma }}", "scorer f{} = (endpoint.kv_cache"),
), min_size=1, max_size=12))  # fmt: skip
def test_as_many_mistakes_as_blocks_are_all_told(blocks: list[str]) -> None:
    rows = [block.format(i) for i, block in enumerate(blocks)]

    found = [d for d in checked(AROUND + "\n".join(rows) + "\n") if d.level is Level.ERROR]

    expected = [4 + row for row in range(len(rows))]
    told = [line for d, line in zip(found, lines_of(found), strict=True) if d.code != "S222"]
    assert told == expected, [d.message for d in found]


@pytest.mark.parametrize(("block", "setting"), USAGE, ids=str)
def test_what_a_message_says_to_write_can_be_written(block: str, setting: str) -> None:
    if setting not in settings_of(block):
        pytest.fail(f"`{block}` has no `{setting}`")
    text = f"{HEADS[block]} {{ {USAGE[block, setting]} }}"

    assert not isinstance(parse(text, "item"), Misfit), text


@pytest.mark.parametrize("keyword", sorted(OPENING.keys() - {"sched"}))
def test_the_opening_that_a_message_shows_can_be_written(keyword: str) -> None:
    assert not isinstance(parse(OPENING[keyword], "item"), Misfit)


@pytest.mark.parametrize("keyword", sorted(HEADS))
def test_the_shortest_head_of_a_block_is_one(keyword: str) -> None:
    parsed = parse(f"{HEADS[keyword]} {{ ???", "item")

    assert isinstance(parsed, Misfit)
    assert parsed.at >= len(HEADS[keyword]) + 2


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("filter a = endpoint.ready and true", "filter a = endpoint.ready && true"),
        ("filter a = endpoint.queue = 5", "filter a = endpoint.queue == 5"),
        ("filter a = endpoint.queue <> 5", "filter a = endpoint.queue != 5"),
        ("filter a = endpoint.age < 5sec", "filter a = endpoint.age < 5s"),
        ("filter a: endpoint.ready", "filter a = endpoint.ready"),
        ("pool b { endpoints: “1.2.3.4:5”; }", 'pool b { endpoints "1.2.3.4:5" }'),
        ("pool b { endpoints 1.2.3.4:5 }", 'pool b { endpoints "1.2.3.4:5" }'),
        ("model meta/llama { route gemma }", 'model "meta/llama" { route gemma }'),
        ("model m { route 100% -> gemma }", "model m { route 100% to gemma }"),
        ("Model m { Route gemma }", "model m { route gemma }"),
        ("// a comment\nlet a = 1", "# a comment\nlet a = 1"),
    ],
)
def test_safe_fixes_make_what_was_meant(wrong: str, right: str) -> None:
    text = AROUND + wrong + "\n"
    for _ in range(3):
        source = Source("t.sched", text)
        text = fixed(source, safe_fixes(check_policy([source]), source))

    assert text == AROUND + right + "\n"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(QUICKSTART)), st.sampled_from([";", ":", " and ", "=", "//", "“", "5m"]))
def test_fixes_never_overlap_and_never_need_more_than_the_text(at: int, piece: str) -> None:
    source = Source("t.sched", QUICKSTART[:at] + piece + QUICKSTART[at:])
    fixes = safe_fixes(check_policy([source]), source)

    assert all(a.span.end <= b.span.start for a, b in pairwise(fixes))
    assert fixed(source, ()) == source.text
    assert isinstance(fixed(source, fixes), str)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("space", [" ", "\t"])
def test_line_ends_tabs_and_byte_order_marks_are_fine(ending: str, mark: str, space: str) -> None:
    text = mark + QUICKSTART.replace("\n  ", f"\n{space}{space}").replace("\n", ending)

    assert checked(text) == ()
