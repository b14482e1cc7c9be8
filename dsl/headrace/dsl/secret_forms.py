"""What looks like a secret in a policy, and how a policy is shown without it.

What is said of one is in `headrace.dsl.checks.secrets`.
"""

import re
from functools import lru_cache

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
_IN_HOST = re.compile(r"^[a-z]+://[^/?#]*@")
# Comments and texts, as far as they go: one that is not closed ends with its line.
_TOKEN = re.compile(
    r'#[^\n]*|"""(?:[^\\]|\\.)*?"""|\'\'\'(?:[^\\]|\\.)*?\'\'\''
    r"|\"(?:\\[^\n]|[^\"\\\n])*\"?|'(?:\\[^\n]|[^'\\\n])*'?",
    re.DOTALL,
)
_OF_HEADER = re.compile(r"\bheader\s+$")
_HEADER_CHARS = 80  # to look back for the word `header`: more blanks are not written
_SEEN = re.compile(r"\S")


def is_secret_header(name: str) -> bool:
    """Return whether the value of the header *name*, in lower case, is a secret by its name."""
    return name in _HEADERS or _NAMED.search(name) is not None


def looks_secret(text: str) -> bool:
    """Return whether *text* has a key or a token in it, as services write them."""
    return _VALUES.search(text) is not None


def in_url(url: str) -> bool:
    """Return whether *url* has a key among its parameters, or a user before its host."""
    return _IN_QUERY.search(url) is not None or _IN_HOST.search(url) is not None


@lru_cache(maxsize=8)  # of the files of one policy, asked for again and again
def veiled(text: str) -> str:
    """Return the policy *text* with stars for what looks like a secret, every place the same.

    It goes by the form alone, so that it holds for a policy that cannot be read, too.
    """
    pieces: list[str] = []
    at, name = 0, ""
    for token in _TOKEN.finditer(text):
        between, whole = text[at : token.start()], token.group()
        inner = whole.strip("\"'")
        of_secret = is_secret_header(name) and not between.strip()
        hidden = of_secret or looks_secret(inner) or in_url(inner)
        pieces += (between, _starred(whole) if hidden else whole)
        before = text[max(0, token.start() - _HEADER_CHARS) : token.start()]
        name = inner.lower() if _OF_HEADER.search(before) else ""
        at = token.end()
    return "".join((*pieces, text[at:]))


def _starred(token: str) -> str:
    edge = len(token) - len(token.lstrip("\"'"))
    end = len(token.rstrip("\"'"))
    return token[:edge] + _SEEN.sub("*", token[edge:end]) + token[max(edge, end) :]
