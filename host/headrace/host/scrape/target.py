"""What there is to scrape: the pages of every endpoint of a program."""

from collections import defaultdict
from dataclasses import dataclass

from headrace.dsl.dialects.dialect import Dialect
from headrace.dsl.program import Program
from headrace.extensions.picker.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Target:
    """One endpoint: where its pages are, and what is to be read off them.

    models  the page that lists models; empty if there is none
    asked   further metrics that rules ask for by name
    """

    pool: str
    address: str
    dialect: Dialect
    url: str
    stale_after_s: float
    models: str = ""
    asked: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Device:
    """The page of one host's accelerators, and the endpoints that run on them."""

    pool: str
    addresses: tuple[str, ...]
    dialect: Dialect
    url: str


def targets(program: Program, snapshot: Snapshot) -> frozenset[Target]:
    """Return the endpoints of *program*, which are those that *snapshot* has."""
    asked = tuple(name.encode() for name in program.metrics)
    return frozenset(
        Target(
            pool.name,
            address,
            pool.dialect,
            _url(address, pool.dialect.port, pool.dialect.path),
            pool.stale_after_s,
            _url(address, None, pool.dialect.models) if pool.dialect.models else "",
            asked,
        )
        for pool in program.pools.values()
        for address in _addresses(snapshot, pool.name)
    )


def devices(program: Program, snapshot: Snapshot) -> frozenset[Device]:
    """Return the pages of accelerators that *program* names, one per host and pool."""
    found: set[Device] = set()
    for pool in program.pools.values():
        if pool.gpu is None:
            continue
        hosts = defaultdict[str, list[str]](list)
        for address in _addresses(snapshot, pool.name):
            hosts[_url(address, pool.gpu.port, pool.gpu.dialect.path)].append(address)
        for url, addresses in hosts.items():
            found.add(Device(pool.name, tuple(addresses), pool.gpu.dialect, url))
    return frozenset(found)


def _addresses(snapshot: Snapshot, pool: str) -> tuple[str, ...]:
    state = snapshot.pools.get(pool)
    return state.roster.addresses if state else ()


def _url(address: str, port: int | None, path: str) -> str:
    host = address.rpartition(":")[0]
    return f"http://{host}:{port}{path}" if port else f"http://{address}{path}"
