"""The dialects that the how-to shows are dialects."""

import re

import pytest

from headrace.dsl.policy import check_policy
from headrace.dsl.source import Source
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "howto" / "write-a-dialect.md").read_text()
FILES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
POLICY = re.findall(r"```text\n(sched 1.*?)```", PAGE, re.DOTALL)[0]


@pytest.mark.parametrize("toml", FILES)
def test_a_dialect_that_the_page_shows_is_one(toml: str) -> None:
    found = check_policy([Source("policy.sched", POLICY), Source("mine.toml", toml)])

    assert found == ()
