"""A Pygments lexer of policies, for pages and terminals that colour text by it.

The words are those of the grammar; a test holds the two together.
"""

from collections.abc import Sequence
from typing import ClassVar

# Pygments has no types of its own for tokens and rules.
from pygments.lexer import RegexLexer
from pygments.token import (
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Whitespace,
    _TokenType,  # pyright: ignore[reportPrivateUsage]
)

BLOCKS = (
    "chain", "class", "cost", "filter", "guard", "import", "let", "model", "objective", "overload",
    "override", "pool", "profile", "safety", "sched", "scorer", "stage", "test", "trace", "trust",
)  # fmt: skip
WORDS = (
    "adapter", "adapters", "after", "allow", "also", "always", "any", "as", "ask", "at",
    "attribute", "behind", "best", "block", "blocks", "break", "by", "cache", "category", "chance",
    "dead", "deadline", "deny", "detect", "else", "endpoint", "endpoints", "env", "error", "events",
    "evict", "expect", "extends", "fails", "failures", "fair", "fairness", "finds", "first", "for",
    "from", "given", "gpu", "guards", "header", "in", "inferencepool", "inspect", "kv", "labels",
    "least", "log", "mask", "match", "max", "memory", "metrics", "minimize", "mirror", "most",
    "multiply", "name", "namespace", "of", "on", "once", "only", "order", "overlap", "parallel",
    "partial", "passthrough", "patterns", "pick", "plugin", "port", "prefer", "prefix", "priority",
    "queue", "random", "rank", "ranks", "redact", "refuse", "replay", "request", "require",
    "response", "retry", "role", "route", "sample", "scope", "score", "select", "session", "shed",
    "soonest", "speed", "stale", "stream", "strictly", "table", "template", "text", "ties",
    "timeout", "to", "tokens", "top", "unreadable", "unscreened", "up", "use", "wait", "weighted",
    "when", "window", "with", "within", "zone",
)  # fmt: skip
CONSTANTS = ("false", "null", "true")
ROOTS = ("candidates", "decision", "endpoint", "model", "pool", "request", "response")
_NUMBER = (
    r"[+-]?(?:0x[0-9a-fA-F]+|(?:\d[\d_]*)?\.?\d[\d_]*(?:[eE][+-]?\d+)?)"
    r"(?:u|%|(?:ns|us|ms|min|s|h|d)(?:\d+(?:\.\d+)?(?:ns|us|ms|min|s|h|d))*|[KMGT]?i?B)?(?![\w.])"
)


def _words(words: tuple[str, ...]) -> str:
    """Return the pattern of one of *words*, not inside a name and not behind a dot."""
    return rf"(?<![\w.-])(?:{'|'.join(words)})(?![\w-])"


class SchedLexer(RegexLexer):
    """The `.sched` language."""

    name: ClassVar[str] = "Headrace policy"
    aliases: ClassVar[Sequence[str]] = ["sched", "headrace"]
    filenames: ClassVar[Sequence[str]] = ["*.sched"]
    tokens: ClassVar[dict[str, list[tuple[str, _TokenType]]]] = {
        "root": [
            (r"\s+", Whitespace),
            (r"#[^\n]*", Comment.Single),
            (r'[bBrR]{0,2}"""(?:[^\\]|\\[\s\S])*?"""', String.Double),
            (r"[bBrR]{0,2}'''(?:[^\\]|\\[\s\S])*?'''", String.Single),
            (r'(?:[bB]?[rR]|[rR][bB])"[^"\n]*"', String.Double),
            (r"(?:[bB]?[rR]|[rR][bB])'[^'\n]*'", String.Single),
            (r'[bB]?"(?:\\.|[^"\\\n])*"', String.Double),
            (r"[bB]?'(?:\\.|[^'\\\n])*'", String.Single),
            (rf"(?<![\w.-])(?:{'|'.join(ROOTS)})(?=\.)", Name.Builtin),
            (rf"(?<![\w.)\]-]){_NUMBER}", Number),
            (_words(BLOCKS), Keyword.Declaration),
            (_words(CONSTANTS), Keyword.Constant),
            (_words(WORDS), Keyword),
            (r"(?<![\w-])[A-Za-z_]\w*(?=\()", Name.Function),
            (r"\w+(?:-\w+)*", Name),
            (r"`[^`\n]*`", Name),
            (r"&&|\|\||[<>=!]=|[-+*/%<>!?:=^]", Operator),
            (r"[{}()\[\],.|]", Punctuation),
            (r".", Name),
        ]
    }
