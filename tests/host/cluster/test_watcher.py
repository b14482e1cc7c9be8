"""Watchers against the double: real threads, real sockets, and everything that goes wrong."""

import random
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from headrace.host.cluster.api import Access, Api, CannotConnect
from headrace.host.cluster.reading import Pod, read_pod
from headrace.host.cluster.resource import Resource, objectives, pods
from headrace.host.cluster.watcher import Watcher
from tests.host.cluster.apiserver import PODS, ApiServer
from tests.host.cluster.apiserver.faults import (
    BROKEN,
    BROKEN_EVENT,
    FORBIDDEN,
    GONE,
    GONE_EVENT,
    MID_LINE,
    RESET,
    SPLIT,
    THROTTLED,
    Fault,
    Wrong,
)
from tests.host.cluster.objects import OBJECTIVES, kubeconfig, objective, pod, reached, until

NEVER_S = 1e9
GEMMA = pods("default", (("app", "gemma"),))


class Watched:
    """A watcher under test, and how its requests have ended."""

    def __init__(self, server: ApiServer, api: Api, resource: Resource = GEMMA) -> None:
        self.server, self.api = server, api
        self.results: Counter[str] = Counter()
        self.changes = 0
        self.watcher: Watcher[object] = Watcher(resource, read_pod, api, self._changed, self._ended)

    def _changed(self) -> None:
        self.changes += 1

    def _ended(self, resource: Resource, result: str) -> None:
        self.results[result] += 1

    @property
    def ready(self) -> set[str]:
        """The names of the pods that are ready, as the watcher knows."""
        items = self.watcher.known.items.values()
        return {one.name for one in items if isinstance(one, Pod) and one.ready}

    def watching(self) -> bool:
        return self.server.watches() == 1 and self.watcher.known.fault is None


@contextmanager
def watched(
    folder: Path, resource: Resource = GEMMA, *, silent_s: float = 5.0, **settings: Any
) -> Generator[Watched]:
    with reached(folder, silent_s=silent_s, **{"bookmark_s": 0.1, **settings}) as (server, api):
        server.shelf.put(PODS, pod("first"))
        one = Watched(server, api, resource)
        one.watcher.start()
        try:
            until(lambda: one.watcher.known.synced)
            yield one
        finally:
            one.watcher.stop()
            one.watcher.join(5.0)
            assert not [t for t in threading.enumerate() if t.name.startswith("watch ")]


def test_a_pod_that_comes_is_known_and_one_that_goes_is_not(tmp_path: Path) -> None:
    with watched(tmp_path) as one:
        one.server.shelf.put(PODS, pod("second"))
        until(lambda: one.ready == {"first", "second"})
        one.server.shelf.put(PODS, pod("second", ready=False))
        until(lambda: one.ready == {"first"})
        one.server.shelf.delete(PODS, "first")
        until(lambda: one.ready == set())


def test_nothing_is_told_while_nothing_that_matters_changes(tmp_path: Path) -> None:
    with watched(tmp_path) as one:
        until(one.watching)
        before, version = one.changes, one.server.shelf.revision
        for number in range(5):
            busy = pod("first")
            busy["spec"]["x"] = number
            one.server.shelf.put(PODS, busy)
        marker = one.server.shelf.put(PODS, pod("last"))
        until(lambda: "last" in one.ready)

        assert int(marker["metadata"]["resourceVersion"]) == version + 6
        assert one.changes == before + 1


@pytest.mark.parametrize(
    ("verb", "fault", "result"),
    [
        ("watch", GONE, "gone"),
        ("watch", GONE_EVENT, "gone"),
        ("watch", BROKEN_EVENT, "error"),
        ("watch", BROKEN, "error"),
        ("watch", FORBIDDEN, "forbidden"),
        ("watch", MID_LINE, "unreachable"),
        ("watch", SPLIT, ""),
        ("watch", RESET, "unreachable"),
    ],
    ids=str,
)
def test_what_happens_behind_a_fault_is_known_after_it(
    tmp_path: Path, verb: str, fault: Fault, result: str
) -> None:
    with watched(tmp_path) as one:
        until(one.watching)
        one.server.order(verb, "pods", fault)
        one.server.cut()
        one.server.shelf.put(PODS, pod("second"))
        one.server.shelf.delete(PODS, "first")
        until(lambda: one.ready == {"second"})

        assert not result or one.results[result] >= 1


