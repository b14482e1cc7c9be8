"""What `candidates.*` comes to at run time: figures over the endpoints of one evaluation."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TypeVar

from headrace.dsl.cel.values import Fault

T = TypeVar("T")
E = TypeVar("E")


def spoken(
    items: Sequence[E], value: Callable[[E], T], counts: Callable[[E], bool] | None = None
) -> list[T]:
    """Return the *value* of each item that *counts*; an item on which either fails is left out."""
    found: list[T] = []
    for item in items:
        try:
            if counts is None or counts(item):
                found.append(value(item))
        except Fault:
            continue
    return found


def top(values: Sequence[float]) -> float:
    """Return the highest of *values*.

    Raises:
        Fault: there are none.
    """
    return max(_some(values))


def bottom(values: Sequence[float]) -> float:
    """Return the lowest of *values*.

    Raises:
        Fault: there are none.
    """
    return min(_some(values))


def span(values: Sequence[float]) -> tuple[float, float]:
    """Return the lowest and the highest finite one of *values*; twice infinity without one."""
    finite = [value for value in values if math.isfinite(value)]
    return (min(finite), max(finite)) if finite else (math.inf, math.inf)


def span_of_some(values: Sequence[float]) -> tuple[float, float]:
    """Return `span` of *values*.

    Raises:
        Fault: there are none.
    """
    return span(_some(values))


def low(value: float, within: tuple[float, float]) -> float:
    """Return 1 for the lower end and below, 0 for the upper and above, linear between.

    Where both ends are one, nothing above it is 1 all the same. Source: llm-d-router, queue-scorer.
    """
    lowest, highest = within
    if value <= lowest:
        return 1.0
    return 0.0 if value >= highest else (highest - value) / (highest - lowest)


def high(value: float, within: tuple[float, float]) -> float:
    """Return 1 for the upper end and above, 0 for the lower and below, linear between."""
    lowest, highest = within
    if value >= highest or lowest == math.inf:
        return 1.0
    return 0.0 if value <= lowest else (value - lowest) / (highest - lowest)


def ordered(values: Sequence[float]) -> list[float]:
    """Return *values*, lowest first."""
    return sorted(values)


def rank(value: float, order: Sequence[float]) -> int:
    """Return how many of *order*, which is sorted, are below *value*."""
    return bisect_left(order, value)


def _some(values: Sequence[float]) -> Sequence[float]:
    if not values:
        raise Fault("missing", "no candidate has a value")
    return values
