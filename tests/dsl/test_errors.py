"""Every message a policy author can get, as files in errors/.

A file is one policy; a line `=== NAME` begins another source of the same policy.
"""

import re
from pathlib import Path

import pytest

from headrace.dsl.policy import check_policy
from headrace.dsl.problems.codes import CODES
from headrace.dsl.problems.diagnostic import render
from headrace.dsl.source import Source
from tests.golden import check, split

CASES = sorted((Path(__file__).parent / "errors").glob("*.txt"))
# These need more text than a file for people should have; test_limits.py shows them.
SHOWN_ELSEWHERE = {"S110", "S111", "S112"}


def sources(text: str) -> list[Source]:
    first, *others = re.split(r"^=== (.+)\n", text, flags=re.MULTILINE)
    named = zip(others[::2], others[1::2], strict=True)
    return [Source("case.sched", first), *(Source(name, body) for name, body in named)]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_mistake_reads_as_in_the_file(path: Path) -> None:
    found = check_policy(sources(split(path)[0]), today="2026-11-22")

    check(path, "".join(f"{render(d)}\n" for d in found))


def test_every_code_is_shown_by_a_file() -> None:
    shown = {code for path in CASES for code in re.findall(r"\[(S\d+)\]", split(path)[1])}

    assert shown | SHOWN_ELSEWHERE == {code.id for code in CODES}
