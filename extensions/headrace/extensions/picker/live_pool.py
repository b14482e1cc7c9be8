"""One pool as the store keeps it between two snapshots."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from headrace.dsl.program import Pool
from headrace.dsl.serving import Member
from headrace.extensions.picker.cost.ledger import Ledger
from headrace.extensions.picker.cost.outlook import Outlook
from headrace.extensions.picker.feedback import NO_MEANS, Means
from headrace.extensions.picker.intake import (
    described,
)
from headrace.extensions.picker.roster import Roster
from headrace.extensions.picker.snapshot import (
    NOTHING,
    Endpoint,
    PoolState,
    Sums,
    sums,
)
from headrace.extensions.picker.staleness import drifted


@dataclass(slots=True)
class LivePool:
    """One pool as it is now, and the state last shown of it. Written by the Store only."""

    declared: Pool
    roster: Roster
    endpoints: list[Endpoint]
    ledgers: list[Ledger]
    sums: Sums = NOTHING
    means: Means = NO_MEANS
    shown: PoolState | None = None

    def put(self, position: int, endpoint: Endpoint) -> None:
        """Replace the endpoint at *position*."""
        self.sums = self.sums.changed(self.endpoints[position], endpoint)
        self.endpoints[position] = endpoint
        self.roster.changed(position, counts_only=False)
        self.shown = None

    def recount(self, position: int, now_s: float) -> None:
        """Take over the counts of the ledger at *position*."""
        counted = self.endpoints[position].counted(self.ledgers[position], now_s)
        self.endpoints[position] = counted
        self.roster.changed(position, counts_only=True)
        self.shown = None

    def aged(self, endpoint: Endpoint, now_s: float) -> Endpoint:
        """Return *endpoint* with what is stale of it taken to be worse than it was."""
        longest = max((e.waiting_scraped for e in self.endpoints if e.ready), default=0)
        return drifted(endpoint, self.declared, longest, now_s)

    def state(self) -> PoolState:
        """Return the pool at this instant."""
        if self.shown is None:
            name, endpoints = self.declared.name, tuple(self.endpoints)
            self.shown = PoolState(name, endpoints, self.roster, self.roster.version, self.sums)
        return self.shown


def adopted(declared: Pool, members: Sequence[Member], old: LivePool | None) -> LivePool:
    """Return *declared* as a pool of *members*, with what *old* knows of its endpoints."""
    known = {} if old is None else old.roster.positions
    addresses = tuple(member.address for member in members)
    if old is not None and old.roster.addresses == addresses:
        roster = old.roster
    else:
        roster = Roster.of(addresses)
    means = NO_MEANS if old is None else old.means
    endpoints: list[Endpoint] = []
    ledgers: list[Ledger] = []
    for at, member in enumerate(members):
        position = known.get(member.address)
        if old is None or position is None:
            outlook = Outlook(declared.speed, means=means)
            fresh = Endpoint(member.name, member.address, outlook=outlook)
            endpoints.append(described(fresh, member))
            ledgers.append(Ledger())
        else:
            kept = described(old.endpoints[position], member)
            if roster is old.roster and kept is not old.endpoints[position]:
                roster.changed(at, counts_only=False)
            outlook = replace(kept.outlook, speeds=declared.speed)
            endpoints.append(replace(kept, outlook=outlook))
            ledgers.append(old.ledgers[position])
    return LivePool(declared, roster, endpoints, ledgers, sums(endpoints), means)
