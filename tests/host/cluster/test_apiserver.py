"""The double is faithful: what the tests of watchers rest on."""

import http.client
import json
from collections.abc import Generator
from typing import Any

import pytest

from tests.host.cluster.apiserver import PODS, ApiServer, Conflict, serving
from tests.host.cluster.apiserver.faults import GONE_EVENT, MID_LINE, SPLIT, THROTTLED
from tests.host.cluster.objects import POOLS, pod, pool, until

LIST = "/api/v1/namespaces/default/pods"


@pytest.fixture
def server() -> Generator[ApiServer]:
    with serving(bookmark_s=0.05) as running:
        yield running


def ask(
    server: ApiServer, path: str, method: str = "GET", body: object = None, token: str = ""
) -> tuple[int, Any, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    raw = answer.read()
    connection.close()
    is_json = raw and answer.headers.get_content_type() == "application/json"
    found = json.loads(raw) if is_json else raw
    return answer.status, found, answer.headers


def watch(server: ApiServer, query: str, events: int) -> list[Any]:
    """Return the first *events* of a watch."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request("GET", f"{LIST}?watch=true&{query}")
    answer = connection.getresponse()
    found = [json.loads(answer.readline()) for _ in range(events)]
    connection.close()
    return found


def test_a_list_comes_in_pages_of_one_snapshot(server: ApiServer) -> None:
    for number in range(5):
        server.shelf.put(PODS, pod(f"p{number}"))
    status, first, _ = ask(server, f"{LIST}?limit=2")
    server.shelf.put(PODS, pod("p9"))
    token = first["metadata"]["continue"]
    _, second, _ = ask(server, f"{LIST}?limit=2&continue={token}")
    names = [one["metadata"]["name"] for one in first["items"] + second["items"]]

    assert status == 200
    assert names == ["p0", "p1", "p2", "p3"]
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    assert first["metadata"]["remainingItemCount"] == 3


def test_a_page_of_a_forgotten_snapshot_is_gone(server: ApiServer) -> None:
    for number in range(3):
        server.shelf.put(PODS, pod(f"p{number}"))
    _, first, _ = ask(server, f"{LIST}?limit=1")
    server.shelf.compact()
    status, said, _ = ask(server, f"{LIST}?limit=1&continue={first['metadata']['continue']}")

    assert (status, said["reason"], said["kind"]) == (410, "Expired", "Status")


def test_a_watch_tells_what_changed_since_its_version(server: ApiServer) -> None:
    server.shelf.put(PODS, pod("old"))
    since = server.shelf.revision
    server.shelf.put(PODS, pod("new"))
    server.shelf.put(PODS, pod("new", ready=False))
    server.shelf.delete(PODS, "old")
    events = watch(server, f"resourceVersion={since}", 3)

    assert [one["type"] for one in events] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(one["object"]["metadata"]["resourceVersion"]) for one in events]
    assert versions == [since + 1, since + 2, since + 3]


def test_a_pod_that_loses_its_label_is_deleted_to_who_selects_by_it(server: ApiServer) -> None:
    server.shelf.put(PODS, pod("p"))
    since = server.shelf.revision
    server.shelf.put(PODS, pod("p", app="other"))
    server.shelf.put(PODS, pod("p"))
    events = watch(server, f"labelSelector=app%3Dgemma&resourceVersion={since}", 2)

    assert [one["type"] for one in events] == ["DELETED", "ADDED"]


def test_a_field_selector_finds_one_by_its_name(server: ApiServer) -> None:
    for name in ("a", "b"):
        server.shelf.put(PODS, pod(name))
    _, found, _ = ask(server, f"{LIST}?fieldSelector=metadata.name%3Db")

    assert [one["metadata"]["name"] for one in found["items"]] == ["b"]


def test_a_quiet_watch_gets_bookmarks(server: ApiServer) -> None:
    (event,) = watch(server, "resourceVersion=1&allowWatchBookmarks=true", 1)

    assert event["type"] == "BOOKMARK"
    assert event["object"]["metadata"] == {"resourceVersion": "1", "creationTimestamp": None}


def test_a_watch_from_before_the_history_gets_an_error_event(server: ApiServer) -> None:
    server.shelf.put(PODS, pod("p"))
    server.shelf.compact()
    (event,) = watch(server, "resourceVersion=1", 1)

    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


def test_the_server_ends_a_watch_when_its_time_is_over(server: ApiServer) -> None:
    status, raw, _ = ask(server, f"{LIST}?watch=true&resourceVersion=1&timeoutSeconds=0.1")

    assert (status, raw) == (200, b"")


def test_a_status_is_written_apart_and_only_on_what_was_read(server: ApiServer) -> None:
    server.shelf.installed.add(POOLS)
    made = server.shelf.put(POOLS, pool())
    path = f"/apis/{POOLS.group}/v1/namespaces/default/inferencepools/gemma"
    status, _, _ = ask(server, f"{path}/status", "PUT", made | {"spec": {}, "status": {"x": 1}})
    stale, said, _ = ask(server, f"{path}/status", "PUT", made | {"status": {"x": 2}})
    found = server.shelf.get(POOLS, "gemma")

    assert (status, stale, said["reason"]) == (200, 409, "Conflict")
    assert found is not None
    assert (found["spec"], found["status"]) == (made["spec"], {"x": 1})
    with pytest.raises(Conflict):
        server.shelf.put(POOLS, made)


def test_a_kind_that_is_not_installed_is_a_plain_404(server: ApiServer) -> None:
    status, raw, _ = ask(server, "/apis/llm-d.ai/v1alpha2/namespaces/x/inferenceobjectives")

    assert (status, raw) == (404, b"404 page not found\n")


def test_an_old_token_is_refused(server: ApiServer) -> None:
    server.token = "new"

    assert ask(server, LIST, token="old")[0] == 401
    assert ask(server, LIST, token="new")[0] == 200


def test_what_is_ordered_goes_wrong_once(server: ApiServer) -> None:
    server.order("list", "pods", THROTTLED)
    throttled, _, headers = ask(server, LIST)
    well, _, _ = ask(server, LIST)

    assert (throttled, headers["retry-after"], well) == (429, "1", 200)


def test_a_watch_can_be_cut_in_the_middle_of_a_line(server: ApiServer) -> None:
    since = server.shelf.revision
    server.shelf.put(PODS, pod("p"))
    server.order("watch", "pods", MID_LINE, SPLIT, GONE_EVENT)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request("GET", f"{LIST}?watch=true&resourceVersion={since}")
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()
    connection.close()
    (whole,) = watch(server, f"resourceVersion={since}", 1)
    (gone,) = watch(server, f"resourceVersion={since}", 1)

    assert (whole["type"], gone["type"]) == ("ADDED", "ERROR")


def test_a_server_that_is_down_comes_back_where_it_was(server: ApiServer) -> None:
    port = server.port
    server.down()
    with pytest.raises(ConnectionRefusedError):
        ask(server, LIST)
    server.up()

    assert server.port == port
    until(lambda: ask(server, LIST)[0] == 200)
