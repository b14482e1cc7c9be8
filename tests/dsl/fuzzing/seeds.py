"""What the fuzzers begin with: policies we have, texts of the tests of CEL, and the words."""

import ast
from collections.abc import Iterator
from pathlib import Path

from lark.lexer import PatternStr

from headrace.dsl.syntax.grammar import parser
from tests.dsl.format.layouts import GIVEN
from tests.golden import split

DSL = Path(__file__).parents[1]


def seeds(target: str) -> list[bytes]:
    """Return the inputs that the fuzzer of *target* starts from."""
    texts = _expressions() if target == "cel" else _policies()
    return sorted({text.encode("utf-8", "replace") for text in texts})


def _policies() -> Iterator[str]:
    for folder in ("errors", "format/golden"):
        yield from (split(path)[0] for path in (DSL / folder).glob("*.txt"))
    yield from (path.read_text() for path in GIVEN)


def _expressions() -> Iterator[str]:
    """Yield every text that a test of CEL has between quotes; most are expressions."""
    for path in (DSL / "cel").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def dictionary() -> str:
    """Return the words of the language in the form that libFuzzer reads."""
    words = {t.pattern.value for t in parser().terminals if isinstance(t.pattern, PatternStr)}
    return "".join(f'"{_escaped(word)}"\n' for word in sorted(words))


def _escaped(word: str) -> str:
    return "".join(c if c.isalnum() else f"\\x{ord(c):02x}" for c in word)
