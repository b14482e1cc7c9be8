"""Any sequence of bytes is checked and shown: no crash, no hang, and no more than a bound."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dsl.policy import check_policy
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import SHOWN_MAX
from headrace.dsl.source import Source
from tests.dsl.fuzzing.promises import checked_and_shown
from tests.golden import split

CASES = [
    split(path)[0].encode() for path in sorted((Path(__file__).parent / "errors").glob("*.txt"))
]
BASE = 'sched 1\npool gemma { endpoints "10.0.0.1:8000" }\nmodel chat { route gemma }\n'
MIB = 1 << 20
SECONDS_MAX = 3.0  # on the slowest machine we mean to test on; here it is a quarter of a second
# Cut, doubled and spliced: where, how much, and what comes in between.
CHANGES = st.tuples(st.integers(0, 2000), st.integers(0, 40), st.binary(max_size=6))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_checked(data: bytes) -> None:
    checked_and_shown(data)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(CASES), st.lists(CHANGES, min_size=1, max_size=4))
def test_broken_policies_broken_further_are_checked(
    data: bytes, changes: list[tuple[int, int, bytes]]
) -> None:
    for at, length, piece in changes:
        where = at % (len(data) + 1)
        data = data[:where] + piece + data[where + length :]
    checked_and_shown(data)


@pytest.mark.parametrize(
    "text",
    [
        "x" * (10 * MIB),
        BASE + "{" * (10 * MIB),
        BASE + "(" * MIB,
        BASE + "filter a = " + "(" * 100_000,
        BASE + "filter a = " + "[" * 100_000 + "]" * 100_000,
        BASE + "pool x { " * 40_000,
        BASE + "pool x { a }\n" * 20_000,
        BASE + '"' * 200_000,
        BASE + "#! allow S307: x\n" * 20_000,
        BASE + "class x when " + "!" * 100_000 + "true { }",
        BASE + "model x { route: y; priority: 1; }\n" * 2_000,
        BASE + "model x {\n" + "  priority: 1;\n" * 20_000 + "}\n",
        BASE + "filter a = endpoint.ready and " * 10_000,
    ],
    ids=[
        "10 MiB", "10 MiB of braces", "parentheses", "deep", "lists", "unclosed", "unknown",
        "quotes", "allowing", "nots", "habits", "habits in one block", "one long block",
    ],
)  # fmt: skip
def test_bombs_are_refused_at_once(text: str) -> None:
    check_policy([Source("warm.sched", BASE)])
    started = time.process_time()
    found = check_policy([Source("bomb.sched", text)])

    assert time.process_time() - started < SECONDS_MAX
    assert any(d.level is Level.ERROR for d in found) or "allow" in text
    assert len(found) <= SHOWN_MAX + 1


def test_a_title_may_have_any_character() -> None:
    text = 'test "a\0b\ud800" { expect decision.shed }'

    assert checked_and_shown(f"{BASE}\n{text}".encode("utf-8", "surrogatepass")) >= 0
    assert check_policy([Source("title.sched", f"{BASE}\n{text}")])  # nothing raises


def test_a_scorer_may_be_a_number_in_parentheses() -> None:
    assert checked_and_shown(f"{BASE}\nscorer s = (1\n)".encode()) > 0


@pytest.mark.parametrize("text", ["trace{\x01", "trace{", "pool{", "test{", "let", "override{"])
def test_a_stub_of_a_block_is_refused(text: str) -> None:
    assert checked_and_shown(text.encode()) > 0
    assert checked_and_shown(f"sched 1\n{text}".encode()) > 0
