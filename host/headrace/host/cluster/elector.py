"""One thread that takes part in an election: performs what its `Election` asks.

All replicas serve alike; only one writes statuses. What is written goes by `leads`, which is
asked right before, and by the version of the object, for what is on its way when the lead ends.
"""

import logging
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from time import monotonic

import msgspec
from msgspec import Struct

from headrace.host.cluster.api import Api, Failed
from headrace.host.cluster.follow import NOT_FOUND, UNAUTHORIZED
from headrace.host.cluster.lease import NOTHING, Claim, Election, Look, Record, Terms
from headrace.host.cluster.objects import Fault, Meta
from headrace.host.cluster.resource import Resource
from headrace.host.cluster.watcher import word

FORBIDDEN, CONFLICT = 403, 409
JOIN_S = 2.0  # for the Lease to be given back; else the others wait until it is over
log = logging.getLogger(__name__)


class _Spec(Struct, rename="camel"):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class _Lease(Struct):
    metadata: Meta
    spec: _Spec | None = None


@dataclass(frozen=True, slots=True)
class Candidacy:
    """Which Lease a replica wants, and by which terms."""

    lease: Resource
    terms: Terms


def _nothing(leads: bool) -> None:
    """Do nothing: nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Who is told what, in the thread: how each request has ended, and whether it leads now."""

    ended: Callable[[str, str], None]
    turned: Callable[[bool], None] = _nothing


class Elector:
    """Takes part from `start` to `stop`. `leads` and `page` may be asked by any thread."""

    def __init__(self, api: Api, candidacy: Candidacy, heard: Heard) -> None:
        self._api = api
        self._lease = candidacy.lease
        self._heard = heard
        self._election = Election(candidacy.terms, random.SystemRandom().random)
        self._led = False
        self._fault: Fault | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="elect", daemon=True)

    @property
    def leads(self) -> bool:
        """Whether this replica leads now."""
        return not self._stopping.is_set() and self._election.leads(monotonic())

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = JOIN_S) -> None:
        """Lead no more from now on, and give the Lease back; wait so long for that."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def levels(self) -> Iterator[tuple[tuple[str], float]]:
        """Yield the Lease, and 1 if this replica leads by it, else 0."""
        yield (self._lease.name,), float(self.leads)

    def page(self) -> dict[str, object]:
        """Return what `/status` shows, as JSON."""
        seen, fault = self._election.seen, self._fault
        return {
            "lease": f"{self._lease.namespace}/{self._lease.name}",
            "identity": self._election.terms.identity,
            "leads": self.leads,
            "holder": seen.holder,
            "since": seen.acquired,
            "transitions": seen.transitions,
            "fault": fault.message if fault else "",
        }

    def _run(self) -> None:
        election = self._election
        while not self._stopping.wait(max(0.0, election.due_s - monotonic())):
            try:
                self._take_part()
                self._tell()
            except Exception:
                log.exception("bug: taking part in the election by %s", self._lease)
                election.failed(monotonic())
        self._release()

    def _take_part(self) -> None:
        """Make one request, and take what comes of it."""
        election, sent_s = self._election, monotonic()
        asked = election.ask(_now())
        try:
            if self._fault is not None and self._fault.status == UNAUTHORIZED:
                self._api.renew()
            said = self._look() if isinstance(asked, Look) else self._claim(asked)
        except Failed as failed:
            election.failed(monotonic())
            self._failed(failed.fault)
            return
        if isinstance(asked, Look):
            election.told(said, monotonic())
        else:
            election.granted(said, sent_s, monotonic())
        self._heard.ended(self._lease.plural, "ok")
        # A look at what is ours to claim is not enough: the claim may be what is refused.
        if self._fault is not None and (isinstance(asked, Claim) or not election.claiming):
            log.info("cluster: %s: it can be read and written again", self._lease)
            self._fault = None

    def _look(self) -> Record:
        try:
            timeout_s = self._election.terms.renew_s / 2
            return _record(self._api.get(f"{self._lease.path}/{self._lease.name}", (), timeout_s))
        except Failed as failed:
            if failed.fault.status != NOT_FOUND:
                raise
        return NOTHING

    def _claim(self, claim: Claim) -> Record:
        record, lease = claim.record, self._lease
        spec = _Spec(record.holder, ceil(record.lasts_s), record.acquired, _now())
        spec.lease_transitions = record.transitions
        if record.version:
            body = {"metadata": {"resourceVersion": record.version}, "spec": spec}
            octets = msgspec.json.encode(body)
            return _record(self._api.patch(f"{lease.path}/{lease.name}", octets))
        body = {
            "apiVersion": f"{lease.group}/{lease.version}",
            "kind": "Lease",
            "metadata": {"name": lease.name, "namespace": lease.namespace},
            "spec": spec,
        }
        return _record(self._api.post(lease.path, msgspec.json.encode(body)))

    def _failed(self, fault: Fault) -> None:
        """Tell of a failure, once while it lasts. That another was faster is none."""
        lost = fault.status == CONFLICT
        self._heard.ended(self._lease.plural, "conflict" if lost else word(fault))
        if lost:
            return
        if self._fault is None or self._fault.status != fault.status:
            cure = "; see `examples/kubernetes/rbac.yaml`" if fault.status == FORBIDDEN else ""
            log.warning("cluster: %s: %s%s", self._lease, fault.message, cure)
        self._fault = fault

    def _tell(self) -> None:
        leads = self.leads
        if leads is self._led or self._stopping.is_set():
            return
        self._led = leads
        if leads:
            log.info("cluster: %s: this replica leads", self._lease)
        else:
            seen, me = self._election.seen.holder, self._election.terms.identity
            why = "it could not renew" if seen == me else f"the holder is `{seen}`"
            log.warning("cluster: %s: this replica leads no more: %s", self._lease, why)
        self._heard.turned(leads)

    def _release(self) -> None:
        claim = self._election.resign(_now())
        if claim is None:
            return
        try:
            self._claim(claim)
        except Failed as failed:
            text = "cluster: %s: it could not be given back, and is over by itself: %s"
            log.info(text, self._lease, failed.fault.message)
        else:
            log.info("cluster: %s: given back", self._lease)


def _record(octets: bytes) -> Record:
    """Return what the Lease in *octets* says.

    Raises:
        Failed: it is none.
    """
    try:
        found = msgspec.json.decode(octets, type=_Lease)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Failed(Fault(0, f"a Lease that cannot be read: {error}")) from error
    if not found.metadata.resource_version:
        raise Failed(Fault(0, "a Lease without a resourceVersion"))
    spec = found.spec or _Spec()
    return Record(
        found.metadata.resource_version,
        spec.holder_identity or "",
        float(spec.lease_duration_seconds or 0),
        spec.acquire_time or "",
        spec.lease_transitions or 0,
    )


def _now() -> str:
    """Return the time as a MicroTime of Kubernetes."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
