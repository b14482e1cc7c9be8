import pytest

from headrace.dsl.program import Profile
from headrace.extensions.picker.bits import places_of
from headrace.extensions.picker.snapshot import Endpoint, pool_state
from headrace.extensions.picker.staging import stage
from headrace.extensions.picker.subset import KEY, NAMESPACE, Subset, host_of, named, subset_of
from headrace.extensions.picker.table import Table
from headrace.extensions.picker.values import Seen
from headrace.extensions.stage import Json
from tests.extensions.picker.build import span

A, A2, B, V6 = "10.0.0.1:8000", "10.0.0.1:8001", "10.0.0.2:8000", "[fd00::1]:8000"


def masked(subset: Subset, *addresses: str) -> list[str]:
    """Return which of *addresses* a table takes to be in *subset*."""
    pool = pool_state("p", [Endpoint(a, a, ready=True) for a in addresses])
    split = stage(Profile("default", span("profile default"))).narrow
    mask = Table(split, False, pool, Seen(), 0.0).mask_of(subset)
    return [addresses[place] for place in places_of(mask)]


@pytest.mark.parametrize(
    ("hint", "eligible"),
    [
        ([A], [A]),
        ([A, B], [A, B]),
        (f"{A}, {B}", [A, B]),
        ([f" {A} ,{B}"], [A, B]),
        ("10.0.0.1", [A, A2]),
        (["10.0.0.1", B], [A, A2, B]),
        ([V6], [V6]),
        (["[fd00::1]"], [V6]),
        (["fd00::1"], [V6]),
        (["[FD00:0::0:1]:8000"], [V6]),
        ([], []),
        ("", []),
        ("10.9.9.9:1", []),
        ([7, None, A], [A]),
        ([7], []),
        (7, []),
        ({"a": 1}, []),
        (None, []),
    ],
)
def test_a_hint_makes_eligible_what_it_names(hint: Json, eligible: list[str]) -> None:
    subset = subset_of({NAMESPACE: {KEY: hint}})

    assert subset is not None
    assert [a for a in (A, A2, B, V6) if subset.has(a)] == eligible
    assert sorted(masked(subset, A, A2, B, V6)) == sorted(eligible)


def test_no_hint_is_no_subset() -> None:
    assert subset_of({}) is None
    assert subset_of({NAMESPACE: {"other": [A]}}) is None


def test_the_host_of_an_address_has_no_brackets() -> None:
    assert [host_of(A), host_of(V6), host_of("name:80")] == ["10.0.0.1", "fd00::1", "name"]


@pytest.mark.parametrize("hint", ["[fd00::1]:8000", "fd00::1", "[FD00::0:1]"])
def test_an_endpoint_that_is_written_the_long_way_is_found_by_the_short_one(hint: str) -> None:
    long = "[FD00:0:0::1]:8000"

    assert named(hint).has(long)
    assert masked(named(hint), A, long) == [long]
