"""Statuses and Events, as the double has them in the end."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from headrace.host.cluster import status as status_module
from headrace.host.cluster.api import Api
from headrace.host.cluster.condition import Condition, Wanted
from headrace.host.cluster.notice import Notice
from headrace.host.cluster.resource import Resource
from headrace.host.cluster.status import NOTICES_MAX, StatusWriter, Writing
from tests.host.cluster.apiserver import EVENTS, ApiServer
from tests.host.cluster.apiserver.faults import BROKEN, FORBIDDEN, Fault, Wrong
from tests.host.cluster.objects import OBJECTIVES, Json, kubeconfig, objective, reached, until

ABOUT = Resource(OBJECTIVES.group, OBJECTIVES.version, OBJECTIVES.plural, "default", "chat")
GOOD = Condition("Accepted", True, "Accepted", "of pool gemma")
BAD = Condition("Accepted", False, "NoPool", "there is no pool `gemma`")
CONFLICT = Fault(Wrong.STATUS, 409, "Conflict")


@dataclass(slots=True)
class Desk:
    """A writer, the server that it writes to, and how its writes have ended."""

    server: ApiServer
    api: Api
    writer: StatusWriter
    ended: list[str] = field(default_factory=list[str])
    leads: bool = True
    asked: int = 0

    def allowed(self) -> bool:
        """Whether it leads."""
        self.asked += 1
        return self.leads

    def put(self, priority: int = 1) -> Json:
        """Put the objective there."""
        return self.server.shelf.put(OBJECTIVES, objective("chat", priority))

    def said(self) -> list[str]:
        """The reasons of its conditions."""
        there = self.server.shelf.get(OBJECTIVES, "chat")
        assert there is not None
        return [one["reason"] for one in there["status"].get("conditions", ())]

    def count(self, verb: str) -> int:
        """How many requests of *verb* came."""
        return sum(one.startswith(verb) for one in self.server.seen)


def wanted(made: Json, *conditions: Condition, **fields: Any) -> Wanted:
    meta = made["metadata"]
    return Wanted(ABOUT, meta["uid"], meta["generation"], conditions, fields)


def notice(made: Json, message: str = "no") -> Notice:
    return Notice(ABOUT, OBJECTIVES.kind, made["metadata"]["uid"], "NoPool", message)


@contextmanager
def desk(folder: Path, **settings: Any) -> Generator[Desk]:
    """Run a double and a writer."""
    with reached(folder, **settings) as (server, api):
        ended: list[str] = []
        made: list[Desk] = []
        writing = Writing(lambda: made[0].allowed(), lambda _, how: ended.append(how))
        writer = StatusWriter(api, writing)
        made.append(Desk(server, api, writer, ended))
        writer.start()
        try:
            yield made[0]
        finally:
            writer.stop(5.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_module, "SPACE_S", 0.001)
    monkeypatch.setattr(status_module, "BACKOFF_S", 0.01)


def test_a_status_is_written_once_and_only_when_it_differs(tmp_path: Path) -> None:
    with desk(tmp_path) as it:
        made = it.put()
        assert it.writer.want(wanted(made, GOOD, models=["a"]))
        until(lambda: it.said() == ["Accepted"])
        it.writer.want(wanted(made, GOOD, models=["a"]))
        it.writer.again()
        until(lambda: it.ended == ["written", "same"])
        it.writer.want(wanted(made, BAD))
        until(lambda: it.said() == ["NoPool"])

        there = it.server.shelf.get(OBJECTIVES, "chat")
        assert there is not None
        assert there["spec"] == made["spec"]
        assert there["status"]["models"] == ["a"]
        assert it.count("PATCH") == 2


@pytest.mark.parametrize("faults", [(CONFLICT,) * 2, (BROKEN,), (CONFLICT,) * 12])
def test_conflicts_and_failures_are_tried_again(tmp_path: Path, faults: tuple[Fault, ...]) -> None:
    with desk(tmp_path) as it:
        made = it.put()
        it.server.order("patch", OBJECTIVES.plural, *faults)
        it.writer.want(wanted(made, GOOD))

        until(lambda: it.said() == ["Accepted"])


def test_a_token_that_is_refused_is_read_again(tmp_path: Path) -> None:
    with desk(tmp_path, token="first") as it:
        made = it.put()
        it.server.token = "second"
        kubeconfig(tmp_path, it.server)
        it.writer.want(wanted(made, GOOD))

        until(lambda: it.said() == ["Accepted"])


def test_what_is_forbidden_is_told_once_and_not_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with desk(tmp_path) as it:
        made = it.put()
        it.server.order("patch", OBJECTIVES.plural, FORBIDDEN, FORBIDDEN)
        for one in (GOOD, BAD):
            it.writer.want(wanted(made, one))
            until(lambda: len(it.ended) == it.count("PATCH") > 0)
        until(lambda: it.ended == ["forbidden"] * 2)

        assert caplog.text.count("cannot write the status") == 1
        assert "rbac.yaml" in caplog.text


def test_a_newer_object_is_not_judged_by_an_older_word(tmp_path: Path) -> None:
    with desk(tmp_path) as it:
        old = it.put()
        it.put(priority=2)
        it.writer.want(wanted(old, BAD))
        until(lambda: it.ended == ["same"])

        assert it.said() == []


def test_only_who_leads_writes_and_a_new_leader_writes_all(tmp_path: Path) -> None:
    with desk(tmp_path) as it:
        it.leads = False
        made = it.put()
        it.writer.want(wanted(made, GOOD))
        until(lambda: it.asked > 0)
        assert it.count("GET") == 0
        it.leads = True
        it.writer.again()

        until(lambda: it.said() == ["Accepted"])


def test_two_replicas_that_disagree_end_at_a_last_word(tmp_path: Path) -> None:
    with desk(tmp_path) as it:
        other = StatusWriter(it.api, Writing(lambda: True, lambda _, how: it.ended.append(how)))
        other.start()
        try:
            made = it.put()
            it.writer.want(wanted(made, GOOD))
            other.want(wanted(made, BAD))
            until(lambda: it.ended == ["written"] * 2)
        finally:
            other.stop(5.0)

        assert it.count("PATCH") <= 3, "one of them may have come too late, once"


def test_an_event_is_told_once_even_by_two(tmp_path: Path) -> None:
    with desk(tmp_path) as it:
        made = it.put()
        for text in ("no", "no", "still no"):
            assert it.writer.tell(notice(made, text))
        until(lambda: it.ended == ["written"] * 2)
        events, _ = it.server.shelf.listed(EVENTS, "default", lambda _: True)

        assert sorted(one["message"] for one in events) == ["no", "still no"]
        assert {one["involvedObject"]["kind"] for one in events} == {"InferenceObjective"}
        assert {one["type"] for one in events} == {"Warning"}


def test_the_notices_that_wait_are_bounded(tmp_path: Path) -> None:
    with desk(tmp_path) as it:
        made = it.put()
        it.server.silent = True
        taken = [it.writer.tell(notice(made, f"{n}")) for n in range(NOTICES_MAX + 10)]
        it.server.silent = False

        assert NOTICES_MAX <= sum(taken) <= NOTICES_MAX + 1
