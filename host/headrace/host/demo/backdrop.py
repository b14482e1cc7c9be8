"""The demo's policy on this machine: the shipped file, its endpoints moved to free ports. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headrace.dsl.policy import compile_policy
from headrace.dsl.program import Program
from headrace.dsl.source import Source


@dataclass(frozen=True, slots=True)
class Replica:
    """One model server to start. *models*: the names a request may ask it for."""

    address: str
    pool: str
    models: tuple[str, ...]
    adapters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A policy whose endpoints are addresses of this machine, and the replicas behind them."""

    source: Source
    program: Program
    replicas: tuple[Replica, ...]

    @property
    def pool_of(self) -> Mapping[str, str]:
        """Endpoint -> its pool."""
        return {replica.address: replica.pool for replica in self.replicas}


def endpoints_of(source: Source) -> tuple[str, ...]:
    """Return the endpoints that the policy names, each once.

    Raises:
        PolicyError: the policy does not compile.
    """
    pools = compile_policy([source]).pools.values()
    return tuple(dict.fromkeys(e for pool in pools for e in pool.endpoints))


def move(source: Source, addresses: Sequence[str]) -> Backdrop:
    """Return the policy with its endpoints replaced, in order, by *addresses*.

    Raises:
        PolicyError: the policy does not compile.
    """
    text = source.text
    old = endpoints_of(source)
    # By way of names that occur nowhere: an old address may be another's new one.
    for i, endpoint in enumerate(old):
        text = text.replace(f'"{endpoint}"', f'"\0{i}"')
    for i, address in enumerate(addresses[: len(old)]):
        text = text.replace(f'"\0{i}"', f'"{address}"')
    moved = Source(source.name, text)
    program = compile_policy([moved])
    replicas = [_replica(program, p.name, a) for p in program.pools.values() for a in p.endpoints]
    return Backdrop(moved, program, tuple(replicas))


def _replica(program: Program, pool: str, address: str) -> Replica:
    models: list[str] = []
    adapters: list[str] = []
    for model in program.models.values():
        copied = any(mirror.pool == pool for mirror in model.mirrors)
        for share in model.routes:
            if share.pool == pool or copied:  # a copy asks for the same name
                names = adapters if model.adapter else models
                names.append(share.rewrite or model.name)
    return Replica(address, pool, tuple(dict.fromkeys(models)), tuple(dict.fromkeys(adapters)))
