"""How costs grow: an exponent, fitted to what was measured at several sizes.

0 is a cost that does not depend on the size, 1 one that is proportional to it.
"""

import re
from collections.abc import Iterator, Sequence
from math import log

from bench.report import Figure

SIZED = re.compile(r"\d[\d,]*")
GROWING = frozenset({"us", "ms", "MiB", "us CPU/request", "% of a core"})  # units of costs
SIZES_MIN = 3  # two always lie on a line


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return b of the least-squares fit of log(cost) = a + b log(size). All above 0."""
    xs, ys = [log(size) for size in sizes], [log(cost) for cost in costs]
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - x_mean) ** 2 for x in xs)
    return sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / spread


def growth(figures: Sequence[Figure]) -> Iterator[Figure]:
    """Yield the exponent of each cost whose name differs from others in one number alone."""
    found: dict[tuple[str, str], dict[float, float]] = {}
    for figure in figures:
        for number in SIZED.finditer(figure.name):
            name = figure.name[: number.start()] + "N" + figure.name[number.end() :]
            size = float(number[0].replace(",", ""))
            if size > 0 and figure.value > 0:
                found.setdefault((name, figure.unit), {})[size] = figure.value
    for (name, unit), costs in found.items():
        if len(costs) >= SIZES_MIN and unit in GROWING:
            value = exponent(list(costs), list(costs.values()))
            yield Figure(f"growth, {name}", round(value, 2), "exponent of N")
