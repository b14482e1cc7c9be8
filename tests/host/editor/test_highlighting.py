"""Highlighting: two lexers, the words of one grammar, and no text without a colour."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, String, Token

from headrace.dsl.syntax.blocks import BLOCKS as OPENING
from headrace.dsl.syntax.grammar import parser
from headrace.host.editor.pygments_lexer import BLOCKS, CONSTANTS, WORDS, SchedLexer

ROOT = Path(__file__).parents[3]
VSCODE = ROOT / "examples" / "editors" / "vscode"
POLICIES = sorted(
    path
    for folder in ("policies", "examples", "tests/dsl/whole")
    for path in (ROOT / folder).rglob("*.sched")
)
# A TextMate scope's beginning -> what Pygments calls it.
SCOPES = {
    "comment": Comment.Single,
    "string": String,
    "variable.language": Name.Builtin,
    "constant.numeric": Number,
    "constant.language": Keyword.Constant,
    "keyword.declaration": Keyword.Declaration,
    "keyword.operator": Operator,
    "keyword.other": Keyword,
    "entity.name.function": Name.Function,
    "variable.other": Name,
}
SAMPLE = """sched 1
pool gemma-new { select app = "x # no comment" port 8_000 }  # a comment
let late: duration = endpoint.metric("queue:wait").orValue(0.0) > 1.5e3 ? 1h30min : -200ms
filter queue = endpoint.queue % 5 < 80% && r"\\d" != 'pool' && !(true in [0x1f, 2u, 4MiB])
"""


# Any: JSON of the grammar, and the tokens of Pygments, which has no types for them.
def grammar() -> dict[str, Any]:
    return json.loads((VSCODE / "syntaxes" / "sched.tmLanguage.json").read_text())


def words_of_the_language() -> set[str]:
    patterns = (t.pattern for t in parser().terminals)
    return {str(p.value) for p in patterns if p.type == "str" and str(p.value).isidentifier()}


def by_textmate(text: str) -> Iterator[tuple[str, str]]:
    """Yield each piece of a line that the grammar has a scope for, as VS Code would find it."""
    rules = [
        (re.compile(rule["match"]), rule["name"])
        for rule in grammar()["patterns"]
        if "match" in rule
    ]
    for line in text.splitlines():
        at = 0
        while at < len(line):
            found = [
                (m.start(), i, m) for i, (p, _) in enumerate(rules) if (m := p.search(line, at))
            ]
            if not found:
                break
            _, i, match = min(found, key=lambda f: f[:2])
            yield match.group(), rules[i][1]
            at = max(match.end(), at + 1)


def by_pygments(text: str) -> Iterator[tuple[str, Any]]:
    for kind, piece in SchedLexer().get_tokens(text):
        if kind in Token.Text.Whitespace or kind in Token.Punctuation:
            continue
        yield piece, kind


def test_every_word_of_the_language_is_coloured_and_no_other() -> None:
    assert {*BLOCKS, *WORDS, *CONSTANTS} == words_of_the_language()
    assert {*BLOCKS} == {*OPENING, "sched"}
    assert not {*BLOCKS} & {*WORDS}


@pytest.mark.parametrize("word", sorted(words_of_the_language()))
def test_vs_code_knows_each_word(word: str) -> None:
    ((piece, scope),) = by_textmate(f"  {word} ")

    assert piece == word
    assert scope.startswith(("keyword.", "constant.language"))


@pytest.mark.parametrize("path", POLICIES, ids=lambda p: p.name)
def test_both_colour_a_policy_alike_and_whole(path: Path) -> None:
    text = path.read_text()
    pygments = [(piece, kind) for piece, kind in by_pygments(text)]
    textmate = [
        (piece, next(kind for start, kind in SCOPES.items() if scope.startswith(start)))
        for piece, scope in by_textmate(text)
    ]

    assert not [piece for piece, kind in pygments if kind in Error]
    assert len(pygments) == len(textmate)
    for (a, kind), (b, expected) in zip(pygments, textmate, strict=True):
        assert (a, kind in expected) == (b, True), (a, kind, b, expected)
    assert "".join(piece for _, piece in SchedLexer().get_tokens(text)).strip() == text.strip()


@pytest.mark.parametrize(
    ("piece", "kind"),
    [
        ("sched", Keyword.Declaration), ("gemma-new", Name), ('"x # no comment"', String),
        ("8_000", Number), ("# a comment", Comment), ("metric", Name.Function),
        ("1.5e3", Number), ("1h30min", Number), ("-200ms", Number), ("5", Number),
        ("80%", Number), ('r"\\d"', String), ("'pool'", String), ("true", Keyword.Constant),
        ("in", Keyword), ("0x1f", Number), ("2u", Number), ("4MiB", Number), ("%", Operator),
    ],
)  # fmt: skip
def test_a_piece_has_its_colour(piece: str, kind: Any) -> None:
    assert piece in {text for text, found in by_pygments(SAMPLE) if found in kind}


def test_a_name_behind_a_dot_is_no_keyword() -> None:
    found = list(by_pygments("x = endpoint.queue"))

    assert [(piece, kind) for piece, kind in found if piece == "queue"] == [("queue", Name)]


def test_the_extension_is_whole() -> None:
    package = json.loads((VSCODE / "package.json").read_text())
    contributes = package["contributes"]
    (language,) = contributes["languages"]
    (coloured,) = contributes["grammars"]

    assert language["extensions"] == [".sched"]
    assert coloured["language"] == language["id"] == "sched"
    assert coloured["scopeName"] == grammar()["scopeName"]
    paths = (package["main"], language["configuration"], coloured["path"])
    assert all((VSCODE / path).is_file() for path in paths)
    configuration = json.loads((VSCODE / language["configuration"]).read_text())
    assert configuration["comments"]["lineComment"] == "#"
    default = contributes["configuration"]["properties"]["headrace.command"]["default"]
    assert default == ["headrace", "lsp"]
