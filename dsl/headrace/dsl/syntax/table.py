"""The parser's tables, made beforehand: building them takes ten times as long as reading them.

`python -m headrace.dsl.syntax.table` makes them again; a test compares them with the grammar.
Tables that were made from another grammar, or by another Lark, are not used.
"""

import hashlib
import io
import zlib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, cast

import lark
from lark.lark import PostLex
from lark.parser_frontends import PostLexConnector

FILE = "sched.table"
_PACKAGE = "headrace.dsl.syntax"
_KEY_BYTES = 32


def key(grammar: str) -> bytes:
    """Return the name that tables of *grammar* go by: a hash of it and of Lark's version."""
    return hashlib.sha256(f"{lark.__version__}\n{grammar}".encode()).digest()


def load(grammar: str, postlex: PostLex) -> lark.Lark | None:
    """Return a parser from the tables that came with this package; None if they are of another."""
    file = resources.files(_PACKAGE).joinpath(FILE)
    octets = file.read_bytes() if file.is_file() else b""
    if octets[:_KEY_BYTES] != key(grammar):
        return None
    read = cast(Callable[..., lark.Lark], lark.Lark.load)  # pyright: ignore[reportUnknownMemberType]
    made = read(io.BytesIO(zlib.decompress(octets[_KEY_BYTES:])))
    # What runs between lexer and parser is code, so it is not in the tables. Lark leaves
    # this corner untyped.
    frontend: Any = made.parser
    connector: Callable[[object, PostLex], object] = PostLexConnector
    frontend.lexer = connector(frontend.lexer, postlex)
    return made


def dump(grammar: str, parser: lark.Lark) -> bytes:
    """Return what `load` reads: the tables of *parser*, which is of *grammar*."""
    tables = io.BytesIO()
    save = cast(Callable[..., None], parser.save)  # pyright: ignore[reportUnknownMemberType]
    save(tables, exclude_options=("postlex",))
    return key(grammar) + zlib.compress(tables.getvalue(), 9)


def main() -> None:
    """Write the tables beside this module."""
    from headrace.dsl.syntax.grammar import built, grammar_text

    grammar = grammar_text()
    Path(__file__).with_name(FILE).write_bytes(dump(grammar, built(grammar)))


if __name__ == "__main__":
    main()
