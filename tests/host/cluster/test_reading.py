"""What is read of objects, and why some are ignored."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.host.cluster.objects import Object
from headrace.host.cluster.reading import (
    LABELS_MAX,
    Flaw,
    Objective,
    Pod,
    PoolSpec,
    Rewrite,
    RewriteRule,
    read_objective,
    read_pod,
    read_pool,
    read_rewrite,
)
from tests.host.cluster.objects import objective, pod, pool, rewrite

Json = dict[str, Any]
READERS: list[Callable[[Object], object]] = [read_pod, read_pool, read_objective, read_rewrite]


def thing(given: Json) -> Object:
    """Return *given* as the API server's answer is read."""
    return msgspec.json.decode(json.dumps(given), type=Object)


def spec(**given: object) -> Object:
    return thing({"metadata": {"name": "x"}, "spec": given})


def labelled(labels: dict[str, str]) -> Json:
    """Return a pod that has *labels*, too."""
    one = pod("p")
    one["metadata"]["labels"] |= labels
    return one


REF = {"name": "gemma"}
TARGETS = [{"modelRewrite": "y"}]


@pytest.mark.parametrize(
    ("change", "ready"),
    [
        ({}, True),
        ({"conditions": [{"type": "Ready", "status": "False"}]}, False),
        ({"conditions": [{"type": "Initialized", "status": "True"}]}, False),
        ({"conditions": None}, False),
        ({"phase": "Failed"}, False),
        ({"phase": "Succeeded"}, False),
        ({"podIP": ""}, False),
        ({"podIP": "not an address"}, False),
    ],
    ids=str,
)
def test_a_pod_is_ready_if_it_says_so_and_can_be_reached(change: Json, *, ready: bool) -> None:
    one = pod("p")
    one["status"] |= change
    found = read_pod(thing(one))

    assert isinstance(found, Pod)
    assert found.ready is ready


def test_a_pod_that_is_going_away_is_not_ready() -> None:
    one = pod("p")
    one["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    found = read_pod(thing(one))

    assert isinstance(found, Pod)
    assert not found.ready


def test_a_pod_without_a_status_is_not_ready() -> None:
    found = read_pod(thing({"metadata": {"name": "p"}}))

    assert found == Pod("p", "", "", "", ready=False)


def test_what_rules_read_of_an_endpoint_comes_from_the_labels_of_its_pod() -> None:
    labels = {"topology.kubernetes.io/zone": "eu-1a", "llm-d.ai/role": "prefill"}
    found = read_pod(thing(labelled(labels)))

    assert isinstance(found, Pod)
    assert (found.zone, found.role) == ("eu-1a", "prefill")
    assert found.labels == (
        ("app", "gemma"),
        ("llm-d.ai/role", "prefill"),
        ("topology.kubernetes.io/zone", "eu-1a"),
    )


def test_labels_are_bounded() -> None:
    found = read_pod(thing(labelled({f"l{n}": "" for n in range(2 * LABELS_MAX)})))

    assert isinstance(found, Pod)
    assert len(found.labels) == LABELS_MAX


def test_a_pool_has_a_selector_and_one_to_eight_ports() -> None:
    ports = tuple(range(8000, 8008))

    assert read_pool(thing(pool(ports=ports))) == PoolSpec("gemma", (("app", "gemma"),), ports)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"targetPorts": [{"number": 8000}]}, "selector"),
        ({"selector": {"matchLabels": {}}, "targetPorts": [{"number": 8000}]}, "selector"),
        ({"selector": {"matchLabels": {"a": "b"}}}, "port"),
        ({"selector": {"matchLabels": {"a": "b"}}, "targetPorts": []}, "port"),
        ({"selector": {"matchLabels": {"a": "b"}}, "targetPorts": [{"number": 0}]}, "port"),
        ({"selector": {"matchLabels": {"a": "b"}}, "targetPorts": [{"number": 65536}]}, "port"),
        ({"selector": {"matchLabels": {"a": "b"}}, "targetPorts": [{"number": 1}] * 2}, "port"),
        (
            {
                "selector": {"matchLabels": {"a": "b"}},
                "targetPorts": [{"number": n} for n in range(1, 10)],
            },
            "port",
        ),
        ({"selector": {"matchLabels": {"a": 7}}}, "shape"),
        ({"selector": "a=b"}, "shape"),
    ],
    ids=str,
)
def test_a_pool_that_is_wrong_is_a_flaw(given: Json, reason: str) -> None:
    found = read_pool(spec(**given))

    assert isinstance(found, Flaw)
    assert (found.name, found.reason) == ("x", reason)


