"""Flags: whether one of several replicas is elected to write statuses, and by which terms.

Names and defaults are those that Kubernetes' own components have.
"""

import re
from socket import gethostname
from typing import TYPE_CHECKING, Annotated, Protocol
from uuid import uuid4

from headrace.host.cli.duration import DurationError, parse_duration
from headrace.host.cli.flags import Mistakes, flag

if TYPE_CHECKING:
    from headrace.host.cluster.api import Api
    from headrace.host.cluster.elector import Candidacy

_KUBERNETES = "Kubernetes"
ELECT = "--leader-elect"
NAME = f"{ELECT}-resource-name"
LASTS, RENEWS = f"{ELECT}-lease-duration", f"{ELECT}-renew-deadline"
RETRIES = f"{ELECT}-retry-period"
LEASE, LEASE_S, RENEW_S, RETRY_S = "headrace", "15s", "10s", "2s"
LEASE_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)  # RFC 1123
RETRY_S_MIN, LEASE_S_MAX = 0.05, 3600.0
RETRIES_MIN = 1.2  # as in client-go: a leader has one more try before it is none

LeaderElect = Annotated[
    bool,
    flag(
        ELECT,
        "With --kube: of several replicas let one write statuses and Events, elected by a Lease in "
        "the host's own namespace. All of them serve, elected or not.",
        panel=_KUBERNETES,
    ),
]
LeaseName = Annotated[
    str,
    flag(
        NAME,
        "With --leader-elect: the Lease; another for each deployment in a namespace.",
        metavar="NAME",
        panel=_KUBERNETES,
    ),
]
LeaseDuration = Annotated[
    str,
    flag(
        LASTS,
        "With --leader-elect: how long the others wait for a leader that does not renew.",
        metavar="DURATION",
        panel=_KUBERNETES,
    ),
]
RenewDeadline = Annotated[
    str,
    flag(
        RENEWS,
        "With --leader-elect: how long a leader that cannot renew still is one.",
        metavar="DURATION",
        panel=_KUBERNETES,
    ),
]
RetryPeriod = Annotated[
    str,
    flag(
        RETRIES,
        "With --leader-elect: between two renewals, or two looks.",
        metavar="DURATION",
        panel=_KUBERNETES,
    ),
]


class Given(Protocol):
    """What was given of it."""

    @property
    def leader_elect(self) -> bool:
        """Whether there is an election."""
        ...

    @property
    def leader_elect_resource_name(self) -> str:
        """By which Lease."""
        ...

    @property
    def leader_elect_lease_duration(self) -> str:
        """For how long."""
        ...

    @property
    def leader_elect_renew_deadline(self) -> str:
        """Until when without a renewal."""
        ...

    @property
    def leader_elect_retry_period(self) -> str:
        """How often."""
        ...


def read_candidacy(
    given: Given, asked: bool, kube: "Api | None", mistakes: Mistakes
) -> "Candidacy | None":
    """Return for which Lease a replica stands; None if for none. Note what is wrong.

    asked  whether a cluster is followed at all; *kube* is None also if that cannot be
    """
    if not given.leader_elect:
        _unused(given, mistakes)
        return None
    if not asked:
        mistakes.add(f"{ELECT}: it has no effect without --kube: add it")
    name = given.leader_elect_resource_name
    if not LEASE_NAME.fullmatch(name):
        mistakes.add(f"{NAME}: `{name}` is no name of a Lease")
    lease_s = _seconds(LASTS, given.leader_elect_lease_duration, mistakes)
    renew_s = _seconds(RENEWS, given.leader_elect_renew_deadline, mistakes)
    retry_s = _seconds(RETRIES, given.leader_elect_retry_period, mistakes)
    if lease_s is None or renew_s is None or retry_s is None:
        return None
    _ordered(lease_s, renew_s, retry_s, mistakes)
    if kube is None:
        return None
    from headrace.host.cluster.elector import Candidacy
    from headrace.host.cluster.lease import Terms, lease

    # Of this process only: after a restart it must not take itself for the leader.
    terms = Terms(f"{gethostname()}_{uuid4()}", lease_s, renew_s, retry_s)
    return Candidacy(lease(kube.namespace, name), terms)


def _unused(given: Given, mistakes: Mistakes) -> None:
    for name, value, usual in (
        (NAME, given.leader_elect_resource_name, LEASE),
        (LASTS, given.leader_elect_lease_duration, LEASE_S),
        (RENEWS, given.leader_elect_renew_deadline, RENEW_S),
        (RETRIES, given.leader_elect_retry_period, RETRY_S),
    ):
        if value != usual:
            mistakes.add(f"{name}: it has no effect without {ELECT}: add it")


def _seconds(name: str, text: str, mistakes: Mistakes) -> float | None:
    try:
        found_s = parse_duration(text)
    except DurationError as error:
        mistakes.add(f"{name}: {error}")
        return None
    if not RETRY_S_MIN <= found_s <= LEASE_S_MAX:
        mistakes.add(
            f"{name}: `{text}` is out of range: use {RETRY_S_MIN * 1000:g}ms to {LEASE_S_MAX:g}s"
        )
        return None
    return found_s


def _ordered(lease_s: float, renew_s: float, retry_s: float, mistakes: Mistakes) -> None:
    """Note it if two could lead, or a leader would be one only now and then."""
    if lease_s <= renew_s:
        mistakes.add(f"{LASTS}: {lease_s:g} s must be longer than {RENEWS}, {renew_s:g} s")
    if renew_s <= RETRIES_MIN * retry_s:
        mistakes.add(
            f"{RENEWS}: {renew_s:g} s must be longer than {RETRIES_MIN:g} times {RETRIES}, "
            f"{retry_s:g} s"
        )
