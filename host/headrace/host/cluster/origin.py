"""Where a cluster has the endpoints of a pool, and what a host needs of whoever knows it.

The rest of this package is loaded only where a cluster is followed.
"""

from collections.abc import Sequence
from typing import Protocol

from headrace.dsl.program import Pool, Program
from headrace.dsl.serving import InferencePoolRef, Member, Selector
from headrace.extensions.directory import Directory

Origin = InferencePoolRef | Selector


class Cluster(Protocol):
    """Knows who is in pools that the policy does not list: the store's source, and more."""

    @property
    def directory(self) -> Directory:
        """What is said of requests, for the stages."""
        ...

    def members(self, pool: Pool) -> Sequence[Member]:
        """Return the endpoints of *pool* as they are now."""
        ...

    def follow(self, program: Program) -> None:
        """Follow what the pools of *program* need, and nothing else."""
        ...

    async def synced(self, program: Program, timeout_s: float | None) -> str:
        """Wait until the pools of *program* are known; return which is not and why, or ""."""
        ...


def origin(pool: Pool) -> Origin | None:
    """Return where the cluster has the endpoints of *pool*; None if the policy lists them."""
    return pool.inference_pool or pool.selector


def of_cluster(program: Program) -> str:
    """Return a pool of *program* whose endpoints a cluster has; "" if there is none."""
    return next((p.name for p in program.pools.values() if origin(p) is not None), "")
