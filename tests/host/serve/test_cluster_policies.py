"""A policy whose texts a cluster has: how it comes to serve, and what is told on its objects."""

import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from headrace.dsl.policy import compile_policy, digest
from headrace.dsl.problems.diagnostic import PolicyError
from headrace.dsl.source import Source
from headrace.host.cluster import status as status_module
from headrace.host.serve import succession as succession_module
from tests.host.cluster.apiserver import ApiServer
from tests.host.cluster.apiserver.faults import (
    BROKEN,
    BROKEN_EVENT,
    GONE,
    GONE_EVENT,
    MID_LINE,
    RESET,
    SPLIT,
)
from tests.host.cluster.objects import (
    CONFIG_MAPS,
    POLICY_LABEL,
    POOLS,
    SCHED_POLICIES,
    Json,
    policy_map,
    pool,
    reached,
    sched_policy,
)
from tests.host.serve.house import run, until
from tests.host.serve.texts_house import TextsHouse, texts_house

BAD = "sched 1\nmodel broken { route nowhere }\n"
Act = Callable[[TextsHouse, ApiServer], Coroutine[Any, Any, None]]


def good(name: str = "a", priority: int = 1) -> str:
    """Return a policy that is good alone, and beside others of other names."""
    return (
        f'sched 1\npool p-{name} {{ endpoints "127.0.0.1:9"  stale after 60s }}\n'
        f"model m-{name} {{ priority {priority}  route p-{name} }}\n"
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_module, "SPACE_S", 0.001)
    monkeypatch.setattr(status_module, "BACKOFF_S", 0.01)
    monkeypatch.setattr(succession_module, "WARM_S", 0.0)
    monkeypatch.setattr(succession_module, "SYNC_S", 0.1)


def house_with(folder: Path, act: Act, *paths: Path, first: tuple[Json, ...] = ()) -> None:
    """Run *act* in a house whose cluster has the objects *first*."""

    async def main() -> None:
        with reached(folder) as (server, api):
            for one in first:
                server.shelf.put(CONFIG_MAPS if "data" in one else SCHED_POLICIES, one)
            async with texts_house(server, api, paths) as it:
                await it.ask()
                await act(it, server)

    run(main)


def test_it_serves_once_there_is_a_policy_and_tells_so_on_the_object(tmp_path: Path) -> None:
    async def act(it: TextsHouse, server: ApiServer) -> None:
        await it.refused("no ConfigMap and no SchedPolicy has the label `headrace.dev/policy=chat`")
        assert it.reloader.vacant
        server.shelf.put(SCHED_POLICIES, sched_policy("chat", good()))
        await it.reach(1)
        await until(lambda: it.conditions("chat") == {"Accepted": "Checked", "Programmed": "Live"})

        assert it.sources == ["schedpolicy/default/chat/policy.sched"]
        assert it.status("chat")["policy"] == it.digest
        assert it.status("chat")["observedGeneration"] == 1
        assert not it.reloader.history.kept, "one cannot go back to before there was a policy"

    house_with(tmp_path, act)


def test_a_bad_change_is_told_where_it_is_and_the_last_good_one_goes_on(tmp_path: Path) -> None:
    async def act(it: TextsHouse, server: ApiServer) -> None:
        await it.reach(1)
        before = it.digest
        server.shelf.put(SCHED_POLICIES, sched_policy("chat", BAD))
        await until(
            lambda: it.conditions("chat") == {"Accepted": "Invalid", "Programmed": "Refused"}
        )
        (told,) = it.status("chat")["diagnostics"]
        accepted = it.status("chat")["conditions"][0]
        place = (told["file"], told["line"], told["column"], told["level"], told["code"])

        assert it.digest == before == it.status("chat")["policy"]
        assert place == ("policy.sched", 2, 22, "error", "S209")
        assert "schedpolicy/default/chat/policy.sched:2:22: S209" in accepted["message"]
        assert accepted["observedGeneration"] == 2
        server.shelf.put(SCHED_POLICIES, sched_policy("chat", good(priority=2)))
        await it.reach(2)
        await until(lambda: it.conditions("chat") == {"Accepted": "Checked", "Programmed": "Live"})
        assert it.status("chat")["diagnostics"] == []

    house_with(tmp_path, act, first=(sched_policy("chat", good()),))


