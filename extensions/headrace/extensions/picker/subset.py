"""The proxy's hint which endpoints are eligible: metadata of the request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from headrace.extensions.stage import Json

NAMESPACE = "envoy.lb.subset_hint"
KEY = "x-gateway-destination-endpoint-subset"


@dataclass(frozen=True, slots=True)
class Subset:
    """The eligible endpoints: exact ones (``ip:port``) and hosts, of which every port counts."""

    exact: frozenset[str]
    hosts: frozenset[str]

    def has(self, address: str) -> bool:
        """Return whether the endpoint at *address* (``ip:port`` or ``[ip6]:port``) is eligible."""
        if address in self.exact:
            return True
        return bool(self.hosts) and host_of(address) in self.hosts


def subset_of(metadata: Mapping[str, Mapping[str, Json]]) -> Subset | None:
    """Return the hint in *metadata*, or None if there is none.

    The hint is a list of strings or one string, with commas between several. What is
    neither names nothing: a hint that cannot be read makes no endpoint eligible, since
    ignoring it would send the request where the proxy said it must not go.
    """
    found = metadata.get(NAMESPACE)
    if found is None or KEY not in found:
        return None
    hint: object = found[KEY]
    items = cast("list[object]", hint) if isinstance(hint, list) else [hint]
    words = [w.strip() for item in items if isinstance(item, str) for w in item.split(",")]
    hosts = [w for w in words if _is_host(w)]
    return Subset(
        frozenset(w for w in words if w and not _is_host(w)),
        frozenset(w.strip("[]") for w in hosts),
    )


def host_of(address: str) -> str:
    """Return the host of ``host:port``, without the brackets of an IPv6 address."""
    return address.rpartition(":")[0].strip("[]")


def _is_host(word: str) -> bool:
    """Return whether *word* is a host without a port. An IPv6 address with one has brackets."""
    if word.startswith("["):
        return word.endswith("]")
    return bool(word) and word.count(":") != 1
