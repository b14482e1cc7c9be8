"""Replicas that want one Lease, with real threads and sockets, against the double."""

import logging
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from headrace.host.cluster.api import Api
from headrace.host.cluster.elector import Candidacy, Elector, Heard
from headrace.host.cluster.lease import Terms, lease
from tests.host.cluster.apiserver import LEASES, ApiServer
from tests.host.cluster.apiserver.faults import BROKEN, FORBIDDEN, Fault, Wrong
from tests.host.cluster.objects import Json, kubeconfig, reached, until

LEASE = lease("default", "headrace")
CONFLICT = Fault(Wrong.STATUS, 409, "Conflict")
LEASE_S, RENEW_S, RETRY_S = 1.0, 0.5, 0.05


@dataclass(slots=True)
class Replica:
    """An elector, and what it has told."""

    elector: Elector
    turns: list[bool] = field(default_factory=list[bool])
    ended: Counter[str] = field(default_factory=Counter[str])


@dataclass(slots=True)
class Place:
    """The double, and replicas that take part there."""

    server: ApiServer
    api: Api
    replicas: list[Replica] = field(default_factory=list[Replica])

    def join(self) -> Replica:
        """Let another one take part."""
        turns, ended = list[bool](), Counter[str]()
        terms = Terms(f"r{len(self.replicas)}", LEASE_S, RENEW_S, RETRY_S)
        heard = Heard(lambda _, how: ended.update([how]), turns.append)
        made = Replica(Elector(self.api, Candidacy(LEASE, terms), heard), turns, ended)
        self.replicas.append(made)
        made.elector.start()
        return made

    def spec(self) -> Json:
        """What the Lease says."""
        found = self.server.shelf.get(LEASES, "headrace")
        assert found is not None
        spec: Json = found["spec"]
        return spec


@contextmanager
def place(folder: Path, token: str = "") -> Generator[Place]:
    with reached(folder, token=token) as (server, api):
        server.shelf.installed.add(LEASES)
        made = Place(server, api)
        try:
            yield made
        finally:
            for one in made.replicas:
                one.elector.stop()


def test_one_leads_and_when_it_ends_the_other_does_at_once(tmp_path: Path) -> None:
    with place(tmp_path) as here:
        first = here.join()
        until(lambda: first.elector.leads)
        second = here.join()
        until(lambda: second.elector.page()["holder"] == "r0")
        assert here.spec()["holderIdentity"] == "r0"
        assert here.spec()["leaseDurationSeconds"] == 1
        until(lambda: first.ended["ok"] >= 5)  # it renews
        assert not second.elector.leads
        first.elector.stop()
        assert not first.elector.leads
        until(lambda: second.elector.leads, within_s=LEASE_S * 0.8)

        assert here.spec()["holderIdentity"] == "r1"
        assert here.spec()["leaseTransitions"] == 1
        assert second.elector.page() | {"since": ""} == {
            "lease": "default/headrace",
            "identity": "r1",
            "leads": True,
            "holder": "r1",
            "since": "",
            "transitions": 1,
            "fault": "",
        }
        assert first.turns == [True]
        until(lambda: second.turns == [True])


def test_while_the_api_server_is_away_the_lead_ends_and_is_had_again_after(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with place(tmp_path) as here:
        one = here.join()
        until(lambda: one.elector.leads)
        here.server.down()
        until(lambda: not one.elector.leads)
        until(lambda: one.turns == [True, False])
        assert one.elector.page()["fault"]
        here.server.up()
        until(lambda: one.turns == [True, False, True])

    assert caplog.text.count("refused") <= 1  # told once while it lasts
    assert "it can be read and written again" in caplog.text


@pytest.mark.parametrize(
    ("verb", "fault", "result"),
    [("patch", CONFLICT, "conflict"), ("patch", BROKEN, "error"), ("create", BROKEN, "error")],
)
def test_a_claim_that_fails_is_made_again(
    tmp_path: Path, verb: str, fault: Fault, result: str
) -> None:
    with place(tmp_path) as here:
        here.server.order(verb, "leases", fault)
        one = here.join()
        until(lambda: one.ended[result] == 1)
        until(lambda: one.elector.leads and one.ended["ok"] >= 4)

        assert one.turns == [True]


def test_what_it_may_not_do_is_told_with_the_cure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with place(tmp_path) as here:
        here.server.order("create", "leases", *[FORBIDDEN] * 3)
        one = here.join()
        until(lambda: one.elector.leads)

        assert one.ended["forbidden"] == 3
    assert caplog.text.count("examples/kubernetes/rbac.yaml") == 1


def test_a_token_that_was_rotated_is_read_anew(tmp_path: Path) -> None:
    with place(tmp_path, token="old") as here:
        one = here.join()
        until(lambda: one.elector.leads)
        here.server.token = "new"
        kubeconfig(tmp_path, here.server)
        until(lambda: one.ended["unauthorized"] >= 1)
        before = one.ended["ok"]
        until(lambda: one.ended["ok"] > before + 2)

        assert one.elector.leads


def test_a_lease_that_makes_no_sense_is_a_failure_and_no_lead(tmp_path: Path) -> None:
    with place(tmp_path) as here:
        odd = {"metadata": {"name": "headrace"}, "spec": {"holderIdentity": 7}}
        here.server.shelf.put(LEASES, odd)
        one = here.join()
        until(lambda: "cannot be read" in str(one.elector.page()["fault"]))
        assert not one.elector.leads
        here.server.shelf.put(LEASES, odd | {"spec": None})
        until(lambda: one.elector.leads)


def test_who_ends_while_nobody_answers_leads_no_more_and_is_not_waited_for(tmp_path: Path) -> None:
    with place(tmp_path) as here:
        one = here.join()
        until(lambda: one.elector.leads)
        here.server.silent = True
        one.elector.stop(0.0)

        assert not one.elector.leads
        here.server.silent = False
