"""Conditions of an object, and what of its status has to be written for them. Pure.

Source: Kubernetes API conventions, "Typical status properties"; `meta/v1` Condition.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace.host.cluster.resource import Resource

MESSAGE_CHARS_MAX = 4096  # an eighth of what the API server takes
REASON = re.compile(r"[A-Za-z](?:[A-Za-z0-9_,:]*[A-Za-z0-9_])?", re.ASCII)
# Any: JSON of objects that are anybody's
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: whether *type* holds, and why. *holds* is None while that is not known.

    Nothing in it may differ between two replicas that see the same, or they would write in turn.
    """

    type: str
    holds: bool | None
    reason: str
    message: str = ""

    def __post_init__(self) -> None:
        assert REASON.fullmatch(self.reason), f"`{self.reason}` is no reason in CamelCase"

    @property
    def status(self) -> str:
        """The word for *holds*."""
        return "Unknown" if self.holds is None else str(self.holds)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the status of one object shall say.

    object      by a resource with its name
    uid         of the object that was judged: another of its name is not meant
    generation  of the object that was judged
    conditions  ours; those of others stay
    fields      of the status beside the conditions, ours as a whole
    """

    object: Resource
    uid: str
    generation: int
    conditions: Sequence[Condition]
    fields: Json = field(default_factory=dict[str, Any])


def patch_of(found: Json, wanted: Wanted, now: str) -> dict[str, Any] | None:
    """Return the merge patch that makes the object *found* say what is *wanted*.

    It holds only for the version of the object that was found. None: it says so already, or it
    is not the object that was judged, or a newer one. *now* is in RFC 3339.
    """
    meta: Json = found.get("metadata") or {}
    if meta.get("uid") != wanted.uid or meta.get("generation", 0) != wanted.generation:
        return None
    status: Json = found.get("status") or {}
    told: list[Json] = list(status.get("conditions") or ())
    ours = {one.type: one for one in wanted.conditions}
    there = {str(one.get("type")): one for one in told}
    made = [_made(one, there.get(one.type, {}), wanted.generation, now) for one in ours.values()]
    kept = [one for one in told if one.get("type") not in ours]
    fields = {name: value for name, value in wanted.fields.items() if status.get(name) != value}
    if not fields and all(there.get(one["type"]) == one for one in made):
        return None
    patch = {**fields, "conditions": [*kept, *made]}
    return {"metadata": {"resourceVersion": meta.get("resourceVersion")}, "status": patch}


def _made(one: Condition, there: Json, generation: int, now: str) -> dict[str, Any]:
    since = there.get("lastTransitionTime") if there.get("status") == one.status else None
    return {
        "type": one.type,
        "status": one.status,
        "observedGeneration": generation,
        "lastTransitionTime": since or now,
        "reason": one.reason,
        "message": shortened(one.message),
    }


def shortened(text: str) -> str:
    """Return *text*, cut where it is longer than a message may be."""
    return text if len(text) <= MESSAGE_CHARS_MAX else f"{text[: MESSAGE_CHARS_MAX - 4]} ..."
