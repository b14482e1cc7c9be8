"""The REST API of a stand-in for Model Armor."""

from collections.abc import Callable
from typing import Any

import msgspec

from headrace.host.standins.armor import Armor
from headrace.host.standins.server import Endpoint, Refusal, Request

ROOT = "/v1/projects/{project}/locations/{location}/templates"
ONE = ROOT + "/{template}"
Handler = Callable[[Request, str, dict[str, Any]], object]


def endpoints(armor: Armor) -> tuple[Endpoint, ...]:
    """Return what *armor* answers, by path."""

    def at(method: str, path: str, handler: Handler) -> Endpoint:
        def answer(request: Request) -> object:
            armor.admit(request.headers.get("authorization", ""))
            return handler(request, request.path.removeprefix("/v1/"), _body(request))

        return Endpoint(method, path, answer)

    def sanitize(request: Request, path: str, body: dict[str, Any]) -> object:
        name, _, verb = path.rpartition(":")
        if verb not in ("sanitizeUserPrompt", "sanitizeModelResponse"):
            raise Refusal(404, f"no method `{verb}`")
        return armor.sanitize(name, body, verb == "sanitizeUserPrompt")

    return (
        # With the verb first: aiohttp takes the first route that fits.
        at("POST", ONE + r":{verb:\w+}", sanitize),
        at("GET", ROOT, lambda _, path, body: armor.list(path.removesuffix("/templates"))),
        at(
            "POST",
            ROOT,
            lambda request, path, body: armor.create(
                path.removesuffix("/templates"), _id(request), body
            ),
        ),
        at("GET", ONE, lambda _, path, body: armor.get(path)),
        at("PATCH", ONE, lambda _, path, body: armor.update(path, body)),
        at("DELETE", ONE, lambda _, path, body: armor.delete(path)),
    )


def _id(request: Request) -> str:
    return request.query.get("templateId") or request.query.get("template_id", "")


def _body(request: Request) -> dict[str, Any]:
    return msgspec.json.decode(request.body, type=dict[str, Any]) if request.body else {}
