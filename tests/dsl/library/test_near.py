"""Who is near, who has the pictures, who has the labels: as the reference's plugins say."""

import pytest

from headrace.extensions.values import Bonds
from tests.dsl.library.ask import ask, endpoint
from tests.extensions.picker.build import Asked

HOST, RACK = "kubernetes.io/hostname", "topology.kubernetes.io/rack"
ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
PEER = {HOST: "h1", RACK: "r1", ZONE: "z1", REGION: "g1"}
NEAR: list[tuple[dict[str, str], float]] = [
    (PEER, 1.0),
    ({HOST: "h1", RACK: "other"}, 1.0),
    ({HOST: "h2", RACK: "r1", ZONE: "other"}, 0.2),
    ({RACK: "r2", ZONE: "z1"}, 0.05),
    ({ZONE: "z2", REGION: "g1"}, 0.02),
    ({REGION: "g2"}, 0.0),
    ({}, 0.0),
]


def test_topology_affinity_scorer() -> None:
    endpoints = [endpoint(i, labels=labels) for i, (labels, _) in enumerate(NEAR)]
    request = Asked(bonds=Bonds(peer_labels=PEER))

    assert ask("topology_affinity_scorer", endpoints, request) == [score for _, score in NEAR]
    assert ask("topology_affinity_scorer", endpoints, Asked()) == [0.0] * len(NEAR)


def test_what_is_missing_on_both_sides_is_not_near() -> None:
    request = Asked(bonds=Bonds(peer_labels={HOST: "", REGION: "g1"}))
    here = endpoint(1, labels={HOST: "", REGION: "g2"})

    assert ask("topology_affinity_scorer", [here, endpoint(2)], request) == [0.0, 0.0]


def test_a_zone_that_the_pool_says_is_as_good_as_its_label() -> None:
    request = Asked(bonds=Bonds(peer_zone="eu-1a"))
    endpoints = [endpoint(1, zone="eu-1a"), endpoint(2, labels={ZONE: "eu-1a"}), endpoint(3)]

    assert ask("topology_affinity_scorer", endpoints, request) == [0.05, 0.05, 0.0]


@pytest.mark.parametrize(
    ("farthest", "expected"),
    [(0, [1, 1, 0, 0, 0, 0, 0]), (1, [1, 1, 1, 0, 0, 0, 0]), (3, [1, 1, 1, 1, 1, 0, 0])],
)
def test_topology_affinity_filter(farthest: int, expected: list[int]) -> None:
    endpoints = [endpoint(i, labels=labels) for i, (labels, _) in enumerate(NEAR)]
    request = Asked(bonds=Bonds(peer_labels=PEER))
    said = f"topology_farthest = {farthest}"

    assert ask("topology_affinity_filter", endpoints, request, said) == expected
    assert ask("topology_affinity_filter", endpoints, Asked(), said) == [True] * 7
    assert ask("topology_affinity_filter", endpoints[5:], request, said) == [True, True]


def test_mm_embeddings_cache_scorer() -> None:
    request = Asked(bonds=Bonds(media={"10.0.0.1:8000": 0.5}))

    assert ask("mm_embeddings_cache_scorer", [endpoint(1), endpoint(2)], request) == [0.5, 0.0]


def test_label_selector_filter() -> None:
    labels = [{"app": "gemma", "tier": "gold"}, {"app": "gemma"}, {"tier": "gold"}, {}]
    endpoints = [endpoint(i, labels=each) for i, each in enumerate(labels)]
    said = 'label_selector_match = {"app": "gemma", "tier": "gold"}'

    assert ask("label_selector_filter", endpoints, Asked(), said) == [True, False, False, False]
    assert ask("label_selector_filter", endpoints, Asked()) == [True] * 4
