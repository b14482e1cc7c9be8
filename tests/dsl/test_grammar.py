"""The grammar itself: no conflicts, one page, and the blocks are cut where they should be."""

from collections.abc import Iterator
from pathlib import Path

import lark
import pytest
from lark.lark import PostLex

from headrace.dsl.source import Source
from headrace.dsl.syntax.blocks import split
from headrace.dsl.syntax.grammar import STARTS, Misfit, built, grammar_text, parse
from headrace.dsl.syntax.table import load

POLICIES = sorted((Path(__file__).parents[2] / "policies").glob("*.sched"))


class Loose(PostLex):
    """Lets words touch."""

    always_accept = ()

    def process(self, stream: Iterator[lark.Token]) -> Iterator[lark.Token]:
        """Return *stream* as it is."""
        return stream


def test_the_grammar_has_no_conflict_and_no_two_terminals_collide() -> None:
    # A conflict or a collision raises here.
    grammar = lark.Lark(
        grammar_text(), parser="lalr", lexer="contextual", start=list(STARTS), strict=True
    )

    assert set(STARTS) <= {str(rule.origin.name) for rule in grammar.rules}


def test_the_tables_that_come_along_are_of_this_grammar() -> None:
    # If not: python -m headrace.dsl.syntax.table
    assert load(grammar_text(), Loose()) is not None
    assert load(grammar_text() + " ", Loose()) is None


def test_a_parser_from_tables_reads_like_one_from_the_grammar() -> None:
    grammar = grammar_text()
    from_tables, from_grammar = load(grammar, Loose()), built(grammar)
    assert from_tables is not None
    blocks = [b for path in POLICIES for b in split(Source(path.name, path.read_text()))]

    for text in [b.span.text for b in blocks if b.known and b.keyword != "sched"]:
        assert from_tables.parse(text, "item") == from_grammar.parse(text, "item")  # pyright: ignore[reportUnknownMemberType]


def test_the_grammar_fits_on_a_page() -> None:
    assert grammar_text().count("\n") <= 220


@pytest.mark.parametrize(
    ("text", "keywords"),
    [
        ("", []),
        ("# only a comment\n", []),
        ("sched 1 pool a { } model b { }", ["sched", "pool", "model"]),
        ("sched 1\nfilter a = x filter b = y", ["sched", "filter", "filter"]),
        ("overload when\n  pool.queue > 5 { }\nfilter a = pool.queue\n", ["overload", "filter"]),
        ("overload when\npool.queue > 5 { }", ["overload"]),
        ('pool a { profile "}{" # }\n}\nclass c when x { }', ["pool", "class"]),
        ("pool a {\nprofile fast\n}\nmodel b { }", ["pool", "model"]),
        ("filter pool = x\nscorer class = y", ["filter", "scorer"]),
        ("filter a = x ?\n  y : z\nlet b = [\n pool, model ]", ["filter", "let"]),
        ("pool a { }\nwidget b { }\nfilter c = x", ["pool", "widget", "filter"]),
        ("filter a = x\nfiltr b = y\nscorer c = z", ["filter", "filtr", "scorer"]),
        ("trace { }\ntest 'x' { }\nimport 'y'", ["trace", "test", "import"]),
        ("}\npool a { }", ["", "pool"]),
    ],
)
def test_a_file_is_cut_into_its_blocks(text: str, keywords: list[str]) -> None:
    blocks = split(Source("t.sched", text))

    assert [b.keyword for b in blocks] == keywords
    if blocks:
        assert "".join(b.span.text for b in blocks) == text[blocks[0].span.start :]


def test_a_block_that_is_never_closed_does_not_swallow_the_next() -> None:
    blocks = split(Source("t.sched", "pool a {\n  endpoints\npool b { }\nmodel c { }\n"))

    assert [(b.keyword, b.closed) for b in blocks] == [
        ("pool", False),
        ("pool", True),
        ("model", True),
    ]


@pytest.mark.parametrize(
    ("text", "at", "some_expected"),
    [
        ("pool a { stale 2s }", 15, {"AFTER"}),
        ("filter a = b c", 13, {"RELOP", "$END"}),
        ("class a when b { priority10 }", 25, set[str]()),
        ("pool a {", 8, {"ENDPOINTS", "RBRACE"}),
    ],
)
def test_a_misfit_says_where_and_what_would_fit(
    text: str, at: int, some_expected: set[str]
) -> None:
    misfit = parse(text, "item")

    assert isinstance(misfit, Misfit)
    assert misfit.at == at
    assert misfit.expected >= some_expected
