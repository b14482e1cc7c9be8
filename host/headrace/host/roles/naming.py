"""Which chain a stream is for: the role's, or the one that the caller's metadata names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from headrace.dsl.program import DEFAULT_CHAIN
from headrace.extensions.stage import Json
from headrace.host.extproc.opening import Exchange, Factory, Opening
from headrace.host.roles.role import ANY, Role

# Google's load balancers put an extension's `metadata` there, one namespace per extension:
# com.google.lb_traffic_extension.<forwarding rule>.<chain>.<extension>.
GOOGLE = "com.google."
KEY = "headrace-chain"


class Wants(Protocol):
    """Tells whether the stages of a chain, at a listener, look at attributes or metadata."""

    def __call__(self, chain: str, listener: str = "") -> bool:
        """Return whether they do."""
        ...


@dataclass(frozen=True, slots=True)
class Naming:
    """Opens the exchanges of one role."""

    role: Role
    factory: Factory
    wants: Wants

    def open(self, opening: Opening, now_s: float) -> Exchange:
        """Open an exchange with the chain that it is for: the factory of the role's listener."""
        chain = self._chain(opening)
        return self.factory(replace(opening, chain=chain, listener=self.role.name), now_s)

    def wants_context(self, chain: str) -> bool:
        """Return whether attributes and metadata are decoded; they may say which chain it is."""
        if self.role.chain == ANY:
            return chain == DEFAULT_CHAIN.name or self.wants(chain, self.role.name)
        return self.wants(self.role.chain, self.role.name)

    def _chain(self, opening: Opening) -> str:
        if opening.chain != DEFAULT_CHAIN.name:
            return opening.chain  # the call's own metadata says so
        if self.role.chain != ANY:
            return self.role.chain
        first = opening.first
        context = None if first is None else first.context
        return named_chain({} if context is None else context.metadata) or opening.chain


def named_chain(metadata: Mapping[str, Mapping[str, Json]]) -> str:
    """Return the chain that an extension's metadata names; empty if it names none."""
    for namespace, values in metadata.items():
        name = values.get(KEY) if namespace.startswith(GOOGLE) else None
        if isinstance(name, str) and name:
            return name
    return ""
