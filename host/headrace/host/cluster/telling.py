"""What is told of a cluster, in log and metrics: what is ignored, and who is silent."""

import logging
from collections.abc import Mapping
from typing import Any, Protocol

from headrace.host.cluster.reading import Flaw
from headrace.host.cluster.resource import Resource
from headrace.host.cluster.watcher import Known, Watcher

AGAIN_S = 30.0  # how often a silence is told while it lasts
LINES_MAX = 20  # of one look, about what is ignored
TOLD_MAX = 4096  # what was told once
NO_FLAWS: frozenset[Flaw] = frozenset()
CURES = {
    401: "; the credentials were refused",
    403: "; allow to list and watch it: see `examples/kubernetes/rbac.yaml`",
}
# Any: each watcher keeps another kind of objects
AnyWatcher = Watcher[Any]

log = logging.getLogger(__name__)


class Counts(Protocol):
    """What a host may want to count."""

    def cluster_request(self, resource: str, result: str) -> None:
        """Note that a list or a watch has ended. May be called from any thread."""
        ...

    def cluster_ignored(self, resource: str, reason: str) -> None:
        """Note that an object has no effect."""
        ...


class Telling:
    """Tells each thing once. Mutable; event loop's thread only."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._flaws: dict[Resource, tuple[object, frozenset[Flaw]]] = {}
        self._once: dict[str, None] = {}
        self._lost: dict[Resource, float] = {}

    def forget(self, resource: Resource) -> None:
        """Forget *resource*, which is not watched any more."""
        self._flaws.pop(resource, None)
        self._lost.pop(resource, None)

    def once(self, text: str) -> bool:
        """Log *text* unless it was told before; return whether it was not."""
        if text in self._once:
            return False
        if len(self._once) >= TOLD_MAX:
            self._once.clear()
        self._once[text] = None
        log.warning("%s", text)
        return True

    def stray(self, flaw: Flaw, namespace: str) -> None:
        """Tell that an object is of a pool that the policy has not."""
        if self.once(f"cluster: `{flaw.name}` of {namespace} is ignored: {flaw.message}"):
            self._counts.cluster_ignored("other", flaw.reason)

    def ignored(self, watchers: Mapping[Resource, AnyWatcher]) -> None:
        """Tell and count what is ignored since the last look."""
        lines = 0
        for resource, watcher in watchers.items():
            items = watcher.known.items
            seen, old = self._flaws.get(resource, (None, NO_FLAWS))
            if items is seen:
                continue
            if watcher.known.dropped:
                self.once(
                    f"cluster: {resource}: some objects are left out: not readable, or too many"
                )
            flaws = frozenset(one for one in items.values() if isinstance(one, Flaw))
            self._flaws[resource] = (items, flaws)
            for flaw in sorted(flaws - old, key=lambda one: one.name):
                self._counts.cluster_ignored(resource.plural, flaw.reason)
                lines += 1
                if lines <= LINES_MAX:
                    text = "cluster: %s `%s` is ignored: %s"
                    log.warning(text, resource.plural, flaw.name, flaw.message)

    def lost(self, watchers: Mapping[Resource, AnyWatcher], now_s: float) -> None:
        """Tell of which resources nothing is heard, again and again, and when that is over."""
        for resource, watcher in watchers.items():
            known, told_s = watcher.known, self._lost.get(resource)
            if known.fault is None:
                if self._lost.pop(resource, None) is not None:
                    log.info("cluster: %s: the API server tells of it again", resource)
            elif told_s is None or (now_s >= told_s + AGAIN_S and not known.missing):
                self._lost[resource] = now_s
                _lost(resource, known, now_s)


def _lost(resource: Resource, known: Known[Any], now_s: float) -> None:
    assert known.fault is not None, "it is lost"
    if known.missing:
        log.info("cluster: %s: no such kind is installed; it is awaited", resource)
        return
    goes_on = f"serving on what is {now_s - known.heard_s:.0f} s old"
    cure = CURES.get(known.fault.status, "")
    what = goes_on if known.synced else "nothing is known of it yet"
    log.warning("cluster: %s: %s%s; %s", resource, known.fault.message, cure, what)
