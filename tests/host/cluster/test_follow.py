"""The rules of following a resource, without a socket: what it asks, and what it then knows."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.host.cluster.follow import (
    ABSENT_S_MAX,
    BACKOFF_S,
    BACKOFF_S_MAX,
    MISSING_S,
    RESUMES_MAX,
    RETRY_AFTER_S_MAX,
    Ask,
    Follower,
)
from headrace.host.cluster.objects import (
    Fault,
    Object,
    Unreadable,
    read_fault,
    read_line,
    read_page,
)
from headrace.host.cluster.resource import pods
from tests.host.cluster.apiserver.handler import bookmark, status
from tests.host.cluster.apiserver.shelf import PODS, Gone, Json, Shelf, selecting
from tests.host.cluster.objects import pod

GEMMA = pods("default", (("app", "gemma"),))
LABELS = {"app": "gemma"}
PAGE = 2


def kept(one: Object) -> tuple[str, str]:
    """Keep so much of a pod that a change of it shows."""
    return one.metadata.uid, bytes(one.status).decode()


def follower(chance: float = 0.0) -> Follower[tuple[str, str]]:
    return Follower(GEMMA, kept, lambda: chance)


def fresh(shelf: Shelf) -> dict[str, tuple[str, str]]:
    """Return what a list that is made now gives."""
    found, _ = shelf.listed(PODS, "default", selecting(LABELS, {}))
    page = read_page(json.dumps({"metadata": {"resourceVersion": "1"}, "items": found}).encode())
    return {one.metadata.name: kept(one) for one in page.objects}


@dataclass(slots=True)
class World:
    """An API server without sockets, which answers what a follower asks, or fails to."""

    shelf: Shelf = field(default_factory=Shelf)
    pages: dict[str, tuple[int, Sequence[Json]]] = field(
        default_factory=dict[str, tuple[int, Sequence[Json]]]
    )

    def step(self, follower: Follower[tuple[str, str]], wrong: str = "") -> None:
        """Let *follower* ask once; *wrong* says how that goes wrong."""
        ask = follower.next()
        if wrong in FAULTS:
            follower.failed(FAULTS[wrong])
        elif wrong == "garbage":
            follower.unreadable("garbage")
        elif ask.watch:
            self.watch(follower, ask, wrong)
        else:
            self.listing(follower, dict(ask.query))

    def listing(self, follower: Follower[tuple[str, str]], query: dict[str, str]) -> None:
        if token := query.get("continue"):
            revision, rest = self.pages[token]
            if revision < self.shelf.oldest - 1:
                follower.failed(read_fault(410, json.dumps(status(410, "Expired", "")).encode()))
                return
        else:
            found, revision = self.shelf.listed(PODS, "default", selecting(LABELS, {}))
            rest = found
        meta = {"resourceVersion": str(revision)}
        if len(rest) > PAGE:
            meta["continue"] = f"{revision}-{len(rest)}"
            self.pages[meta["continue"]] = (revision, rest[PAGE:])
        page = {"metadata": meta, "items": rest[:PAGE]}
        follower.page(read_page(json.dumps(page).encode()))

    def watch(self, follower: Follower[tuple[str, str]], ask: Ask, wrong: str) -> None:
        revision = int(dict(ask.query)["resourceVersion"])
        try:
            changes, _ = self.shelf.since(revision, PODS, "default")
        except Gone as error:
            said = {"type": "ERROR", "object": status(410, "Expired", str(error))}
            follower.event(read_line(json.dumps(said).encode()))
            return
        told = [change.event(selecting(LABELS, {})) for change in changes]
        events: list[Json] = [one for one in told if one is not None]
        half = wrong in ("cut", "error-event")
        for event in events[: len(events) // 2] if half else events:
            follower.event(read_line(json.dumps(event).encode()))
        if wrong == "cut":
            follower.failed(Fault(0, "cut"))
        elif wrong == "error-event":
            said = {"type": "ERROR", "object": status(500, "InternalError", "")}
            follower.event(read_line(json.dumps(said).encode()))
        elif wrong == "short":
            follower.ended(0.1)
        else:
            revision = self.shelf.revision
            follower.event(read_line(json.dumps(bookmark(PODS, revision)).encode()))
            follower.ended(300.0)


FAULTS = {
    "unreachable": Fault(0, "refused"),
    "gone": Fault(410, "gone"),
    "throttled": Fault(429, "slow down", 7.0),
    "unauthorized": Fault(401, "who?"),
    "forbidden": Fault(403, "no"),
    "missing": Fault(404, "no such kind"),
    "broken": Fault(500, "oops"),
}
WRONGS = ("", "", "", *FAULTS, "garbage", "cut", "error-event", "short")
NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
DOINGS = st.one_of(
    st.tuples(st.just("put"), NAMES, st.sampled_from(["10.0.0.1", "10.0.0.2"]), st.booleans()),
    st.tuples(st.just("relabel"), NAMES),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("compact")),
    st.tuples(st.just("step"), st.sampled_from(WRONGS)),
)


def do(world: World, doing: Sequence[object]) -> None:
    """Change what the API server has."""
    match doing:
        case ("put", str(name), str(ip), bool(ready)):
            world.shelf.put(PODS, pod(name, ip, ready=ready))
        case ("relabel", str(name)) if world.shelf.get(PODS, name):
            world.shelf.put(PODS, pod(name, app="other"))
        case ("delete", str(name)) if world.shelf.get(PODS, name):
            world.shelf.delete(PODS, name)
        case ("compact",):
            world.shelf.compact()
        case _:
            pass


@given(st.lists(DOINGS, max_size=60))
def test_after_any_events_and_faults_it_knows_what_a_fresh_list_has(
    doings: Iterable[tuple[object, ...]],
) -> None:
    world, one = World(), follower()
    for doing in doings:
        if doing[0] == "step":
            world.step(one, str(doing[1]))
        else:
            do(world, doing)
    for _ in range(8):  # two faults' worth of relisting five pods, two to a page
        world.step(one)

    assert one.items == fresh(world.shelf)
    assert one.synced
    assert one.fault is None


@given(st.lists(DOINGS, max_size=40), st.sampled_from([*FAULTS, "garbage", "short"]))
def test_no_failure_changes_what_is_known(doings: Iterable[tuple[object, ...]], wrong: str) -> None:
    world, one = World(), follower()
    for doing in doings:
        do(world, doing)
        world.step(one)
    before = one.items
    if wrong == "short":
        one.ended(0.1)
    else:
        world.step(one, wrong)

    assert one.items is before


def test_it_lists_in_pages_and_then_watches_from_the_version_of_the_list() -> None:
    world, one = World(), follower()
    for name in "abc":
        world.shelf.put(PODS, pod(name))
    first = one.next()
    world.step(one)
    second = one.next()
    world.step(one)
    third = one.next()

    assert first == Ask(
        "/api/v1/namespaces/default/pods", (("limit", "500"), ("labelSelector", "app=gemma")), False
    )
    assert dict(second.query)["continue"]
    assert (third.watch, dict(third.query)["resourceVersion"]) == (True, "4")
    assert dict(third.query)["allowWatchBookmarks"] == "true"


def test_a_list_is_taken_over_when_it_is_whole() -> None:
    world, one = World(), follower()
    for name in "abc":
        world.shelf.put(PODS, pod(name))
    world.step(one)

    assert (len(one.items), one.synced) == (0, False)
    world.step(one)
    assert (len(one.items), one.synced) == (3, True)


def test_a_list_that_is_begun_anew_has_nothing_of_the_old_one() -> None:
    world, one = World(), follower()
    for name in "abc":
        world.shelf.put(PODS, pod(name))
    world.step(one)
    world.shelf.delete(PODS, "a")
    world.shelf.compact()
    for _ in range(2):
        world.step(one)

    assert list(one.items) == ["b", "c"]


def test_a_bookmark_moves_the_version_on() -> None:
    world, one = World(), follower()
    world.step(one)
    one.event(read_line(json.dumps(bookmark(PODS, 77)).encode()))

    assert dict(one.next().query)["resourceVersion"] == "77"


def test_a_cut_watch_goes_on_where_it_was_and_a_gone_one_lists_again() -> None:
    world, one = World(), follower()
    world.step(one)
    one.failed(Fault(0, "cut"))
    assert one.next().watch
    one.failed(FAULTS["gone"])
    assert not one.next().watch


def test_a_version_that_is_refused_again_and_again_is_given_up() -> None:
    world, one = World(), follower()
    world.step(one)
    for _ in range(RESUMES_MAX):
        one.failed(Fault(504, "Too large resource version"))
        assert one.next().watch
    one.failed(Fault(504, "Too large resource version"))

    assert not one.next().watch


def test_failures_are_waited_out_longer_and_longer_and_never_in_step() -> None:
    delays: dict[float, list[float]] = {}
    for chance in (0.0, 1.0):
        one = follower(chance)
        delays[chance] = []
        for _ in range(12):
            one.failed(FAULTS["broken"])
            delays[chance].append(one.next().after_s)

    assert delays[1.0][:3] == [BACKOFF_S, 2 * BACKOFF_S, 4 * BACKOFF_S]
    assert delays[1.0][-1] == BACKOFF_S_MAX
    assert delays[0.0] == [d / 2 for d in delays[1.0]]


def test_a_server_that_is_not_there_is_looked_for_every_few_seconds() -> None:
    one = follower(1.0)
    delays: list[float] = []
    for _ in range(12):
        one.failed(Fault(0, "refused", absent=True))
        delays.append(one.next().after_s)

    assert delays[:3] == [BACKOFF_S, 2 * BACKOFF_S, 4 * BACKOFF_S]
    assert delays[-1] == ABSENT_S_MAX


@pytest.mark.parametrize(("asked_s", "waited_s"), [(7.0, 7.0), (1e9, RETRY_AFTER_S_MAX)])
def test_a_server_that_asks_for_time_gets_it_within_reason(asked_s: float, waited_s: float) -> None:
    one = follower()
    one.failed(Fault(429, "slow down", asked_s))

    assert one.next().after_s == waited_s


def test_a_list_that_works_before_watches_that_do_not_is_no_reason_to_hurry() -> None:
    """An API server whose every watch is gone at once must not be listed without a pause."""
    world, one = World(), follower(1.0)
    waits: list[float] = []
    for _ in range(6):
        world.step(one)
        one.failed(FAULTS["gone"])
        waits.append(one.next().after_s)

    assert waits == sorted(waits)
    assert waits[-1] > 10 * waits[0]


def test_a_watch_that_ends_at_once_counts_as_failed_and_one_that_lasted_does_not() -> None:
    world, one = World(), follower(1.0)
    world.step(one)
    one.ended(0.1)
    assert one.next().after_s == BACKOFF_S
    one.ended(300.0)
    assert one.next().after_s == 0.0


def test_a_watch_that_opens_ends_the_fault_and_not_the_count_of_failures() -> None:
    world, one = World(), follower(1.0)
    world.step(one)
    for _ in range(2):
        one.failed(FAULTS["unreachable"])
        one.opened()
        assert one.fault is None
        assert one.next().after_s == 0.0
    one.failed(FAULTS["unreachable"])

    assert one.next().after_s == 4 * BACKOFF_S


def test_refused_credentials_are_read_anew() -> None:
    one = follower()
    one.failed(FAULTS["unauthorized"])

    assert one.next().renew


def test_a_kind_that_is_not_installed_is_awaited() -> None:
    one = follower(0.5)
    one.failed(FAULTS["missing"])
    assert (one.missing, one.next().after_s) == (True, MISSING_S)
    World().step(one)
    assert not one.missing


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b'{"type":"ADDED"}',
        b'{"type":"ADDED","object":{"metadata":{"name":"x"}}}',
        b'{"type":"ADDED","object":{"metadata":{"resourceVersion":"1"}}}',
        b'{"type":"HELLO","object":{"metadata":{"name":"x","resourceVersion":"1"}}}',
        b'{"type":"ADDED","object":{"metadata":{"name":7,"resourceVersion":"1"}}}',
        b'{"type":"ADDED","object":{"metadata":{"name":"\xff","resourceVersion":"1"}}}',
    ],
)
def test_a_line_that_is_no_event_is_told_as_such(line: bytes) -> None:
    with pytest.raises(Unreadable):
        read_line(line)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading(octets: bytes) -> None:
    for read in (read_line, read_page):
        with suppress(Unreadable):
            read(octets)
    assert read_fault(500, octets).status == 500


def test_an_object_without_a_name_is_left_out_of_a_list_and_counted() -> None:
    items: list[object] = [{"metadata": {}}, {"metadata": {"name": "x"}}, 7]
    page = read_page(json.dumps({"metadata": {"resourceVersion": "1"}, "items": items}).encode())
    one = follower()
    one.page(page)

    assert (list(one.items), one.dropped) == (["x"], 2)


def test_how_long_a_server_wants_to_be_left_alone_is_read_from_head_and_body() -> None:
    body = json.dumps({"message": "busy", "details": {"retryAfterSeconds": 3}}).encode()

    assert read_fault(429, b"", "5") == Fault(429, "HTTP 429: ", 5.0)
    assert read_fault(429, body, "x") == Fault(429, "HTTP 429: busy", 3.0)
