"""What the double stores: objects with one revision for all, and the history that watches read."""

import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, cast

HISTORY_MAX = 100_000
Json = dict[str, Any]  # Any: objects of every kind
Match = Callable[[Json], bool]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of objects. *group* is empty for the core."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


PODS = Kind("", "v1", "pods", "Pod")
EVENTS = Kind("", "v1", "events", "Event")
LEASES = Kind("coordination.k8s.io", "v1", "leases", "Lease")


class Conflict(Exception):
    """The object was changed since it was read."""


class Gone(Exception):
    """What is asked for is older than the history. *oldest*: what there is."""

    def __init__(self, asked: int, oldest: int) -> None:
        self.asked, self.oldest = asked, oldest
        super().__init__(f"too old resource version: {asked} ({oldest})")


@dataclass(frozen=True, slots=True)
class Change:
    """One revision: what an object was before and is since. None: it was not, or is no more."""

    revision: int
    kind: Kind
    namespace: str
    before: Json | None
    after: Json | None

    def event(self, matches: Match) -> Json | None:
        """Return what a watch is told of it whose selector is *matches*; None for nothing."""
        was = self.before is not None and matches(self.before)
        after = self.after
        if after is not None and matches(after):
            return {"type": "MODIFIED" if was else "ADDED", "object": after}
        if not was:
            return None
        gone = copy.deepcopy(self.before)
        assert gone is not None, "it matched"
        gone["metadata"]["resourceVersion"] = str(self.revision)
        return {"type": "DELETED", "object": gone}


@dataclass(slots=True)
class Shelf:
    """All objects. Written from any thread; *changed* is told of every revision.

    installed  the kinds that there are: of others nobody has heard
    """

    installed: set[Kind] = field(default_factory=lambda: {PODS})
    revision: int = 1
    oldest: int = 1
    changed: threading.Condition = field(default_factory=threading.Condition)
    _objects: dict[tuple[Kind, str, str], Json] = field(default_factory=dict[Any, Json])
    _history: list[Change] = field(default_factory=list[Change])
    _uids: "count[int]" = field(default_factory=lambda: count(1))

    def put(self, kind: Kind, given: Json, *, status: bool = False) -> Json:
        """Create or replace an object; with *status* only its status, and else all but that.

        Raises:
            Conflict: *given* says a resourceVersion that is not the object's any more.
        """
        meta = given["metadata"]
        namespace, name = meta.get("namespace", "default"), meta["name"]
        with self.changed:
            old = self._objects.get((kind, namespace, name))
            said = meta.get("resourceVersion")
            if said and (old is None or said != old["metadata"]["resourceVersion"]):
                raise Conflict(f'{kind.plural} "{name}": the object has been modified')
            if status and old is not None:
                new = copy.deepcopy(old) | {"status": copy.deepcopy(given.get("status", {}))}
            else:
                new = self._whole(kind, namespace, given, old)
            self._note(kind, namespace, name, new)
            return new

    def delete(self, kind: Kind, name: str, namespace: str = "default") -> None:
        """Remove an object that is there."""
        with self.changed:
            assert (kind, namespace, name) in self._objects, f"no {kind.plural} `{name}`"
            self._note(kind, namespace, name, None)

    def get(self, kind: Kind, name: str, namespace: str = "default") -> Json | None:
        """Return one object."""
        with self.changed:
            return copy.deepcopy(self._objects.get((kind, namespace, name)))

    def listed(self, kind: Kind, namespace: str, matches: Match) -> tuple[Sequence[Json], int]:
        """Return the objects by name, and the revision at which that is so."""
        with self.changed:
            found = [
                one
                for (k, ns, _), one in sorted(self._objects.items(), key=lambda item: item[0][1:])
                if k == kind and ns == namespace and matches(one)
            ]
            return found, self.revision

    def since(self, revision: int, kind: Kind, namespace: str) -> tuple[Sequence[Change], int]:
        """Return what changed after *revision*, and the revision up to which that is all.

        Raises:
            Gone: some of that is forgotten.
        """
        with self.changed:
            if revision < self.oldest - 1:
                raise Gone(revision, self.oldest)
            at = max(0, len(self._history) - (self.revision - revision))
            found, newest = self._history[at:], self.revision
        return [c for c in found if c.kind == kind and c.namespace == namespace], newest

    def compact(self) -> None:
        """Forget the history: whoever has not seen the newest revision has to list."""
        with self.changed:
            self.revision += 1  # so that who saw the last change is behind, too
            self.oldest = self.revision + 1
            self._history.clear()
            self.changed.notify_all()

    def _whole(self, kind: Kind, namespace: str, given: Json, old: Json | None) -> Json:
        kept: Json = {} if old is None else old["metadata"]
        new = copy.deepcopy(given)
        new |= {"apiVersion": kind.api_version, "kind": kind.kind}
        if kind.group:  # a kind with a status apart, and with generations of its spec
            new["status"] = copy.deepcopy((old or given).get("status", {}))
            changed = old is not None and old.get("spec") != given.get("spec")
            new["metadata"]["generation"] = kept.get("generation", 1) + changed
        new["metadata"] |= {
            "namespace": namespace,
            "uid": kept.get("uid") or f"uid-{next(self._uids)}",
            "creationTimestamp": new["metadata"].get("creationTimestamp")
            or kept.get("creationTimestamp")
            or "2026-01-01T00:00:00Z",
        }
        return new

    def _note(self, kind: Kind, namespace: str, name: str, new: Json | None) -> None:
        self.revision += 1
        key = (kind, namespace, name)
        before = self._objects.get(key)
        if new is None:
            del self._objects[key]
        else:
            new["metadata"]["resourceVersion"] = str(self.revision)
            self._objects[key] = new
        self._history.append(Change(self.revision, kind, namespace, before, new))
        if len(self._history) > HISTORY_MAX:
            dropped = self._history.pop(0)
            self.oldest = dropped.revision + 1
        self.changed.notify_all()


def merged(old: Any, patch: Any) -> Any:
    """Return what the JSON merge *patch* makes of *old*. Source: RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    found = dict(cast(Json, old)) if isinstance(old, dict) else {}
    for name, value in cast(Json, patch).items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


def selecting(labels: Mapping[str, str], fields: Mapping[str, str]) -> Match:
    """Return whether an object has all of *labels*, and *fields* such as ``metadata.name``."""

    def matches(one: Json) -> bool:
        has: Json = one["metadata"].get("labels") or {}
        return all(has.get(k) == v for k, v in labels.items()) and all(
            _at(one, path) == value for path, value in fields.items()
        )

    return matches


def _at(one: Json, path: str) -> object:
    found: Any = one
    for part in path.split("."):
        found = cast(Json, found).get(part, "") if isinstance(found, dict) else ""
    return cast(object, found)
