"""From what ages of the metrics on a rule may change its mind, read off its text.

A rule that only ever asks whether `endpoint.age` is below or above a written duration
gives the same value until the next of these ages. That holds for any rule around the
comparisons, since one that is given the same answers answers the same. Whatever else a
rule does with an age, it is not known here, and the rule is evaluated for every request.
"""

import re

from headrace.dsl.syntax.literals import LiteralFault, duration_s

AGE = "endpoint.age"
_ROOTS = frozenset({"endpoint", "request", "pool"})
_WORDS = frozenset({"true", "false", "in"})
_COMPARE = frozenset({"<", "<=", ">", ">="})
_BOUNDS = frozenset({"", "(", ")", "[", "]", ",", "&&", "||", "?", ":"})
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|ms|min|s|h|d))+")
_TOKEN = re.compile(
    r"""
      (?P<skip>\s+|\#[^\n]*|//[^\n]*)
    | (?P<text>"[^"\\\n]*"|'[^'\\\n]*')
    | (?P<number>\d[\w.]*%?)
    | (?P<name>[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*)
    | (?P<sign>&&|\|\||[<>=!]=|.)
    """,
    re.VERBOSE | re.DOTALL,
)


def thresholds_s(text: str) -> tuple[float, ...] | None:
    """Return the ages that *text* compares with, lowest first; None if it is not that simple."""
    tokens = ["", *_tokens(text), ""]
    if '""' in tokens or "''" in tokens or not _names_are_plain(tokens):
        return None  # an empty text may be the beginning of a triple-quoted one
    found: set[float] = set()
    for i, token in enumerate(tokens):
        if token == AGE:
            other = _compared_with(tokens, i)
            if other is None:
                return None
            found.add(other)
    return tuple(sorted(found)) or None


def _compared_with(tokens: list[str], at: int) -> float | None:
    """Return the duration that the age at *at* is compared with, if nothing else is done to it."""
    before, after = tokens[at - 1], tokens[at + 1]
    if after in _COMPARE and before in _BOUNDS:
        literal, bound = tokens[at + 2], tokens[at + 3 : at + 4]
    elif before in _COMPARE and after in _BOUNDS and at >= 3:
        literal, bound = tokens[at - 2], tokens[at - 3 : at - 2]
    else:
        return None
    if not bound or bound[0] not in _BOUNDS or not _DURATION.fullmatch(literal):
        return None
    try:
        return duration_s(literal)
    except LiteralFault:
        return None


def _names_are_plain(tokens: list[str]) -> bool:
    """Return whether no name can hide an age: a `let`, a macro's variable, part of a chain."""
    for i, token in enumerate(tokens):
        if not token[:1].isidentifier() or token in _WORDS:
            continue
        root, dot, _ = token.partition(".")
        called = tokens[i + 1] == "("
        if not (called and (not dot or root in _ROOTS)) and not (dot and root in _ROOTS):
            return False
    return True


def _tokens(text: str) -> list[str]:
    """Return the tokens of *text*, with the spaces inside dotted names taken out."""
    tokens: list[str] = []
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "name":
            tokens.append("".join(match.group().split()))
        elif match.lastgroup != "skip":
            tokens.append(match.group())
    return tokens
