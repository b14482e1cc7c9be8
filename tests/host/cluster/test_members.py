"""From pods to endpoints."""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from headrace.dsl.serving import Member
from headrace.host.cluster.members import ENDPOINTS_MAX, crowded, members
from headrace.host.cluster.reading import Pod

READY = Pod(
    "a", "1", "2026-01-01", "10.0.0.1", ready=True, zone="z", role="r", labels=(("k", "v"),)
)


def test_a_pod_with_one_port_is_an_endpoint_of_its_name() -> None:
    assert members([READY], (8000,)) == (Member("10.0.0.1:8000", "a", "z", "r", (("k", "v"),)),)


def test_each_port_of_a_pod_is_an_endpoint_with_its_rank() -> None:
    made = members([READY], (8000, 8001))

    assert [(m.name, m.address) for m in made] == [
        ("a-rank-0", "10.0.0.1:8000"),
        ("a-rank-1", "10.0.0.1:8001"),
    ]


def test_an_address_of_ipv6_is_in_brackets() -> None:
    (made,) = members([replace(READY, ip="fd00::1")], (8000,))

    assert made.address == "[fd00::1]:8000"


def test_a_pod_that_is_not_ready_is_no_endpoint() -> None:
    assert members([replace(READY, ready=False)], (8000,)) == ()


def test_of_pods_that_share_an_address_the_oldest_has_it() -> None:
    younger = replace(READY, name="0-younger", created="2026-02-01")
    made = members([younger, READY], (8000,))

    assert [m.name for m in made] == ["a"]
    assert crowded([younger, READY], (8000,), made) == 1


def test_a_pool_is_bounded() -> None:
    ips = (f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(ENDPOINTS_MAX + 5))
    pods = [replace(READY, name=f"p{n}", ip=ip) for n, ip in enumerate(ips)]
    made = members(pods, (8000,))

    assert len(made) == ENDPOINTS_MAX
    assert crowded(pods, (8000,), made) == 5


PODS = st.builds(
    Pod,
    st.sampled_from("abcdef"),
    st.just(""),
    st.sampled_from(["2026-01-01", "2026-01-02"]),
    st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1"]),
    ready=st.booleans(),
)


@given(st.lists(PODS, max_size=8, unique_by=lambda pod: pod.name), st.randoms())
def test_no_address_is_twice_and_the_order_of_pods_does_not_matter(
    pods: list[Pod], chance: random.Random
) -> None:
    made = members(pods, (1, 2))
    shuffled = pods[:]
    chance.shuffle(shuffled)

    assert len({m.address for m in made}) == len(made)
    assert members(shuffled, (1, 2)) == made