@pytest.mark.parametrize("mid_line", [False, True])
def test_a_watch_that_is_cut_goes_on_without_a_list(tmp_path: Path, *, mid_line: bool) -> None:
    with watched(tmp_path) as one:
        until(one.watching)
        one.server.cut(mid_line=mid_line)
        one.server.shelf.put(PODS, pod("second"))
        until(lambda: one.ready == {"first", "second"})
        lists = [asked for asked in one.server.seen if "watch=true" not in asked]

        assert len(lists) == 1


def test_a_history_that_was_compacted_is_listed_anew_in_pages(tmp_path: Path) -> None:
    with watched(tmp_path) as one:
        until(one.watching)
        one.server.page_max = 2
        one.server.down()
        for number in range(5):
            one.server.shelf.put(PODS, pod(f"p{number}"))
        one.server.shelf.compact()
        one.server.up()
        until(lambda: len(one.ready) == 6)

        assert one.results["gone"] >= 1
        assert any("continue=" in asked for asked in one.server.seen)


def test_a_page_that_is_gone_in_mid_list_is_listed_anew(tmp_path: Path) -> None:
    with watched(tmp_path) as one:
        until(one.watching)
        one.server.page_max = 1
        one.server.shelf.put(PODS, pod("second"))
        until(lambda: len(one.ready) == 2)
        # The list that follows takes two pages, and the second of them is gone.
        ok = Fault(Wrong.SPLIT)
        one.server.order("list", "pods", ok, GONE)
        one.server.shelf.compact()
        until(lambda: len([a for a in one.server.seen if "continue=" in a]) >= 2)
        until(one.watching)

        assert one.ready == {"first", "second"}


def test_the_death_of_the_api_server_leaves_what_is_known(tmp_path: Path) -> None:
    with watched(tmp_path) as one:
        until(one.watching)
        one.server.down()
        until(lambda: one.watcher.known.fault is not None)
        heard_s = one.watcher.known.heard_s
        time.sleep(0.5)
        assert one.ready == {"first"}
        assert one.watcher.known.heard_s == heard_s
        one.server.shelf.put(PODS, pod("second"))
        one.server.up()
        until(lambda: one.ready == {"first", "second"})
        assert one.watcher.known.heard_s > heard_s


def test_an_api_server_that_hangs_is_left_and_asked_anew(tmp_path: Path) -> None:
    with watched(tmp_path, silent_s=0.5) as one:
        until(one.watching)
        one.server.silent = True
        until(lambda: one.watcher.known.fault is not None)
        one.server.silent = False
        one.server.shelf.put(PODS, pod("second"))
        until(lambda: one.ready == {"first", "second"})


def test_a_watch_that_nothing_is_said_in_is_opened_anew_and_nobody_is_alarmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.host.cluster.follow.SHORT_S", 0.1)
    with watched(tmp_path, silent_s=0.2, bookmark_s=NEVER_S) as one:
        until(one.watching)
        heard_s = one.watcher.known.heard_s
        until(lambda: len([asked for asked in one.server.seen if "watch=true" in asked]) > 3)

        assert one.watcher.known.heard_s > heard_s
        assert set(one.results) == {"ok"}


def test_a_watch_that_opens_is_the_end_of_what_was_wrong(tmp_path: Path) -> None:
    with watched(tmp_path, bookmark_s=NEVER_S) as one:
        until(one.watching)
        one.server.order("watch", "pods", RESET)
        one.server.cut()
        until(lambda: one.results["unreachable"] >= 1)
        until(one.watching)

        assert one.watcher.known.heard_s > time.monotonic() - 1.0


