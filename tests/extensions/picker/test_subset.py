import pytest

from headrace.extensions.picker.subset import KEY, NAMESPACE, host_of, subset_of
from headrace.extensions.stage import Json

A, A2, B, V6 = "10.0.0.1:8000", "10.0.0.1:8001", "10.0.0.2:8000", "[fd00::1]:8000"


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


def test_no_hint_is_no_subset() -> None:
    assert subset_of({}) is None
    assert subset_of({NAMESPACE: {"other": [A]}}) is None


def test_the_host_of_an_address_has_no_brackets() -> None:
    assert [host_of(A), host_of(V6), host_of("name:80")] == ["10.0.0.1", "fd00::1", "name"]
