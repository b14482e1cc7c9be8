"""The pools of a policy as a cluster has them: the store's `EndpointSource` with Kubernetes.

Owns the watchers and what follows from what they know. No I/O of its own: threads watch,
and the event loop looks when they have something, so often that nothing waits long and so
rarely that a busy cluster does not keep it from its work.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from types import MappingProxyType
from typing import TypeVar

from headrace.dsl.program import Pool, Program
from headrace.dsl.serving import InferencePoolRef, Member, Selector
from headrace.extensions.directory import Directory, Notes
from headrace.host.cluster import resource as r
from headrace.host.cluster.adapters import AdapterMaps, read_adapters
from headrace.host.cluster.api import Api
from headrace.host.cluster.members import crowded, members
from headrace.host.cluster.notes import Said, notes_of, overruled, strays
from headrace.host.cluster.objects import Object
from headrace.host.cluster.origin import Origin, origin
from headrace.host.cluster.reading import (
    Objective,
    Pod,
    PoolSpec,
    Rewrite,
    read_objective,
    read_pod,
    read_pool,
    read_rewrite,
)
from headrace.host.cluster.resource import Resource
from headrace.host.cluster.telling import AnyWatcher, Counts, Telling
from headrace.host.cluster.watcher import Known, Watcher

LOOK_S = 0.05  # between two looks; a pod that is gone is left alone well within 200 ms
REST = 2.0  # times as long as a look took, nobody looks again
TELL_S = 1.0  # how soon it is told that the API server is gone, or back
JOIN_S = 1.0  # for all threads together; one that waits for an answer ends with the process
Read = Callable[[Object], object]
NOTHING: Mapping[Resource, Read] = MappingProxyType({})

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bound:
    """Which pods a pool has, and the ports of each."""

    pods: Resource
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """The endpoints of a pool, and what they were made of."""

    ports: tuple[int, ...]
    pods: Mapping[str, object]
    members: tuple[Member, ...]


class Cluster:
    """Follows what the pools of a policy need. Mutable; event loop's thread only.

    directory  what is said of requests, for the stages
    changed    called when the endpoints of some pool are others
    also       what is watched beside, whatever the pools are
    """

    def __init__(self, api: Api, counts: Counts, also: Mapping[Resource, Read] = NOTHING) -> None:
        """Nothing is watched before `start` and `follow`."""
        self.api = api
        self.directory = Directory()
        self.changed: Callable[[], None] = _nothing
        self._counts = counts
        self._also = also
        self._program = Program("")
        self._origins: tuple[Origin, ...] = ()
        self.watchers: dict[Resource, AnyWatcher] = {}
        self._bound: dict[Origin, Bound] = {}
        self._made: dict[Origin, Made] = {}
        self._specs: dict[Resource, PoolSpec] = {}
        self._said: tuple[object, ...] = ()
        self._maps = AdapterMaps(api.namespace)
        self._telling = Telling(counts)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stirred = False
        self._looking: asyncio.TimerHandle | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._rested_s = 0.0
        self._news = asyncio.Event()

    def start(self) -> None:
        """Begin, in a running loop, with what is followed already."""
        self._loop = asyncio.get_running_loop()
        self._look()
        self._tick()

    async def stop(self) -> None:
        """End all watches. May be called twice."""
        self._loop = None
        for timer in (self._looking, self._ticking):
            if timer is not None:
                timer.cancel()
        gone, self.watchers = list(self.watchers.values()), {}
        for watcher in gone:
            watcher.stop()
        await asyncio.to_thread(_join, gone)

    def follow(self, program: Program) -> None:
        """Follow what the pools of *program* need, and nothing else."""
        self._program = program
        self._origins = tuple(
            dict.fromkeys(o for pool in program.pools.values() if (o := origin(pool)) is not None)
        )
        self._said = ()
        if self._loop is not None:
            self._look()

    async def synced(self, program: Program, timeout_s: float | None) -> str:
        """Wait until the pools of *program* are known; return which is not and why, or ""."""
        why = self.lacking(program)
        try:
            async with asyncio.timeout(timeout_s):
                while why:
                    self._news.clear()
                    await self._news.wait()
                    why = self.lacking(program)
        except TimeoutError:
            return why
        return ""

    async def looked(self) -> None:
        """Wait until it has looked at what the watchers know, the next time."""
        self._news.clear()
        await self._news.wait()

    def lacking(self, program: Program) -> str:
        """Return which pool of *program* is not known yet, and why; "" if all are."""
        for pool in program.pools.values():
            source = origin(pool)
            if source is None:
                continue
            target = self._target(source)
            if target is None and isinstance(source, InferencePoolRef):
                wanted = self._pool_resource(source)
                return f"pool `{pool.name}`: {self._why(wanted, 'there is no such InferencePool')}"
            if target is not None and not self._synced(target.pods):
                return f"pool `{pool.name}`: {self._why(target.pods, 'not listed yet')}"
        return ""

    def members(self, pool: Pool) -> Sequence[Member]:
        """Return the endpoints of *pool*: those of its pods that are ready, or those it lists."""
        source = origin(pool)
        if source is None:
            return pool.members
        made = self._made.get(source)
        return made.members if made else ()

    def ages(self) -> Iterator[tuple[tuple[str], float]]:
        """Yield for how long the API server has said nothing of each resource, in seconds."""
        now_s = monotonic()
        for resource, watcher in self.watchers.items():
            yield (str(resource),), max(0.0, now_s - watcher.known.heard_s)

    def page(self, program: Program) -> dict[str, object]:
        """Return what `/status` shows, as JSON; *program* is the one that serves."""
        now_s = monotonic()
        return {
            "server": self.api.host,
            "namespace": self.api.namespace,
            "lacking": self.lacking(program),
            "resources": [_row(one.resource, one.known, now_s) for one in self.watchers.values()],
        }

    # ---- looking

    def _stir(self) -> None:
        """Have the loop look; called by the threads of the watchers."""
        loop = self._loop
        if loop is None or self._stirred:
            return
        self._stirred = True
        try:
            loop.call_soon_threadsafe(self._soon)
        except RuntimeError:  # it was closed in this moment
            self._stirred = False

    def _soon(self) -> None:
        self._stirred = False
        if self._looking is None and self._loop is not None:
            delay_s = max(0.0, self._rested_s - monotonic())
            self._looking = self._loop.call_later(delay_s, self._due)

    def _due(self) -> None:
        self._looking = None
        if self._loop is None:
            return
        try:
            self._look()
        except Exception:  # ours: the next change is looked at again
            log.exception("bug: looking at what the cluster says")

    def _look(self) -> None:
        """Take over what the watchers know now."""
        began_s = monotonic()
        self._read_specs()
        self._reconcile()
        self._telling.ignored(self.watchers)
        different = self._make()
        self._note()
        bases = self._maps.changed(self.watchers)
        if bases is not None:
            self.directory.bases = bases
        if different:
            self.changed()
        self._news.set()
        ended_s = monotonic()
        self._rested_s = ended_s + max(LOOK_S, REST * (ended_s - began_s))

    def _read_specs(self) -> None:
        """Take over what InferencePools say. One that is wrong stays what it was."""
        for source in self._origins:
            if isinstance(source, InferencePoolRef):
                wanted = self._pool_resource(source)
                watcher = self.watchers.get(wanted)
                if watcher is None or not watcher.known.synced:
                    continue
                said = watcher.known.items.get(source.name)
                if said is None and self._specs.pop(wanted, None) is not None:
                    log.warning("cluster: %s is gone: its pool has no endpoints now", wanted)
                if isinstance(said, PoolSpec):
                    self._specs[wanted] = said

    def _reconcile(self) -> None:
        """Watch what is wanted, and nothing else."""
        wanted = dict(self._also)
        for source in self._origins:
            wanted |= self._wanted(source)
        if self._origins:
            wanted |= dict.fromkeys(self._maps.resources, read_adapters)
        for resource, read in wanted.items():
            if resource not in self.watchers:
                made = Watcher(resource, read, self.api, self._stir, self._ended)
                self.watchers[resource] = made
                made.start()
        for resource in [one for one in self.watchers if one not in wanted]:
            self.watchers.pop(resource).stop()
            self._specs.pop(resource, None)
            self._telling.forget(resource)
        for source in [one for one in self._bound if one not in self._origins]:
            del self._bound[source]

    def _wanted(self, source: Origin) -> dict[Resource, Read]:
        """Return what the endpoints of *source* need, and settle which pods they are."""
        found: dict[Resource, Read] = {}
        if isinstance(source, InferencePoolRef):
            spaces = source.namespace or self.api.namespace
            found[self._pool_resource(source)] = read_pool
            found |= dict.fromkeys(r.objectives(spaces), read_objective)
            found |= dict.fromkeys(r.rewrites(spaces), read_rewrite)
        target, bound = self._target(source), self._bound.get(source)
        if target is None:
            self._bound.pop(source, None)
            return found
        # The pods of another selector are waited for: until then the old ones serve.
        if bound is None or bound.pods == target.pods or self._synced(target.pods):
            bound = self._bound[source] = target
        return found | {bound.pods: read_pod, target.pods: read_pod}

    def _target(self, source: Origin) -> Bound | None:
        if isinstance(source, Selector):
            return Bound(self._pods(source), (source.port,))
        spec = self._specs.get(self._pool_resource(source))
        if spec is None:
            return None
        return Bound(r.pods(source.namespace or self.api.namespace, spec.labels), spec.ports)

    def _make(self) -> bool:
        """Make the endpoints of every pool, and return whether some are others."""
        different, made = False, dict[Origin, Made]()
        for source, bound in self._bound.items():
            known, old = self.watchers[bound.pods].known, self._made.get(source)
            if not known.synced:
                if old is not None:
                    made[source] = old
                continue
            if old is not None and old.ports == bound.ports and old.pods is known.items:
                made[source] = old
                continue
            pods = [pod for pod in known.items.values() if isinstance(pod, Pod)]
            new = members(pods, bound.ports)
            made[source] = Made(bound.ports, known.items, new)
            lacking = crowded(pods, bound.ports, new)
            if lacking:
                self._telling.once(f"cluster: {bound.pods}: {lacking} endpoints share an address")
            different = different or old is None or old.members != new
        different = different or any(
            source not in made and old.members for source, old in self._made.items()
        )
        self._made = made
        return different

    def _note(self) -> None:
        """Tell the stages what is said of requests."""
        refs = [source for source in self._origins if isinstance(source, InferencePoolRef)]
        spaces = dict.fromkeys(ref.namespace or self.api.namespace for ref in refs)
        items = tuple(
            self.watchers[resource].known.items
            for space in spaces
            for resource in (*r.objectives(space), *r.rewrites(space))
        )
        same = len(items) == len(self._said) and all(
            a is b for a, b in zip(items, self._said, strict=True)
        )
        if same:
            return
        self._said = items
        notes: dict[InferencePoolRef, Notes] = {}
        for space in spaces:
            said = self._said_in(space)
            here = [ref for ref in refs if (ref.namespace or self.api.namespace) == space]
            notes |= {ref: notes_of(ref.name, said) for ref in here}
            for stray in strays(said, [ref.name for ref in here]):
                self._telling.stray(stray, space)
        self.directory.notes = notes
        for line in overruled(self._program, notes):
            self._telling.once(f"cluster: {line}: the policy counts")

    def _said_in(self, space: str) -> Said:
        found = [_items(self.watchers[one].known.items, Objective) for one in r.objectives(space)]
        rewritten = [_items(self.watchers[one].known.items, Rewrite) for one in r.rewrites(space)]
        return Said(
            tuple(one for items in found for one in items),
            tuple(one for items in rewritten for one in items),
        )

    def _tick(self) -> None:
        if self._loop is not None:
            self._ticking = self._loop.call_later(TELL_S, self._tick)
            self._telling.lost(self.watchers, monotonic())

    def _why(self, resource: Resource, else_: str) -> str:
        watcher = self.watchers.get(resource)
        if watcher is not None and watcher.known.missing:
            return f"{resource}: no such kind is installed"
        fault = watcher.known.fault if watcher else None
        return f"{resource}: {fault.message}" if fault else f"{resource}: {else_}"

    def _ended(self, resource: Resource, result: str) -> None:
        self._counts.cluster_request(resource.plural, result)

    def _synced(self, resource: Resource) -> bool:
        watcher = self.watchers.get(resource)
        return watcher is not None and watcher.known.synced

    def _pods(self, source: Selector) -> Resource:
        return r.pods(self.api.namespace, source.labels)

    def _pool_resource(self, source: InferencePoolRef) -> Resource:
        return r.inference_pool(source.namespace or self.api.namespace, source.name)


def _row(resource: Resource, known: Known[object], now_s: float) -> dict[str, object]:
    return {
        "resource": str(resource),
        "synced": known.synced,
        "objects": len(known.items),
        "age_s": round(max(0.0, now_s - known.heard_s), 3),
        "fault": known.fault.message if known.fault else "",
        "installed": not known.missing,
        "dropped": known.dropped,
    }


def _nothing() -> None:
    """Do nothing: nobody wants to know."""


def _items(items: Mapping[str, object], kind: type[T]) -> tuple[T, ...]:
    return tuple(one for one in items.values() if isinstance(one, kind))


def _join(watchers: Iterable[AnyWatcher]) -> None:
    until_s = monotonic() + JOIN_S
    for watcher in watchers:
        watcher.join(max(0.0, until_s - monotonic()))
