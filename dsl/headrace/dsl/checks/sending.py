"""Where a provider is and which headers it is sent, without secrets."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from headrace.dsl.checks import secrets
from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.secret_forms import in_url, is_secret_header
from headrace.dsl.syntax.guard_said import HeaderSaid
from headrace.dsl.syntax.tree import Word

_URL_CHARS_MAX = 2000
_HEADERS_MAX = 20
_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
# What the client of the host says by itself.
_OURS = frozenset(
    (
        "host", "content-length", "content-type", "transfer-encoding", "connection", "te",
        "upgrade", "expect", "trailer", "accept-encoding", "content-encoding",
    )
)  # fmt: skip
IN_HEADER = 'a secret goes into a header: `header "authorization" from env "TOKEN"`'


@dataclass(frozen=True, slots=True)
class Sent:
    """The headers of a provider, by lower-case name; see `Provision`."""

    headers: dict[str, str] = field(default_factory=dict[str, str])
    secrets: dict[str, str] = field(default_factory=dict[str, str])
    prefixes: dict[str, str] = field(default_factory=dict[str, str])


def headers(said: Sequence[HeaderSaid], problems: Problems) -> Sent:
    """Return what *said* sends, after reporting what cannot be sent or should not stand there."""
    found = Sent()
    for one in said[:_HEADERS_MAX]:
        name = one.name.text.lower()
        _name(one.name, name, problems)
        if not one.from_env:
            _literal(one, name, problems)
            found.headers[name] = one.value.text
            continue
        if not _VARIABLE.fullmatch(one.value.text):
            help_ = 'letters, digits and `_`: `from env "SCREEN_TOKEN"`'
            message = "this is not the name of an environment variable"
            problems.add("S218", one.value.span, message, "", help_)
        found.secrets[name] = one.value.text
        if one.prefix is not None:
            _sendable(one.prefix, problems)
            found.prefixes[name] = one.prefix.text
    if len(said) > _HEADERS_MAX:
        message = f"a guard sends at most {_HEADERS_MAX} headers of its own"
        problems.add("S218", said[_HEADERS_MAX].span, message, "one too many")
    return found


def _name(word: Word, name: str, problems: Problems) -> None:
    if name in _OURS:
        message = f"the header `{name}` is the host's to say"
        problems.add("S218", word.span, message, "not possible", "remove it")
    elif not _HEADER.fullmatch(name):
        help_ = "letters, digits and `-`"
        problems.add("S218", word.span, "this is not the name of a header", "", help_)


def _literal(one: HeaderSaid, name: str, problems: Problems) -> None:
    shown = name if name.isprintable() else "NAME"
    cure = f'write `header "{shown}" from env "SCREEN_TOKEN"`'
    if is_secret_header(name):
        secrets.reported(one.value.span, f"the value of `{name}`", cure, problems)
    elif secrets.no_secret(one.value, "this value", cure, problems):
        _sendable(one.value, problems)


def _sendable(word: Word, problems: Problems) -> None:
    if not (word.text.isascii() and word.text.isprintable() and 1 <= len(word.text) <= 1000):
        help_ = "1 to 1000 printable characters of ASCII"
        problems.add("S218", word.span, "this cannot be sent in a header", "", help_)


def check_url(word: Word, problems: Problems) -> None:
    """Report *word* if it is not the URL of a server, or has a secret in it."""
    fault = url_fault(word.text)
    if fault:
        help_ = 'for example `"https://screen.acme.example/check"`'
        problems.add("S218", word.span, f"this is not a URL: {fault}", "", help_)
    elif in_url(word.text):
        secrets.reported(word.span, "a part of this URL", IN_HEADER, problems)
    else:
        secrets.no_secret(word, "a part of this URL", IN_HEADER, problems)


def url_fault(text: str) -> str:
    """Return why *text* is not the URL of a server; "" if it is one."""
    if len(text) > _URL_CHARS_MAX or not text.isprintable() or " " in text:
        return f"at most {_URL_CHARS_MAX} printable characters, no space"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return "its host or its port cannot be read"
    if parts.scheme not in ("http", "https"):
        return "it begins with `http://` or `https://`"
    if not parts.hostname:
        return "it has no host"
    if port == 0 or "#" in text:
        return "a port from 1 to 65535, and no `#`"
    return ""
