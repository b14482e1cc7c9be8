"""What looks like a secret: it belongs into the environment, not into a policy.

A policy is read by many, kept in a repository and shown by tools.
"""

import re

from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.source import Span
from headrace.dsl.syntax.tree import Word

# Headers whose value is a secret, whatever it looks like.
_HEADERS = frozenset(
    (
        "authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "apikey",
        "x-goog-api-key", "x-auth-token", "x-access-token", "x-amz-security-token",
    )
)  # fmt: skip
_NAMED = re.compile(r"(?i)(?:^|[-_])(?:secret|password|passwd|token|api-?key)(?:$|[-_])")
# The beginnings that services give their keys, so that they can be found.
_VALUES = re.compile(
    r"(?:^|[\s\"'=:])(?:sk-[\w-]{8}|ghp_\w{8}|github_pat_\w{8}|glpat-[\w-]{8}|hf_\w{8}|AKIA\w{8}"
    r"|AIza[\w-]{8}|ya29\.[\w-]{8}|xox[abprs]-[\w-]{8}|nvapi-[\w-]{8}|eyJ[\w-]{8}|"
    r"-----BEGIN )|(?:^|[\"'=:] ?)(?:[Bb]earer +[^\s{]|[Bb]asic +(?=\S*[a-z]\S*[A-Z])[\w+/]{8})"
)
_IN_QUERY = re.compile(r"(?i)[?&](?:api[-_]?key|key|token|access[-_]?token|secret|password)=")


def is_secret_header(name: str) -> bool:
    """Return whether the value of the header *name*, in lower case, is a secret by its name."""
    return name in _HEADERS or _NAMED.search(name) is not None


def looks_secret(text: str) -> bool:
    """Return whether *text* has a key or a token in it, as services write them."""
    return _VALUES.search(text) is not None


def no_secret(word: Word, what: str, help_: str, problems: Problems) -> bool:
    """Return whether *word* holds no secret; report one that it seems to hold."""
    if not looks_secret(word.text):
        return True
    reported(word.span, what, help_, problems)
    return False


def reported(span: Span, what: str, help_: str, problems: Problems) -> None:
    """Report that *what*, which is a secret or looks like one, stands at *span*."""
    message = f"{what} looks like a secret, and a policy is no place for one"
    problems.add("S231", span, message, "do not write it here", help_)


def in_query(url: str) -> bool:
    """Return whether *url* has a key among its parameters."""
    return _IN_QUERY.search(url) is not None
