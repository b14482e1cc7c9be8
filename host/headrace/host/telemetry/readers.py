"""Who may read the operator endpoint beyond its health: everybody, or who shows a token.

Health is open always: a kubelet shows nothing.
"""

import asyncio
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

OPEN = ("/healthz", "/readyz")
SCHEME = "Bearer "
TOKEN_BYTES_MAX = 16 << 10
ALLOWED_S, DENIED_S, AWAY_S = 60.0, 5.0, 600.0
KNOWN_MAX = 256
AT_ONCE_MAX = 4  # questions to the API server


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a client may not read: the status and a text that says what to do."""

    status: int
    text: str


class Readers(Protocol):
    """Decides who may read."""

    async def refuses(self, token: str, path: str) -> Refusal | None:
        """Return why whoever shows *token*, "" for none, may not read *path*; None if he may."""
        ...


class Everybody:
    """Lets everybody read."""

    async def refuses(self, token: str, path: str) -> Refusal | None:
        """Return None."""
        return None


NO_TOKEN = Refusal(401, "show a token, as `authorization: Bearer ...`\n")
WRONG_TOKEN = Refusal(401, "this token is not one that may read here\n")


@dataclass(frozen=True, slots=True)
class TokenFile:
    """Lets read who shows the content of a file, which is read again for each who asks."""

    path: Path

    async def refuses(self, token: str, path: str) -> Refusal | None:
        """Return why not. A file that cannot be read lets nobody in."""
        if not token:
            return NO_TOKEN
        try:
            with self.path.open("rb") as file:
                wanted = file.read(TOKEN_BYTES_MAX).strip()
        except OSError as error:
            why = error.strerror or type(error).__name__
            return Refusal(503, f"`--metrics-token-file` cannot be read: {why}\n")
        known = bool(wanted) and hmac.compare_digest(token.encode("utf-8", "replace"), wanted)
        return None if known else WRONG_TOKEN


class Unasked(Exception):
    """The API server did not say. The message says why."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What an API server says of a token: whose it is, "" for nobody's; *allowed* to read."""

    user: str
    allowed: bool


@dataclass(slots=True)
class Reviewed:
    """Lets read whom an API server knows and allows: as TokenReview and SubjectAccessReview say.

    Event loop's thread only. What it said is kept for a minute, a refusal for some seconds; while
    it is away, who was allowed in the last ten minutes still is.

    ask  token and path -> the ruling; called in a thread, raises `Unasked`
    """

    ask: Callable[[str, str], Ruling]
    clock: Callable[[], float] = monotonic
    _known: dict[tuple[bytes, str], tuple[Ruling, float]] = field(
        default_factory=dict[tuple[bytes, str], tuple[Ruling, float]]
    )
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE_MAX))

    @property
    def known(self) -> int:
        """Of how many tokens and URLs the answer is kept."""
        return len(self._known)

    async def refuses(self, token: str, path: str) -> Refusal | None:
        """Return why not."""
        if not token or len(token) > TOKEN_BYTES_MAX:
            return NO_TOKEN if not token else WRONG_TOKEN
        key = (sha256(token.encode("utf-8", "replace")).digest(), path)
        ruling, age_s = self._recall(key)
        if ruling is None or age_s > (ALLOWED_S if ruling.allowed else DENIED_S):
            async with self._slots:
                try:
                    ruling = await asyncio.to_thread(self.ask, token, path)
                except Unasked as error:
                    if ruling is None or not ruling.allowed or age_s > AWAY_S:
                        return Refusal(503, f"the API server did not say who this is: {error}\n")
                    return None
            self._keep(key, ruling)
        if not ruling.user:
            return WRONG_TOKEN
        if not ruling.allowed:
            return Refusal(403, f"`{ruling.user}` may not `get` the URL `{path}`: see RBAC\n")
        return None

    def _recall(self, key: tuple[bytes, str]) -> tuple[Ruling | None, float]:
        found = self._known.get(key)
        return (None, 0.0) if found is None else (found[0], self.clock() - found[1])

    def _keep(self, key: tuple[bytes, str], ruling: Ruling) -> None:
        self._known.pop(key, None)
        self._known[key] = (ruling, self.clock())
        while len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]


def guarded(readers: Readers) -> Middleware:
    """Return the middleware that answers whom *readers* refuse."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in OPEN and request.method in ("GET", "HEAD"):
            refusal = await readers.refuses(_token(request.headers), request.path)
            if refusal is not None:
                asks = {"www-authenticate": "Bearer"} if refusal.status == 401 else None
                return web.Response(status=refusal.status, text=refusal.text, headers=asks)
        return await handler(request)

    return guard


def _token(headers: Mapping[str, str]) -> str:
    given = headers.get("authorization", "")
    return given[len(SCHEME) :].strip() if given.lower().startswith(SCHEME.lower()) else ""


EVERYBODY = Everybody()