def test_a_config_map_is_told_by_events_and_others_that_they_are_refused_with_it(
    tmp_path: Path,
) -> None:
    async def act(it: TextsHouse, server: ApiServer) -> None:
        await it.reach(1)
        await until(lambda: it.events("base"))
        server.shelf.put(CONFIG_MAPS, policy_map("base", a=good("a"), b=BAD))
        await until(lambda: len(it.events("base")) == 2)
        await until(lambda: it.conditions("chat")["Accepted"] == "Refused")
        first, second = it.events("base")

        assert it.sources == ["configmap/default/base/a.sched", CHAT_TEXT]
        assert first[0] == "PolicyLive"
        assert second[0] == "PolicyInvalid"
        assert second[1].startswith("configmap/default/base/b.sched:2:22: S209")
        assert "base/b.sched:2:22" in it.status("chat")["conditions"][0]["message"]

    house_with(
        tmp_path, act, first=(policy_map("base", a=good("a")), sched_policy("chat", good("b")))
    )


CHAT_TEXT = "schedpolicy/default/chat/policy.sched"


def test_without_the_last_object_the_last_policy_goes_on_and_it_is_said(tmp_path: Path) -> None:
    async def act(it: TextsHouse, server: ApiServer) -> None:
        await it.reach(1)
        before = it.digest
        server.shelf.delete(SCHED_POLICIES, "chat")
        await it.refused("no ConfigMap and no SchedPolicy has the label")

        assert it.digest == before
        assert it.metrics.registry.get_sample_value("headrace_policy_valid") == 0
        server.shelf.put(SCHED_POLICIES, sched_policy("chat", good(priority=5)))
        await it.reach(2)

    house_with(tmp_path, act, first=(sched_policy("chat", good()),))


def test_files_and_objects_make_one_policy(tmp_path: Path) -> None:
    path = tmp_path / "p.sched"
    path.write_text('sched 1\npool p { endpoints "127.0.0.1:9"  stale after 60s }\n')

    async def act(it: TextsHouse, server: ApiServer) -> None:
        await it.refused("no `model`")
        server.shelf.put(CONFIG_MAPS, policy_map("m", m="sched 1\nmodel m { route p }\n"))
        await it.reach(1)

        assert it.sources == [str(path), "configmap/default/m/m.sched"]

    house_with(tmp_path, act, path)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"spec": {}}, "it needs one of `spec.text` and `spec.files`"),
        ({"spec": {"text": "", "files": {}}}, "it needs one of `spec.text` and `spec.files`"),
        ({"spec": {"files": {"../x.sched": ""}}}, "`../x.sched` in `spec.files` is no name"),
        ({"spec": {"text": 5}}, "Expected `str"),
        ({"data": {"notes.txt": "hello"}}, "it has no key that ends in `.sched`"),
        ({"data": {}, "binaryData": {"a.sched": "AA=="}}, "its key `a.sched` is binary"),
    ],
)
def test_an_object_without_a_text_is_no_reason_to_go_on_without_it(
    tmp_path: Path, wrong: Json, says: str
) -> None:
    async def act(it: TextsHouse, server: ApiServer) -> None:
        await it.reach(1)
        kind = CONFIG_MAPS if "data" in wrong else SCHED_POLICIES
        meta = {"name": "odd", "labels": dict([POLICY_LABEL])}
        server.shelf.put(kind, {"metadata": meta, **wrong})
        await it.refused(says)
        if kind is SCHED_POLICIES:
            await until(lambda: it.conditions("odd")["Accepted"] == "NoText")
            await until(lambda: it.conditions("chat")["Accepted"] == "Refused")
        else:
            await until(lambda: [reason for reason, _ in it.events("odd")] == ["PolicyNoText"])

    house_with(tmp_path, act, first=(sched_policy("chat", good()),))


def test_a_policy_that_cannot_serve_here_is_accepted_and_not_programmed(tmp_path: Path) -> None:
    of_pool = "sched 1\npool gemma { inferencepool gemma }\nmodel m { route gemma }\n"

    async def act(it: TextsHouse, server: ApiServer) -> None:
        await until(
            lambda: it.conditions("chat") == {"Accepted": "Checked", "Programmed": "Unservable"}
        )
        assert it.reloader.vacant
        server.shelf.put(POOLS, pool())
        await it.reach(1)  # nothing else goes on, so it is tried again by itself
        await until(lambda: it.conditions("chat")["Programmed"] == "Live")

    house_with(tmp_path, act, first=(sched_policy("chat", of_pool),))