def test_an_objective_has_a_priority_and_may_name_models() -> None:
    named = objective("o", 5, models="meta/llama-3, chatbot,")

    assert read_objective(thing(objective("o", None))) == Objective("o", "gemma", 0)
    assert read_objective(thing(named)) == Objective("o", "gemma", 5, ("meta/llama-3", "chatbot"))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"priority": 1}, "pool"),
        ({"poolRef": {"name": ""}}, "pool"),
        ({"poolRef": {**REF, "group": "example.com"}}, "pool"),
        ({"poolRef": {**REF, "kind": "Service"}}, "pool"),
        ({"poolRef": REF, "priority": 2**31}, "priority"),
        ({"poolRef": REF, "priority": 1.5}, "shape"),
        ({"poolRef": REF, "priority": "high"}, "shape"),
    ],
    ids=str,
)
def test_an_objective_that_is_wrong_is_a_flaw(given: Json, reason: str) -> None:
    found = read_objective(spec(**given))

    assert isinstance(found, Flaw)
    assert found.reason == reason


def test_an_objective_names_so_many_models_and_no_more() -> None:
    found = read_objective(thing(objective("o", models=",".join(f"m{n}" for n in range(65)))))

    assert isinstance(found, Flaw)
    assert found.reason == "models"


def test_a_rewrite_has_rules_with_matches_and_targets() -> None:
    found = read_rewrite(thing(rewrite("r", {"a": 9, "b": 1}, ("chatbot",))))

    assert found == Rewrite("r", "gemma", "", (RewriteRule(("chatbot",), ("a", "b"), (9, 1)),))


@pytest.mark.parametrize(
    ("weights", "read"),
    [
        ({"a": None, "b": None}, ()),
        ({"a": None, "b": 4}, (0, 4)),
        ({"a": 1, "b": 10**6}, (1, 10**6)),
    ],
)
def test_a_target_without_a_weight_is_never_taken_where_others_have_one(
    weights: dict[str, int | None], read: tuple[int, ...]
) -> None:
    found = read_rewrite(thing(rewrite("r", weights)))

    assert isinstance(found, Rewrite)
    assert found.rules[0].weights == read


def test_a_match_of_nothing_matches_everything() -> None:
    rule = {"matches": [{"model": {"value": "a"}}, {}], "targets": TARGETS}
    found = read_rewrite(spec(poolRef=REF, rules=[rule]))

    assert isinstance(found, Rewrite)
    assert found.rules[0].models == ()


RULES: list[tuple[object, str]] = [
    ([], "rules"),
    (None, "rules"),
    ([{"targets": TARGETS}] * 129, "rules"),
    ([{}], "targets"),
    ([{"targets": []}], "targets"),
    ([{"targets": [{"weight": 1}]}], "targets"),
    ([{"targets": [{"modelRewrite": "a\nb"}]}], "targets"),
    ([{"targets": [{"modelRewrite": "a", "weight": 2**31}]}], "weight"),
    ([{"targets": [{"modelRewrite": "a", "weight": 0}]}], "weight"),
    ([{"targets": [{"modelRewrite": "a", "weight": -1}]}], "weight"),
    ([{"matches": [{"model": {"type": "Prefix", "value": "a"}}], "targets": TARGETS}], "match"),
    ([{"matches": [{"model": {"value": ""}}], "targets": TARGETS}], "match"),
    ("all", "shape"),
]


@pytest.mark.parametrize(("rules", "reason"), RULES, ids=str)
def test_a_rewrite_that_is_wrong_is_a_flaw(rules: object, reason: str) -> None:
    found = read_rewrite(spec(poolRef=REF, rules=rules))

    assert isinstance(found, Flaw)
    assert found.reason == reason


KEYS = (
    *("selector", "matchLabels", "targetPorts", "number", "poolRef", "name", "priority", "podIP"),
    *("rules", "matches", "model", "value", "targets", "modelRewrite", "weight", "conditions"),
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=5)
ANY: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(ANY, ANY)
def test_whatever_an_object_says_it_is_read_or_a_flaw(spec_: object, status: object) -> None:
    one = thing({"metadata": {"name": "x"}, "spec": spec_, "status": status})
    for read in READERS:
        assert isinstance(read(one), Pod | PoolSpec | Objective | Rewrite | Flaw)
