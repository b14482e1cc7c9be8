"""The pages about the language: what they show compiles, and they show all of it."""

import re
from pathlib import Path

import pytest

from headrace.dsl.policy import check_policy
from headrace.dsl.problems.diagnostic import render
from headrace.dsl.source import Source
from headrace.dsl.syntax.blocks import OPENERS
from headrace.host.cli.imports import Imports
from tests.docs.pages import ROOT, Block, blocks_of, name

LANGUAGE = ROOT / "docs" / "language"
PAGES = sorted(LANGUAGE.glob("*.md"))
FILES = [b for page in PAGES for b in blocks_of(page) if b.kind.startswith("sched:")]
SHOWN = "".join(b.text for page in PAGES for b in blocks_of(page) if b.kind.startswith("sched"))
RESERVED = {"quota"}
STATEMENTS = re.compile(r'^_?\w+: "(\w+)"', re.MULTILINE)


@pytest.mark.parametrize("block", FILES, ids=str)
def test_a_policy_of_several_files_compiles(block: Block, tmp_path: Path) -> None:
    for other in FILES:
        if other.page == block.page:
            (tmp_path / other.kind.partition(":")[2]).write_text(other.text)
    path = str(tmp_path / block.kind.partition(":")[2])
    imported = any(f'import "{block.kind.partition(":")[2]}"' in f.text for f in FILES)

    sources = [Source(path, block.text)]
    found = check_policy(sources, loader=Imports.of(sources).load)

    # What a file defines for others may be unused in itself, and it needs no model.
    wrong = [d for d in found if not (imported and d.code in ("S222", "S307"))]
    assert not wrong, "\n".join(map(render, wrong))


def test_every_block_of_the_language_is_shown() -> None:
    shown = set(re.findall(r"^([a-z]+)\b", SHOWN, re.MULTILINE))

    assert OPENERS - RESERVED - {"sched"} - shown <= {"stage"}  # it needs a package: a text block
    assert any("stage acme_redactor from" in b.text for b in blocks_of(LANGUAGE / "chains.md"))


def test_every_statement_of_the_grammar_is_shown() -> None:
    grammar = (ROOT / "dsl" / "headrace" / "dsl" / "syntax" / "sched.lark").read_text()
    statements = set(STATEMENTS.findall(grammar.partition("// ---- CEL")[0]))

    assert len(statements) > 40
    assert not {s for s in statements - {"stage"} if not re.search(rf"\b{s}\b", SHOWN)}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_of_the_language_shows_more_than_it_tells(page: Path) -> None:
    if page.stem != "README":
        assert [b for b in blocks_of(page) if b.kind.startswith("sched")]
