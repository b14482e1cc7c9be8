"""The table of the reference's plugins is complete, and what it names is there."""

import re

import pytest
from docs.plugin_rows import SECTIONS

from headrace.dsl import library
from headrace.dsl.vocabulary import variables
from headrace.host.importer.filters import FILTERS
from headrace.host.importer.others import HANDLERS, OTHERS, PICKERS
from headrace.host.importer.saturation import ADMITTER
from headrace.host.importer.scorers import SCORERS

ROWS = [row for rows in SECTIONS.values() for row in rows]
RULES = {n for n in library.names() if library.definition(n).kind != "let"}
CODE = re.compile(r"`([^`]+)`")
NAME = re.compile(r"\b(?:endpoint|pool|request)\.[a-z_]+(?:\.[a-z_]+)?")
CALLED = {"request.header", "request.cookie"}


def test_every_plugin_that_can_be_imported_has_one_row_and_no_other_has() -> None:
    known = {*SCORERS, *FILTERS, *PICKERS, *OTHERS, *HANDLERS, ADMITTER}

    assert sorted(kind for kind, _, _ in ROWS) == sorted(known)


def test_every_name_of_the_library_is_in_the_table() -> None:
    said = {word for _, here, _ in ROWS for word in CODE.findall(here)}

    assert {word for word in said if word.endswith(("_scorer", "_filter"))} <= RULES
    assert said >= RULES


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_a_row_reads_is_in_the_vocabulary(row: tuple[str, str, str]) -> None:
    words = " ".join(CODE.findall(f"{row[1]} {row[2]}"))
    named = {name for name in NAME.findall(words) if name not in CALLED}

    assert named <= variables().keys()


def test_a_plugin_without_a_counterpart_says_why() -> None:
    assert [kind for kind, here, differs in ROWS if not here and not differs] == []
