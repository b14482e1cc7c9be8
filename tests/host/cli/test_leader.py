"""The flags of an election: what is refused, and what is made of them."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from headrace.host.cli import leader
from headrace.host.cli.flags import Mistakes
from headrace.host.cli.leader import read_candidacy
from headrace.host.cluster.api import Access, Api
from tests.host.cluster.apiserver import ApiServer
from tests.host.cluster.objects import kubeconfig


@dataclass(frozen=True, slots=True)
class Flags:
    """What was given."""

    leader_elect: bool = True
    leader_elect_resource_name: str = leader.LEASE
    leader_elect_lease_duration: str = leader.LEASE_S
    leader_elect_renew_deadline: str = leader.RENEW_S
    leader_elect_retry_period: str = leader.RETRY_S


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(Access(kubeconfig(tmp_path, ApiServer(port=1), "serving")))


def test_the_terms_are_those_of_kubernetes_and_no_two_replicas_are_the_same(api: Api) -> None:
    mistakes = Mistakes()
    one, other = (read_candidacy(Flags(), True, api, mistakes) for _ in range(2))

    assert mistakes.texts == []
    assert one is not None
    assert other is not None
    assert one.lease.path == "/apis/coordination.k8s.io/v1/namespaces/serving/leases"
    assert (one.lease.name, one.terms.lease_s, one.terms.renew_s, one.terms.retry_s) == (
        "headrace",
        15.0,
        10.0,
        2.0,
    )
    assert one.terms.identity != other.terms.identity


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (
            Flags(leader_elect_lease_duration="10s"),
            "--leader-elect-lease-duration: 10 s must be longer than --leader-elect-renew-deadline",
        ),
        (
            Flags(leader_elect_retry_period="9s"),
            "--leader-elect-renew-deadline: 10 s must be longer than 1.2 times "
            "--leader-elect-retry-period, 9 s",
        ),
        (
            Flags(leader_elect_retry_period="1ms"),
            "--leader-elect-retry-period: `1ms` is out of range: use 50ms to 3600s",
        ),
        (
            Flags(leader_elect_lease_duration="soon"),
            "--leader-elect-lease-duration: `soon` is not a duration",
        ),
        (
            Flags(leader_elect_resource_name="No/Name"),
            "--leader-elect-resource-name: `No/Name` is no name of a Lease",
        ),
        (
            Flags(leader_elect=False, leader_elect_retry_period="3s"),
            "--leader-elect-retry-period: it has no effect without --leader-elect: add it",
        ),
    ],
)
def test_terms_that_cannot_be_kept_are_told(api: Api, flags: Flags, says: str) -> None:
    mistakes = Mistakes()
    read_candidacy(flags, True, api, mistakes)

    assert len(mistakes.texts) == 1
    assert says in mistakes.texts[0]


def test_without_a_cluster_there_is_no_election() -> None:
    mistakes = Mistakes()

    assert read_candidacy(Flags(), False, None, mistakes) is None
    assert mistakes.texts == ["error: --leader-elect: it has no effect without --kube: add it"]
    assert read_candidacy(Flags(leader_elect=False), False, None, Mistakes()) is None
