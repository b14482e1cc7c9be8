"""The proxy's hint which endpoints are eligible: metadata of the request."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address
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
        if self.exact and plain(address) in self.exact:
            return True
        return bool(self.hosts) and host_of(plain(address)) in self.hosts


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
    return named(",".join(item for item in items if isinstance(item, str)))


def named(text: str) -> Subset:
    """Return the subset that *text* names: addresses, with or without a port, between commas."""
    words = [word.strip() for word in text.split(",")]
    hosts = [word for word in words if _is_host(word)]
    exact = (plain(word) for word in words if word and not _is_host(word))
    return Subset(frozenset(exact), frozenset(_plain_host(word) for word in hosts))


def host_of(address: str) -> str:
    """Return the host of ``host:port``, without the brackets of an IPv6 address."""
    return address.rpartition(":")[0].strip("[]")


def _is_host(word: str) -> bool:
    """Return whether *word* is a host without a port. An IPv6 address with one has brackets."""
    if word.startswith("["):
        return word.endswith("]")
    return bool(word) and word.count(":") != 1


@lru_cache(maxsize=4096)  # of addresses of endpoints: asked again with every request
def plain(address: str) -> str:
    """Return *address* with an IPv6 host in its one short form: it can be written in many."""
    if not address.startswith("["):
        return address
    host, _, port = address.rpartition(":")
    return f"[{_plain_host(host)}]:{port}"


def _plain_host(host: str) -> str:
    bare = host.strip("[]")
    if ":" not in bare:
        return bare
    try:
        return IPv6Address(bare).compressed
    except ValueError:
        return bare
