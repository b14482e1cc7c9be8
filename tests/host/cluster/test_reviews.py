"""Whose token it is and what he may read, as the API server says it."""

from pathlib import Path

import pytest

from headrace.host.cluster.reviews import Reviewer
from headrace.host.telemetry.readers import Ruling, Unasked
from tests.host.cluster.apiserver.faults import BROKEN, FORBIDDEN, Fault
from tests.host.cluster.objects import Json, kubeconfig, reached

WHO = "system:serviceaccount:obs:prometheus"
PROMETHEUS: Json = {"username": WHO, "groups": ["system:serviceaccounts"]}


def test_a_token_is_somebodys_and_he_may_or_may_not(tmp_path: Path) -> None:
    with reached(tmp_path) as (server, api):
        server.users = {"good": PROMETHEUS, "other": {"username": "eve"}}
        server.may = {WHO: {("get", "/metrics")}}
        ask = Reviewer(api)

        assert ask("good", "/metrics") == Ruling(WHO, True)
        assert ask("good", "/decisions") == Ruling(WHO, False)
        assert ask("other", "/metrics") == Ruling("eve", False)
        assert ask("unknown", "/metrics") == Ruling("", False)


def test_our_own_token_is_read_again_when_it_is_refused(tmp_path: Path) -> None:
    with reached(tmp_path, token="first") as (server, api):
        server.users, server.may = {"good": PROMETHEUS}, {WHO: set()}
        ask = Reviewer(api)
        server.token = "second"
        kubeconfig(tmp_path, server)

        assert ask("good", "/metrics").user == WHO


@pytest.mark.parametrize("fault", [BROKEN, FORBIDDEN])
def test_an_error_is_no_answer(tmp_path: Path, fault: Fault) -> None:
    with reached(tmp_path) as (server, api):
        server.order("create", "tokenreviews", fault)

        with pytest.raises(Unasked, match="ordered"):
            Reviewer(api)("good", "/metrics")


def test_an_api_server_that_is_away_is_no_answer(tmp_path: Path) -> None:
    with reached(tmp_path) as (server, api):
        server.down()

        with pytest.raises(Unasked):
            Reviewer(api)("good", "/metrics")
