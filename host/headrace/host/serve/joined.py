"""What a host has of a cluster: who is in its pools, texts of its policy, where it writes.

The only module of a host that is joined to a cluster which loads the library for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from headrace.host.cluster.api import Api
from headrace.host.cluster.cluster import Cluster
from headrace.host.cluster.elector import Elector, Heard
from headrace.host.cluster.policies import PolicyObjects
from headrace.host.cluster.status import StatusWriter, Writing
from headrace.host.cluster.telling import Counts as Watched
from headrace.host.serve.options import ServeOptions

WRITTEN_S = 1.0  # how long the end waits for a status that is being written


class Counts(Watched, Protocol):
    """What a host may want to count."""

    def cluster_written(self, resource: str, result: str) -> None:
        """Note how the writing of a status or an Event has ended. Called from any thread."""
        ...


@dataclass(frozen=True, slots=True)
class Joined:
    """A cluster that a host is joined to.

    elector   who takes part in an election for this replica; None: it writes, elected or not
    policies  the texts there; None: it has none there
    """

    cluster: Cluster
    writer: StatusWriter
    elector: Elector | None
    policies: PolicyObjects | None

    def start(self) -> None:
        """Begin, in a running loop."""
        self.cluster.start()
        self.writer.start()
        if self.elector is not None:
            self.elector.start()

    def resign(self) -> None:
        """Lead no more, so that another one does; wait until the Lease is given back."""
        if self.elector is not None:
            self.elector.stop()

    async def stop(self) -> None:
        """End all watches, and write no more."""
        if self.elector is not None:
            self.elector.stop(0.0)
        await self.cluster.stop()
        self.writer.stop(WRITTEN_S)

    def levels(self) -> Iterator[tuple[tuple[str], float]]:
        """Yield the Lease that this replica stands for, and 1 if it leads by it, else 0."""
        if self.elector is not None:
            yield from self.elector.levels()

    def page(self) -> dict[str, object]:
        """Return what `/status` shows beside the cluster itself, as JSON."""
        found: dict[str, object] = {}
        if self.elector is not None:
            found["leader"] = self.elector.page()
        if self.policies is not None:
            found["policies"] = self.policies.page()
        return found


def join(api: Api, options: ServeOptions, counts: Counts, *, beside: bool) -> Joined:
    """Return what the host of *options* has of the cluster of *api*; nothing is asked yet.

    beside  whether the policy has files, too
    """
    # Of several workers of one host, who say the same, one writes, and stands for election.
    alone = options.worker <= 1

    def allowed() -> bool:
        return alone and (elector is None or elector.leads)

    def turned(leads: bool) -> None:
        if leads:
            writer.again()

    writer = StatusWriter(api, Writing(allowed, counts.cluster_written))
    elector: Elector | None = None
    if options.candidacy is not None and alone:
        elector = Elector(api, options.candidacy, Heard(counts.cluster_request, turned))
    if not options.policies_from:
        return Joined(Cluster(api, counts), writer, elector, None)
    policies = PolicyObjects(api.namespace, options.policies_from, beside=beside, writer=writer)
    cluster = Cluster(api, counts, policies.wanted)
    policies.watched(cluster.watchers)
    return Joined(cluster, writer, elector, policies)
