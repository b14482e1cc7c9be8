"""Which base model a request is for, in the end: of an adapter, the model that it adapts."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headrace.extensions.directory import Directory
from headrace.extensions.stage import Route

if TYPE_CHECKING:
    from headrace.extensions.picker.store import Store

HEADER = "x-gateway-base-model-name"


@dataclass(frozen=True, slots=True)
class Bases:
    """Knows the base models of adapters. Read with each request.

    A map in the cluster goes first, as somebody wrote it for this header; then the policy, whose
    `adapter of` names a pool; then what the servers of the pool list.
    """

    directory: Directory = field(repr=False)
    store: "Store" = field(repr=False)

    def of(self, asked: str, route: Route) -> str:
        """Return the base model of *asked*, which goes by *route*; empty if it is not known."""
        mapped = self.directory.bases.get(asked, "")
        if mapped or route.adapter:
            return mapped or route.pool
        listed = self.store.bases.get(route.pool)
        return listed.get(route.target, "") if listed else ""
