"""The token of Google's application default credentials, fetched off the event loop.

Known to this module only; whoever asks no Google API never imports google-auth.
"""

import asyncio
import logging
from collections.abc import Callable
from importlib import import_module
from time import monotonic
from typing import Any, Protocol

from headrace.extensions.safety.contract import Kind, Trouble

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
FETCH_S = 10.0  # of one request for a token; google-auth would wait for two minutes
RETRY_S = 5.0  # after a failure nobody asks again for so long
log = logging.getLogger(__name__)


class Credentials(Protocol):
    """What this module asks of google-auth's credentials."""

    token: str | None

    @property
    def valid(self) -> bool:
        """Whether there is a token that has some minutes to go."""
        ...

    def refresh(self, request: Any) -> None:
        """Fetch a new token; blocks."""
        ...


Source = Callable[[], tuple[Credentials, Any]]


class GoogleToken:
    """The token of this process. Mutable; event loop's thread only, but for the fetching.

    source  finds the credentials, and what they send requests with; blocks
    """

    def __init__(self, source: Source | None = None) -> None:
        self._source = source or _default
        self._found: tuple[Credentials, Any] | None = None
        self._fetching: asyncio.Task[str | Trouble] | None = None
        self._failed: Trouble | None = None
        self._failed_s = 0.0

    async def token(self) -> str | Trouble:
        """Return a token that is valid now; all who need a new one wait for the same fetch."""
        if self._found is not None:
            credentials = self._found[0]
            if credentials.valid and credentials.token:
                return credentials.token
        if self._failed is not None and monotonic() - self._failed_s < RETRY_S:
            return self._failed
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.get_running_loop().create_task(self._fetch())
        return await asyncio.shield(self._fetching)

    async def _fetch(self) -> str | Trouble:
        try:
            token = await asyncio.to_thread(self._refreshed)
        except Exception as error:  # google-auth has a dozen, and lets its transport's through
            why = type(error).__name__
            log.warning("no token of the application default credentials: %s", why)
            self._failed = Trouble(Kind.ERROR, f"no Google credentials: {why}")
            self._failed_s = monotonic()
            return self._failed
        self._failed = None
        return token

    def _refreshed(self) -> str:
        """Find the credentials if that was not done, fetch a token, and return it. Blocks."""
        if self._found is None:
            self._found = self._source()
        credentials, request = self._found
        credentials.refresh(request)
        if not credentials.token:
            raise LookupError("credentials without a token")
        return credentials.token


def _default() -> tuple[Credentials, Any]:
    # Any: only half of google-auth has types; what leaves here has those above.
    auth: Any = import_module("google.auth")
    transport: Any = import_module("google.auth.transport.requests")
    request = transport.Request()

    def bounded(*args: Any, **kwargs: Any) -> Any:
        return request(*args, **{**kwargs, "timeout": FETCH_S})

    credentials: Credentials = auth.default(scopes=[SCOPE])[0]
    return credentials, bounded
