"""Who is in a pool. Whatever knows it, a policy or a cluster, is a source to the store."""

from collections.abc import Sequence
from typing import Protocol

from headrace.dsl.serving import Member, Pool


class EndpointSource(Protocol):
    """Knows the endpoints of pools. Asked whenever the store adopts a program."""

    def members(self, pool: Pool) -> Sequence[Member]:
        """Return the endpoints of *pool* as they are now, each address once, in a lasting order."""
        ...


class Declared:
    """The endpoints that the policy lists."""

    def members(self, pool: Pool) -> Sequence[Member]:
        """Return those that *pool* lists."""
        return pool.members


DECLARED = Declared()
