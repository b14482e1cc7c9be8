"""Products of scores, and tiers: the totals that are no weighted sum.

Both are over all endpoints that passed: what a tier counts as equal depends on the best.
"""

from collections.abc import Sequence

from headrace.dsl.program import Combine

ROUNDING = 1e-9  # 0.9 and 0.6 are within 30% of each other, whatever doubles say
Scores = Sequence[Sequence[float]]  # per term, in the order written, one score per endpoint


def totals(combine: Combine, weights: Sequence[float], scores: Scores, count: int) -> list[float]:
    """Return one total for each of *count* endpoints; more is better.

    PRODUCT  the scores, each to the power of its weight, multiplied: 0..1
    TIERS    how many groups of equals are behind the endpoint's own
    """
    if combine is Combine.TIERS:
        groups = _tiers(weights, scores, count)
        behind = [0.0] * count
        for place, group in enumerate(reversed(groups)):
            for i in group:
                behind[i] = float(place)
        return behind
    found = [1.0] * count
    for power, column in zip(weights, scores, strict=True):
        found = [total * part(power, v) for total, v in zip(found, column, strict=True)]
    return found


def part(power: float, score: float) -> float:
    """Return what *score* contributes to a product."""
    return score if power == 1.0 else score**power


def lost_at(
    weights: Sequence[float], scores: Scores, count: int, place: int, winner: int
) -> int | None:
    """Return the tier in which *place* fell behind *winner*; None if they are equal."""
    for tier in range(1, len(weights) + 1):
        for group in _tiers(weights[:tier], scores[:tier], count):
            if winner in group and place not in group:
                return tier - 1
    return None


def _tiers(weights: Sequence[float], scores: Scores, count: int) -> list[list[int]]:
    """Return the endpoints in groups of equals, best first."""
    groups = [list(range(count))] if count else []
    for within, column in zip(weights, scores, strict=True):
        finer: list[list[int]] = []
        for group in groups:
            left = sorted(group, key=lambda i: -column[i])
            while left:
                best = column[left[0]]
                worst = best - within - ROUNDING
                cut = next((n for n, i in enumerate(left) if column[i] < worst), len(left))
                finer.append(left[:cut])
                left = left[cut:]
        groups = finer
    return groups
