"""The rules by which one of several replicas leads: who may claim a Lease, and until when. Pure.

An `Election` says what to ask the API server next and is told what came. Only the monotonic
clock of this process counts: what others write of theirs is shown and never compared.

**Safety.** Whoever leads does so until *renew_s* after it *sent* the claim that was granted.
Whoever waits lets the whole *lease_s* of the record pass after it *saw* it, which is later than
it was sent, and its claim counts only for the version it saw. As renew_s < lease_s, two lead
together only if one's clock runs faster than the other's by more than lease_s / renew_s, or if
somebody deletes the Lease.
Source: client-go, `tools/leaderelection`; Kubernetes, `coordination.k8s.io/v1` Lease.
"""

from collections.abc import Callable
from dataclasses import dataclass

from headrace.host.cluster.resource import Resource

LEASE_S, RENEW_S, RETRY_S = 15.0, 10.0, 2.0  # as in client-go
SPREAD = 1.2  # of those who wait, as in client-go: they do not all ask together
LEASE_S_MAX = 3600.0  # whatever a record says, its holder is given up then
RELEASED_S = 1  # a record needs a duration, and this one holds for nobody
NEVER_S = float("-inf")


@dataclass(frozen=True, slots=True)
class Terms:
    """By which terms one takes part: *lease_s* > *renew_s* > *retry_s*, in seconds.

    identity  who one is; of no other process, not even of the same one after a restart
    lease_s   how long a record that nobody renews holds off the others
    renew_s   how long one leads by one claim
    retry_s   between two claims, or two looks
    """

    identity: str
    lease_s: float = LEASE_S
    renew_s: float = RENEW_S
    retry_s: float = RETRY_S


@dataclass(frozen=True, slots=True)
class Record:
    """What a Lease says. Without a *version*, there is none.

    holder       whose it is; empty: nobody's
    lasts_s      for how long, since it was written
    acquired     when its holder got it, by that one's clock
    transitions  how often it has changed hands
    """

    version: str = ""
    holder: str = ""
    lasts_s: float = 0.0
    acquired: str = ""
    transitions: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """Ask what the Lease says."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Write *record*, if the Lease still has its version; create it if that is empty."""

    record: Record


NOTHING = Record()


@dataclass(slots=True)
class Election:
    """One replica's part in an election. Written by one thread; `leads` may be asked by any.

    chance    draws from 0..1
    due_s     when to `ask` next
    seen      what the Lease said the last time
    claiming  whether that was for us to claim, which is asked for next
    """

    terms: Terms
    chance: Callable[[], float]
    due_s: float = NEVER_S
    seen: Record = NOTHING
    _seen_s: float = NEVER_S
    _leads_until_s: float = NEVER_S
    claiming: bool = False
    _over: bool = False

    def leads(self, now_s: float) -> bool:
        """Return whether this replica leads."""
        return now_s < self._leads_until_s

    def ask(self, clock: str) -> Look | Claim:
        """Return what to ask now; *clock* is the time to be written, for people to read."""
        return Claim(self._claimed(clock)) if self.claiming else Look()

    def told(self, record: Record, now_s: float) -> None:
        """Take the answer to a `Look`."""
        if record.version != self.seen.version:
            self._seen_s = now_s
        if record.holder != self.terms.identity:
            self._leads_until_s = NEVER_S  # somebody has taken it, or has taken it away
        self.seen = record
        self.claiming = self._free(now_s)
        self.due_s = now_s if self.claiming else now_s + self._pause_s()

    def granted(self, record: Record, sent_s: float, now_s: float) -> None:
        """Take that a `Claim` sent at *sent_s* was granted: the Lease says *record* now."""
        self.seen, self._seen_s, self.claiming = record, now_s, True
        if not self._over:
            self._leads_until_s = max(self._leads_until_s, sent_s + self.terms.renew_s)
        self.due_s = sent_s + self.terms.retry_s

    def failed(self, now_s: float) -> None:
        """Take that there was no answer, or that somebody else has written first.

        Whether a claim has arrived is unknown then: it is looked at before the next one.
        """
        self.claiming = False
        pause_s = self.terms.retry_s if self.leads(now_s) else self._pause_s()
        self.due_s = now_s + pause_s

    def resign(self, clock: str) -> Claim | None:
        """Lead no more, from now on and for good; return what to write so that others know."""
        held = self.seen.holder == self.terms.identity and bool(self.seen.version)
        self._leads_until_s, self._over = NEVER_S, True
        if not held:
            return None
        old = self.seen
        return Claim(Record(old.version, "", RELEASED_S, clock, old.transitions))

    def _free(self, now_s: float) -> bool:
        """Return whether what was seen keeps nobody, or nobody but us, from claiming."""
        if self.seen.holder in ("", self.terms.identity):
            return True
        lasts_s = self.seen.lasts_s if self.seen.lasts_s > 0 else self.terms.lease_s
        return now_s >= self._seen_s + min(LEASE_S_MAX, lasts_s)

    def _claimed(self, clock: str) -> Record:
        old, terms = self.seen, self.terms
        if old.holder == terms.identity:
            return Record(old.version, terms.identity, terms.lease_s, old.acquired, old.transitions)
        handed = old.transitions + bool(old.version)
        return Record(old.version, terms.identity, terms.lease_s, clock, handed)

    def _pause_s(self) -> float:
        return self.terms.retry_s * (1.0 + SPREAD * self.chance())


def lease(namespace: str, name: str) -> Resource:
    """Return the Lease *name*."""
    return Resource("coordination.k8s.io", "v1", "leases", namespace, name)