def test_going_back_is_told_on_the_objects(tmp_path: Path) -> None:
    async def act(it: TextsHouse, server: ApiServer) -> None:
        await it.reach(1)
        server.shelf.put(SCHED_POLICIES, sched_policy("chat", good(priority=2)))
        await it.reach(2)
        await it.reloader.rollback("")
        await until(lambda: it.conditions("chat")["Programmed"] == "RolledBack")

        assert it.status("chat")["policy"] == it.digest

    house_with(tmp_path, act, first=(sched_policy("chat", good()),))


def test_two_replicas_come_to_one_status_and_then_write_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        with reached(tmp_path) as (server, api):
            server.shelf.put(SCHED_POLICIES, sched_policy("chat", good()))
            async with texts_house(server, api) as one, texts_house(server, api) as two:
                await one.ask()
                await two.ask()
                for text in (good(priority=2), BAD, good(priority=3)):
                    server.shelf.put(SCHED_POLICIES, sched_policy("chat", text))
                    last = "Invalid" if text is BAD else "Checked"
                    await until(lambda last=last: one.conditions("chat")["Accepted"] == last)
                await until(lambda: one.digest == two.digest)
                await until(lambda: one.conditions("chat")["Programmed"] == "Live")
                at, before = server.shelf.revision, one.status("chat")
                for each in (one, two):
                    each.joined.writer.again()
                    each.reloader.ask()
                await until(lambda: _written(one, "same") and _written(two, "same"))

                assert (server.shelf.revision, one.status("chat")) == (at, before)

    run(main)


def _written(house: TextsHouse, result: str) -> float | None:
    labels = {"resource": "schedpolicies", "result": result}
    return house.metrics.registry.get_sample_value("headrace_cluster_writes_total", labels)


FAULTS = (GONE, GONE_EVENT, BROKEN, BROKEN_EVENT, MID_LINE, SPLIT, RESET)
NAMES = ("a", "b", "c")
ROUNDS, DEEDS = 12, 6


def deed(draw: random.Random, server: ApiServer) -> None:
    """Do one thing to the cluster, by chance."""
    kind = draw.choice((CONFIG_MAPS, SCHED_POLICIES))
    name, text = draw.choice(NAMES), ""
    match draw.randrange(8):
        case 0:
            text = BAD
        case 1 if server.shelf.get(kind, name):
            server.shelf.delete(kind, name)
            return
        case 2:
            server.order(draw.choice(("list", "watch")), kind.plural, draw.choice(FAULTS))
            return
        case 3:
            server.cut(mid_line=draw.random() < 0.5)
            return
        case 4:
            server.shelf.compact()
            return
        case _:
            text = good(f"{name}-{kind.kind.lower()}", draw.randrange(100))
    put = policy_map(name, x=text) if kind is CONFIG_MAPS else sched_policy(name, text)
    if draw.random() < 0.1:
        put["metadata"]["labels"] = {}
    server.shelf.put(kind, put)


def there(server: ApiServer) -> list[Source]:
    """The texts as a fresh list has them, in their order."""
    found: list[Source] = []
    for kind in (CONFIG_MAPS, SCHED_POLICIES):
        listed, _ = server.shelf.listed(
            kind, "default", lambda one: bool(one["metadata"]["labels"])
        )
        for one in listed:
            text = one["data"]["x.sched"] if kind is CONFIG_MAPS else one["spec"]["text"]
            found.append(Source(f"{kind.kind}/{one['metadata']['name']}", text))
    return found


def checks(sources: list[Source]) -> bool:
    try:
        return bool(sources) and bool(compile_policy(sources))
    except PolicyError:
        return False


def test_whatever_happens_it_serves_what_a_fresh_list_has_or_the_last_good_texts(
    tmp_path: Path,
) -> None:
    draw = random.Random(7)

    async def act(it: TextsHouse, server: ApiServer) -> None:
        await it.reach(1)
        for _ in range(ROUNDS):
            allowed = {it.digest}
            for _ in range(DEEDS):
                deed(draw, server)
                if checks(now := there(server)):
                    allowed.add(digest(now))
            last = there(server)
            policies = it.joined.policies
            assert policies is not None
            texts = [one.text for one in last]
            await until(lambda t=texts, p=policies: [s.text for s in p.take().sources] == t)
            if checks(last):
                await until(lambda last=last: it.digest == digest(last))
            else:
                await until(lambda: it.reloader.refusal is not None and not it.reloader.phase)
                assert it.digest in allowed

    house_with(tmp_path, act, first=(sched_policy("chat", good()),))
