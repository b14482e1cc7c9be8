"""Products and tiers, on scores that are written down."""

import pytest

from headrace.dsl.program import Combine
from headrace.extensions.picker.combine import lost_at, totals


@pytest.mark.parametrize(
    ("powers", "scores", "expected"),
    [
        ([1.0, 1.0], [[0.5, 1.0], [0.5, 0.25]], [0.25, 0.25]),
        ([1.0, 2.0], [[0.5, 1.0], [0.5, 0.25]], [0.125, 0.0625]),
        ([0.5], [[0.25, 0.0]], [0.5, 0.0]),
        ([], [], [1.0, 1.0]),
    ],
)
def test_a_product_is_the_scores_to_their_powers(
    powers: list[float], scores: list[list[float]], expected: list[float]
) -> None:
    assert totals(Combine.PRODUCT, powers, scores, 2) == expected


@pytest.mark.parametrize(
    ("within", "scores", "expected"),
    [
        ([0.0], [[0.3, 0.9, 0.6]], [0.0, 2.0, 1.0]),
        ([0.3], [[0.3, 0.9, 0.6]], [0.0, 1.0, 1.0]),  # 0.6 is within 0.3 of 0.9, 0.3 is not
        ([0.5, 0.0], [[0.5, 1.0, 0.9], [0.1, 0.2, 0.9]], [0.0, 1.0, 2.0]),
        ([0.0, 0.0], [[1.0, 1.0, 1.0], [0.5, 0.5, 0.7]], [0.0, 0.0, 1.0]),
        ([], [], [0.0, 0.0, 0.0]),
    ],
)
def test_a_tier_decides_among_those_that_the_tiers_before_leave_equal(
    within: list[float], scores: list[list[float]], expected: list[float]
) -> None:
    assert totals(Combine.TIERS, within, scores, 3) == expected


@pytest.mark.parametrize("combine", [Combine.PRODUCT, Combine.TIERS])
def test_nobody_has_no_total(combine: Combine) -> None:
    assert totals(combine, [1.0], [[]], 0) == []


def test_the_tier_in_which_an_endpoint_fell_behind_is_named() -> None:
    scores = [[1.0, 0.9, 0.2], [0.4, 0.5, 0.9]]

    assert lost_at([0.2, 0.0], scores, 3, place=2, winner=1) == 0
    assert lost_at([0.2, 0.0], scores, 3, place=0, winner=1) == 1
    assert lost_at([0.2, 0.2], scores, 3, place=0, winner=1) is None
