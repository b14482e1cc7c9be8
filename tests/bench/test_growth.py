"""Exponents of what was measured at several sizes."""

import pytest
from bench.growth import exponent, growth
from bench.report import Figure


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_a_power_is_found_whatever_stands_before_it(power: float) -> None:
    sizes = [8, 64, 512, 4096]
    assert exponent(sizes, [7.5 * size**power for size in sizes]) == pytest.approx(power)


def test_costs_that_differ_in_one_number_are_fitted_together() -> None:
    rows = [Figure(f"host, {n:,} endpoints, 101 blocks", n * 2.0, "us") for n in (8, 64, 1024)]
    assert list(growth(rows)) == [
        Figure("growth, host, N endpoints, 101 blocks", 1.0, "exponent of N")
    ]


def test_two_sizes_or_a_unit_that_is_no_cost_are_not_fitted() -> None:
    two = [Figure(f"host, {n} endpoints", 1.0, "us") for n in (8, 64)]
    ratios = [Figure(f"ratio, {n} endpoints", 1.0, "x") for n in (8, 64, 512)]
    nothing = [Figure(f"lost, {n} endpoints", 0.0, "us") for n in (8, 64, 512)]
    assert list(growth([*two, *ratios, *nothing])) == []
