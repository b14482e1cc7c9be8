"""The list of models that a policy serves, in OpenAI's format."""

from dataclasses import dataclass
from urllib.parse import unquote

import msgspec

from headrace.extensions.body_router.table import Table
from headrace.extensions.call import shown
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Answer, Reject

PATH = "/v1/models"
JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Listing:
    """Answers for the path of models. Patterns are not listed: they are no names to call."""

    table: Table

    def answer(self, method: str, path: str) -> Answer | Reject | None:
        """Return the answer to a request for models, or None if *path* is another."""
        _, found, name = path.partition("?")[0].partition(PATH)
        if not found or (name and not name.startswith("/")):
            return None
        if method not in ("GET", "HEAD"):
            message = f"method `{shown(method, 16)}` does not fit this path; use GET"
            return Reject(Reason.METHOD_NOT_ALLOWED, message, headers={"allow": "GET, HEAD"})
        return self._one(unquote(name[1:])) if len(name) > 1 else self._all()

    def _all(self) -> Answer:
        data = [self._card(name) for name in self.table.exact]
        return Answer(200, msgspec.json.encode({"object": "list", "data": data}), JSON)

    def _one(self, name: str) -> Answer | Reject:
        if name not in self.table.exact:
            message = f"unknown model `{shown(name)}`; {self.table.known()}"
            return Reject(Reason.UNKNOWN_MODEL, message, param="model", code="model_not_found")
        return Answer(200, msgspec.json.encode(self._card(name)), JSON)

    def _card(self, name: str) -> dict[str, object]:
        entry = self.table.exact[name]
        parent = entry.targets[0].pool if entry.model.adapter else None
        return {
            "id": name,
            "object": "model",
            "created": 0,  # unknown: a policy has no dates
            "owned_by": "headrace",
            "root": entry.targets[0].rewrite or name,
            "parent": parent,
        }
