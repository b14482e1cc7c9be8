"""How providers ask: the request they send, and reading what comes back as one type.

Owns what is the same for all: statuses, quotas, JSON that is none. Knows no provider.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

import msgspec
from msgspec import Struct

from headrace.dsl.guarding import Guard, Provision
from headrace.extensions.safety.contract import (
    Hit,
    Http,
    HttpReply,
    Judged,
    Kind,
    Rpc,
    Secret,
    Together,
    Trouble,
    Verdict,
)

TIMEOUT_S = 1.0  # of a guard that names none: the stage's deadline
RETRY_AFTER_S_MAX = 3600.0  # what a provider asks beyond this is a mistake
DETAIL_CHARS_MAX = 200
# The text's fault, not the provider's, which is well: it must not open the circuit breaker.
DECLINED = frozenset({400, 413, 422})
QUOTA_WORD = "RESOURCE_EXHAUSTED"  # of google.rpc.Code
WORD = re.compile(r"[A-Za-z0-9_.:/ -]{1,64}")
JSON_HEADERS = (("content-type", "application/json"), ("accept", "application/json"))

T = TypeVar("T")
Replied = HttpReply | Trouble


class ProviderFault(Exception):
    """A guard asks a provider for what it cannot do: the author's mistake. Says which, and why."""

    def __init__(self, guard: Guard, why: str) -> None:
        super().__init__(f"guard `{guard.name}`: {why}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Makes the requests of one guard.

    base  where its provider's server is, without a slash at the end
    """

    guard: str
    base: str
    headers: tuple[tuple[str, str], ...] = ()
    secrets: tuple[Secret, ...] = ()
    google: bool = False
    timeout_s: float = TIMEOUT_S
    at_once: int = 64

    def post(self, path: str, body: object) -> Http:
        """Return the request that sends *body* as JSON to *path* of the server."""
        return self.send("POST", self.base + path, msgspec.json.encode(body))

    def send(self, method: str, url: str, body: bytes) -> Http:
        """Return the request that sends the JSON *body* to *url*."""
        return Http(
            self.guard,
            method,
            url,
            body,
            (*JSON_HEADERS, *self.headers),
            self.secrets,
            self.google,
            self.timeout_s,
            at_once=self.at_once,
        )


def caller(guard: Guard, base: str = "", bearer: bool = False) -> Caller:
    """Return what makes the requests of *guard*.

    base    where the provider is if the policy does not say
    bearer  the provider wants `authorization` to say ``Bearer``

    Raises:
        ProviderFault: nobody says where the provider is.
    """
    provision = provision_of(guard)
    url = (provision.url or base).rstrip("/")
    if not url:
        why = f"where is its `{provision.provider}`? write the URL behind the provider's name"
        raise ProviderFault(guard, why)
    timeout_s = TIMEOUT_S if guard.timeout_s is None else guard.timeout_s
    return Caller(
        guard.name,
        url,
        tuple((name.lower(), value) for name, value in provision.headers.items()),
        _secrets(provision, bearer),
        timeout_s=timeout_s,
        at_once=guard.at_once,
    )


def provision_of(guard: Guard) -> Provision:
    """Return whom *guard* asks; it must ask somebody."""
    assert guard.ask is not None, "a guard without a provider looks by itself"
    return guard.ask


def _secrets(provision: Provision, bearer: bool) -> tuple[Secret, ...]:
    usual = {"authorization": "Bearer "} if bearer else {}
    said = {header.lower(): prefix for header, prefix in provision.prefixes.items()}
    prefixes = usual | said
    return tuple(
        Secret(header.lower(), variable, prefixes.get(header.lower(), ""))
        for header, variable in provision.secrets.items()
    )


async def ask_all(requests: Sequence[Http | Rpc]) -> tuple[Replied, ...]:
    """Send *requests*, at the same time if there are several; the replies are in their order."""
    if len(requests) == 1:
        return (await requests[0],)
    return await Together(tuple(requests))


def read(reply: Replied, kind: type[T]) -> T | Trouble:
    """Return the JSON of *reply* as *kind*, or why there is none."""
    body = body_of(reply)
    if isinstance(body, Trouble):
        return body
    inside = _error_inside(body)
    if inside:
        kind_of = Kind.QUOTA if inside == QUOTA_WORD else Kind.ERROR
        return Trouble(kind_of, f"status 200 with an error inside: {inside}")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        # Its text names types and places, never a value.
        return failed(f"not the answer of such a provider: {error}")
    except (msgspec.DecodeError, RecursionError):
        return failed(f"the answer is no JSON ({_looks(body)}, {len(body)} bytes)")


def body_of(reply: Replied) -> bytes | Trouble:
    """Return the body of *reply* if its status says that it is the answer."""
    if isinstance(reply, Trouble):
        return reply
    if reply.status == 200:
        return reply.body
    return refused(reply)


def refused(reply: HttpReply) -> Trouble:
    """Return what a status other than 200 means."""
    word = _error_inside(reply.body)
    detail = f"status {reply.status}{f' {word}' if word else ''}{_cure(reply.status)}"
    quota = reply.status == 429 or word == QUOTA_WORD
    kind = Kind.QUOTA if quota else Kind.DECLINED if reply.status in DECLINED else Kind.ERROR
    after_s = retry_after_s(reply.headers) if quota or reply.status == 503 else None
    return Trouble(kind, detail[:DETAIL_CHARS_MAX], after_s)


def failed(detail: str) -> Trouble:
    """Return the trouble with an answer that cannot be read or be true."""
    return Trouble(Kind.ERROR, detail[:DETAIL_CHARS_MAX])


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `retry-after`; a date counts from the answer's own `date`."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:9]), RETRY_AFTER_S_MAX)
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("date", ""))
        wait_s = (until - now).total_seconds()
    except (TypeError, ValueError):  # TypeError: one of them without a time zone
        return None
    return min(max(0.0, wait_s), RETRY_AFTER_S_MAX)


def combined(parts: Sequence[Judged]) -> Judged:
    """Return the verdict on all texts of which *parts* are verdicts on some.

    A finding counts though another part has none: the trouble is then why it is partial.
    """
    troubles = [part for part in parts if isinstance(part, Trouble)]
    verdicts = [part for part in parts if isinstance(part, Verdict)]
    hits = tuple(hit for verdict in verdicts for hit in verdict.hits)
    if troubles and not hits:
        return troubles[0]
    if len(parts) == 1:
        return parts[0]
    partial = [v.partial for v in verdicts if v.partial] + [t.detail for t in troubles]
    said = next((v for v in verdicts if v.code or v.message), Verdict())
    rewritten = {at: text for verdict in verdicts for at, text in verdict.rewritten.items()}
    return Verdict(hits, rewritten, "; ".join(partial)[:DETAIL_CHARS_MAX], said.code, said.message)


def found(what: str, at: int) -> Verdict:
    """Return the verdict that all of the text *at* is *what*."""
    return Verdict((Hit(word(what), at),))


def word(text: str) -> str:
    """Return *text*, a provider's word, as one that may stand in logs and errors."""
    match = WORD.match(text)
    return match.group() if match else "unnamed"


class _Error(Struct):
    """The fields of an error that are words: of Google's, of OpenAI's."""

    status: str = ""
    type: str | None = ""


class _Failed(Struct):
    error: _Error


def _error_inside(body: bytes) -> str:
    """Return the word of the error object in *body*, or empty."""
    if b'"error"' not in body:
        return ""
    try:
        error = msgspec.json.decode(body, type=_Failed).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return word(error.status or error.type or "error")


def _cure(status: int) -> str:
    match status:
        case 401 | 403:
            return ": are the credentials right, and may they do this?"
        case 404:
            return ": does what the guard names exist there?"
        case _ if 300 <= status < 400:
            return ": redirects are not followed, name the address itself"
        case _:
            return ""


def _looks(body: bytes) -> str:
    start = body.lstrip()[:1]
    if start == b"<":
        return "HTML"
    return "cut off" if start in (b"{", b"[") else "empty" if not start else "something else"
