"""The pages about the policy: what serves, what was refused and why, and going back."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from headrace.host.telemetry.admin import Admin

Page = dict[str, object]


class PolicyRefused(Exception):
    """The policies do not do what was asked. The message says why; *status* is the HTTP answer."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


class Policies(Protocol):
    """What the pages know of the policies of a host."""

    def page(self) -> Page:
        """Return what `/policy` shows, as JSON."""
        ...

    def kept(self) -> Sequence[Page]:
        """Return the policies that one can go back to, newest first."""
        ...

    async def roll_back(self, digest: str) -> Page:
        """Let the policy whose digest begins with *digest* serve; empty: the one before.

        Raises:
            PolicyRefused: it cannot be done; nothing has changed.
        """
        ...

    def ask(self) -> None:
        """Look at the policy's files at once."""
        ...


def policy_routes(policies: Policies, admin: Admin) -> list[web.RouteDef]:
    """Return the routes.

    GET /policy            what serves, since when, and what became of the last attempt
    GET /policies          what one can go back to
    POST /policy/rollback  go back: to the policy before, or to `?to=DIGEST`
    POST /policy/reload    look at the files at once
    """

    async def policy(_: web.Request) -> web.Response:
        return _json(policies.page())

    async def kept(_: web.Request) -> web.Response:
        return _json(policies.kept())

    async def rollback(request: web.Request) -> web.Response:
        refusal = admin.refuses(request)
        if refusal is not None:
            return refusal
        try:
            return _json(await policies.roll_back(request.query.get("to", "")))
        except PolicyRefused as error:
            return web.Response(status=error.status, text=f"{error}\n")

    async def reload(request: web.Request) -> web.Response:
        refusal = admin.refuses(request)
        if refusal is not None:
            return refusal
        policies.ask()
        return web.Response(status=202, text="looking at the policy's files\n")

    return [
        web.get("/policy", policy),
        web.get("/policies", kept),
        web.post("/policy/rollback", rollback),
        web.post("/policy/reload", reload),
    ]


def _json(value: object) -> web.Response:
    body = msgspec.json.format(msgspec.json.encode(value), indent=2)
    return web.Response(body=body + b"\n", content_type="application/json")
