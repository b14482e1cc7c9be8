"""The page of sections says what the tests are, and no case of h2spec is without a test."""

import os
import re
from pathlib import Path

import pytest

from tests.conformance.sections import functions, h2spec, held, table

PAGE = Path(__file__).parents[2] / "docs" / "internals" / "http2-conformance.md"
# How many cases h2spec has in each of its suites, the strict ones included.
CASES = {"generic": 44, "http2": 95, "hpack": 7}


def test_every_case_of_h2spec_is_played_by_a_test_that_exists() -> None:
    known = {one.name for one in held()} | set(functions())

    assert {name for _, name in h2spec()} - known == set()


def test_the_list_of_h2spec_has_no_gap() -> None:
    last: dict[str, int] = {}
    total = dict.fromkeys(CASES, 0)
    for case, _ in h2spec():
        section, _, number = case.rpartition("/")
        assert int(number) == last.get(section, 0) + 1, case
        last[section] = int(number)
        total[section.partition("/")[0]] += 1

    assert total == CASES


@pytest.mark.parametrize("rfc", [9113, 7541])
def test_the_page_has_the_sections_that_the_tests_have(rfc: int) -> None:
    marks = re.compile(rf"(?<=<!-- RFC {rfc} -->\n)(.*?)(?=<!-- end -->)", re.DOTALL)
    head = "| section | cases | where (below `tests/conformance`, unless it says otherwise) |\n"
    rows = f"{head}|---|---|---|\n{table(rfc)}\n"
    text = PAGE.read_text()
    if os.environ.get("UPDATE") == "1":
        PAGE.write_text(text := marks.sub(lambda _: rows, text))
    found = marks.search(text)

    assert found is not None
    assert found[0] == rows, "run UPDATE=1 pytest tests/conformance/test_h2spec.py"


@pytest.mark.parametrize("chapter", ["3.4", "4.1", "4.2", "4.3", *(f"6.{n}" for n in range(1, 11))])
def test_no_section_of_frames_is_without_a_case(chapter: str) -> None:
    assert any(one.rfc == 9113 and one.section == chapter for one in held())
