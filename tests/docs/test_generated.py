"""The pages that are made from the code are as the code is."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from docs.generate import REGIONS, WHOLE, fresh, with_region
from docs.reason_notes import NOTES

from headrace.dsl.problems.codes import CODES
from headrace.extensions.reasons import Reason
from headrace.host.telemetry.catalogue import CATALOGUE
from headrace.host.telemetry.log import FIELDS
from tests.docs.pages import ROOT, links, name

PAGES = [ROOT / page for page in (*WHOLE, *REGIONS)]
REFERENCE = ROOT / "docs" / "reference"


@cache
def made() -> Mapping[Path, str]:
    """Return all pages as they should be, once: each error page runs the command line."""
    return fresh()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_committed_page_is_what_the_generator_writes(page: Path) -> None:
    assert page.read_text() == made()[page], "run `python -m docs.generate`"


def test_every_error_code_has_an_entry() -> None:
    assert {f"errors/{code.id}.md" for code in CODES} <= set(links(REFERENCE / "errors.md"))


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("reasons.md", [reason.word for reason in Reason]),
        ("metrics.md", [metric.name for metric in CATALOGUE]),
        ("log.md", list(FIELDS)),
    ],
)
def test_every_word_of_a_registry_has_a_line(page: str, words: list[str]) -> None:
    text = (REFERENCE / page).read_text()

    assert words
    assert not [word for word in words if f"| `{word}` |" not in text]


def test_every_reason_has_a_note() -> None:
    assert set(NOTES) == set(Reason)


def test_a_region_that_is_not_there_once_is_a_mistake() -> None:
    marked = "a\n<!-- generated: x -->\nold\n<!-- end -->\n"

    assert with_region(marked, "x", "new\n") == "a\n<!-- generated: x -->\nnew\n<!-- end -->\n"
    for text in ("a\n", marked * 2):
        with pytest.raises(ValueError, match="not once"):
            with_region(text, "x", "new\n")
