"""The list of models that can be asked for here, in OpenAI's format or in Anthropic's."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

import msgspec

from headrace.extensions.body_router.table import Entry, Table
from headrace.extensions.call import is_name, shown
from headrace.extensions.picker.snapshot import Snapshot
from headrace.extensions.reasons import Reason
from headrace.extensions.stage import Answer, Reject, Request

PATH = "/v1/models"
JSON = {"content-type": "application/json"}
ANTHROPIC = "anthropic-version"
NO_DATE = "1970-01-01T00:00:00Z"  # unknown: neither a policy nor a server's list has dates
LISTED_MAX = 10_000


def _nothing() -> Iterable[str]:
    return ()


def said_by_servers(snapshot: Snapshot) -> Iterable[str]:
    """Yield the names that the ready servers give to what they serve, some more than once."""
    for pool in snapshot.pools.values():
        for endpoint in pool.endpoints:
            if endpoint.ready:
                yield from endpoint.models or endpoint.adapters


@dataclass(frozen=True, slots=True)
class Listing:
    """Answers for the path of models. Patterns are not listed: they are no names to call.

    served  what the servers serve beside; listed if the policy would route it
    """

    table: Table
    served: Callable[[], Iterable[str]] = field(default=_nothing, repr=False)

    def answer(self, request: Request) -> Answer | Reject | None:
        """Return the answer to a request for models, or None if its path is another."""
        method = request.method
        _, found, name = request.path.partition("?")[0].partition(PATH)
        if not found or (name and not name.startswith("/")):
            return None
        if method not in ("GET", "HEAD"):
            message = f"method `{shown(method, 16)}` does not fit this path; use GET"
            return Reject(Reason.METHOD_NOT_ALLOWED, message, headers={"allow": "GET, HEAD"})
        card = _anthropic if ANTHROPIC in request.headers else _openai
        entries = self._entries()
        if len(name) > 1:
            return self._one(unquote(name[1:]), entries, card)
        cards = [card(each, entry) for each, entry in entries.items()]
        ends: dict[str, object] = {"has_more": False, "first_id": None, "last_id": None}
        if cards:
            ends |= {"first_id": cards[0]["id"], "last_id": cards[-1]["id"]}
        frame = ends if card is _anthropic else {"object": "list"}
        return Answer(200, msgspec.json.encode({**frame, "data": cards}), JSON)

    def _entries(self) -> Mapping[str, Entry]:
        """Return what can be asked for by name: what the policy names, then what servers do."""
        found = dict(self.table.exact)
        for name in sorted(set(self.served())):
            entry = None if name in found or not is_name(name) else self.table.find(name)
            if entry is not None and len(found) < LISTED_MAX:
                found[name] = entry
        return found

    def _one(self, name: str, entries: Mapping[str, Entry], card: "Card") -> Answer | Reject:
        if name not in entries:
            message = f"unknown model `{shown(name)}`; {self.table.known()}"
            return Reject(Reason.UNKNOWN_MODEL, message, param="model", code="model_not_found")
        return Answer(200, msgspec.json.encode(card(name, entries[name])), JSON)


Card = Callable[[str, Entry], dict[str, object]]


def _openai(name: str, entry: Entry) -> dict[str, object]:
    parent = entry.targets[0].pool if entry.model.adapter else None
    return {
        "id": name,
        "object": "model",
        "created": 0,  # unknown: a policy has no dates
        "owned_by": "headrace",
        "root": entry.targets[0].rewrite or name,
        "parent": parent,
    }


def _anthropic(name: str, entry: Entry) -> dict[str, object]:
    return {"type": "model", "id": name, "display_name": name, "created_at": NO_DATE}
