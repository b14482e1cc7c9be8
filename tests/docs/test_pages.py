"""What the pages say is so: links lead somewhere, policies compile, commands and flags exist."""

import ast
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from docs.cli_page import flags_of

from headrace.dsl.policy import check_policy
from headrace.dsl.problems.codes import Level
from headrace.dsl.problems.diagnostic import render
from headrace.dsl.source import Source
from headrace.dsl.vocabulary import STAGES
from headrace.host.cli.main import build_app
from tests.docs.pages import PAGES, ROOT, Block, anchors, blocks, links, name, typed

LINES_MAX = 120
GENERATED = "> Generated from the code"
INSTALLED = STAGES | {"acme_redactor"}  # the example stage, which the pages install
CONTEXT = 'sched 1\npool gemma { endpoints "10.0.0.1:8000" }\nmodel any { route gemma }\n'
BROUGHT_ALONG = {"--help", "--install-completion", "--show-completion"}


def commands() -> Mapping[str, set[str]]:
    """Return the flags of every command of the command line."""
    found: dict[str, set[str]] = {}
    for command in build_app().registered_commands:
        assert command.callback is not None
        title = command.name or command.callback.__name__
        found[title] = BROUGHT_ALONG | {f.name for f in flags_of(command.callback)}
    return found


COMMANDS = commands()
TARGETS = set(re.findall(r"^([a-z]+):.*?## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page

        assert there.exists(), target
        assert there.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("block", blocks("sched"), ids=str)
def test_every_policy_compiles(block: Block) -> None:
    whole = block.text.startswith("sched 1")
    context = "" if whole else CONTEXT
    found = check_policy([Source("page.sched", context + block.text)], INSTALLED, loader=_empty)

    # What a part of a policy defines may be used by another part. What no host performs yet
    # (S108) is documented before.
    warned = {d.code for d in found if d.level is Level.WARNING}
    assert [render(d) for d in found if d.level is Level.ERROR] == []
    assert warned <= ({"S108"} if whole else {"S307", "S108"})


def _empty(path: str, source: Source) -> Source:
    return Source(path, "sched 1\n")


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_every_piece_of_python_is_python(block: Block) -> None:
    assert ast.parse(block.text).body


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_every_piece_of_toml_is_toml(block: Block) -> None:
    assert tomllib.loads(block.text)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_names_only_commands_and_flags_that_exist(page: Path) -> None:
    for line in typed(page):
        for target in re.findall(r"^make ([a-z]+)", line):
            assert target in TARGETS, line
        for command, rest in re.findall(r"(?:^|/)headrace ([a-z][a-z-]*)([^|&>]*)", line):
            assert command in COMMANDS, line
            assert set(re.findall(r"--[a-z-]+", rest)) <= COMMANDS[command], line


def test_a_flag_that_is_named_alone_exists() -> None:
    known = set[str]().union(*COMMANDS.values()) | {"--strict"}
    named = {
        (name(page), flag)
        for page in PAGES
        for line in typed(page)
        for flag in re.findall(r"^(--[a-z-]+)", line)
    }

    assert named
    assert not {(page, flag) for page, flag in named if flag not in known}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_that_people_wrote_is_short(page: Path) -> None:
    text = page.read_text()

    assert GENERATED in text or text.count("\n") <= LINES_MAX


def test_every_page_of_the_docs_is_on_the_map() -> None:
    home = ROOT / "docs"
    mapped = {(home / target.partition("#")[0]).resolve() for target in links(home / "README.md")}
    errors = home / "reference" / "errors.md"  # an index of pages itself
    language = home / "reference" / "language.md"  # so is this
    guide = home / "language" / "README.md"  # and this
    for index in (errors, language, guide):
        mapped |= {(index.parent / t.partition("#")[0]).resolve() for t in links(index)}

    assert {page for page in PAGES if page.is_relative_to(home)} - {home / "README.md"} <= mapped
