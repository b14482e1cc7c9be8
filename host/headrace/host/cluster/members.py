"""From pods to the endpoints of a pool. Pure."""

from collections.abc import Iterable, Sequence

from headrace.dsl.serving import Member
from headrace.host.cluster.reading import Pod

ENDPOINTS_MAX = 10_000  # of one pool


def members(pods: Iterable[Pod], ports: Sequence[int]) -> tuple[Member, ...]:
    """Return an endpoint for each port of each pod that is ready, by the name of the pod.

    Where pods share an address, as in the network of their host, the oldest has it.
    """
    ready = sorted((pod for pod in pods if pod.ready), key=lambda pod: (pod.created, pod.name))
    found: dict[str, tuple[str, int, Member]] = {}
    for pod in ready:
        host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
        for rank, port in enumerate(ports):
            name = pod.name if len(ports) == 1 else f"{pod.name}-rank-{rank}"
            address = f"{host}:{port}"
            member = Member(address, name, pod.zone, pod.role, pod.labels)
            if len(found) < ENDPOINTS_MAX:
                found.setdefault(address, (pod.name, rank, member))
    return tuple(member for _, _, member in sorted(found.values(), key=lambda one: one[:2]))


def crowded(pods: Iterable[Pod], ports: Sequence[int], made: Sequence[Member]) -> int:
    """Return how many endpoints *made* lacks: they share an address, or are too many."""
    return sum(pod.ready for pod in pods) * len(ports) - len(made)
