"""Seeded chance: the same seed gives the same numbers everywhere."""

import math
from collections.abc import Sequence
from typing import Protocol

_MASK = (1 << 64) - 1


class Chance(Protocol):
    """A source of numbers between 0 (included) and 1 (excluded)."""

    def uniform(self) -> float:
        """Return the next number."""
        ...


class Splitmix:
    """The splitmix64 generator. Source: Steele, Lea and Flood, 2014."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def uniform(self) -> float:
        """Return the next number, with 53 random bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53)


def pick(weights: Sequence[float], chance: Chance) -> int:
    """Return an index of *weights*, each as likely as its share of the sum."""
    left = chance.uniform() * sum(weights)
    for index, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return index
    return max(index for index, weight in enumerate(weights) if weight > 0)


def exponential(mean: float, chance: Chance) -> float:
    """Return a number of an exponential distribution with *mean*."""
    return -mean * math.log(1.0 - chance.uniform())