def test_a_throttled_watcher_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    with watched(tmp_path) as one:
        until(one.watching)
        one.server.order("watch", "pods", THROTTLED)
        one.server.cut()
        until(lambda: one.results["throttled"] == 1)
        began_s = time.monotonic()
        until(one.watching)

        assert time.monotonic() - began_s > 0.8  # of the one second it asked for


def test_a_token_that_was_rotated_is_read_anew(tmp_path: Path) -> None:
    with watched(tmp_path, token="old") as one:
        until(one.watching)
        one.server.token = "new"
        kubeconfig(tmp_path, one.server)
        one.server.cut()
        one.server.shelf.put(PODS, pod("second"))
        until(lambda: one.ready == {"first", "second"})

        assert one.results["unauthorized"] >= 1


def test_a_kind_that_is_installed_later_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.host.cluster.follow.MISSING_S", 0.1)
    with reached(tmp_path) as (server, api):
        server.shelf.installed.discard(OBJECTIVES)
        one = Watched(server, api, objectives("default")[0])
        one.watcher.start()
        until(lambda: one.watcher.known.missing)
        assert not one.watcher.known.synced
        server.shelf.installed.add(OBJECTIVES)
        server.shelf.put(OBJECTIVES, objective("o"))
        until(lambda: "o" in one.watcher.known.items)
        one.watcher.stop()
        one.watcher.join(5.0)


@pytest.mark.parametrize("seed", range(3))
def test_after_a_storm_of_changes_and_faults_it_knows_what_a_fresh_list_has(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.host.cluster.follow.BACKOFF_S_MAX", 0.1)
    chance = random.Random(seed)
    faults = [GONE, GONE_EVENT, MID_LINE, SPLIT, RESET, BROKEN, BROKEN_EVENT]
    with watched(tmp_path) as one:
        shelf = one.server.shelf
        for number in range(150):
            name = f"p{chance.randrange(12)}"
            if chance.random() < 0.25 and shelf.get(PODS, name):
                shelf.delete(PODS, name)
            else:
                app = "gemma" if chance.random() < 0.8 else "other"
                shelf.put(PODS, pod(name, ready=chance.random() < 0.7, app=app))
            if chance.random() < 0.05:
                one.server.order(chance.choice(["watch", "list"]), "pods", chance.choice(faults))
                one.server.cut(mid_line=chance.random() < 0.5)
            if chance.random() < 0.02:
                shelf.compact()
            time.sleep(0.002 if number % 10 else 0.02)

        def fresh() -> set[str]:
            found = [shelf.get(PODS, name) for name in ["first", *(f"p{n}" for n in range(12))]]
            return {
                p["metadata"]["name"]
                for p in found
                if p is not None
                and p["metadata"]["labels"]["app"] == "gemma"
                and p["status"]["conditions"][0]["status"] == "True"
            }

        until(lambda: one.ready == fresh() and one.watching(), 20.0)


def test_a_watcher_ends_at_once_in_mid_watch(tmp_path: Path) -> None:
    with watched(tmp_path) as one:
        until(one.watching)
        began_s = time.monotonic()
        one.watcher.stop()
        one.watcher.join(5.0)

        assert time.monotonic() - began_s < 1.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be used"),
        ("apiVersion: v1\nkind: Config\n", "cannot be used"),
    ],
)
def test_a_kubeconfig_that_is_none_is_told_with_its_name(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(CannotConnect, match=said):
        Api(Access(path))


def test_outside_a_pod_the_cure_is_told() -> None:
    with pytest.raises(CannotConnect, match="--kubeconfig"):
        Api(Access())


def test_the_namespace_is_the_one_that_is_asked_for_or_the_kubeconfigs(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, ApiServer(port=1), "serving")

    assert Api(Access(path)).namespace == "serving"
    assert Api(Access(path, "other")).namespace == "other"
