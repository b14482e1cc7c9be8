"""The texts of a policy that labelled objects of a cluster hold, and what is told on these."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from headrace.dsl.source import Source
from headrace.host.cluster.objects import Object
from headrace.host.cluster.pieces import (
    CONFIG_MAP,
    OBJECTS_MAX,
    PREFIXES,
    Labels,
    Piece,
    config_maps,
    read_config_map,
    read_sched_policy,
    sched_policies,
)
from headrace.host.cluster.resource import Resource
from headrace.host.cluster.standing import notice, wanted
from headrace.host.cluster.status import StatusWriter
from headrace.host.cluster.telling import AnyWatcher
from headrace.host.serve.files import FILES_MAX
from headrace.host.serve.texts import Judged, Taken

BYTES_MAX = 8 << 20  # of all texts together; what is written by hand has a thousandth


class PolicyObjects:
    """The ConfigMaps and SchedPolicies with *labels* in *namespace*: the host's `Texts`.

    What it knows is the watchers'. Mutable in what was told on objects: one thread at a time.

    beside  whether there are files, too: then no object at all is a policy as well
    writer  writes on the objects what became of them; None: nobody does
    """

    def __init__(
        self, namespace: str, labels: Labels, *, beside: bool = False, writer: StatusWriter | None
    ) -> None:
        self.labels = labels
        self._beside = beside
        self._writer = writer
        self._watchers: Mapping[Resource, AnyWatcher] = {}
        self._told: set[Resource] = set()
        self._resources = (config_maps(namespace, labels), sched_policies(namespace, labels))
        reads = (read_config_map, read_sched_policy)
        self.wanted: Mapping[Resource, Callable[[Object], object]] = {
            one: partial(read, namespace=namespace)
            for one, read in zip(self._resources, reads, strict=True)
        }

    @property
    def selector(self) -> str:
        """The labels, as they are written."""
        return ",".join(f"{key}={value}" for key, value in self.labels)

    def watched(self, watchers: Mapping[Resource, AnyWatcher]) -> None:
        """Look at *watchers*, of which those of `wanted` follow the objects."""
        self._watchers = watchers

    def pending(self) -> str:
        """Return which objects are not known yet, and why; "" if all are.

        A kind that is not installed has none, which is known.
        """
        for one in self._resources:
            watcher = self._watchers.get(one)
            if watcher is None or not (watcher.known.synced or watcher.known.missing):
                fault = watcher.known.fault if watcher else None
                return f"{one}: {fault.message if fault else 'not listed yet'}"
        return ""

    def pieces(self) -> tuple[Piece, ...]:
        """Return the objects, ConfigMaps first, by name: the order in which they are compiled."""
        return tuple(self._pieces())

    def take(self) -> Taken:
        """Return the texts as they are now."""
        pieces = self.pieces()
        stamp = {one.name: f"{one.uid} {one.generation} {one.flaw}" for one in pieces}
        for one in pieces:
            stamp |= {s.name: sha for s, sha in zip(one.sources, one.shas, strict=True)}
        sources = [source for one in pieces for source in one.sources]
        problems = [f"error: {text}" for text in self.problems(pieces)]
        return Taken(sources, problems, stamp, partial(self._tell, pieces))

    def problems(self, pieces: tuple[Piece, ...]) -> list[str]:
        """Return why *pieces* cannot be a policy, whatever is in their texts."""
        found = [f"`{one.name}`: {one.flaw}" for one in pieces if one.flaw]
        if not pieces and not self._beside:
            found.append(
                f"no ConfigMap and no SchedPolicy has the label `{self.selector}`: apply one"
            )
        if any(self._count(one) > OBJECTS_MAX for one in self._resources):
            found.append(f"more than {OBJECTS_MAX} objects of a kind have the label: join some")
        if sum(len(one.sources) for one in pieces) > FILES_MAX:
            found.append(f"the labelled objects have more than {FILES_MAX} texts: join some")
        if sum(one.bytes for one in pieces) > BYTES_MAX:
            found.append(f"the labelled objects have more than {BYTES_MAX >> 20} MiB of text")
        return found

    def owns(self, name: str) -> bool:
        """Return whether a text of that name is of an object."""
        return name.partition("/")[0] in PREFIXES.values()

    def page(self) -> dict[str, object]:
        """Return what `/status` shows, as JSON."""
        return {
            "label": self.selector,
            "objects": [one.name for one in self.pieces()],
            "lacking": self.pending(),
        }

    def _pieces(self) -> Iterator[Piece]:
        for resource in self._resources:
            if (watcher := self._watchers.get(resource)) is not None:
                found = [one for one in watcher.known.items.values() if isinstance(one, Piece)]
                yield from sorted(found, key=lambda one: one.object.name)

    def _count(self, resource: Resource) -> int:
        watcher = self._watchers.get(resource)
        return len(watcher.known.items) if watcher else 0

    def _tell(self, pieces: tuple[Piece, ...], judged: Judged) -> None:
        """Have it written on *pieces* what became of them."""
        if self._writer is None:
            return
        for piece in pieces:
            if piece.kind == CONFIG_MAP:
                if (said := notice(piece, judged)) is not None:
                    self._writer.tell(said)
            else:
                self._writer.want(wanted(piece, judged))
        now = {piece.object for piece in pieces}
        for gone in self._told - now:
            self._writer.forget(gone)
        self._told = now


def replaced(pieces: tuple[Piece, ...], new: Piece) -> tuple[Piece, ...]:
    """Return *pieces* with *new* in the place of the object that it is of, or where it belongs."""
    rest = [one for one in pieces if one.object != new.object]
    kinds = list(PREFIXES)
    return tuple(sorted((*rest, new), key=lambda one: (kinds.index(one.kind), one.object.name)))


def sources_of(pieces: tuple[Piece, ...]) -> list[Source]:
    """Return all texts of *pieces*."""
    return [source for one in pieces for source in one.sources]
