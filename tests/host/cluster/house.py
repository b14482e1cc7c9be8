"""A cluster that is followed by a policy, in a double of it, and what is seen of it."""

import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source
from headrace.host.cluster.cluster import Cluster
from tests.host.cluster.apiserver import PODS, ApiServer
from tests.host.cluster.objects import POOLS, pod, pool, reached
from tests.host.serve.house import until


def policy(*blocks: str) -> Program:
    """Compile *blocks*; without a model among them, one goes to the only pool."""
    only = f"model m {{ route {blocks[0].split()[1]} }}"
    more = () if any(block.startswith("model") for block in blocks) else (only,)
    return compile_policy([Source("p", "\n".join(("sched 1", *blocks, *more)))])


@dataclass(slots=True)
class Counted:
    """What the cluster has counted."""

    ignored: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    requests: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])

    def cluster_request(self, resource: str, result: str) -> None:
        """Count a request."""
        self.requests[resource, result] += 1

    def cluster_ignored(self, resource: str, reason: str) -> None:
        """Count an object without effect."""
        self.ignored[resource, reason] += 1


@dataclass(slots=True)
class Seen:
    """A cluster that is followed, and what is seen of it."""

    server: ApiServer
    cluster: Cluster
    program: Program
    counts: Counted
    changes: int = 0

    def changed(self) -> None:
        """Count a change of endpoints."""
        self.changes += 1

    def names(self, name: str = "gemma") -> set[str]:
        """The endpoints of a pool, by name."""
        return {member.name for member in self.cluster.members(self.program.pools[name])}

    async def reach(self, *names: str, pool: str = "gemma") -> None:
        """Wait until the endpoints of a pool have just these names."""
        await until(lambda: self.names(pool) == set(names))


@asynccontextmanager
async def following(
    folder: Path, *blocks: str, before: Callable[[ApiServer], None] = lambda server: None
) -> AsyncGenerator[Seen]:
    """Follow the policy of *blocks*; *before* puts objects there first."""
    with reached(folder, bookmark_s=0.1) as (server, api):
        before(server)
        program, counts = policy(*blocks), Counted()
        cluster = Cluster(api, counts)
        seen = Seen(server, cluster, program, counts)
        cluster.changed = seen.changed
        cluster.follow(program)
        cluster.start()
        try:
            yield seen
        finally:
            await cluster.stop()
            assert not [t for t in threading.enumerate() if t.name.startswith("watch ")]


def usual(server: ApiServer) -> None:
    """Put the pool there, and two pods of it."""
    server.shelf.put(POOLS, pool())
    server.shelf.put(PODS, pod("a"))
    server.shelf.put(PODS, pod("b", "10.0.0.2"))
