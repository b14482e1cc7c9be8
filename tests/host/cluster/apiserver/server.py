"""The double as a test sees it: what it stores, what is to go wrong, and whether it is up."""

import base64
import ssl
import threading
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.host.cluster.apiserver.faults import Fault
from tests.host.cluster.apiserver.handler import TICK_S, Http
from tests.host.cluster.apiserver.shelf import Gone, Json, Shelf

LOOPBACK = "127.0.0.1"


@dataclass(slots=True)
class ApiServer:
    """A running double. Used from any thread.

    token    the bearer token it takes; empty takes everybody
    tls      by which it speaks TLS; None: it does not
    page_max  objects in a page at most, whatever is asked for
    bookmark_s  between two bookmarks of a watch
    users    token -> whose it is, for TokenReviews
    may      user -> the verbs and URLs that he may use, for SubjectAccessReviews
    seen     the requests, as ``GET /path?query``
    """

    shelf: Shelf = field(default_factory=Shelf)
    token: str = ""
    tls: ssl.SSLContext | None = None
    page_max: int = 500
    bookmark_s: float = 0.2
    seen: "deque[str]" = field(default_factory=lambda: deque[str](maxlen=10_000))
    users: dict[str, Json] = field(default_factory=dict[str, Json])
    may: dict[str, set[tuple[str, str]]] = field(default_factory=dict[str, set[tuple[str, str]]])
    port: int = 0
    silent: bool = False
    _faults: dict[tuple[str, str], deque[Fault]] = field(
        default_factory=dict[tuple[str, str], "deque[Fault]"]
    )
    _http: "Http | None" = None
    _pages: dict[str, tuple[int, list[Json]]] = field(
        default_factory=dict[str, tuple[int, list[Json]]]
    )

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://{LOOPBACK}:{self.port}"

    def knows(self, said: str) -> bool:
        """Return whether the header `authorization` shows who may ask."""
        scheme, _, token = said.partition(" ")
        return not self.token or (scheme.lower(), token) == ("bearer", self.token)

    def order(self, verb: str, plural: str, *faults: Fault) -> None:
        """Let the next requests of *verb*, ``list`` or ``watch``, for *plural* go wrong so."""
        self._faults.setdefault((verb, plural), deque()).extend(faults)

    def ordered(self, verb: str, plural: str) -> Fault | None:
        """Take the next fault off the list."""
        with suppress(IndexError):
            return self._faults.setdefault((verb, plural), deque()).popleft()
        return None

    def up(self) -> None:
        """Listen, at the same port as before."""
        assert self._http is None, "it is up"
        self._http = Http((LOOPBACK, self.port), self)
        self.port = self._http.server_address[1]
        if self.tls is not None:
            self._http.socket = self.tls.wrap_socket(self._http.socket, server_side=True)
        threading.Thread(target=self._http.serve_forever, args=(TICK_S,), daemon=True).start()

    def down(self) -> None:
        """Die: nobody listens, and every connection is reset."""
        http, self._http = self._http, None
        if http is not None:
            http.shutdown()
            http.server_close()
            http.hang_up()

    def cut(self, *, mid_line: bool = False) -> None:
        """End every watch there is: in the middle of a line, or between two."""
        if self._http is not None:
            self._http.cut(b'{"type":"MODIFIED","object":{"metad' if mid_line else b"")

    def watches(self) -> int:
        """Return how many watches are open."""
        return 0 if self._http is None else len(self._http.watching)

    def page(self, token: str) -> tuple[int, list[Json]]:
        """Return the revision and the rest of a list that was begun."""
        revision, rest = self._pages[token]
        if revision < self.shelf.oldest - 1:
            raise Gone(revision, self.shelf.oldest)
        return revision, rest

    def begin_page(self, revision: int, rest: list[Json]) -> str:
        """Keep the *rest* of a list, and return the token it is asked for by."""
        said = f'{{"rv":{revision},"n":{len(self._pages)}}}'
        token = base64.urlsafe_b64encode(said.encode()).decode()
        self._pages[token] = (revision, rest)
        return token


@contextmanager
def serving(**settings: Any) -> Generator[ApiServer]:
    """Run a double."""
    server = ApiServer(**settings)
    server.up()
    try:
        yield server
    finally:
        server.silent = False
        server.down()
