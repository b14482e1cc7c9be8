"""Who may change something through the operator endpoint."""

import hmac
from dataclasses import dataclass, field

from aiohttp import web

from headrace.extensions.headers import value_bytes

BROWSER_HEADERS = ("origin", "sec-fetch-site", "referer")


@dataclass(frozen=True, slots=True)
class Admin:
    """Lets a request write: one with the token, or without a token whoever is on this machine.

    loopback  the endpoint listens on loopback only
    token     what `authorization: Bearer` must say; empty for none
    """

    loopback: bool
    token: str = field(default="", repr=False)

    def refuses(self, request: web.Request) -> web.Response | None:
        """Return the answer that refuses *request*, None if it may write.

        A page in a browser on this machine can post to loopback; it cannot hide that it is one.
        """
        if self.token:
            given = request.headers.get("authorization", "")
            if hmac.compare_digest(value_bytes(given), f"Bearer {self.token}".encode()):
                return None
            text = "give the token of `--admin-token-file` as `authorization: Bearer ...`\n"
            return web.Response(status=401, text=text, headers={"www-authenticate": "Bearer"})
        if not self.loopback:
            text = "read only here: listen on loopback, or start with `--admin-token-file`\n"
            return web.Response(status=403, text=text)
        if any(name in request.headers for name in BROWSER_HEADERS):
            return web.Response(status=403, text="not for web pages: use `headrace rollback`\n")
        return None
